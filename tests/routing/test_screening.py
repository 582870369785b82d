"""Whom a user may call: abroad, premium and emergency numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.routing.screening import Rights, is_emergency, objection

NOTHING = Rights()


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+903125550100", "TR"), ("+442079460000", "GB"), ("+12125550100", "US"), ("101", "TR"), ("*21#", "TR"),
        ("reception", None), ("155", "TR"), ("118", "TR"), ("05551112233", "TR"), ("+908001112233", "TR"),
    ],
)  # fmt: skip
def test_numbers_at_home(number: str, country: str | None) -> None:
    assert objection(number, country, NOTHING) is None


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+442079460000", "TR"), ("+18765550100", "US"), ("+12125550100", "CA"), ("+903125550100", None),
        ("00442079460000", None), ("011442079460000", None), ("00442079460000", "TR"), ("+999123456789", "TR"),
        ("+80012345678", "TR"), ("+0", "TR"),
    ],
)  # fmt: skip
def test_numbers_abroad(number: str, country: str | None) -> None:
    assert "international" in str(objection(number, country, NOTHING))
    assert "international" in str(objection(number, country, Rights(premium=True)))
    assert objection(number, country, Rights(international=True, premium=True)) is None


@pytest.mark.parametrize(
    ("number", "country"),
    [("+909001234567", "TR"), ("+19005551234", "US"), ("+449098790000", "GB"), ("+8821612345678", "TR"),
     ("+881612345678", "DE"), ("+979123456789", "TR")],
)  # fmt: skip
def test_premium_numbers(number: str, country: str) -> None:
    assert "premium" in str(objection(number, country, NOTHING))
    assert "premium" in str(objection(number, country, Rights(international=True)))
    assert objection(number, country, Rights(international=True, premium=True)) is None


@given(st.text(max_size=70), st.sampled_from([None, "TR", "US", "XX"]))
def test_any_text_gets_an_answer(number: str, country: str | None) -> None:
    objection(number, country, NOTHING)
    is_emergency(number, country, frozenset())


def test_emergency_numbers() -> None:
    assert is_emergency("112", "TR", frozenset())
    assert is_emergency("911", "US", frozenset())
    assert not is_emergency("911", "TR", frozenset({"112"}))
    assert not is_emergency("112", None, frozenset())
    assert is_emergency("9112", None, frozenset({"9112"}))
    assert not is_emergency("+90112", "TR", frozenset())
