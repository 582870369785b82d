"""Patterns and templates: full match in linear time, slices as Python means them, nothing undialable."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.routing.numbers import MAX_NUMBER, Pattern, PatternError, Slot, Template, TemplateError

DIALABLE = st.text(string.ascii_letters + string.digits + "+*#.-_", max_size=MAX_NUMBER)


def test_a_pattern_matches_the_whole_text() -> None:
    pattern = Pattern(r"\+90312\d{7}")
    assert pattern.match("+903125550100") == {}
    assert pattern.match("+9031255501000") is None
    assert pattern.match("x+903125550100") is None


def test_an_alternative_does_not_escape_the_full_match() -> None:
    assert Pattern("1|22").match("22") == {}
    assert Pattern("1|22").match("12") is None


def test_named_groups_come_out_and_unused_ones_are_empty() -> None:
    pattern = Pattern(r"(?P<room>\d{3})(?P<pin>#\d+)?")
    assert pattern.groups == ("room", "pin")
    assert pattern.match("123#4") == {"room": "123", "pin": "#4"}
    assert pattern.match("123") == {"room": "123", "pin": ""}


def test_a_text_of_more_than_64_characters_matches_nothing() -> None:
    assert Pattern(".*").match("1" * 64) == {}
    assert Pattern(".*").match("1" * 65) is None


@pytest.mark.parametrize("wrong", ["(", "a**", r"(?=look)", r"\1", "x" * 513, "\\d{1001}", "\ud800"])
def test_what_re2_does_not_take_is_refused(wrong: str) -> None:
    with pytest.raises(PatternError):
        Pattern(wrong)


def test_the_reason_of_a_refusal_is_words() -> None:
    with pytest.raises(PatternError, match=r"^missing \): \($"):
        Pattern("(")


def test_a_pattern_that_explodes_elsewhere_is_fast() -> None:
    """Whoever goes back and tries again makes more than 2**40 attempts at each: that never ends."""
    pattern = Pattern(r"(a|aa)*(a|aa)*(a|aa)*b")
    for _ in range(100):
        assert pattern.match("a" * 64) is None


@given(st.text(max_size=80))
def test_any_text_may_come_in(text: str) -> None:
    assert Pattern("[0-9]+").match(text) == (
        {} if text and set(text) <= set("0123456789") and len(text) <= 64 else None
    )


def test_a_lone_surrogate_matches_no_digit_and_breaks_nothing() -> None:
    assert Pattern(r"\d*").match("\udcff") is None


@pytest.mark.parametrize(
    ("template", "made"),
    [
        ("{called}", "+905551112233"),
        ("{called[3:]}", "5551112233"),
        ("{called[:3]}", "+90"),
        ("{called[-4:]}", "2233"),
        ("{called[:-4]}", "+90555111"),
        ("{called[3:6]}", "555"),
        ("00{called[1:]}", "00905551112233"),
        ("{called[:]}", "+905551112233"),
        ("{caller}#{room}", "101#42"),
        ("112", "112"),
    ],
)
def test_templates(template: str, made: str) -> None:
    assert Template.parse(template).render({"called": "+905551112233", "caller": "101", "room": "42"}) == made


@pytest.mark.parametrize(
    "wrong",
    ["", "{", "}", "{called", "{called[}", "{called[3]}", "{called[a:]}", "{}", "{0}", "{{called}}", "{called[1:2:3]}"],
)
def test_what_is_no_template(wrong: str) -> None:
    with pytest.raises(TemplateError):
        Template.parse(wrong)


@pytest.mark.parametrize("called", ["", "1" * 65, "1 2", "1\r\nX: y", "1\x00", "\udcff"])
def test_what_cannot_be_dialled_is_not_made(called: str) -> None:
    with pytest.raises(TemplateError):
        Template.parse("{called}").render({"called": called})


def test_an_unknown_name_is_a_key_error() -> None:
    assert Template.parse("{room}").names == {"room"}
    with pytest.raises(KeyError):
        Template.parse("{room}").render({"called": "1"})


EDGE = st.none() | st.integers(-70, 70)


@given(DIALABLE, EDGE, EDGE)
def test_a_slice_is_python_s(called: str, start: int | None, stop: int | None) -> None:
    text = f"{{called[{'' if start is None else start}:{'' if stop is None else stop}]}}"
    template = Template.parse(text)
    assert template.parts == (Slot("called", start, stop),)
    expected = called[start:stop]
    if expected:
        assert template.render({"called": called}) == expected
    else:
        with pytest.raises(TemplateError, match="empty"):
            template.render({"called": called})


@given(st.text(max_size=40))
def test_any_text_is_a_template_or_refused_and_says_itself(text: str) -> None:
    try:
        template = Template.parse(text)
    except TemplateError:
        return
    assert str(template) == text
    rebuilt = "".join(part if isinstance(part, str) else "{}" for part in template.parts)
    assert rebuilt.count("{") == len([part for part in template.parts if isinstance(part, Slot)])
