"""The tones a telephone network speaks in, per country: one table for making them and for knowing them again.

Frequencies and cadences: ITU-T E.180 Supplement 2 (tr), ETSI TR 101 041-2 (eu: what its members have in common), ANSI
T1.401 and Telcordia GR-506 (us), BT SIN 350 (uk). Special information tone: ITU-T E.180 §7. Fax tones: ITU-T T.30 §4.
Levels: E.180 §4 asks for -10 dBm0 within 5 dB; the American ones are those of GR-506.
"""

from dataclasses import dataclass
from typing import Final

FOREVER: Final = 0  # as a burst's length


@dataclass(frozen=True, slots=True)
class Burst:
    """One step of a cadence: these frequencies together, or silence, for so long (`FOREVER`: with no end)."""

    hz: tuple[float, ...]
    ms: int


@dataclass(frozen=True, slots=True)
class Tone:
    """Bursts in turn, over and over if `repeats`; `dbm0` is the level of each frequency."""

    bursts: tuple[Burst, ...]
    dbm0: float
    repeats: bool = True


def cadence(hz: tuple[float, ...], dbm0: float, *ms: int) -> Tone:
    """On and off in turn."""
    return Tone(tuple(Burst(() if n % 2 else hz, length) for n, length in enumerate(ms)), dbm0)


def sequence(*bursts: tuple[float, int], dbm0: float) -> Tone:
    """One frequency after the other, once."""
    return Tone(tuple(Burst((hz,) if hz else (), ms) for hz, ms in bursts), dbm0, repeats=False)


EVERYWHERE: Final = {
    "sit": sequence((950, 330), (1400, 330), (1800, 330), (0, 1000), dbm0=-10),
    "beep": sequence((1000, 300), dbm0=-12),
    "cng": cadence((1100,), -11, 500, 3000),
    "ced": sequence((2100, 3300), dbm0=-11),
}

TONES: Final[dict[str, dict[str, Tone]]] = {
    "tr": EVERYWHERE
    | {
        "dial": cadence((450,), -10, FOREVER),
        "ringback": cadence((450,), -10, 2000, 4000),
        "busy": cadence((450,), -10, 500, 500),
        "congestion": cadence((450,), -10, 200, 200, 200, 200, 200, 200, 600, 200),
        "call_waiting": cadence((450,), -13, 200, 600, 200, 8000),
    },
    "eu": EVERYWHERE
    | {
        "dial": cadence((425,), -10, FOREVER),
        "ringback": cadence((425,), -10, 1000, 4000),
        "busy": cadence((425,), -10, 500, 500),
        "congestion": cadence((425,), -10, 250, 250),
        "call_waiting": cadence((425,), -13, 200, 200, 200, 5000),
    },
    "us": EVERYWHERE
    | {
        "dial": cadence((350, 440), -13, FOREVER),
        "ringback": cadence((440, 480), -19, 2000, 4000),
        "busy": cadence((480, 620), -24, 500, 500),
        "congestion": cadence((480, 620), -24, 250, 250),
        "call_waiting": cadence((440,), -13, 300, 9700),
        "sit": sequence((913.8, 274), (1370.6, 274), (1776.7, 380), (0, 1000), dbm0=-14),
    },
    "uk": EVERYWHERE
    | {
        "dial": cadence((350, 450), -13, FOREVER),
        "ringback": cadence((400, 450), -13, 400, 200, 400, 2000),
        "busy": cadence((400,), -10, 375, 375),
        "congestion": cadence((400,), -10, 400, 350, 225, 525),
        "call_waiting": cadence((400,), -13, 100, 2500),
    },
}
