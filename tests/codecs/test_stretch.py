"""Time taken out and put in: by a pitch period, without a click, at any place of speech, and back again."""

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from santral.codecs.shape.stretch import stretched

Samples = npt.NDArray[np.int16]
SOUNDS = Path(__file__).parents[2] / "engine/sounds"
BOTH = pytest.mark.parametrize("longer", [True, False], ids=["longer", "shorter"])


def passage() -> Samples:
    with wave.open(str(SOUNDS / "passage-en.wav")) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def voiced(hz: int, ms: int, pitch: float = 125) -> Samples:
    time = np.arange(hz * ms // 1000) / hz
    return np.asarray(sum(6000 / k * np.sin(2 * np.pi * k * pitch * time + k) for k in range(1, 8)), np.int16)


def changed(samples: Samples, hz: int, longer: bool, least: float = 0.0) -> Samples:
    return np.frombuffer(stretched(samples, hz, longer, least), np.int16)


def above_db(samples: Samples, hz: int, cutoff: float) -> float:
    """Energy above `cutoff` beside all of it: a click is all over the spectrum."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size))) ** 2
    return float(10 * np.log10(spectrum[int(cutoff * samples.size / hz) :].sum() / spectrum.sum()))


@BOTH
@pytest.mark.parametrize("hz", [8000, 16000, 24000, 48000])
@pytest.mark.parametrize("ms", [20, 30, 40, 60])
@pytest.mark.parametrize("pitch", [110, 160, 210, 330])
def test_whole_periods_come_and_go_without_a_click(hz: int, ms: int, pitch: float, longer: bool) -> None:
    samples = voiced(hz, ms, pitch)
    after = changed(samples, hz, longer)
    periods = abs(after.size - samples.size) * pitch / hz
    assert periods > 0.9
    assert abs(periods - round(periods)) < 0.06
    assert abs(after.size - samples.size) <= 15 * hz // 1000
    assert (after.size > samples.size) == longer
    if ms >= 40:
        assert above_db(after, hz, 3000) < -45
    assert (after[0], after[-1]) == (samples[0], samples[-1])


@BOTH
def test_a_tone_stays_that_tone(longer: bool) -> None:
    for hz in np.arange(200, 3400, 97):
        samples = np.round(8000 * np.sin(2 * np.pi * hz * np.arange(320) / 8000)).astype(np.int16)
        after = changed(samples, 8000, longer).astype(float)
        angle = 2 * np.pi * hz * np.arange(after.size) / 8000
        windowed = after * np.hanning(after.size)
        level = 2 * np.abs(np.sum(windowed * np.exp(-1j * angle))) / np.hanning(after.size).sum()
        assert 20 * np.log10(level / 8000) > -0.6, hz


@BOTH
def test_in_speech_it_is_not_heard_as_a_step(longer: bool) -> None:
    samples = passage()
    steps = 0
    for at in range(0, samples.size - 320, 320):
        part = samples[at : at + 320]
        after = changed(part, 8000, longer, least=0.7)
        usual = np.abs(np.diff(part.astype(int))).max()
        assert np.abs(np.diff(after.astype(int))).max() <= usual * 1.15 + 20
        steps += after.size != part.size
    assert steps > 0.7 * (samples.size // 320)


def test_where_nothing_is_alike_it_is_left_alone() -> None:
    chirp = np.round(8000 * np.sin(2 * np.pi * 40 * np.exp(np.linspace(0, 4, 320)))).astype(np.int16)
    assert stretched(chirp, 8000, longer=True, least=0.9) == chirp.tobytes()
    assert stretched(chirp, 8000, longer=False, least=0.9) == chirp.tobytes()


@BOTH
def test_silence_changes_by_ten_milliseconds(longer: bool) -> None:
    assert changed(np.zeros(320, np.int16), 8000, longer, 0.9).size == 320 + (80 if longer else -80)


def test_a_clock_that_drifts_for_hours_is_followed() -> None:
    """±200 ppm are 11.5 samples a minute at 8 kHz: a change every few seconds is more than enough."""
    samples = passage()
    taken, asked = 0, 0
    for at in range(0, samples.size - 320, 320):
        asked += 1
        taken += 320 - changed(samples[at : at + 320], 8000, longer=False, least=0.8).size
    assert taken / (asked * 320) > 100 * 200e-6


@pytest.mark.parametrize(("n", "hz"), [(100, 8000), (481, 8000), (320, 4000), (2880, 96000), (0, 8000)])
def test_lengths_and_rates_it_does_not_take(n: int, hz: int) -> None:
    with pytest.raises(ValueError, match="cannot stretch"):
        stretched(np.zeros(n, np.int16), hz, longer=True)
