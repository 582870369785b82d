"""The digit detector on tones made here, each with what a receiver must say about it (ITU-T Q.23, Q.24)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from santral.codecs.detect.dtmf import DtmfDetector, Report, digits
from santral.codecs.g711 import PCMA, PCMU

RATE_HZ = 8000
KEYS = "123A456B789C*0#D"
LOW = (697, 770, 852, 941)
HIGH = (1209, 1336, 1477, 1633)
Audio = NDArray[np.float64]


def sine(hz: float, ms: float, dbm0: float, phase: float = 0.0) -> Audio:
    t = np.arange(round(ms * RATE_HZ / 1000)) / RATE_HZ
    tone: Audio = 32767 * 10 ** ((dbm0 - 3.14) / 20) * np.sin(2 * np.pi * hz * t + phase)
    return tone


def silence(ms: float) -> Audio:
    return np.zeros(round(ms * RATE_HZ / 1000))


def key(
    digit: str, ms: float, *, low_dbm0: float = -10, high_dbm0: float = -10, low_off: float = 0, high_off: float = 0
) -> Audio:
    """One key press; `…_off` are relative deviations of the frequencies."""
    row, column = divmod(KEYS.index(digit), 4)
    low = sine(LOW[row] * (1 + low_off), ms, low_dbm0, phase=row + 0.3)
    return low + sine(HIGH[column] * (1 + high_off), ms, high_dbm0, phase=column + 0.7)


def pressed(text: str, on_ms: float = 50, off_ms: float = 50, **how: float) -> Audio:
    parts = [silence(60)]
    for n, digit in enumerate(text):
        parts += [key(digit, on_ms, **how), silence(off_ms + n % 7)]  # the seventh decides where frames fall
    return np.concatenate([*parts, silence(60)])


def pcm(audio: Audio) -> bytes:
    return np.clip(np.round(audio), -32768, 32767).astype(np.int16).tobytes()


def heard(audio: Audio) -> str:
    return "".join(each.digit for each in digits(pcm(audio)))


def noise(count: int, rms_dbm0: float, seed: int = 1) -> Audio:
    """White, its power that of a sine of this level."""
    made: Audio = (
        np.random.default_rng(seed).standard_normal(count) * 32767 * 10 ** ((rms_dbm0 - 3.14) / 20) / np.sqrt(2)
    )
    return made


# ---- what must be heard ----


@pytest.mark.parametrize("law", [None, PCMU, PCMA], ids=["linear", "mu-law", "A-law"])
@pytest.mark.parametrize("dbm0", [-3, -10, -25])
def test_every_key_at_every_level(dbm0: float, law: object) -> None:
    samples = pcm(pressed(KEYS, low_dbm0=dbm0, high_dbm0=dbm0))
    if law is not None:
        samples = law.decode(law.encode(samples))  # type: ignore[attr-defined]
    assert "".join(each.digit for each in digits(samples)) == KEYS


@pytest.mark.parametrize("low_off", [-0.015, 0, 0.015])
@pytest.mark.parametrize("high_off", [-0.015, 0, 0.015])
def test_frequencies_may_be_off_by_one_and_a_half_percent(low_off: float, high_off: float) -> None:
    assert heard(pressed(KEYS, low_off=low_off, high_off=high_off)) == KEYS


@pytest.mark.parametrize("off", [-0.05, -0.035, 0.035, 0.05])
@pytest.mark.parametrize("which", ["low_off", "high_off"])
def test_but_not_by_three_and_a_half(which: str, off: float) -> None:
    assert heard(pressed(KEYS, on_ms=60, **{which: off})) == ""


@pytest.mark.parametrize(("low_dbm0", "high_dbm0"), [(-6, -14), (-14, -10), (-3, -11), (-25, -21)])
def test_twist(low_dbm0: float, high_dbm0: float) -> None:
    assert heard(pressed(KEYS, low_dbm0=low_dbm0, high_dbm0=high_dbm0)) == KEYS


@pytest.mark.parametrize(("ms", "expected"), [(10, ""), (23, ""), (40, KEYS), (45, KEYS), (100, KEYS), (1000, KEYS)])
def test_durations(ms: float, expected: str) -> None:
    assert heard(pressed(KEYS, on_ms=ms, off_ms=60)) == expected


@pytest.mark.parametrize("shift", range(0, 40, 3))
def test_forty_milliseconds_are_enough_wherever_frames_fall(shift: int) -> None:
    assert heard(np.concatenate([np.zeros(shift), pressed("159D", on_ms=40, off_ms=40)])) == "159D"


@pytest.mark.parametrize("gap_ms", [1, 5, 10])
def test_a_short_interruption_does_not_make_two(gap_ms: float) -> None:
    for digit in KEYS:
        tone = key(digit, 100)
        tone[360 : 360 + round(gap_ms * 8)] = 0
        assert heard(np.concatenate([silence(50), tone, silence(50)])) == digit


def test_a_pause_of_forty_milliseconds_makes_two() -> None:
    assert heard(pressed("1155DD", on_ms=60, off_ms=40)) == "1155DD"


@pytest.mark.parametrize("delay_ms", [5, 10, 20])
def test_with_echo(delay_ms: int) -> None:
    audio = pressed(KEYS)
    late = delay_ms * 8
    audio[late:] += audio[:-late].copy() * 10 ** (-10 / 20)
    assert heard(audio) == KEYS


def test_with_noise_hum_dial_tone_and_direct_current() -> None:
    audio = pressed(KEYS * 3)
    count = len(audio)
    ms = count / 8
    assert heard(audio + noise(count, -7 - 15)) == KEYS * 3
    assert heard(audio + sine(50, ms, -15)) == KEYS * 3
    assert heard(audio + sine(350, ms, -25) + sine(440, ms, -25)) == KEYS * 3
    assert heard(audio + 1500) == KEYS * 3


# ---- what must not ----


def test_nothing_in_what_is_no_digit() -> None:
    seconds = 4
    t = np.arange(seconds * RATE_HZ) / RATE_HZ
    buzz = sum(np.sin(2 * np.pi * (150 + 20 * np.sin(3 * t)) * h * t) / h for h in range(1, 20))
    assert heard(silence(1000 * seconds)) == ""
    assert heard(noise(seconds * RATE_HZ, -8)) == ""
    assert heard(8000 * buzz / np.abs(buzz).max()) == ""
    for hz in (*LOW, *HIGH, 425, 1100, 2100, 2600):
        assert heard(sine(hz, 1000, -7)) == "", hz
    assert heard(sine(697, 500, -10) + sine(941, 500, -10)) == ""
    assert heard(sine(1209, 500, -10) + sine(1477, 500, -10)) == ""
    assert heard(sine(697, 500, -12) + sine(1209, 500, -12) + sine(1477, 500, -12)) == ""


def test_too_faint() -> None:
    assert heard(pressed(KEYS, low_dbm0=-55, high_dbm0=-55)) == ""


# ---- when, how long, how loud ----


@settings(max_examples=60, deadline=None)
@given(
    digit=st.sampled_from(KEYS),
    lead=st.integers(400, 1200),
    ms=st.integers(40, 300),
    loudest_dbm0=st.integers(-17, -4),
    twist=st.integers(-4, 8),
)
def test_start_length_and_level_are_told(digit: str, lead: int, ms: int, loudest_dbm0: int, twist: int) -> None:
    levels = {"low_dbm0": loudest_dbm0 + min(twist, 0), "high_dbm0": loudest_dbm0 - max(twist, 0)}
    (found,) = digits(pcm(np.concatenate([np.zeros(lead), key(digit, ms, **levels), silence(100)])))
    assert found.digit == digit
    assert abs(found.start - lead) <= 40  # 5 ms
    assert abs(found.end - lead - 8 * ms) <= 40
    assert found.low_dbm0 == pytest.approx(levels["low_dbm0"], abs=0.7)
    assert found.high_dbm0 == pytest.approx(levels["high_dbm0"], abs=0.7)


def test_life_of_a_digit_in_time_to_mute_it() -> None:
    onset, length = 1003, 800
    audio = np.concatenate([np.zeros(onset), key("7", length / 8), silence(100)])
    detector = DtmfDetector()
    told: dict[str, tuple[int, Report]] = {}
    for at in range(0, len(audio) - 39, 40):
        for report in detector.feed(pcm(audio[at : at + 40])):
            told[report.kind] = at + 40, report
        if told and "clear" not in told:
            assert detector.is_suspected
    assert list(told) == ["maybe", "down", "up", "clear"]
    assert told["maybe"][0] - onset <= 160  # 20 ms
    assert onset - 80 <= told["maybe"][1].start <= onset + 8
    assert told["down"][0] - onset <= 360  # 45 ms
    assert told["up"][0] - onset - length <= 280  # 35 ms
    assert not detector.is_suspected


def test_a_digit_cut_off_by_the_end_is_still_told() -> None:
    detector = DtmfDetector()
    assert [r.kind for r in detector.feed(pcm(np.concatenate([silence(20), key("#", 80)])))] == ["maybe", "down"]
    assert [(r.kind, r.digit) for r in detector.finish()] == [("up", "#"), ("clear", "")]
    assert detector.finish() == []


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 700), min_size=1, max_size=40), seed=st.integers(0, 5))
def test_how_the_stream_is_cut_changes_nothing(cuts: list[int], seed: int) -> None:
    audio = pressed("12A#", off_ms=60)
    samples = pcm(audio + noise(len(audio), -25, seed))
    whole, pieces = DtmfDetector(), DtmfDetector()
    expected = whole.feed(samples)
    got, at, turn = [], 0, 0
    while at < len(samples):
        size = 2 * cuts[turn % len(cuts)]
        got += pieces.feed(samples[at : at + size])
        at, turn = at + size, turn + 1
    assert got == expected


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="half"):
        DtmfDetector().feed(b"\0\0\0")
