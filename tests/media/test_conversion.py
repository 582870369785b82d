"""Digits heard one way and told another, taken out of the audio, stopping what plays; tones, speech, levels."""

import asyncio
import time
from itertools import pairwise

import numpy as np
import pytest

from santral.codecs import CODECS
from santral.codecs.generate.score import Score, ScorePlayer
from santral.codecs.tones import TONES
from santral.engine.media import MediaError, PreparedAudio

PCMA, L16 = CODECS["PCMA/8000"], CODECS["L16/16000"]
BARE = {"receives": {8: "PCMA/8000"}, "sends": {"PCMA/8000": 8}}
EVENTS = {
    "receives": {8: "PCMA/8000", 101: "telephone-event/8000"},
    "sends": {"PCMA/8000": 8, "telephone-event/8000": 96},
}
WIDE = {
    "receives": {97: "L16/16000", 102: "telephone-event/16000"},
    "sends": {"L16/16000": 97, "telephone-event/16000": 102},
}
SPEECH_HZ = 300.0  # stands for whatever is said around a digit


def pair(stage, one, other, **remote):
    a, b = stage.peer(), stage.peer()
    leg_a, leg_b = stage.leg(a, **one), stage.leg(b, **other, **remote)
    stage.plane.bridge(leg_a, leg_b)
    return a, leg_a, b, leg_b


def tones_of(text: str, *, tone_ms: int = 100, gap_ms: int = 100) -> np.ndarray:
    rendered = ScorePlayer(Score.digits(text, tone_ms=tone_ms, gap_ms=gap_ms)).render(80_000)
    return np.frombuffer(rendered, np.int16)


def voice(seconds: float, hz: float = SPEECH_HZ) -> np.ndarray:
    return (3000 * np.sin(2 * np.pi * hz * np.arange(int(8000 * seconds)) / 8000)).astype(np.int16)


def whole(*parts: np.ndarray) -> np.ndarray:
    samples = np.concatenate(parts)
    return np.concatenate([samples, np.zeros(-len(samples) % 160, np.int16)])


async def speak(peer, leg, samples: np.ndarray) -> None:
    """In real time, since what is pressed at the far end is."""
    wire = PCMA.encode(samples.astype(np.int16).tobytes())
    began = time.monotonic()
    for n in range(0, len(wire), 160):
        peer.send(leg, wire[n : n + 160], 8)
        await asyncio.sleep(max(0.0, began + (n + 160) / 8000 - time.monotonic()))


