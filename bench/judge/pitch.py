"""Tones as what a phone says, and how long each was heard: cheap to tell apart, whatever codec lies between."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from santral.bench.peer import wav

FRAME_S: Final = 0.05
LOUD: Final = 8000
QUIET: Final = 500.0  # RMS below which a frame is silence
NEAR_HZ: Final = 25.0
PURE: Final = 0.8  # share of a frame's power that the tone has


def write(folder: Path, hz: float, seconds: float = 20.0) -> Path:
    """A sound file of this tone."""
    path = folder / f"{hz:g}.wav"
    time = np.arange(round(seconds * wav.RATE_HZ)) / wav.RATE_HZ
    wav.write(path, (LOUD * np.sin(2 * np.pi * hz * time)).astype(np.int16))
    return path


def seconds_of(hz: float, heard: NDArray[np.int16], rate_hz: int = wav.RATE_HZ) -> float:
    """For how long this tone, and nothing else, was heard."""
    size = round(FRAME_S * rate_hz)
    frames = heard[: len(heard) // size * size].reshape(-1, size).astype(np.float64)
    if not len(frames):
        return 0.0
    power = np.abs(np.fft.rfft(frames * np.hanning(size), 4 * size)) ** 2
    at = np.fft.rfftfreq(4 * size, 1 / rate_hz)
    near = np.abs(at - hz) < NEAR_HZ + 2 / FRAME_S  # the window's own width beside it
    total = power.sum(axis=1)
    is_loud = np.sqrt((frames**2).mean(axis=1)) > QUIET
    is_tone = power[:, near].sum(axis=1) > PURE * np.maximum(total, 1.0)
    return float(np.count_nonzero(is_loud & is_tone)) * FRAME_S
