"""What the plane itself says to a leg: captured apart from what is relayed to it; and interludes in what is played."""

import asyncio
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.media.test_conversion import BARE, EVENTS, pair, press
from tests.media.test_players import PCMA, audio

from santral.engine.media import MediaError, PreparedAudio
from santral.recorder.capture import MASKED, Batch, CaptureFile, CaptureHeader

HEADER = CaptureHeader.now("rec-1", "acme", "node-1", {})


@pytest.fixture
def path() -> Iterator[Path]:
    folder = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp")
    found = folder / f"santral-played-{os.getpid()}.capture"
    found.unlink(missing_ok=True)
    yield found
    found.unlink(missing_ok=True)


def read(path: Path) -> tuple[dict[int, str], Batch]:
    with CaptureFile(path) as capture:
        batch = capture.read()
        assert capture.damage == []
        return dict(capture.codecs), batch


def of(batch: Batch, stream: int) -> list[int]:
    return [row for row in range(len(batch.packets)) if batch.packets["stream"][row] == stream]


def payloads(batch: Batch, stream: int) -> list[bytes]:
    return [batch.payload(row) for row in of(batch, stream)]


def numbers(frames: range) -> list[bytes]:
    return [bytes([n]) * 160 for n in frames]


async def played(stage, leg, what: PreparedAudio, **manner: bool) -> None:
    done = len(stage.of("play_finished", leg))
    stage.plane.play(leg, what, **manner)
    await stage.until(lambda: len(stage.of("play_finished", leg)) > done, 10)


async def test_what_is_played_stands_apart_from_what_is_relayed(stage, path: Path) -> None:
    a, leg_a, b, leg_b = stage.bridged()
    capture = stage.plane.captures.open(path, HEADER)
    told = [("said", leg_a), ("said", leg_b), ("played", leg_a), ("played", leg_b)]
    for side, leg in told:
        capture.add(leg, "originating" if leg is leg_a else "connected", side=side)
    for _ in range(2):
        for _ in range(3):
            b.send(leg_b, b"r" * 160)
        await a.hears(3)
        await played(stage, leg_a, audio(5))
        a.heard()
    summary = await capture.close("")
    assert summary.dropped == 0
    _, batch = read(path)
    assert payloads(batch, 0) == payloads(batch, 3) == []
    assert payloads(batch, 1) == [b"r" * 160] * 6
    assert payloads(batch, 2) == numbers(range(5)) * 2
    rows = batch.packets[of(batch, 2)]
    assert {int(after - before) for before, after in pairwise(rows["sequence"].astype(int))} == {1}  # none was lost
    assert len(set(rows["ssrc"])) == 1
    within = np.diff(rows["timestamp"].astype(np.int64))
    assert all(step >= 160 for step in within)  # more: as long as it took until the next sound, or a late machine
    with pytest.raises(MediaError):
        capture.add(leg_a, "originating", side="played")


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("peer", [EVENTS, BARE])
async def test_digits_that_we_press_are_what_we_say(stage, path: Path, peer: dict[str, object], hidden: bool) -> None:
    _, leg, _, _ = pair(stage, peer, EVENTS)
    capture = stage.plane.captures.open(path, HEADER)
    if hidden:
        capture.mask_digits()
    capture.add(leg, "originating", side="played")
    leg.send_digits("7", 100)
    await stage.until(lambda: bool(stage.of("digits_sent", leg)), 10)
    await capture.close("")
    codecs, batch = read(path)
    rows = batch.packets
    if peer is BARE:
        assert len(rows) >= 5
        assert {bool(flags & MASKED) for flags in rows["flags"]} == {hidden}
    elif hidden:
        assert len(rows) == 0
    else:
        assert {codecs[int(row["codec"])] for row in rows} == {"telephone-event/8000"}
        assert {batch.payload(row)[0] for row in range(len(rows))} == {7}


async def test_digits_of_the_far_end_are_not_ours(stage, path: Path) -> None:
    """They are pressed anew for a peer that takes tones only; whoever pressed them is recorded."""
    a, leg_a, b, leg_b = pair(stage, EVENTS, BARE)
    capture = stage.plane.captures.open(path, HEADER)
    capture.add(leg_b, "connected", side="played")
    capture.add(leg_a, "originating")
    a.send(leg_a, b"\xd5" * 160, 8)
    await press(a, leg_a, 5)
    await b.hears(5)
    await asyncio.sleep(0.1)
    await capture.close("")
    _, batch = read(path)
    assert payloads(batch, 0) == []
    assert 5 in {one[0] for one in payloads(batch, 1) if len(one) == 4}


