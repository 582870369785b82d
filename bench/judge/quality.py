"""How good does speech sound after something was done to it? P.862.1 by the package `pesq`, at the level of P.56.

`pesq` is one of the development packages; a benchmark that asks for it without says so.
"""

import importlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Losses = NDArray[np.bool_]  # one for each frame

RATE_HZ: Final = 8_000
LEVEL_DBOV: Final = -26.0  # active speech, ITU-T P.830
LAG_MAX: Final = 400  # samples by which a path may delay: 50 ms
FULL_SCALE: Final = 32768.0

# ITU-T P.56, method B
ENVELOPE_S: Final = 0.03
HANGOVER_S: Final = 0.2
MARGIN_DB: Final = 15.9


class Unavailable(Exception):  # noqa: N818 - not wrong, not there
    """The measuring package is not installed."""


def mos(reference: Samples, heard: Samples) -> float:
    """P.862.1 MOS-LQO, 1.0 to 4.55, of narrow-band speech; both at 8 kHz, `heard` may be late by up to 50 ms."""
    try:
        measure = importlib.import_module("pesq").pesq
    except ImportError:
        raise Unavailable("the package pesq is not installed (extra `dev`)") from None
    late = lag(reference, heard)
    heard = heard[late:] if late >= 0 else np.concatenate([np.zeros(-late, np.int16), heard])
    n = min(reference.size, heard.size)
    return float(measure(RATE_HZ, reference[:n].astype(float), heard[:n].astype(float), "nb"))


def lag(reference: Samples, heard: Samples) -> int:
    """By how many samples `heard` comes later."""
    n = 1 << (max(reference.size, heard.size) + LAG_MAX).bit_length()
    spectrum = np.conj(np.fft.rfft(reference.astype(float), n)) * np.fft.rfft(heard.astype(float), n)
    likeness = np.fft.irfft(spectrum, n)
    lags = np.arange(-LAG_MAX, LAG_MAX + 1)
    return int(lags[np.argmax(likeness[lags])])


def active_level_dbov(samples: Samples, hz: int = RATE_HZ) -> float:
    """Level of the speech in it, without its pauses (P.56 method B); -100 for silence."""
    signal = samples.astype(float) / FULL_SCALE
    share = np.exp(-1 / (hz * ENVELOPE_S))
    envelope = _smoothed(_smoothed(np.abs(signal), share), share)
    power = float(np.sum(signal**2))
    if power == 0:
        return -100.0
    hangover = int(HANGOVER_S * hz)
    before = None
    for threshold in 2.0 ** np.arange(-15, 1):
        over = np.flatnonzero(envelope >= threshold)
        if over.size == 0:
            break
        active = int(np.minimum(np.diff(over, append=samples.size), hangover).sum())
        level, limit = 10 * np.log10(power / active), 20 * np.log10(threshold)
        distance = level - limit - MARGIN_DB
        if distance <= 0:
            if before is None:
                return float(level)
            part = before[1] / (before[1] - distance)
            return float(before[0] + part * (level - before[0]))
        before = level, distance
    return float(before[0]) if before else -100.0


def at_level(samples: Samples, dbov: float = LEVEL_DBOV) -> Samples:
    """The same speech at the level that measurements are made at."""
    gain = 10 ** ((dbov - active_level_dbov(samples)) / 20)
    return np.clip(np.round(samples * gain), -32768, 32767).astype(np.int16)


def _smoothed(values: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """First-order recursive mean, in blocks short enough for its powers."""
    block = 256
    decay = share ** np.arange(block + 1)
    weights = np.tril(decay[np.subtract.outer(np.arange(block), np.arange(block)).clip(0)]) * (1 - share)
    smooth = np.empty_like(values)
    state = 0.0
    for at in range(0, values.size, block):
        part = values[at : at + block]
        smooth[at : at + part.size] = weights[: part.size, : part.size] @ part + decay[1 : part.size + 1] * state
        state = float(smooth[at + part.size - 1])
    return smooth


def lost_at_random(frames: int, share: float, seed: int) -> Losses:
    """Which frames are lost, independently; the first five never are."""
    lost = np.random.default_rng(seed).random(frames) < share
    lost[:5] = False
    return lost


def lost_in_bursts(frames: int, share: float, burst: float, seed: int) -> Losses:
    """A Gilbert model: bursts of `burst` frames on average, `share` of all frames."""
    generator = np.random.default_rng(seed)
    end, begin = 1 / burst, share / (1 - share) / burst
    lost = np.zeros(frames, bool)
    for at in range(5, frames):
        lost[at] = generator.random() >= end if lost[at - 1] else generator.random() < begin
    return lost


def joined(pieces: Sequence[Samples], least_s: float) -> list[Samples]:
    """Short recordings put together until each is at least so long: PESQ wants some seconds."""
    found, collected = [], list[Samples]()
    for piece in pieces:
        collected.append(piece)
        if sum(part.size for part in collected) >= least_s * RATE_HZ:
            found.append(np.concatenate(collected))
            collected = []
    return found
