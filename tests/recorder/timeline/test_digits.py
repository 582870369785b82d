"""Digits that came as events are heard as tones: which, how loud, how long, where; what is beside them as before."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from santral.recorder.capture import PACKET
from santral.recorder.mixdown import Options

from ..scene import NUMBERS, START_NS, Samples, Talk, Tape, judged, mixed, speech, two_sides

HZ = 8000
PACKET_S = 0.02  # it is sent when it is over, and what it says stands where it arrived
TONES = {5: (770, 1336), 11: (941, 1477), 15: (941, 1633), 1: (697, 1209)}


@dataclass
class Key:
    """An event on stream 0, beginning at `start_s` of a talk that says nothing then."""

    talk: Talk
    code: int
    start_s: float
    ms: int = 100
    volume: int = 10
    every_ms: int = 20
    ends: int = 3
    clock_hz: int = HZ
    shift: int = 0  # of its timestamps, against those of the audio
    keep: tuple[int, ...] | None = None  # the packets that arrive


def pressed(tape: Tape, *keys: Key) -> Tape:
    """With these events in it: numbered between the audio packets that stand around them."""
    for key in keys:
        lengths = [*range(key.every_ms, key.ms, key.every_ms), *[key.ms] * key.ends]
        after_ms = [*range(key.every_ms, key.ms, key.every_ms), *(key.ms + 5 * n for n in range(key.ends))]
        at_ns = START_NS + round((key.talk.start_s + key.start_s) * 1e9)
        rows = np.zeros(len(lengths), tape.rows.dtype)
        before = tape.rows[(tape.rows["stream"] == key.talk.stream) & (tape.rows["arrival_ns"] <= at_ns + 1_000_000)]
        first = int(before["sequence"][-1]) + 1 if len(before) else key.talk.first_sequence - len(lengths)
        later = (tape.rows["stream"] == key.talk.stream) & (tape.rows["arrival_ns"] > at_ns + 1_000_000)
        if len(before):
            tape.rows["sequence"][later] += len(lengths)
        rows["stream"], rows["ssrc"], rows["codec"] = key.talk.stream, key.talk.ssrc, NUMBERS["telephone-event/8000"]
        rows["sequence"] = first + np.arange(len(lengths))
        start = key.talk.first_timestamp + round(key.start_s * key.clock_hz) + key.shift
        rows["timestamp"] = np.uint32(start & 0xFFFFFFFF)
        rows["octets"] = rows["length"] = 4
        rows["arrival_ns"] = at_ns + np.array(after_ms, np.int64) * 1_000_000
        rows["offset"] = len(tape.payloads) + 4 * np.arange(len(lengths))
        for n, ms in enumerate(lengths):
            units = ms * HZ // 1000
            ends = 0x80 if n >= len(lengths) - key.ends else 0
            tape.payloads += bytes([key.code, ends | key.volume]) + units.to_bytes(2, "big")
        kept = rows if key.keep is None else rows[list(key.keep)]
        together = np.concatenate([tape.rows, kept]).astype(PACKET)  # whose rows are padded
        tape.rows = together[np.argsort(together["arrival_ns"], kind="stable")]
        tape.rows_a_read = len(tape.rows)
    return tape


def silence_in(talk: Talk, *keys: tuple[float, float]) -> Talk:
    talk.quiet = keys
    return talk


def strength(part: Samples, hz: float) -> float:
    shape = np.hanning(len(part))
    return float(abs(np.sum(part * shape * np.exp(-2j * np.pi * hz * np.arange(len(part)) / HZ))) * 2 / np.sum(shape))


def dbm0(amplitude: float) -> float:
    """Of two sines of this amplitude together."""
    return 20 * np.log10(amplitude * 2**0.5 / 32767) + 3.14


def where(line: Samples, hz: float) -> tuple[float, float]:
    """From when to when the tone is there, in seconds."""
    loud = [strength(line[n : n + 40].astype(float), hz) > 400 for n in range(0, len(line) - 40, 8)]
    found = np.flatnonzero(loud)
    return (found[0] * 8 + 20) / HZ, (found[-1] * 8 + 20) / HZ


@pytest.mark.parametrize(("code", "ms", "volume"), [(5, 100, 10), (11, 240, 0), (15, 60, 25)])
def test_a_digit_is_its_two_tones(code: int, ms: int, volume: int) -> None:
    talk = silence_in(Talk(0, speech(9, seed=1), jitter_ms=0), (4.0, 4.0 + ms / 1000))
    tape = pressed(Tape([talk], two_sides(end_s=10)), Key(talk, code, 4.0, ms, volume))
    audio, summary = mixed(tape)
    line = audio[:, 0]
    at = round((4.5 + PACKET_S) * HZ)
    inside = line[at + 80 : at + ms * 8 - 80].astype(float)
    for hz in TONES[code]:
        assert abs(dbm0(strength(inside, hz)) + volume) < 1.0
    assert sum(strength(inside, hz) > 300 for hz in (697, 770, 852, 941, 1209, 1336, 1477, 1633)) == 2
    assert not line[at - 80 : at].any() or np.abs(line[at - 80 : at]).max() < 12_000
    verdict = judged(line, talk, HZ)
    assert np.median(verdict.correlation) >= 0.98
    assert np.abs(verdict.late_ms).max() <= 5
    assert summary.streams[0]["lost"] == 0


def test_where_it_is_and_how_long() -> None:
    talk = silence_in(Talk(0, np.zeros(9 * HZ, np.int16)), (4.0, 4.2), (4.6, 4.7))
    tape = pressed(Tape([talk], two_sides(end_s=10)), Key(talk, 5, 4.0, 200), Key(talk, 1, 4.6, 100))
    audio, _ = mixed(tape)
    first, last = where(audio[: 5 * HZ, 0], 770)
    assert abs(first - 4.5 - PACKET_S) < 0.01
    assert abs(last - first - 0.2) < 0.012
    first, last = where(audio[5 * HZ :, 0], 697)
    assert abs(5 + first - 5.1 - PACKET_S) < 0.01
    assert abs(last - first - 0.1) < 0.012


@pytest.mark.parametrize("keep", [(0, 9), (5,), (0, 1, 2), (10, 11)])
def test_lost_packets_are_told_of_by_the_later_ones(keep: tuple[int, ...]) -> None:
    talk = silence_in(Talk(0, np.zeros(9 * HZ, np.int16)), (4.0, 4.2))
    tape = pressed(Tape([talk], two_sides(end_s=10)), Key(talk, 5, 4.0, 200, keep=keep))
    audio, _ = mixed(tape)
    known = min(20 * (max(keep) + 1), 200) / 1000
    first, last = where(audio[:, 0], 1336)
    assert abs(first - 4.5 - PACKET_S) < 0.01
    assert abs(last - first - known) < 0.012


def test_beside_audio_that_goes_on_it_does_not_change_the_time() -> None:
    """Who sends both: what came first is heard, and nothing of it twice."""
    talk = Talk(0, speech(9, seed=1))
    tape = pressed(Tape([talk], two_sides(end_s=10)), Key(talk, 5, 4.0, 200))
    plain, _ = mixed(Tape([Talk(0, speech(9, seed=1))], two_sides(end_s=10)))
    audio, _ = mixed(tape)
    assert len(audio) == len(plain)
    assert np.array_equal(audio[: round(4.3 * HZ)], plain[: round(4.3 * HZ)])
    assert np.array_equal(audio[round(5.2 * HZ) :], plain[round(5.2 * HZ) :])


def test_before_any_audio_and_alone() -> None:
    talk = Talk(0, speech(6, seed=1), start_s=3.0)
    alone = Talk(1, np.zeros(160, np.int16), start_s=9.0, ssrc=9)
    tape = Tape([talk, alone], two_sides(end_s=10))
    tape.rows = tape.rows[tape.rows["stream"] == 0]
    tape = pressed(tape, Key(alone, 15, -5.0, 200))
    audio, _ = mixed(tape)
    first, last = where(audio[:, 1], 1633)
    assert abs(first - 4.0) < 0.03
    assert abs(last - first - 0.2) < 0.012
    assert np.median(judged(audio[:, 0], talk, HZ).correlation) >= 0.98


@pytest.mark.parametrize("spoiled", ["astray", "unknown", "off"])
def test_what_cannot_be_heard_as_a_digit_changes_nothing(spoiled: str) -> None:
    talk = silence_in(Talk(0, speech(9, seed=1)), (4.0, 4.2))
    key = Key(talk, 16 if spoiled == "unknown" else 5, 4.0, 200, shift=80_000_000 if spoiled == "astray" else 0)
    options = Options(digits="silence" if spoiled == "off" else "tones")
    audio, _ = mixed(pressed(Tape([talk], two_sides(end_s=10)), key), options)
    assert not audio[round(4.55 * HZ) : round(4.68 * HZ), 0].any()
    assert np.median(judged(audio[:, 0], talk, HZ).correlation) >= 0.98


def test_masked_digits_are_silence() -> None:
    talk = silence_in(Talk(0, speech(9, seed=1)), (4.0, 4.2))
    tape = pressed(Tape([talk], two_sides(end_s=10)), Key(talk, 5, 4.0, 200))
    events = tape.rows["codec"] == NUMBERS["telephone-event/8000"]
    tape.rows["flags"][events], tape.rows["length"][events] = 2, 0
    audio, _ = mixed(tape)
    assert not audio[round(4.55 * HZ) : round(4.68 * HZ), 0].any()


def test_of_another_clock_it_follows_the_audio() -> None:
    """Events of 8 kHz beside Opus: their timestamps are of no use, their length is."""
    talk = silence_in(Talk(0, np.zeros(9 * 48_000, np.int16), codec="opus/48000/2"), (4.0, 4.2))
    tape = pressed(Tape([talk], two_sides(end_s=10)), Key(talk, 5, 4.0, 200, shift=12_345))
    audio, _ = mixed(tape, Options(rate_hz=8000))
    first, last = where(audio[:, 0], 1336)
    assert abs(first - 4.5) < 0.03
    assert abs(last - first - 0.2) < 0.02


def test_the_same_samples_live() -> None:
    def made() -> Tape:
        talk = silence_in(Talk(0, speech(20, seed=1), ppm=80, jitter_ms=20), (4.0, 4.2), (9.0, 9.3))
        return pressed(Tape([talk], two_sides(end_s=21)), Key(talk, 5, 4.0, 200), Key(talk, 1, 9.0, 300))

    whole, _ = mixed(made())
    piecemeal = made()
    piecemeal.rows_a_read = 7
    parts: Any = mixed(piecemeal)[0]
    assert np.array_equal(whole, parts)
