"""Real RTP through a plane into a capture: what was said is in it, in order, with its times; what was masked is not."""

import asyncio
import os
from pathlib import Path

import numpy as np
import pytest
from tests.media.test_conversion import BARE, EVENTS, PCMA, pair, press, speak, tones_of, voice, whole

from santral.engine.media import CaptureEvent, MediaError
from santral.recorder.capture import (
    MARKER,
    MASKED,
    Batch,
    CaptureFile,
    CaptureHeader,
    CaptureKey,
    Note,
    is_being_written,
)

HEADER = CaptureHeader.now("rec-1", "acme", "node-1", {"format": "wav"})
KEY = CaptureKey(bytes(range(32)), b"wrapped")


@pytest.fixture
def path() -> Path:
    """On a disk that is never slow: the machine's own may be busy with whatever runs beside the tests."""
    folder = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp")
    found = folder / f"santral-test-{os.getpid()}.capture"
    found.unlink(missing_ok=True)
    yield found
    found.unlink(missing_ok=True)


def read(path: Path) -> tuple[CaptureFile, Batch]:
    with CaptureFile(path, lambda *_: KEY.data) as capture:
        batch = capture.read()
        assert capture.damage == []
    return capture, batch


def raw(path: Path) -> bytes:
    return path.read_bytes()


def payloads(batch: Batch, stream: int) -> list[bytes]:
    return [batch.payload(i) for i in range(len(batch.packets)) if batch.packets["stream"][i] == stream]


def noted(batch: Batch, kind: str) -> list[Note]:
    return [note for note in batch.notes if note.kind == kind]


@pytest.mark.parametrize("key", [None, KEY])
async def test_both_sides_are_in_the_file_as_they_came(stage, path: Path, key: CaptureKey | None) -> None:
    a, leg_a, b, leg_b = stage.bridged()
    capture = stage.plane.captures.open(path, HEADER, key=key)
    assert [capture.add(leg_a, "originating", party="1001"), capture.add(leg_b, "connected")] == [0, 1]
    for n in range(40):
        a.send(leg_a, b"a%03d" % n * 40)
        b.send(leg_b, b"b%03d" % n * 40)
        await asyncio.sleep(0.002)
    await stage.expect_counts(leg_a, packets_in=40)
    await stage.expect_counts(leg_b, packets_in=40)
    capture.note("party", stream=1, name="Ada")
    assert is_being_written(path)
    summary = await capture.close("hung up")
    assert (summary.packets, summary.dropped, summary.masked) == (80, 0, 0)
    assert (summary.is_complete, summary.failure, summary.bytes) == (True, "", len(raw(path)))
    assert not is_being_written(path)
    file, batch = read(path)
    assert (file.is_complete, file.end_reason, file.header.meta) == (True, "hung up", {"format": "wav"})
    assert payloads(batch, 0) == [b"a%03d" % n * 40 for n in range(40)]
    assert payloads(batch, 1) == [b"b%03d" % n * 40 for n in range(40)]
    assert (b"a001" in raw(path)) is (key is None)
    said = batch.packets[batch.packets["stream"] == 0]
    assert [int(n) for n in said["sequence"]] == list(range(1000, 1040))
    assert [int(n) for n in said["timestamp"]] == list(range(50_000, 50_000 + 6400, 160))
    assert set(said["ssrc"]) == {a.ssrc}
    assert {file.codecs[int(n)] for n in said["codec"]} == {"PCMA/8000"}
    assert set(said["payload_type"]) == {8}
    gaps = said["arrival_ns"][1:].astype(int) - said["arrival_ns"][:-1].astype(int)
    assert all(gaps >= 0)
    assert 40 * 0.002 <= (int(said["arrival_ns"][-1]) - int(said["arrival_ns"][0])) / 1e9 + 0.01 < 2.0
    streams = [dict(note.fields) for note in noted(batch, "stream")]
    assert streams == [
        {"stream": 0, "leg": leg_a.id, "side": "said", "role": "originating", "party": "1001"},
        {"stream": 1, "leg": leg_b.id, "side": "said", "role": "connected"},
    ]
    assert [dict(note.fields) for note in noted(batch, "party")] == [{"stream": 1, "name": "Ada"}]
    assert {note.fields["stream"] for note in noted(batch, "stream_end")} == {0, 1}
    assert batch.notes[-1].kind == "end"