async def press(peer, leg, code: int, ms: int = 100, *, payload_type: int = 101, clock: int = 8) -> None:
    """RFC 4733, in real time."""
    for n in range(1, ms // 20 + 4):
        duration, end = min(20 * n, ms) * clock, n > ms // 20
        payload = bytes([code, end << 7 | 10, *duration.to_bytes(2, "big")])
        peer.send(leg, payload, payload_type, sequence=peer.sequence, timestamp=peer.timestamp)
        peer.sequence += 1
        await asyncio.sleep(0.02)
    peer.timestamp += ms * clock


def placed(packets) -> np.ndarray:
    """What a listener plays, by timestamps."""
    audio = [p for p in packets if p.payload_type == 8]
    line = np.zeros(audio[-1].timestamp - audio[0].timestamp + 160)
    for packet in audio:
        at = packet.timestamp - audio[0].timestamp
        line[at : at + 160] = np.frombuffer(PCMA.decode(packet.payload), np.int16)
    return line


def strength(samples: np.ndarray, hz: float, rate: int = 8000) -> float:
    at = np.arange(len(samples)) / rate
    return 2 * abs(np.mean(samples * np.exp(-2j * np.pi * hz * at))) if len(samples) else 0.0


def tone_ms(line: np.ndarray, hz: float, least: float = 300.0) -> int:
    """For how many milliseconds a frequency is there, in pieces of 5 ms."""
    return 5 * sum(strength(line[n : n + 40], hz) > least for n in range(0, len(line) - 39, 40))


async def test_tones_become_events_and_are_not_heard(stage) -> None:
    a, leg_a, b, _ = pair(stage, BARE, EVENTS)
    talk = asyncio.create_task(speak(a, leg_a, whole(voice(0.3), tones_of("59"), voice(0.3))))
    heard = await b.hears(1000, within_s=1.4)
    await talk
    events = [p for p in heard if p.payload_type == 96]
    keys = sorted({p.timestamp for p in events})
    assert [next(p.payload[0] for p in events if p.timestamp == key) for key in keys] == [5, 9]
    for key in keys:
        packets = [p for p in events if p.timestamp == key]
        assert [p.payload[1] >> 7 for p in packets][-3:] == [1, 1, 1]
        assert 80 <= int.from_bytes(packets[-1].payload[2:]) / 8 <= 125
    told = stage.of("dtmf", leg_a)
    assert [(d["digit"], d["via"]) for d in told] == [("5", "inband"), ("9", "inband")]
    assert all(abs(d["ms"] - 100) <= 12 for d in told)
    line = placed(heard)
    for hz in (1336.0, 1477.0):  # the high tones of the two keys
        assert tone_ms(line, hz) <= 20
    assert tone_ms(line, SPEECH_HZ) >= 480
    assert all(y.sequence == x.sequence + 1 for x, y in pairwise(heard))


async def test_events_become_tones(stage) -> None:
    a, leg_a, b, leg_b = pair(stage, EVENTS, BARE)
    await speak(a, leg_a, voice(0.1))
    await press(a, leg_a, 5, 200)
    await speak(a, leg_a, voice(0.1))
    heard = await b.hears(1000, within_s=0.4)
    line = placed(heard)
    assert 170 <= tone_ms(line, 770.0) <= 260
    assert 170 <= tone_ms(line, 1336.0) <= 260
    assert [d["via"] for d in stage.of("dtmf")] == ["rfc4733"]
    assert {p.payload_type for p in heard} == {8}
    assert leg_b.stats().packets_out > 15


async def test_events_change_their_clock(stage) -> None:
    a, leg_a, b, leg_b = pair(stage, EVENTS, WIDE)
    await press(a, leg_a, 3, 100)
    heard = await b.hears(1000, within_s=0.3)
    assert {p.payload_type for p in heard} == {102}
    assert {p.payload[0] for p in heard} == {3}
    assert int.from_bytes(heard[-1].payload[2:]) / 16 in {100, 120, 140}
    assert len({p.timestamp for p in heard}) == 1
    await press(b, leg_b, 4, payload_type=102, clock=16)
    back = await a.hears(1000, within_s=0.3)
    assert {p.payload[0] for p in back} == {4}
    assert int.from_bytes(back[-1].payload[2:]) / 8 in {100, 120, 140}
    assert [d["ms"] for d in stage.of("dtmf")] == [100, 100]


async def test_info_is_left_to_others(stage) -> None:
    a, leg_a, b, _ = pair(stage, EVENTS, BARE, dtmf="info")
    await press(a, leg_a, 5)
    assert await b.hears(1, within_s=0.2) == []
    assert [d["digit"] for d in stage.of("dtmf", leg_a)] == ["5"]


async def test_without_conversion_tones_pass(stage) -> None:
    a, leg_a, b, leg_b = pair(stage, BARE, EVENTS)
    stage.plane.bridge(leg_a, leg_b, convert_digits=False)
    await speak(a, leg_a, whole(tones_of("5", tone_ms=200)))
    heard = await b.hears(1000, within_s=0.2)
    assert tone_ms(placed(heard), 1336.0) >= 180
    assert stage.of("dtmf") == []


@pytest.mark.parametrize("gate", ["swallow", "mask"])
async def test_the_gate_holds_tones_back_as_well(stage, gate: str) -> None:
    a, leg_a, b, _ = pair(stage, BARE, BARE)
    tap = leg_a.tap(delay_ms=150)
    leg_a.gate(gate)
    await speak(a, leg_a, whole(voice(0.2), tones_of("7"), voice(0.6)))
    line = placed(await b.hears(1000, within_s=0.2))
    assert tone_ms(line, 1209.0) <= 20
    assert [d["masked"] for d in stage.of("dtmf", leg_a)] == [gate == "mask"]
    tapped = [p.payload or b"\xd5" * 160 for p in tap.read()]
    samples = np.frombuffer(PCMA.decode(b"".join(tapped)), np.int16).astype(float)
    assert bool(tone_ms(samples, 1209.0) == 0) is (gate == "mask")


async def test_a_digit_sent_both_ways_counts_once(stage) -> None:
    a, leg_a, _, _ = pair(stage, EVENTS, EVENTS)
    leg_a.detect("dtmf")
    await speak(a, leg_a, whole(tones_of("8", tone_ms=80, gap_ms=20)))
    await press(a, leg_a, 8)
    await stage.until(lambda: bool(stage.of("dtmf")))
    await asyncio.sleep(0.1)
    assert len(stage.of("dtmf", leg_a)) == 1


async def test_a_digit_stops_what_plays(stage) -> None:
    a = stage.peer()
    leg = stage.leg(a, **EVENTS)
    sound = PreparedAudio(8000, voice(3.0).tobytes())
    stage.plane.play(leg, sound, stop_on="5#")
    await a.hears(3)
    await press(a, leg, 4)
    assert stage.of("play_finished") == []
    pressing = asyncio.create_task(press(a, leg, 5, 400))
    await stage.until(lambda: bool(stage.of("play_finished")), within_s=0.3)
    assert stage.of("play_finished")[0]["reason"] == "digit"
    assert [d["digit"] for d in stage.of("dtmf")] == ["4"]  # the key is down still
    await pressing


async def test_a_tone_stops_what_plays(stage) -> None:
    a = stage.peer()
    leg = stage.leg(a, **BARE)
    leg.detect("dtmf")
    stage.plane.play(leg, PreparedAudio(8000, voice(3.0).tobytes()), stop_on="any")
    await speak(a, leg, whole(tones_of("2")))
    await stage.until(lambda: bool(stage.of("play_finished")))
    assert stage.of("play_finished")[0]["reason"] == "digit"


async def test_tones_speech_and_levels_are_told_while_asked_for(stage) -> None:
    a, leg_a, b, _ = pair(stage, BARE, BARE)
    leg_a.detect("tones", "voice", "level", "fax")
    chance = np.random.default_rng(1)
    noise = chance.normal(0, 3000, 16_000) * (np.sin(2 * np.pi * 4 * np.arange(16_000) / 8000) > 0)
    quiet = chance.normal(0, 10, 8_000)
    await speak(a, leg_a, whole(quiet.astype(np.int16), noise.astype(np.int16), quiet.astype(np.int16)))
    assert len(stage.of("talk_started", leg_a)) >= 1
    assert len(stage.of("talk_stopped", leg_a)) >= 1
    levels = stage.of("level", leg_a)
    assert len(levels) == 4
    assert levels[0]["dbov"] < -60 < -30 < levels[1]["dbov"]
    busy = np.frombuffer(ScorePlayer(Score.tone(TONES["eu"]["busy"])).render(24_000), np.int16)
    await speak(a, leg_a, whole(busy))
    assert "busy" in [t["tone"] for t in stage.of("tone", leg_a)]
    leg_a.detect()
    told = len(stage.events)
    await speak(a, leg_a, whole(noise.astype(np.int16)))
    assert len(stage.events) == told
    assert len(b.heard()) > 0
    with pytest.raises(MediaError, match="smells"):
        leg_a.detect("smells")
