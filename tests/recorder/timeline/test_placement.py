"""Each side stands where it was said: under loss, jitter, reordering, drift, and whatever sources and timestamps do."""

import numpy as np
import pytest

from ..scene import Talk, Tape, judged, mixed, speech, two_sides

A, B = speech(40, seed=1), speech(40, seed=2)


@pytest.mark.parametrize("loss", [0, 0.01, 0.05])
@pytest.mark.parametrize("ppm", [0, 100, -100])
@pytest.mark.parametrize("jitter_ms", [0, 30])
def test_both_sides_are_what_was_said_when_it_was_said(loss: float, ppm: float, jitter_ms: float) -> None:
    a = Talk(0, A, ppm=ppm, loss=loss, jitter_ms=jitter_ms, seed=3)
    b = Talk(1, B, ppm=-ppm, loss=loss, jitter_ms=jitter_ms, seed=4, codec="PCMU/8000", ssrc=7)
    audio, summary = mixed(Tape([a, b], two_sides(end_s=41.0)))
    left, right = judged(audio[:, 0], a, 8000), judged(audio[:, 1], b, 8000)
    assert len(audio) == 41 * 8000
    assert len(left.late_ms) > 35
    for side in (left, right):
        assert np.median(side.correlation) >= 0.98
        assert np.abs(side.late_ms).max() <= 5
    assert np.abs(left.late_ms - right.late_ms).max() <= 5
    assert [each["lost"] for each in summary.streams] == [a.lost_between, b.lost_between]
    assert all(each["refused_samples"] == each["steps"] == 0 for each in summary.streams)
