"""Concealment: a voice goes on, fades, comes back without a step; what is not lost is not touched."""

import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from santral.codecs.shape.conceal import Concealer

Samples = npt.NDArray[np.int16]
RATES = pytest.mark.parametrize("hz", [8000, 16000, 24000, 44100, 48000])


def voiced(hz: int, seconds: float, pitch: float = 125) -> Samples:
    time = np.arange(int(hz * seconds)) / hz
    return np.asarray(sum(6000 / k * np.sin(2 * np.pi * k * pitch * time + k) for k in range(1, 8)), np.int16)


def heard(samples: Samples, hz: int, lost: set[int], frame: int) -> Samples:
    concealer = Concealer(hz)
    parts = [
        concealer.lost(frame) if at // frame in lost else concealer.good(samples[at : at + frame])
        for at in range(0, samples.size - frame + 1, frame)
    ]
    return np.frombuffer(b"".join(parts), np.int16)


@RATES
def test_without_loss_nothing_is_changed_and_nothing_delayed(hz: int) -> None:
    samples = np.random.default_rng(1).integers(-30000, 30000, hz // 2).astype(np.int16)
    for frame in (hz // 100, hz // 50, 3 * hz // 50):
        after = heard(samples, hz, set(), frame)
        np.testing.assert_array_equal(after, samples[: after.size])


@RATES
@pytest.mark.parametrize("pitch", [80, 125, 200, 310])
def test_a_steady_voice_goes_on_as_it_was(hz: int, pitch: float) -> None:
    samples = voiced(hz, 0.4, pitch)
    frame = hz // 50
    after = heard(samples, hz, {10}, frame).astype(float)
    place = slice(10 * frame, 11 * frame)
    assert np.corrcoef(after[place], samples[place])[0, 1] > 0.97
    fading = np.std(after[place]) / np.std(samples[place])
    assert 0.7 < fading < 1.0


@RATES
@pytest.mark.parametrize("frames", [1, 2, 5])
def test_there_is_no_step_into_and_out_of_a_loss(hz: int, frames: int) -> None:
    frame = hz // 50
    for pitch in (90, 140, 217):
        samples = voiced(hz, 0.6, pitch)
        after = heard(samples, hz, set(range(10, 10 + frames)), frame).astype(int)
        usual = np.abs(np.diff(samples.astype(int))).max()
        assert np.abs(np.diff(after)).max() < 1.25 * usual + 30


def test_speech_has_no_steps_that_it_had_not() -> None:
    with wave.open(str(Path(__file__).parents[2] / "engine/sounds/passage-en.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    generator = np.random.default_rng(2)
    lost = {int(at) for at in np.flatnonzero(generator.random(samples.size // 160) < 0.1)} - {0, 1, 2}
    after = heard(samples, 8000, lost, 160).astype(int)
    usual = np.abs(np.diff(samples.astype(int)))
    steps = np.abs(np.diff(after))
    for at in lost:
        around = slice(max(0, 160 * at - 320), 160 * at + 480)
        assert steps[around].max() <= 1.5 * usual[around].max() + 60


@RATES
def test_it_fades_to_silence_in_60_ms(hz: int) -> None:
    frame = hz // 100
    after = heard(voiced(hz, 0.5), hz, set(range(20, 32)), frame).astype(float)
    loud = [np.std(after[at * frame : (at + 1) * frame]) for at in range(20, 32)]
    assert loud[0] > 0.75 * np.std(after[: 20 * frame])
    assert all(later < earlier for earlier, later in pairwise(loud[:6]))
    assert max(loud[6:]) == 0


def test_packets_of_any_length() -> None:
    samples = voiced(8000, 1.2)
    for frame in (40, 80, 160, 240, 320, 480):
        after = heard(samples, 8000, {7}, frame)
        assert after.size == samples.size // frame * frame
        assert np.corrcoef(after[: 8 * frame], samples[: 8 * frame])[0, 1] > 0.9


def test_a_loss_right_at_the_start_is_silence() -> None:
    concealer = Concealer(8000)
    assert concealer.lost(160) == bytes(320)
    concealer.good(np.zeros(160, np.int16))
    assert concealer.lost(800) == bytes(1600)


def test_the_loudest_input_saturates_and_does_not_wrap() -> None:
    samples = np.resize(np.repeat(np.array([32767, -32768], np.int16), 37), 8000)
    after = heard(samples, 8000, {10, 20, 21, 30}, 160)
    np.testing.assert_array_equal(np.sign(after[1600:1650]), np.sign(samples[1600:1650]))


@pytest.mark.parametrize("hz", [0, -8000, 7999, 96000])
def test_rates_it_does_not_know(hz: int) -> None:
    with pytest.raises(ValueError, match="cannot conceal"):
        Concealer(hz)
