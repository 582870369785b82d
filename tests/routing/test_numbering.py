"""Numbers as trunks write them, and their one normal form: what is no number is never touched."""

from datetime import UTC, datetime

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.routing.numbering import AS_IT_IS, Format, Numbering, is_e164
from santral.routing.plan import CallFacts, DialTrunk, plan
from santral.routing.routes import Destination, Number, Route, RoutingTable, ToTrunk
from santral.routing.trunks import Target, Trunk

COUNTRIES = ("TR", "DE", "US", "GB", "IT", "AR", "BR", "MX", "FR", "AE")
FORMATS: tuple[Format, ...] = ("e164", "international", "national")
KINDS = (
    phonenumbers.PhoneNumberType.MOBILE,
    phonenumbers.PhoneNumberType.FIXED_LINE,
    phonenumbers.PhoneNumberType.TOLL_FREE,
)


def numbers() -> list[str]:
    """Real looking numbers of many countries, in E.164."""
    found = []
    for country in COUNTRIES:
        for kind in KINDS:
            example = phonenumbers.example_number_for_type(country, kind)
            if example is not None:
                found.append(phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164))
    return [one for one in found if is_e164(one)]


@pytest.mark.parametrize(
    ("format_", "wrote", "normal"),
    [
        ("e164", "+905551112233", "+905551112233"),
        ("e164", "05551112233", "05551112233"),  # not what it says it writes: left to the routes
        ("international", "905551112233", "+905551112233"),
        ("international", "00905551112233", "+905551112233"),
        ("international", "05551112233", "+905551112233"),
        ("national", "05551112233", "+905551112233"),
        ("national", "5551112233", "+905551112233"),
        ("national", "4440444", "+904440444"),
        ("national", "004930123456", "+4930123456"),
        ("national", "+4930123456", "+4930123456"),
    ],
)
def test_reading(format_: Format, wrote: str, normal: str) -> None:
    assert Numbering(format_, "TR").read(wrote) == normal


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(
    "text", ["112", "155", "911", "100", "2005", "11880", "alice", "*21#", "", "anonymous", "+", "+12", "1" * 40, "1 2"]
)
def test_what_is_no_number_stays(format_: Format, text: str) -> None:
    numbering = Numbering(format_, "TR")
    assert numbering.read(text) == text
    assert numbering.write(text) == text


def test_writing() -> None:
    assert Numbering("e164").write("+905551112233") == "+905551112233"
    assert Numbering("international").write("+905551112233") == "905551112233"
    assert Numbering("national", "TR").write("+905551112233") == "05551112233"
    assert Numbering("national", "TR").write("+4930123456") == "004930123456"
    assert Numbering("national", "US").write("+4930123456") == "0114930123456"
    assert Numbering("national", "US").write("+12125551234") == "2125551234"
    assert Numbering("national").write("+12125551234") == "+12125551234"  # at home nowhere


@pytest.mark.parametrize("country", COUNTRIES)
@pytest.mark.parametrize("format_", FORMATS)
def test_every_number_comes_back_the_same(format_: Format, country: str) -> None:
    numbering = Numbering(format_, country)
    for number in numbers():
        assert numbering.read(numbering.write(number)) == number, number


@given(st.sampled_from(FORMATS), st.sampled_from((*COUNTRIES, None)), st.text("+0123456789", max_size=34))
def test_reading_twice_changes_nothing_more(format_: Format, country: str | None, text: str) -> None:
    numbering = Numbering(format_, country)
    once = numbering.read(text)
    assert numbering.read(once) == once
    assert once == text or is_e164(once)


@given(st.sampled_from(FORMATS), st.sampled_from((*COUNTRIES, None)), st.text(max_size=40))
def test_any_text_is_taken(format_: Format, country: str | None, text: str) -> None:
    numbering = Numbering(format_, country)
    numbering.write(numbering.read(text))


# ---- in plans ----


def facts(called: str, numbering: Numbering = AS_IT_IS) -> CallFacts:
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    return CallFacts("in", "acme", "alice", numbering.read(called), at, wrote=("alice", called))


def table(outward: Numbering) -> RoutingTable:
    trunks = [
        Trunk("in", "acme", numbering=Numbering("national", "TR")),
        Trunk("out", "acme", (Target("sip:192.0.2.1"),), numbering=outward),
    ]
    route = Route("all", "acme", (Destination(ToTrunk("out")),), from_trunk="in")
    return RoutingTable.build(trunks, [route], [Number("+903125550100", "acme", "all")])


def test_a_plan_decides_on_the_normal_form_and_dials_as_the_trunk_writes() -> None:
    inward = Numbering("national", "TR")
    made = plan(table(Numbering("international")), facts("03125550100", inward))
    (attempt,) = made.attempts
    assert isinstance(attempt, DialTrunk)
    assert attempt.called == "903125550100"
    assert made.why[:2] == (
        "called 03125550100 is +903125550100",
        "route all: fits (from trunk in)",
    )
    assert "number +903125550100: leads to route all" in made.why
    assert attempt.why.endswith(", +903125550100 written international")


def test_an_emergency_number_goes_out_as_it_was_dialled() -> None:
    made = plan(table(Numbering("national", "TR")), facts("112", Numbering("national", "TR")))
    (attempt,) = made.attempts
    assert isinstance(attempt, DialTrunk)
    assert attempt.called == "112"