@pytest.mark.parametrize("rate_hz", [8000, 24000])
async def test_what_a_room_plays_to_all(stage, path: Path, rate_hz: int) -> None:
    peers = [stage.peer() for _ in range(3)]
    room = stage.plane.open_room(rate_hz)
    for peer in peers:
        room.join(stage.leg(peer))
    capture = stage.plane.captures.open(path, HEADER)
    stream = capture.add(room, "member", side="played")
    gone = capture.add(room, "member", side="played")
    capture.remove(gone)
    noise = np.random.default_rng(5).integers(-20_000, 20_000, rate_hz // 10, np.int16)
    for _ in range(2):
        room.play(PreparedAudio(rate_hz, noise.tobytes()))
        done = len(stage.of("play_finished")) + 1
        await stage.until(lambda: len(stage.of("play_finished")) == done, 10)  # noqa: B023 - awaited here
    await room.close()
    await capture.close("")
    codecs, batch = read(path)
    assert set(codecs.values()) == {f"L16/{rate_hz}"}
    assert payloads(batch, gone) == []
    said = np.frombuffer(b"".join(payloads(batch, stream)), ">i2")
    assert np.array_equal(said, np.concatenate([noise, noise]))
    rows = batch.packets
    assert set(np.diff(rows["sequence"].astype(int))) == {1}
    steps = np.diff(rows["timestamp"].astype(np.int64))
    assert set(steps) - {rate_hz // 50} == set(steps[4:5]) - {rate_hz // 50}  # by its clock, and once a pause


async def test_a_room_that_ends_gives_back_its_taps(stage, path: Path) -> None:
    room = stage.plane.open_room(8000)
    capture = stage.plane.captures.open(path, HEADER)
    capture.add(room, "member", side="played")
    await room.close()
    assert (await capture.close("over")).is_complete
    with pytest.raises(MediaError):
        room.play(audio(1))


async def test_an_interlude_comes_first_and_what_was_played_goes_on_behind_it(stage) -> None:
    a = stage.peer()
    leg = stage.leg(a)
    first = stage.plane.play(leg, audio(12))
    heard = await a.hears(3)
    second = stage.plane.play(leg, PreparedAudio(8000, PCMA.decode(b"z" * 800)), interlude=True)
    await stage.until(lambda: len(stage.of("play_finished")) == 2, 10)
    heard += a.heard()
    said = [packet.payload[:1] for packet in heard]
    at = said.index(b"z")
    assert said[at : at + 5] == [b"z"] * 5
    assert said[:at] + said[at + 5 :] == [bytes([n]) for n in range(12)]
    assert {y.sequence - x.sequence for x, y in pairwise(heard)} == {1}
    assert all(y.timestamp - x.timestamp & 0xFFFFFFFF >= 160 for x, y in pairwise(heard))
    assert [(one["play_id"], one["frames"], one["reason"]) for one in stage.of("play_finished", leg)] == [
        (second, 5, "completed"),
        (first, 12, "completed"),
    ]


async def test_an_interlude_outlasts_what_stops_the_rest(stage) -> None:
    a, leg, b, leg_b = stage.bridged()
    stage.plane.play(leg, audio(50), stop_on="any")
    await a.hears(2)
    told = stage.plane.play(leg, PreparedAudio(8000, PCMA.decode(b"z" * 1600)), interlude=True)
    stage.plane.stop_play(leg)
    stage.plane.play(leg, PreparedAudio(8000, PCMA.decode(b"y" * 320)))
    b.send(leg_b, b"r" * 160)
    await stage.until(lambda: len(stage.of("play_finished", leg)) == 3, 10)
    said = b"".join(packet.payload[:1] for packet in a.heard())
    assert said.lstrip(bytes(range(50))) == b"z" * 10 + b"y" * 2  # the relayed packet waited for neither
    reasons = [(one["play_id"] == told, one["reason"]) for one in stage.of("play_finished", leg)]
    assert reasons == [(False, "stopped"), (True, "completed"), (False, "completed")]
    again = stage.plane.play(leg, audio(50), interlude=True)
    stage.plane.play(leg, audio(50))
    await a.hears(1)
    await leg.close()
    assert [one["reason"] for one in stage.of("play_finished", leg)][3:] == ["closed", "closed"]
    assert again in {one["play_id"] for one in stage.of("play_finished", leg)[3:]}
