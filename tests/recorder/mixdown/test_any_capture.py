"""Properties: how a capture is cut into pieces does not matter, nor does who comes twice; and nothing that
packets say can make audio of another length, or break it.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from santral.recorder.capture import PACKET
from santral.recorder.mixdown import Mixdown
from santral.recorder.timeline.envelope import Envelope
from santral.recorder.timeline.slip import slipped

from ..scene import START_NS, Samples, Talk, Tape, note, speech, two_sides

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
A, B = speech(25, seed=1), speech(25, seed=2)


def tape(seed: int) -> Tape:
    sides = [
        Talk(0, A, ppm=150, jitter_ms=15, loss=0.03, seed=seed),
        Talk(1, B, jitter_ms=15, loss=0.03, seed=seed + 1, ssrc=7, quiet=[(5, 12)]),
    ]
    return Tape(sides, two_sides(note(9, "paused", mode="skip"), note(10, "resumed"), end_s=26))


def whole(made: Tape) -> Samples:
    return np.concatenate([piece.samples for piece in Mixdown([made]).pieces()])


@FEW
@given(st.integers(1, 3000), st.integers(0, 3))
def test_following_a_capture_gives_what_reading_it_at_once_gives(rows_a_read: int, seed: int) -> None:
    at_once, in_pieces = tape(seed), tape(seed)
    in_pieces.rows_a_read = rows_a_read
    assert np.array_equal(whole(at_once), whole(in_pieces))


@FEW
@given(st.lists(st.tuples(st.integers(0, 1200), st.integers(1, 40)), max_size=40))
def test_who_comes_twice_counts_once(doubles: list[tuple[int, int]]) -> None:
    """Copies come later than the original, up to 0.8 s."""
    talk = Talk(0, A)
    once, twice = Tape([talk], two_sides(end_s=26)), Tape([talk], two_sides(end_s=26))
    doubles = [(which, later) for which, later in doubles if which + later < 1240]
    copies = twice.rows[[which for which, _ in doubles]].copy()
    copies["arrival_ns"] += np.array([later * 20_000_000 for _, later in doubles], np.int64)
    rows = np.concatenate([twice.rows, copies]).astype(PACKET)
    twice.rows = rows[np.argsort(rows["arrival_ns"], kind="stable")]
    assert np.array_equal(whole(once), whole(twice))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_packets_whatever_change_the_length_or_break_it(data: st.DataObject) -> None:
    made = Tape([Talk(0, A[:80_000]), Talk(1, B[:80_000], ssrc=7)], two_sides(end_s=11))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    hit = rng.random(len(made.rows)) < data.draw(st.sampled_from([0.002, 0.05, 0.5, 1.0]))
    n = int(hit.sum())
    for field, top in data.draw(
        st.lists(
            st.sampled_from(
                [
                    ("sequence", 2**16),
                    ("timestamp", 2**32),
                    ("ssrc", 3),
                    ("codec", 10),
                    ("flags", 4),
                    ("octets", 2**16),
                    ("length", 400),
                    ("stream", 4),
                    ("offset", 200_000),
                ]
            ),
            min_size=1,
            max_size=4,
        )
    ):
        made.rows[field][hit] = rng.integers(0, top, n).astype(PACKET[field])
    if data.draw(st.booleans()):
        made.rows["arrival_ns"][hit] += rng.integers(-(10**10), 1, n)
    mix = Mixdown([made])
    audio = np.concatenate([piece.samples for piece in mix.pieces()])
    assert len(audio) == 11 * mix.summary.rate_hz
    assert sum(each["packets"] + each["malformed"] for each in mix.summary.streams) <= len(made.rows) * 2


@pytest.mark.parametrize("ppm", [-300, -100, 0, 40, 250])
@pytest.mark.parametrize("jitter_s", [0.0, 0.03, 0.1])
def test_the_slope_is_that_of_the_clock_whatever_the_jitter(ppm: int, jitter_s: float) -> None:
    rng = np.random.default_rng(1)
    envelope = Envelope()
    for i in range(60 * 50):
        x = i * 0.02
        envelope.hear(x, 0.05 - x * ppm * 1e-6 + rng.exponential(1) * jitter_s)
    assert envelope.slope == pytest.approx(-ppm * 1e-6, abs=20e-6 + jitter_s * 6e-4)
    level = envelope.at(50.0)
    assert level == pytest.approx(0.05 - 50 * ppm * 1e-6, abs=0.0002 + jitter_s / 20)
    assert envelope.at(500.0) is None


@pytest.mark.parametrize("more", [-80, -8, -1, 1, 3, 8, 80])
def test_what_is_slipped_is_the_same_wave_a_little_slower(more: int) -> None:
    n, hz = 8000, 8000
    at = np.arange(-15, n + 16)
    wave = 10000 * np.sin(2 * np.pi * 800 * at / hz) + 5000 * np.sin(2 * np.pi * 2900 * at / hz)
    made = np.frombuffer(slipped(np.round(wave).astype(np.int16).data, n, more), np.int16).astype(float)
    at_new = np.arange(n + more) * n / (n + more)
    expected = 10000 * np.sin(2 * np.pi * 800 * at_new / hz) + 5000 * np.sin(2 * np.pi * 2900 * at_new / hz)
    noise = np.sqrt(np.mean((made - expected) ** 2))
    assert noise < 11000 / 10 ** (50 / 20)
    assert START_NS > 0
