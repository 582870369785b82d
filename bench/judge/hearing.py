"""Is what was heard what was said? Normalised cross-correlation of two recordings: likeness, delay, level."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16] | NDArray[np.float64]

RATE_HZ: Final = 8_000
SAME_LIKENESS: Final = 0.95  # G.711 alone gives 0.999; one lost packet in 6 s of speech still more than 0.98
STRANGER_LIKENESS: Final = 0.3  # two different passages stay below 0.1
LEVEL_TOLERANCE_DB: Final = 1.0
FULL_SCALE: Final = 32768.0


@dataclass(frozen=True, slots=True)
class Match:
    """How well `said` is found in `heard`, at the place where it fits best."""

    likeness: float  # correlation coefficient, 1.0 = the same but for a factor
    lag_samples: int  # where in `heard` the first sample of `said` is; may be negative
    level_db: float  # heard minus said, RMS over the matching stretch

    @property
    def is_same(self) -> bool:
        return self.likeness >= SAME_LIKENESS and abs(self.level_db) <= LEVEL_TOLERANCE_DB

    @property
    def is_absent(self) -> bool:
        return self.likeness <= STRANGER_LIKENESS


NOTHING: Final = Match(0.0, 0, -np.inf)


def rms_dbfs(audio: Samples) -> float:
    """RMS level; -inf for silence."""
    power = float(np.mean((np.asarray(audio, np.float64) / FULL_SCALE) ** 2)) if len(audio) else 0.0
    return float(10 * np.log10(power)) if power > 0 else -np.inf


def find(said: Samples, heard: Samples) -> Match:
    """Look for `said` in `heard` at every lag at which all of `said` that is loud can still be inside."""
    pattern, field = (np.asarray(one, np.float64) / FULL_SCALE for one in (said, heard))
    if not pattern.any() or not field.any():
        return NOTHING
    size = 1 << int(len(pattern) + len(field) - 1).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(field, size) * np.conj(np.fft.rfft(pattern, size)), size)
    lags = np.concatenate([np.arange(size // 2), np.arange(-(size // 2), 0)])
    energy_before = np.concatenate([[0.0], np.cumsum(field**2)])
    first = np.clip(lags, 0, len(field))
    last = np.clip(lags + len(pattern), 0, len(field))
    window_energy = energy_before[last] - energy_before[first]
    own_energy = float(np.sum(pattern**2))
    floor = own_energy * 1e-4  # a window 40 dB quieter than the pattern is no match, whatever its shape
    likeness = np.where(
        window_energy > floor, correlation / np.sqrt(own_energy * np.maximum(window_energy, floor)), 0.0
    )
    best = int(np.argmax(likeness))
    level_db = float(10 * np.log10(window_energy[best] / own_energy)) if window_energy[best] > 0 else -np.inf
    return Match(float(likeness[best]), int(lags[best]), level_db)


def delay_ms(match: Match, *, said_origin_ns: int, heard_origin_ns: int, said_starts_samples: int) -> float:
    """From the moment a sample was handed to the network to the moment it came, from clocks and correlation together.

    `said_origin_ns` is when sample 0 of the script was due, `said_starts_samples` where in the script the audio began.
    """
    heard_ns = heard_origin_ns + match.lag_samples * 1e9 / RATE_HZ
    said_ns = said_origin_ns + said_starts_samples * 1e9 / RATE_HZ
    return (heard_ns - said_ns) / 1e6