async def test_legs_come_and_go_in_one_capture(stage, path: Path) -> None:
    _, leg_a, b, leg_b = stage.bridged()
    capture = stage.plane.captures.open(path, HEADER)
    capture.add(leg_a, "originating")
    leaving = capture.add(leg_b, "connected")
    b.send(leg_b, b"1" * 160)
    await stage.expect_counts(leg_b, packets_in=1)
    capture.remove(leaving, "transferred")
    capture.remove(leaving, "again")
    b.send(leg_b, b"2" * 160)
    await stage.expect_counts(leg_b, packets_in=2)
    c = stage.peer()
    leg_c = stage.leg(c)
    stage.plane.bridge(leg_a, leg_c)
    assert capture.add(leg_c, "connected") == 2
    c.send(leg_c, b"3" * 160, marker=1)
    await stage.expect_counts(leg_c, packets_in=1)
    await leg_c.close()
    await capture.close("over")
    _, batch = read(path)
    assert [payloads(batch, n) for n in range(3)] == [[], [b"1" * 160], [b"3" * 160]]
    assert list(batch.packets["flags"][batch.packets["stream"] == 2]) == [MARKER]
    ends = [(note.fields["stream"], note.fields["reason"]) for note in noted(batch, "stream_end")]
    assert (leaving, "transferred") in ends
    with pytest.raises(MediaError):
        capture.add(leg_a, "originating")
    with pytest.raises(MediaError):
        capture.note("party")


async def test_what_is_heard_can_be_captured_too(stage, path: Path) -> None:
    a, leg_a, b, leg_b = stage.bridged()
    capture = stage.plane.captures.open(path, HEADER)
    capture.add(leg_a, "member", side="heard")
    for n in range(5):
        b.send(leg_b, b"%d" % n * 160)
    await a.hears(5)
    await capture.close("")
    _, batch = read(path)
    assert payloads(batch, 0) == [b"%d" % n * 160 for n in range(5)]


async def test_masked_and_paused_audio_is_not_in_the_file(stage, path: Path) -> None:
    a, leg_a, _, _ = stage.bridged()
    capture = stage.plane.captures.open(path, HEADER)
    capture.add(leg_a, "originating")
    sent = 0

    async def say(word: bytes) -> None:
        nonlocal sent
        for _ in range(3):
            a.send(leg_a, word * 20)
            sent += 1
        await stage.expect_counts(leg_a, packets_in=sent)
        await asyncio.sleep(0.003)  # its thread's clock moves by ticks

    await say(b"open-one")
    capture.mask()
    capture.mask()
    await say(b"cardmask")
    capture.unmask()
    await say(b"open-two")
    capture.pause("skip")
    await say(b"cardskip")
    capture.resume()
    await say(b"open-333")
    capture.pause("silence")
    await say(b"cardquie")
    capture.resume()
    await say(b"open-four"[:8])
    summary = await capture.close("")
    assert (summary.packets, summary.masked) == (15, 3)
    data = raw(path)
    assert b"card" not in data
    _, batch = read(path)
    flags = [int(f) for f in batch.packets["flags"]]
    assert flags == [0] * 3 + [MASKED] * 3 + [0] * 9
    assert list(batch.packets["octets"]) == [160] * 15
    words = [p[:8] for p in payloads(batch, 0)]
    assert words == [b"open-one"] * 3 + [b""] * 3 + [b"open-two"] * 3 + [b"open-333"] * 3 + [b"open-fou"] * 3
    kinds = [note.kind for note in batch.notes if "mask" in note.kind or note.kind in {"paused", "resumed"}]
    assert kinds == ["masked", "unmasked", "paused", "resumed", "paused", "resumed"]
    assert [note.fields["mode"] for note in noted(batch, "paused")] == ["skip", "silence"]
    with pytest.raises(MediaError):
        capture.mask()


