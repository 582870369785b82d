"""Four hours of two clocks that run apart: arrays alone, since it is places that count."""

import numpy as np
import pytest

from santral.codecs import CODECS
from santral.recorder.capture import PACKET, Batch
from santral.recorder.mixdown import Mixdown

from ..scene import START_NS, Tape, note, two_sides

HOURS = 4
EVERY = 500  # packets: about 10 s
RATE = 8000


class Clicks(Tape):
    """Both sides say the same at the same time, by the true time: a packet of a tone about every ten seconds."""

    def __init__(self, ppm: tuple[float, float], jitter_ms: float) -> None:
        super().__init__([], two_sides(end_s=HOURS * 3600))
        rng = np.random.default_rng(1)
        count = HOURS * 3600 * 50
        sides = []
        for stream in range(2):
            rows = np.zeros(count, PACKET)
            number = np.arange(count)
            sent_s = (number + 1) * 0.02 / (1 + ppm[stream] * 1e-6)
            rows["stream"], rows["codec"], rows["ssrc"] = stream, 2, stream
            rows["sequence"], rows["timestamp"] = number & 0xFFFF, (number * 160) & 0xFFFFFFFF
            rows["octets"] = rows["length"] = 160
            rows["offset"] = np.where(number % EVERY == 0, 160, 0)
            rows["arrival_ns"] = START_NS + ((sent_s + rng.uniform(0, jitter_ms / 1000, count)) * 1e9).astype(np.int64)
            sides.append(rows[rows["arrival_ns"] < START_NS + HOURS * 3600 * 10**9])
        rows = np.concatenate(sides).astype(PACKET)
        self.rows = rows[np.argsort(rows["arrival_ns"], kind="stable")]
        tone = (12000 * np.sin(2 * np.pi * 1000 * np.arange(160) / RATE)).astype(np.int16)
        self.payloads = CODECS["PCMA/8000"].encode(bytes(320)) + CODECS["PCMA/8000"].encode(tone.tobytes())
        self.rows_a_read = 50_000

    def read(self, limit_bytes: int | None = None) -> Batch:
        return super().read(limit_bytes)


@pytest.mark.parametrize("ppm", [(100.0, -100.0), (-80.0, 60.0)])
def test_two_sides_stay_together_for_four_hours(ppm: tuple[float, float]) -> None:
    mix = Mixdown([Clicks(ppm, 30)])
    starts: list[list[float]] = [[], []]
    frames = 0
    for piece in mix.pieces():
        for side in range(2):
            loud = np.flatnonzero(np.abs(piece.samples[:, side].astype(int)) > 2000)
            if len(loud):
                first = loud[np.flatnonzero(np.diff(loud, prepend=-1000) > 400)]
                starts[side] += [(piece.at + int(at)) / RATE for at in first]
        frames += len(piece.samples)
    assert frames == HOURS * 3600 * RATE
    for side in range(2):
        heard = np.array(starts[side])
        heard = heard[np.diff(heard, prepend=-1) > 1]  # one may lie on both sides of a cut between pieces
        expected = (np.arange(len(heard)) * EVERY + 1) * 0.02 / (1 + ppm[side] * 1e-6)
        assert len(heard) > HOURS * 350
        assert np.abs(heard - expected).max() < 0.005  # each by itself, and so both to each other
    streams = mix.summary.streams
    assert [each["drift_ppm"] for each in streams] == pytest.approx(ppm, abs=15)
    assert all(each["steps"] == each["lost"] == each["refused_samples"] == 0 for each in streams)


def test_what_a_side_needs_does_not_grow_with_time() -> None:
    """A source may send for hours with nothing to bound it: what waits, and what is listed, stays small."""
    tape = Clicks((0.0, 0.0), 30)
    tape.rows = tape.rows[tape.rows["arrival_ns"] < START_NS + 600 * 10**9]
    tape.notes = [each for each in tape.notes if each.kind != "end"] + [note(600, "end")]
    mix = Mixdown([tape])
    most = max(piece.samples.nbytes for piece in mix.pieces())
    assert most <= 8 * RATE * 4
