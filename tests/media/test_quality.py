"""E-model ratings against figures that ITU-T publishes, and their direction."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.engine.media.core.measure.losses import Losses
from santral.engine.media.core.measure.rating import mos as mos_of
from santral.engine.media.quality import rate


@pytest.mark.parametrize(
    ("r", "mos"),
    [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (93.2, 4.41), (0, 1.0), (100, 4.5)],
)
def test_mos_of_r_as_in_table_b1_of_g107(r: float, mos: float) -> None:
    assert mos_of(r) == pytest.approx(mos, abs=0.01)


@pytest.mark.parametrize(
    ("codec", "loss", "delay_ms", "r"),
    [
        ("PCMU/8000", 0.0, 0, 93.2),
        ("PCMA/8000", 0.0, 150, 93.2 - 0.16),
        ("PCMA/8000", 0.0, 400, 93.2 - 24.07),
        ("PCMU/8000", 0.05, 0, 93.2 - 95 * 5 / 30.1),
        ("G729/8000", 0.0, 0, 82.2),
        ("G729/8000", 0.02, 0, 82.2 - 84 * 2 / 21),
    ],
)
def test_known_ratings(codec: str, loss: float, delay_ms: float, r: float) -> None:
    rating = rate(codec, loss, delay_ms=delay_ms)
    assert rating is not None
    assert rating.r == pytest.approx(r, abs=0.05)
    assert rating.mos == pytest.approx(mos_of(rating.r))


def test_nothing_is_said_of_codecs_without_factors() -> None:
    assert rate("opus/48000/2", 0.0) is None
    assert rate("G722/8000", 0.0) is None


@given(st.floats(0, 1), st.floats(0, 1), st.floats(1, 8), st.floats(0, 2000))
def test_more_loss_more_bursts_more_delay_are_never_better(a: float, b: float, burst: float, delay: float) -> None:
    less, more = sorted((a, b))
    better, worse = rate("PCMU/8000", less, 1.0, 0.0), rate("PCMU/8000", more, burst, delay)
    assert better is not None
    assert worse is not None
    assert worse.r <= better.r
    assert 1.0 <= worse.mos <= better.mos + 1e-9 <= 4.5


@pytest.mark.parametrize(
    ("fates", "bursts", "packets", "lost"),
    [
        ("." * 40, 0, 0, 0),
        ("." * 20 + "x" + "." * 40, 0, 0, 0),  # a single loss is of the gap
        ("." * 20 + "xx" + "." * 40, 1, 2, 2),
        ("x" + "." * 15 + "x" + "." * 16 + "x", 1, 17, 2),  # fifteen received do not end it, sixteen do
        ("xx" + "." * 16 + "x..x", 2, 6, 4),
    ],
)
def test_bursts_and_gaps_of_rfc_3611(fates: str, bursts: int, packets: int, lost: int) -> None:
    losses = Losses()
    losses.note(fates)
    figures = losses.figures()
    assert figures["counted"] == len(fates)
    assert figures["lost"] == fates.count("x")
    assert (figures["bursts"], figures["burst_packets"], figures["burst_lost"]) == (bursts, packets, lost)


@given(st.text("x.", max_size=400))
def test_bursts_are_those_of_the_plain_definition(fates: str) -> None:
    losses = Losses()
    losses.note(fates)
    figures = losses.figures()
    runs = [run for run in re.split(r"\.{16,}", fates.strip(".")) if run.count("x") > 1]
    assert figures["bursts"] == len(runs)
    assert figures["burst_packets"] == sum(map(len, runs))
    assert figures["burst_lost"] == sum(run.count("x") for run in runs)
    assert figures["runs"] == len([run for run in fates.split(".") if run])