async def test_a_growing_capture_is_read_and_loses_half_a_second_at_most(stage, path: Path) -> None:
    a, leg_a, _, _ = stage.bridged()
    events: list[CaptureEvent] = []
    capture = stage.plane.captures.open(path, HEADER, on_event=events.append)
    capture.add(leg_a, "originating")
    for _ in range(10):
        a.send(leg_a, b"live" * 40)
    await stage.expect_counts(leg_a, packets_in=10)
    began = asyncio.get_running_loop().time()
    await stage.until(path.exists)
    with CaptureFile(path) as file:
        packets = 0

        def all_there() -> bool:
            nonlocal packets
            packets += len(file.read().packets)
            return packets == 10

        await stage.until(all_there)
        assert asyncio.get_running_loop().time() - began < 1.0
        assert not file.is_complete
        await capture.close("")
        file.read()
        assert file.is_complete
    assert events == []


# ---- digits ----


async def test_digits_are_kept_out_by_themselves(stage, path: Path) -> None:
    """Tones of a peer without events: short ones and a long one, between words that stay."""
    a, leg_a, b, _ = pair(stage, BARE, BARE)
    capture = stage.plane.captures.open(path, HEADER)
    capture.add(leg_a, "originating")
    capture.mask_digits()
    parts = [
        voice(0.6),
        tones_of("4", tone_ms=60, gap_ms=0),
        voice(0.6, 440.0),
        tones_of("1", tone_ms=900, gap_ms=0),
        voice(0.7),
    ]
    wire = PCMA.encode(whole(*parts).astype(np.int16).tobytes())
    await speak(a, leg_a, np.concatenate(parts))
    await stage.expect_counts(leg_a, packets_in=len(wire) // 160)
    await capture.close("")
    _, batch = read(path)
    data = raw(path)
    edges = np.cumsum([0, *(len(part) for part in parts)]) // 160
    tones = [n for first, last in ((edges[1], edges[2]), (edges[3], edges[4])) for n in range(first, last)]
    for n in tones:
        assert wire[160 * n : 160 * n + 160] not in data, f"packet {n} of {edges}"
    said = [batch.payload(i) for i in range(len(batch.packets))]
    assert len(said) == len(wire) // 160
    assert said[: edges[1] - 11] == [wire[160 * n : 160 * n + 160] for n in range(edges[1] - 11)]
    last = len(said) - 6  # what might be the beginning of one more digit
    assert said[edges[4] + 17 : last] == [wire[160 * n : 160 * n + 160] for n in range(edges[4] + 17, last)]
    assert all(digit["masked"] for digit in stage.of("dtmf", leg_a))
    assert [digit["digit"] for digit in stage.of("dtmf", leg_a)] == ["4", "1"]
    assert {p.payload for p in await b.hears(len(said))} >= {wire[160 * n : 160 * n + 160] for n in tones}
    masks = [note.fields for note in noted(batch, "masks_digits")]
    assert masks == [{"stream": 0, "on": True}]


async def test_events_and_the_tone_beside_them_are_kept_out(stage, path: Path) -> None:
    """A gateway that goes on sending the tone while it sends events, for longer than one mask lasts."""
    a, leg_a, b, _ = pair(stage, EVENTS, EVENTS)
    capture = stage.plane.captures.open(path, HEADER)
    capture.add(leg_a, "originating")
    capture.mask_digits()
    await speak(a, leg_a, voice(0.4))
    key = asyncio.create_task(press(a, leg_a, 5, ms=800))
    for _ in range(40):
        a.send(leg_a, b"toneTONE" * 20, 8, sequence=a.sequence, timestamp=a.timestamp)
        a.sequence += 1
        await asyncio.sleep(0.02)
    await key
    capture.mask_digits(on=False)
    await asyncio.sleep(0.3)
    await speak(a, leg_a, voice(0.1))
    await capture.close("")
    file, batch = read(path)
    assert b"toneTONE" not in raw(path)
    assert "telephone-event/8000" not in {file.codecs[int(n)] for n in batch.packets["codec"]}
    assert sum(batch.packets["flags"] == MASKED) >= 40
    assert list(batch.packets["flags"][-5:]) == [0] * 5
    heard = await b.hears(10)
    assert {5} == {p.payload[0] for p in heard if p.payload_type == 96}  # the far end still gets it


async def test_a_tone_cut_off_by_the_end_is_not_in_the_file(stage, path: Path) -> None:
    a, leg_a, _, _ = pair(stage, BARE, BARE)
    capture = stage.plane.captures.open(path, HEADER)
    capture.add(leg_a, "originating")
    capture.mask_digits()
    tone = tones_of("9", tone_ms=200, gap_ms=0)[:320]  # too little to be recognised yet
    await speak(a, leg_a, np.concatenate([voice(0.3), tone]))
    await stage.expect_counts(leg_a, packets_in=17)
    await leg_a.close()
    assert (await capture.close("")).packets == 17
    wire = PCMA.encode(tone.tobytes())
    assert wire[:160] not in raw(path)
    assert PCMA.encode(voice(0.3).tobytes())[:160] in raw(path)


async def test_tones_are_kept_out_where_a_jitter_buffer_is_before_the_detector(stage, path: Path) -> None:
    a, b = stage.peer(), stage.peer()
    leg_a, leg_b = stage.leg(a, **BARE), stage.leg(b, **BARE)
    room = stage.plane.open_room()
    room.join(leg_a, gain_db=1.0)  # mixed, though they are two
    room.join(leg_b)
    capture = stage.plane.captures.open(path, HEADER)
    capture.add(leg_a, "member")
    capture.mask_digits()
    tone = tones_of("7", tone_ms=120, gap_ms=0)
    await speak(a, leg_a, np.concatenate([voice(0.5), tone, voice(0.5)]))
    await stage.until(lambda: [digit["digit"] for digit in stage.of("dtmf", leg_a)] == ["7"])
    await capture.close("")
    await room.close()
    data, wire = raw(path), PCMA.encode(tone.tobytes())
    assert [n for n in range(0, len(wire), 160) if wire[n : n + 160] in data] == []
    assert PCMA.encode(voice(0.5).tobytes())[:160] in data


async def test_masks_switched_in_haste_rather_hide_too_much(stage, path: Path) -> None:
    a, leg_a, _, _ = stage.bridged()
    capture = stage.plane.captures.open(path, HEADER)
    capture.add(leg_a, "originating")
    for _ in range(100):
        capture.mask()
        capture.unmask()
    capture.mask()
    a.send(leg_a, b"cardmask" * 20)
    await stage.expect_counts(leg_a, packets_in=1)
    capture.unmask()
    await asyncio.sleep(0.003)
    a.send(leg_a, b"open-one" * 20)
    await stage.expect_counts(leg_a, packets_in=2)
    summary = await capture.close("")
    assert (summary.packets, summary.masked) == (2, 1)
    assert b"cardmask" not in raw(path)
    _, batch = read(path)
    assert payloads(batch, 0) == [b"", b"open-one" * 20]


async def test_a_note_has_a_bound(stage, path: Path) -> None:
    capture = stage.plane.captures.open(path, HEADER)
    with pytest.raises(MediaError, match="note"):
        capture.note("party", name="x" * 9000)
    for n in range(200):  # more than a chunk keeps free for notes
        capture.note("party", name="x" * 4000, number=n)
    await capture.close("")
    _, batch = read(path)
    assert [note.fields["number"] for note in noted(batch, "party")] == list(range(200))
