"""Between legs that differ: other law, packet length, rate; and what is tapped, muted and pressed on the way."""

import asyncio
from itertools import pairwise

import numpy as np
import pytest

from santral.codecs import CODECS
from santral.engine.media import MediaError, PreparedAudio

PCMU, PCMA, L16 = CODECS["PCMU/8000"], CODECS["PCMA/8000"], CODECS["L16/16000"]
ONLY = {
    "pcmu": {"receives": {0: "PCMU/8000"}, "sends": {"PCMU/8000": 0}},
    "pcma": {"receives": {8: "PCMA/8000"}, "sends": {"PCMA/8000": 8}},
    "l16": {"receives": {97: "L16/16000"}, "sends": {"L16/16000": 98}},
    "g729": {"receives": {18: "G729/8000"}, "sends": {"G729/8000": 18}},
    "events": {
        "receives": {8: "PCMA/8000", 101: "telephone-event/8000"},
        "sends": {"PCMA/8000": 8, "telephone-event/8000": 96},
    },
}


def tone(hz: float, seconds: float, rate: int = 8000, loud: float = 8000.0) -> bytes:
    return (loud * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)).astype(np.int16).tobytes()


def pieces(wire: bytes, size: int) -> list[bytes]:
    return [wire[at : at + size] for at in range(0, len(wire), size)]


def loudest_hz(samples: bytes, rate: int) -> float:
    heard = np.frombuffer(samples, np.int16).astype(float)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    return float(np.argmax(spectrum) * rate / len(heard))


def pair(stage, one: str, other: str, **remote):
    a, b = stage.peer(), stage.peer()
    leg_a, leg_b = stage.leg(a, **ONLY[one]), stage.leg(b, **ONLY[other], **remote)
    stage.plane.bridge(leg_a, leg_b)
    return a, leg_a, b, leg_b


async def speak(peer, leg, packets, payload_type: int, step: int = 160) -> None:
    for payload in packets:
        peer.send(leg, payload, payload_type, sequence=peer.sequence & 0xFFFF, timestamp=peer.timestamp & 0xFFFFFFFF)
        peer.sequence += 1
        peer.timestamp += step
        await asyncio.sleep(0.001)


async def test_law_to_law_both_ways_is_exact_and_keeps_its_numbers(stage) -> None:
    a, leg_a, b, leg_b = pair(stage, "pcmu", "pcma")
    assert (leg_a.path, leg_b.path) == ("transcode", "transcode")
    sent = pieces(bytes(range(256)) * 20, 160)
    await speak(a, leg_a, sent, 0)
    heard = await b.hears(len(sent))
    assert [p.payload for p in heard] == [PCMA.encode(PCMU.decode(payload)) for payload in sent]
    assert {p.payload_type for p in heard} == {8}
    assert all(y.sequence == x.sequence + 1 and y.timestamp - x.timestamp == 160 for x, y in pairwise(heard))
    await speak(b, leg_b, sent, 8)
    assert [p.payload for p in await a.hears(len(sent))] == [PCMU.encode(PCMA.decode(payload)) for payload in sent]


async def test_losses_between_the_laws_pass_through(stage) -> None:
    a, leg_a, b, _ = pair(stage, "pcmu", "pcma")
    for n in (0, 1, 4, 3, 5):
        a.send(leg_a, bytes([n]) * 160, 0, sequence=10 + n, timestamp=160 * n)
    heard = await b.hears(5)
    assert [p.sequence - heard[0].sequence for p in heard] == [0, 1, 4, 3, 5]


