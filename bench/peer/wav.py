"""Mono 16-bit WAV files in and out, for peers and verdicts."""

import wave
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE_HZ: Final = 8_000


def read(path: Path) -> tuple[NDArray[np.int16], int]:
    """Samples and rate in Hz. Raises ValueError unless the file is mono with 16 bits."""
    with wave.open(str(path), "rb") as source:
        if source.getnchannels() != 1 or source.getsampwidth() != 2:
            raise ValueError(f"{path}: not mono 16-bit PCM")
        return np.frombuffer(source.readframes(source.getnframes()), "<i2").astype(np.int16), source.getframerate()


def write(path: Path, samples: NDArray[np.int16], rate_hz: int = RATE_HZ) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(samples.astype("<i2").tobytes())
