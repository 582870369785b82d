"""`mix`: CPU per leg and frame of conferences, frames that come late, and whether each leg hears exactly the others.

Every leg says a tone of its own for as long as it runs; what the legs of some rooms heard in their last second is taken
apart into all tones there are.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from santral.bench.load.legs import Legs, Said
from santral.bench.measure.plane import Taken, running, take
from santral.bench.measure.result import Result, Row, Setting
from santral.codecs import CODECS

SHAPES: Final = ((2000, 4), (200, 200))  # legs, legs in a room
SECONDS: Final = 60.0
RELAY_S: Final = 5.0
RATE_HZ: Final = 8000
STEP_HZ: Final = 10  # tones are whole in 100 ms
FIRST_HZ: Final = 300
TONES: Final = 280  # up to 3.1 kHz
FRAMES: Final = 5  # of a tone, said in turn
BLOCK: Final = RATE_HZ // STEP_HZ  # samples in which every tone is whole
JUDGED: Final = 12  # rooms, at most
MOST_US: Final = 6.0  # per leg and frame, in rooms of 4
MOST_LATE: Final = 0.001
LEAST_HEARD: Final = 0.999  # frames sent for each that came
CLEAR: Final = 0.5  # share of its level from which a tone counts as heard; nothing else may reach half of that
NO_TONE: Final = 0.25
MOST_BLOCKS: Final = 0.7  # of what a leg heard: each tone as it should be


def run(setting: Setting) -> Result:
    result = Result("mix")
    for count, size in ((8, 4), (6, 6)) if setting.quick else SHAPES:
        tones = [Said(tone(leg, size)) for leg in range(count)]
        with Legs(count, core=setting.load_core) as legs, running(setting, "relay", legs.ports) as plane:
            relayed = take(plane, legs, 1.0 if setting.quick else RELAY_S)
        with Legs(count, core=setting.load_core) as legs, running(setting, f"rooms:{size}", legs.ports) as plane:
            taken = take(plane, legs, 1.0 if setting.quick else SECONDS, tones)
            heard = [legs.listened(leg) for leg in range(count)]
        _judge(result, None if setting.quick else True, (count, size), (taken, relayed), heard)
    return result


def hz_of(leg: int) -> int:
    return FIRST_HZ + STEP_HZ * (leg % TONES)


def loudness(size: int) -> float:
    """So that all of a room together do not saturate, however their phases meet: that would make tones nobody says."""
    return 20_000.0 / max(4.0, 6 * float(np.sqrt(size)))


def tone(leg: int, size: int) -> bytes:
    at = np.arange(FRAMES * RATE_HZ // 50) / RATE_HZ
    phase = 2 * np.pi * (leg * 0.618 % 1)
    samples = loudness(size) * np.sin(2 * np.pi * hz_of(leg) * at + phase)
    return CODECS["PCMA/8000"].encode(samples.astype(np.int16).tobytes())


def levels(wire: bytes) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The amplitude of every tone there is, in each 100 ms of A-law."""
    samples = np.frombuffer(CODECS["PCMA/8000"].decode(wire), np.int16).astype(float)
    blocks = samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK)
    spectra: np.ndarray[tuple[int, int], np.dtype[np.float64]] = 2 * np.abs(np.fft.rfft(blocks)) / BLOCK
    return spectra[:, FIRST_HZ // STEP_HZ : FIRST_HZ // STEP_HZ + TONES]


def wrong_ears(heard: Sequence[bytes], count: int, size: int) -> int:
    """How many of the judged legs do not hear exactly the others of their room.

    A few blocks of a tone may be otherwise: where a packet was late, what bridges it is no tone.
    """
    rooms = range(0, count, size)
    wrong = 0
    for first in list(rooms)[:: max(1, len(rooms) // JUDGED)]:
        members = range(first, first + size)
        for leg in members:
            found = levels(heard[leg]) / loudness(size)
            wanted = np.isin(np.arange(TONES), [other % TONES for other in members if other != leg])
            right = np.where(wanted, found > CLEAR, found < NO_TONE).mean(axis=0)  # of each tone
            wrong += int(right.min() < MOST_BLOCKS)
    return wrong


def _judge(
    result: Result, judged: bool | None, shape: tuple[int, int], taken: tuple[Taken, Taken], heard: Sequence[bytes]
) -> None:
    """`judged` is None where figures mean nothing; `taken` is the mixing, and a relay of as many legs beside it."""
    (count, size), (mixed, relayed) = shape, taken
    window, grown = mixed.window, mixed.grown
    name = f"{count} legs in rooms of {size}"
    each_us = mixed.us_per_packet
    late = grown["turns_late"] / max(1, grown["turns"])
    came = grown["packets_out"] / max(1, grown["packets_in"])
    wrong = wrong_ears(heard, count, size)
    result.rows += [
        Row(
            f"{name}: CPU per leg and frame",
            f"{each_us:.2f} us",
            f"relay {relayed.us_per_packet:.2f}, ratio {each_us / relayed.us_per_packet:.2f}",
            f"at most {MOST_US}{', in doubt: ' + window.doubt if window.doubt else ''}" if size == 4 else "",
            judged and each_us <= MOST_US if size == 4 else None,
        ),
        Row(
            f"{name}: frames later than 5 ms",
            f"{late:.4%}",
            "",
            f"at most {MOST_LATE:.1%}",
            judged and late <= MOST_LATE,
        ),
        Row(
            f"{name}: frames sent for each that came",
            f"{came:.4%}",
            "",
            f"at least {LEAST_HEARD:.1%}",
            judged and came >= LEAST_HEARD,
        ),
        Row(f"{name}: ears that hear others than they should", str(wrong), "", "0", wrong == 0),
    ]
    result.data[name] = {
        "us_per_leg_frame": each_us,
        "relay_us": relayed.us_per_packet,
        "late": late,
        "heard": came,
        "wrong_ears": wrong,
    }