@pytest.mark.parametrize("sent_ms", [10, 20, 30, 40, 60])
@pytest.mark.parametrize("wanted_ms", [10, 20, 30, 40])
async def test_packets_are_cut_to_the_length_asked_for(stage, sent_ms: int, wanted_ms: int) -> None:
    a, leg_a, b, _ = pair(stage, "pcma", "pcma", ptime_ms=wanted_ms)
    leg_a.set_remote(stage.remote(a, **ONLY["pcma"], ptime_ms=sent_ms))
    assert leg_a.path == ("relay" if sent_ms == wanted_ms else "repacketise")
    wire = bytes(n % 251 for n in range(8 * 240))
    await stage.expect_counts(leg_a, packets_in=0)
    await speak(a, leg_a, pieces(wire, 8 * sent_ms), 8, 8 * sent_ms)
    heard = await b.hears(240 // wanted_ms)
    assert {len(p.payload) for p in heard} == {8 * wanted_ms}
    assert b"".join(p.payload for p in heard) == wire
    assert all(y.sequence == x.sequence + 1 for x, y in pairwise(heard))
    assert all(y.timestamp - x.timestamp == 8 * wanted_ms for x, y in pairwise(heard))


async def test_a_loss_while_cutting_is_a_gap_of_its_length(stage) -> None:
    a, leg_a, b, _ = pair(stage, "pcma", "pcma", ptime_ms=20)
    leg_a.set_remote(stage.remote(a, **ONLY["pcma"], ptime_ms=40))
    for n in (0, 1, 3):
        a.send(leg_a, bytes([n]) * 320, 8, sequence=n, timestamp=320 * n)
    heard = await b.hears(6)
    assert [p.payload[0] for p in heard] == [0, 0, 1, 1, 3, 3]
    assert [p.sequence - heard[0].sequence for p in heard] == [0, 1, 2, 3, 6, 7]
    assert [p.timestamp - heard[0].timestamp for p in heard] == [0, 160, 320, 480, 960, 1120]


async def test_packets_of_an_unexpected_length_are_cut_once_the_stage_is_there(stage) -> None:
    a, leg_a, b, _ = pair(stage, "pcma", "pcma", ptime_ms=20)
    assert leg_a.path == "relay"
    a.send(leg_a, b"x" * 320, 8, sequence=1, timestamp=0)
    assert len((await b.hears(1))[0].payload) == 320
    await asyncio.sleep(0.05)
    a.send(leg_a, b"y" * 320, 8, sequence=2, timestamp=320)
    assert [p.payload for p in await b.hears(2)] == [b"y" * 160] * 2


async def test_another_rate_is_resampled(stage) -> None:
    a, leg_a, b, leg_b = pair(stage, "pcmu", "l16")
    await speak(a, leg_a, pieces(PCMU.encode(tone(700, 1.0)), 160), 0)
    heard = await b.hears(50)
    assert {(p.payload_type, len(p.payload)) for p in heard} == {(98, 640)}
    assert all(y.timestamp - x.timestamp == 320 for x, y in pairwise(heard))
    assert abs(loudest_hz(L16.decode(b"".join(p.payload for p in heard)), 16000) - 700) < 2
    await speak(b, leg_b, pieces(L16.encode(tone(900, 1.0, 16000)), 640), 97, 320)
    back = await a.hears(50)
    assert {len(p.payload) for p in back} == {160}
    assert abs(loudest_hz(PCMU.decode(b"".join(p.payload for p in back)), 8000) - 900) < 2


async def test_what_cannot_be_decoded_is_said_to_be_impossible(stage) -> None:
    a, leg_a, _, leg_b = pair(stage, "g729", "pcma")
    assert leg_a.path == "impossible"
    assert leg_b.path == "impossible"
    a.send(leg_a, b"x" * 20, 18)
    await stage.expect_counts(leg_a, packets_in=1, dropped_payload=1)


async def test_taps_hear_both_sides_in_order(stage) -> None:
    a, leg_a, b, leg_b = pair(stage, "pcma", "pcma")
    said, heard, more = leg_a.tap("said"), leg_b.tap("heard"), leg_a.tap("said", delay_ms=200)
    for n in range(30):
        a.send(leg_a, bytes([n]) * 160, 8)
    received = await b.hears(30)
    first, second = said.read(), heard.read()
    assert [p.payload for p in first] == [p.payload for p in second] == [p.payload for p in received]
    assert [p.sequence for p in second] == [p.sequence for p in received]
    assert {p.codec for p in first} == {"PCMA/8000"}
    assert {p.ssrc for p in first} == {a.ssrc}
    assert more.read() == []  # not old enough
    await asyncio.sleep(0.25)
    a.send(leg_a, b"z" * 160, 8)
    await b.hears(1)
    assert [p.payload for p in more.read()] == [bytes([n]) * 160 for n in range(30)]
    for tap in (said, heard, more):
        tap.close()
        tap.close()
    await stage.until(lambda: said.fd == heard.fd == more.fd == -1)
    assert len(more.read()) == 1  # closing publishes the rest
    a.send(leg_a, b"z" * 160, 8)
    assert len(await b.hears(1)) == 1


async def test_a_tap_nobody_reads_loses_packets_and_says_so(stage) -> None:
    a, leg_a, _, _ = pair(stage, "pcma", "pcma")
    tap = leg_a.tap(capacity_ms=100)
    for n in range(400):
        a.send(leg_a, bytes([n % 256]) * 160, 8)
        if n % 20 == 0:
            await asyncio.sleep(0.002)
    await stage.until(lambda: leg_a.stats().packets_in == 400)
    kept = tap.read()
    assert tap.overruns == 400 - len(kept) > 0
    assert [p.sequence for p in kept] == list(range(1000, 1000 + len(kept)))
    a.send(leg_a, b"n" * 160, 8)
    await stage.until(lambda: leg_a.stats().packets_in == 401)
    assert [p.payload for p in tap.read()] == [b"n" * 160]


async def test_a_muted_peer_is_silent_to_everybody(stage) -> None:
    a, leg_a, b, _ = pair(stage, "pcma", "pcma")
    tap = leg_a.tap()
    leg_a.mute()
    a.send(leg_a, b"x" * 160, 8)
    assert [p.payload for p in await b.hears(1)] == [b"\xd5" * 160]
    leg_a.mute(False)
    a.send(leg_a, b"y" * 160, 8)
    heard = await b.hears(1)
    assert heard[0].payload == b"y" * 160
    assert [p.payload for p in tap.read()] == [b"\xd5" * 160, b"y" * 160]


@pytest.mark.parametrize(("gate", "passed", "tapped", "masked"), [
    ("pass", True, True, False), ("swallow", False, True, False), ("mask", False, False, True),
])  # fmt: skip
async def test_the_gate_decides_on_digits(stage, gate: str, passed: bool, tapped: bool, masked: bool) -> None:
    a, leg_a, b, _ = pair(stage, "events", "events")
    tap = leg_a.tap()
    leg_a.gate(gate)
    a.send(leg_a, b"x" * 160, 8)
    for n, end in [(1, 0), (2, 0), (3, 128), (3, 128), (3, 128)]:
        a.send(leg_a, bytes([7, end | 10, 0, 160 * n % 256]), 101, sequence=a.sequence, timestamp=a.timestamp)
        a.sequence += 1
    a.timestamp += 480
    a.send(leg_a, b"y" * 160, 8)
    await stage.until(lambda: leg_a.stats().packets_in == 7)
    await asyncio.sleep(0.02)
    heard = b.heard()
    assert [p.payload[:1] for p in heard if p.payload_type == 8] == [b"x", b"y"]
    assert (len(heard) == 7) is passed
    assert (len(tap.read()) == 7) is tapped
    assert [d["masked"] for d in stage.of("dtmf", leg_a)] == [masked]


async def test_digits_are_pressed_as_events(stage) -> None:
    a, leg_a, b, leg_b = pair(stage, "events", "events")
    a.send(leg_a, b"x" * 160, 8)
    before = (await b.hears(1))[0]
    send_id = leg_b.send_digits("1d#", ms=100, gap_ms=60)
    await asyncio.sleep(0.02)
    talk = asyncio.create_task(speak(a, leg_a, [b"q" * 160] * 20, 8))
    await stage.until(lambda: bool(stage.of("digits_sent")))
    await talk
    assert stage.of("digits_sent", leg_b) == [{"send_id": send_id, "digits": 3, "completed": True}]
    a.send(leg_a, b"y" * 160, 8)
    heard = [before, *await b.hears(22)]
    while heard[-1].payload_type != 8:
        heard += await b.hears(1)
    assert all(y.sequence == x.sequence + 1 for x, y in pairwise(heard))
    events = [p for p in heard if p.payload_type == 96]
    keys = sorted({p.timestamp for p in events})
    assert len(keys) == 3
    for timestamp, code in zip(keys, (1, 15, 11), strict=True):
        packets = [p for p in events if p.timestamp == timestamp]
        assert [p.marker for p in packets] == [True] + [False] * (len(packets) - 1)
        assert {p.payload[0] for p in packets} == {code}
        assert [int.from_bytes(p.payload[2:]) for p in packets] == [160, 320, 480, 640, 800, 800, 800]
        assert [p.payload[1] >> 7 for p in packets] == [0, 0, 0, 0, 1, 1, 1]
    assert all(y - x >= 800 + 400 for x, y in pairwise(keys))
    assert keys[0] > before.timestamp
    assert heard[-1].timestamp >= keys[-1] + 800
    assert heard[-1].payload == b"y" * 160


async def test_digits_are_pressed_as_tones_where_there_are_no_events(stage) -> None:
    a, leg_a, _, _ = pair(stage, "pcma", "pcma")
    leg_a.send_digits("5", ms=200, gap_ms=40)
    await stage.until(lambda: bool(stage.of("digits_sent")))
    wire = b"".join(p.payload for p in a.heard())
    samples = np.frombuffer(PCMA.decode(wire), np.int16).astype(float)
    assert len(samples) == 8 * 240
    spectrum = np.abs(np.fft.rfft(samples[:1600] * np.hanning(1600)))
    found = {int(n * 5) for n in np.argsort(spectrum)[-2:]}
    assert found == {770, 1335}
    assert np.max(np.abs(samples[1600:])) < 20


async def test_what_is_no_digit_is_refused(stage) -> None:
    leg = stage.leg(stage.peer())
    for wrong in ("", "12x", "1" * 65):
        with pytest.raises(MediaError, match="digits"):
            leg.send_digits(wrong)
    with pytest.raises(MediaError, match="40 ms"):
        leg.send_digits("1", ms=10)


async def test_playlist_offset_and_gain(stage) -> None:
    a = stage.peer()
    leg = stage.leg(a, **ONLY["pcma"])
    one = PreparedAudio(8000, np.full(800, 1000, np.int16).tobytes())
    two = PreparedAudio(16000, np.full(3200, 4000, np.int16).tobytes())
    stage.plane.play(leg, [one, two], offset_ms=60, gain_db=-6.0206)
    await stage.until(lambda: bool(stage.of("play_finished")))
    samples = np.frombuffer(PCMA.decode(b"".join(p.payload for p in a.heard())), np.int16)
    assert len(samples) == 160 * 12
    assert abs(int(np.median(samples[:320])) - 500) < 20
    assert abs(int(np.median(samples[400:])) - 2000) < 70


async def test_pauses_are_filled_for_who_does_not_expect_them(stage) -> None:
    noisy = {"receives": {8: "PCMA/8000", 13: "CN/8000"}, "sends": {"PCMA/8000": 8, "CN/8000": 13}}
    a, b = stage.peer(), stage.peer()
    leg_a, leg_b = stage.leg(a, **noisy), stage.leg(b, **ONLY["pcma"])
    stage.plane.bridge(leg_a, leg_b)
    await speak(a, leg_a, [b"x" * 160] * 3, 8)
    a.send(leg_a, bytes([40]), 13, sequence=a.sequence, timestamp=a.timestamp)  # noise at -40 dBov
    heard = await b.hears(13)
    assert [p.payload for p in heard[:3]] == [b"x" * 160] * 3
    noise = np.frombuffer(PCMA.decode(b"".join(p.payload for p in heard[8:])), np.int16).astype(float)
    assert -46 < 20 * np.log10(np.sqrt(np.mean(noise**2)) / 32768) < -34
    a.sequence, a.timestamp = a.sequence + 1, a.timestamp + 160 * 12
    await speak(a, leg_a, [b"y" * 160] * 3, 8)
    await asyncio.sleep(0.02)
    heard += b.heard()
    assert [p.payload for p in heard if p.payload == b"y" * 160] == [b"y" * 160] * 3
    assert {p.payload_type for p in heard} == {8}
    assert all(y.sequence == x.sequence + 1 for x, y in pairwise(heard))


async def test_comfort_noise_is_relayed_where_both_took_it(stage) -> None:
    noisy = {"receives": {8: "PCMA/8000", 13: "CN/8000"}, "sends": {"PCMA/8000": 8, "CN/8000": 13}}
    a, b = stage.peer(), stage.peer()
    leg_a, leg_b = stage.leg(a, **noisy), stage.leg(b, **noisy)
    stage.plane.bridge(leg_a, leg_b)
    await speak(a, leg_a, [b"x" * 160] * 3, 8)
    a.send(leg_a, bytes([40]), 13, sequence=a.sequence, timestamp=a.timestamp)
    await asyncio.sleep(0.2)
    assert [(p.payload_type, p.payload[:1]) for p in b.heard()] == [(8, b"x")] * 3 + [(13, b"(")]
    assert not leg_a.is_equipped


async def test_a_mute_where_silence_takes_an_encoder(stage) -> None:
    wide = {"receives": {9: "G722/8000"}, "sends": {"G722/8000": 9}}
    a, b = stage.peer(), stage.peer()
    leg_a, leg_b = stage.leg(a, **wide), stage.leg(b, **wide)
    stage.plane.bridge(leg_a, leg_b)
    codec = CODECS["G722/8000"]
    wire = codec.encode(tone(700, 1.0, 16000))
    leg_a.mute()
    await speak(a, leg_a, pieces(wire, 160), 9)
    heard = await b.hears(50)
    samples = np.frombuffer(codec.decode(b"".join(p.payload for p in heard)), np.int16)
    assert len(heard) == 50
    assert np.max(np.abs(samples)) < 30
    assert all(y.timestamp - x.timestamp == 160 for x, y in pairwise(heard))
