"""How good a stream sounds, from what is measured of it: E-model rating R and mean opinion score (ITU-T G.107).

The default transmission rating applies (no echo, no noise measured): R = 93.2 - Idd - Ie,eff. Only narrowband codecs
with published equipment impairment factors are rated; for the others, and until something was measured, it is None.
"""

from dataclasses import dataclass
from math import cbrt, log2, sqrt
from typing import Final

DEFAULT_RATING: Final = 93.2  # G.107 clause 7.7: R with every default, before delay and equipment
EQUIPMENT_LIMIT: Final = 95.0  # G.107 equation 7-29
DELAY_FREE_MS: Final = 100.0  # one-way delay that costs nothing by G.107 clause 7.4
MOS_MIN: Final = 1.0
MOS_MAX: Final = 4.5


@dataclass(frozen=True, slots=True)
class Impairment:
    """Equipment impairment factor Ie and packet-loss robustness Bpl of one codec."""

    ie: float
    bpl: float


# ITU-T G.113 Appendix I, tables I.1 and I.4. G.711 with concealment: what is relayed is concealed by who decodes it.
IMPAIRMENTS: Final = {
    "PCMU/8000": Impairment(0.0, 25.1),
    "PCMA/8000": Impairment(0.0, 25.1),
    "G729/8000": Impairment(11.0, 19.0),
}


@dataclass(frozen=True, slots=True)
class Rating:
    """R (0 to 100) and the conversational mean opinion score (1 to 4.5) that G.107 Annex B derives from it."""

    r: float
    mos: float


def rate(codec: str, loss: float, burst_ratio: float = 1.0, delay_ms: float = 0.0) -> Rating | None:
    """The rating of one direction.

    `codec` is a plane key (`PCMU/8000`), `loss` the fraction of packets lost (0 to 1), `burst_ratio` the mean length of
    loss bursts over that of random loss (1: random), `delay_ms` mouth to ear. None for a codec without factors.
    """
    known = IMPAIRMENTS.get(codec)
    if known is None:
        return None
    percent = 100.0 * min(max(loss, 0.0), 1.0)
    robustness = percent / max(burst_ratio, 1.0) + known.bpl
    equipment = known.ie + (EQUIPMENT_LIMIT - known.ie) * percent / robustness
    r = min(max(DEFAULT_RATING - _delay_impairment(delay_ms) - equipment, 0.0), 100.0)
    return Rating(r, mos_of(r))


def _delay_impairment(delay_ms: float) -> float:
    """Idd of G.107 equations 7-27 and 7-28."""
    if delay_ms <= DELAY_FREE_MS:
        return 0.0
    x = log2(delay_ms / DELAY_FREE_MS)
    return 25.0 * (sqrt(cbrt(1 + x**6)) - 3.0 * sqrt(cbrt(1 + (x / 3) ** 6)) + 2.0)


def mos_of(r: float) -> float:
    """G.107 Annex B, equation B-4; not below 1, where the polynomial dips for small R."""
    if r <= 0:
        return MOS_MIN
    if r >= 100:
        return MOS_MAX
    return max(1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6, MOS_MIN)


def burst_ratio(lost: int, bursts: int, expected: int) -> float:
    """Mean length of the `bursts` that took `lost` of `expected` packets, over that of random loss, 1/(1 - p)."""
    if bursts <= 0 or lost <= 0 or expected <= lost:
        return 1.0
    return max(lost / bursts * (1.0 - lost / expected), 1.0)
