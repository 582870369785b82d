"""Gain is exact, saturates and does not step; the automatic one brings speech to its level and leaves pauses alone."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from santral.codecs.shape.level import AutomaticGain, amplified

Samples = npt.NDArray[np.int16]


def tone(peak: float, n: int = 8000, hz: float = 440) -> Samples:
    return np.round(peak * np.sin(2 * np.pi * hz * np.arange(n) / 8000)).astype(np.int16)


def dbov(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(samples.astype(float) ** 2) / 32768**2))


@pytest.mark.parametrize("gain_db", [-40, -20, -6, -1, 1, 6, 12, 24])
def test_gain_is_what_it_says(gain_db: float) -> None:
    samples = tone(1000)
    louder = np.frombuffer(amplified(samples, gain_db, gain_db), np.int16)
    assert dbov(louder) - dbov(samples) == pytest.approx(gain_db, abs=0.15 if gain_db > -30 else 0.5)


def test_no_gain_changes_nothing() -> None:
    samples = np.arange(-32768, 32768, dtype=np.int16)
    assert amplified(samples, 0, 0) == samples.tobytes()


def test_too_loud_is_cut_and_does_not_wrap() -> None:
    louder = np.frombuffer(amplified(np.array([32767, -32768, 30000, -30000], np.int16), 24, 24), np.int16)
    assert list(louder) == [32767, -32768, 32767, -32768]


def test_a_change_of_gain_is_a_slope_and_not_a_step() -> None:
    constant = np.full(960, 1000, np.int16)
    slope = np.frombuffer(amplified(constant, 0, 20), np.int16).astype(int)
    assert slope[0] < 1020
    assert slope[-1] == pytest.approx(10000, rel=0.01)
    assert np.diff(slope).min() >= 0
    assert np.diff(slope).max() <= 12


def through(frames: list[Samples], automatic: AutomaticGain) -> list[Samples]:
    return [np.frombuffer(automatic(frame), np.int16) for frame in frames]


def words(level_db: float, seconds: float) -> list[Samples]:
    """Half a second of voice, half a second of faint noise, in frames of 20 ms."""
    generator = np.random.default_rng(9)
    loud = 32768 * 10 ** (level_db / 20) * np.sqrt(2)
    made = []
    for number in range(int(seconds * 50)):
        noise = generator.standard_normal(160) * 20
        voice = loud * np.sin(2 * np.pi * 300 * (np.arange(160) + 160 * number) / 8000)
        made.append(np.clip(noise + (voice if number // 25 % 2 == 0 else 0), -32768, 32767).astype(np.int16))
    return made


@pytest.mark.parametrize(("level_db", "after_db"), [(-36, -26), (-26, -26), (-14, -26), (-45, -33), (-4, -22)])
def test_speech_comes_to_its_level_within_bounds(level_db: float, after_db: float) -> None:
    automatic = AutomaticGain(8000)
    heard = through(words(level_db, 20), automatic)
    last = np.concatenate([frame for number, frame in enumerate(heard) if number > 800 and number // 25 % 2 == 0])
    assert dbov(last) == pytest.approx(after_db, abs=1.5)


def test_pauses_are_not_pumped_up() -> None:
    automatic = AutomaticGain(8000)
    through(words(-26, 4), automatic)
    before = automatic.gain_db
    noise = [np.random.default_rng(i).normal(0, 50, 160).astype(np.int16) for i in range(500)]
    through(noise, automatic)
    assert automatic.gain_db == pytest.approx(before, abs=1)


def test_a_shout_after_whispering_is_not_cut() -> None:
    automatic = AutomaticGain(8000)
    through(words(-40, 15), automatic)
    assert automatic.gain_db > 8
    shout = [tone(28000, 160, 400) for _ in range(10)]
    for frame in through(shout, automatic):
        assert np.abs(frame.astype(int)).max() <= 29000


def test_gain_changes_are_not_heard_as_clicks() -> None:
    automatic = AutomaticGain(8000)
    long = tone(800, 160 * 200, 250)
    frames = through([long[at : at + 160] for at in range(0, long.size, 160)], automatic)
    for one, other in pairwise(frames):
        step = abs(int(other[0]) - int(one[-1]))
        assert step <= 1.3 * np.abs(np.diff(one.astype(int))).max() + 2
