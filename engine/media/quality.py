"""How good a stream sounds, from what is measured of it: E-model rating R and mean opinion score (ITU-T G.107).

The default transmission rating applies (no echo, no noise measured): R = 93.2 - Idd - Ie,eff. Only narrowband codecs
with published equipment impairment factors are rated; for the others, and until something was measured, it is None.
"""

from dataclasses import dataclass
from typing import Final

from santral.engine.media.core.measure.rating import mos, rating


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
    r = rating(known.ie, known.bpl, loss, burst_ratio, delay_ms)
    return Rating(r, mos(r))
