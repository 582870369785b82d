"""Resampling: flat where speech is, nothing folded or mirrored, the same as scipy's, however the stream is cut."""

from itertools import permutations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import signal

from santral.codecs.shape.resample import Resampler

RATES = (8000, 16000, 24000, 44100, 48000)
PAIRS = pytest.mark.parametrize(("in_hz", "out_hz"), list(permutations(RATES, 2)))
AMPLITUDE = 20000.0
Samples = npt.NDArray[np.int16]


def tone(hz: float, rate: int, seconds: float = 0.5) -> Samples:
    return np.round(AMPLITUDE * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)).astype(np.int16)


def resampled(samples: Samples, in_hz: int, out_hz: int) -> Samples:
    return np.frombuffer(Resampler(in_hz, out_hz)(samples), np.int16)


def split(samples: Samples, hz: float, rate: int) -> tuple[float, float]:
    """Level in dB of the tone at `hz`, and of everything else, beside `AMPLITUDE`; without both ends."""
    middle = samples[samples.size // 10 : -samples.size // 10].astype(float)
    angle = 2 * np.pi * hz * np.arange(middle.size) / rate
    basis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    parts = np.linalg.lstsq(basis, middle, rcond=None)[0]
    rest = middle - basis @ parts
    return (
        20 * np.log10(np.hypot(*parts) / AMPLITUDE + 1e-9),
        20 * np.log10(np.sqrt(2 * np.mean(rest**2)) / AMPLITUDE + 1e-9),
    )


@PAIRS
def test_flat_in_the_passband_and_clean_beside_it(in_hz: int, out_hz: int) -> None:
    for hz in np.linspace(100, 0.43 * min(in_hz, out_hz), 8).round():
        level, rest = split(resampled(tone(hz, in_hz), in_hz, out_hz), hz, out_hz)
        assert abs(level) < 0.05, hz
        assert rest < -65, hz


@pytest.mark.parametrize(("in_hz", "out_hz"), [pair for pair in permutations(RATES, 2) if pair[0] > pair[1]])
def test_what_does_not_fit_is_not_folded_down(in_hz: int, out_hz: int) -> None:
    for hz in np.linspace(out_hz / 2, in_hz / 2 - 100, 12).round():
        left = resampled(tone(hz, in_hz), in_hz, out_hz).astype(float)
        assert 20 * np.log10(np.std(left[left.size // 10 :]) * np.sqrt(2) / AMPLITUDE + 1e-9) < -62, hz


@PAIRS
def test_the_same_as_scipy_s(in_hz: int, out_hz: int) -> None:
    generator = np.random.default_rng(1)
    lower = min(in_hz, out_hz)
    band = signal.firwin(401, 0.42 * lower, fs=in_hz)
    samples = signal.lfilter(band, 1, generator.standard_normal(in_hz // 2) * 6000)
    samples = np.clip(samples, -32768, 32767).astype(np.int16)
    resampler = Resampler(in_hz, out_hz)
    ours = np.frombuffer(resampler(samples), np.int16).astype(float)
    divisor = np.gcd(in_hz, out_hz)
    up, down = out_hz // divisor, in_hz // divisor
    reference = signal.firwin(2 * 80 * max(up, down) + 1, 0.48 * lower, window=("kaiser", 9.0), fs=in_hz * up)
    theirs = signal.resample_poly(samples.astype(float), up, down, window=reference)
    # A delay that is no whole number of samples turns the phases of the reference.
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(theirs.size, 1 / out_hz) * resampler.delay_s)
    theirs = np.fft.irfft(np.fft.rfft(theirs) * turn, theirs.size)
    n = min(ours.size, theirs.size)
    middle = slice(n // 8, -n // 8)
    error = np.std((ours[:n] - theirs[:n])[middle]) / np.std(theirs[middle])
    assert 20 * np.log10(error) < -55


@PAIRS
@pytest.mark.parametrize("frame_ms", [10, 20, 30, 40, 60])
def test_frames_come_out_whole(in_hz: int, out_hz: int, frame_ms: int) -> None:
    resampler = Resampler(in_hz, out_hz)
    frame = np.zeros(in_hz * frame_ms // 1000, np.int16)
    assert {len(resampler(frame)) for _ in range(20)} == {2 * (out_hz * frame_ms // 1000)}


@PAIRS
def test_how_the_stream_is_cut_changes_nothing(in_hz: int, out_hz: int) -> None:
    generator = np.random.default_rng(2)
    samples = generator.integers(-30000, 30000, in_hz // 4).astype(np.int16)
    resampler = Resampler(in_hz, out_hz)
    parts, at = b"", 0
    while at < samples.size:
        step = int(generator.integers(1, 1500))
        parts += resampler(samples[at : at + step])
        at += step
    assert parts == Resampler(in_hz, out_hz)(samples)


def test_the_loudest_input_saturates_and_does_not_wrap() -> None:
    square = np.resize(np.repeat(np.array([32767, -32768], np.int16), 12), 16000)
    out = resampled(square, 8000, 48000).astype(int)
    assert np.abs(np.diff(out)).max() < 15000
    assert out.max() == 32767
    assert out.min() == -32768


@pytest.mark.parametrize(("in_hz", "out_hz"), [(11025, 8000), (8000, 0), (-8000, 8000)])
def test_other_rates_are_refused(in_hz: int, out_hz: int) -> None:
    with pytest.raises(ValueError, match="cannot resample"):
        Resampler(in_hz, out_hz)


def test_equal_rates_change_nothing() -> None:
    samples = tone(440, 16000)
    resampler = Resampler(16000, 16000)
    assert resampler(samples) == samples.tobytes()
    assert resampler.delay_s == 0
