"""UTC text and milliseconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.engine import utc


@given(st.integers(0, 4_102_444_800_000))
def test_text_can_be_read_back(moment_ms: int) -> None:
    assert utc.parse(utc.text_of(moment_ms)) == moment_ms


def test_forms() -> None:
    assert utc.text_of(1_795_255_200_007) == "2026-11-21T10:00:00.007Z"
    assert utc.parse("2026-11-21T10:00:00Z") == 1_795_255_200_000
    assert utc.parse("2026-11-21T10:00:00.5Z") == 1_795_255_200_500
    assert utc.parse("2026-11-21T10:00:00.123456Z") == 1_795_255_200_123


@pytest.mark.parametrize(
    "text", ["", "now", "2026-11-21", "2026-11-21T10:00:00", "2026-11-21T10:00:00+03:00", "2026-13-01T00:00:00Z"]
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text differs, the kind is the promise
        utc.parse(text)
