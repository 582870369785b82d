"""Plans of calls that users make and get, and of targets that are down."""

from datetime import UTC, datetime
from typing import Any

import pytest

from santral.routing.numbering import Numbering
from santral.routing.numbers import Template
from santral.routing.plan import CallFacts, DialTrunk, DialUser, Plan, plan
from santral.routing.routes import Destination, Number, Route, RoutingTable, Tenant, ToTrunk, ToUser, User
from santral.routing.screening import Rights
from santral.routing.trunks import Target, Trunk

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ALI = User("101", "acme", "101@acme.example", number="+903125550100")
EVE = User("102", "acme", "102@acme.example", Rights(international=True, premium=True))


def table(**more: Any) -> RoutingTable:
    trunks = [
        Trunk("carrier", "acme", (Target("sip:a"), Target("sip:b")), accept_from=()),
        Trunk("help", "acme", (Target("sip:c"),), emergency=True),
        Trunk("theirs", "globex", (Target("sip:d"),), emergency=True),
    ]
    routes = [
        Route("inside", "acme", (Destination(ToUser(Template.parse("{called}"), 20.0)),), called=more.get("called")),
        Route("out", "acme", (Destination(ToTrunk("carrier")),)),
    ]
    if "called" not in more:
        routes = routes[1:]
    numbers = [Number("+903125550100", "acme", "out"), Number("+903125550900", "globex", "theirs")]
    their = Route("theirs", "globex", (Destination(ToTrunk("theirs")),))
    return RoutingTable.build(trunks, [*routes, their], numbers, [ALI, EVE], [Tenant("acme", "TR"), Tenant("globex")])


def decide(called: str, user: User = ALI, caller: str = "101", **more: Any) -> Plan:
    facts = CallFacts("", "acme", caller, called, NOON, user=user.aor)
    return plan(more.pop("table", None) or table(), facts, **more)


def test_a_user_calls_out_with_its_own_number() -> None:
    (attempt,) = decide("+903124440000").attempts
    assert isinstance(attempt, DialTrunk)
    assert (attempt.trunk, attempt.caller, attempt.is_emergency) == ("carrier", "+903125550100", False)


@pytest.mark.parametrize(
    ("shown", "caller"),
    [("+903125550100", None), ("+903125550900", ""), ("+441632960000", ""), ("102", "")],
)
def test_only_owned_numbers_are_shown(shown: str, caller: str | None) -> None:
    (attempt,) = decide("+903124440000", EVE, shown).attempts
    assert isinstance(attempt, DialTrunk)
    assert attempt.caller == caller


def test_calls_abroad_need_the_right() -> None:
    refused = decide("+442079460000")
    assert (refused.attempts, refused.refusal) == ((), 403)
    assert any("international is false" in reason for reason in refused.why)
    assert decide("+442079460000", EVE).attempts


def through(numbering: Numbering) -> RoutingTable:
    trunk = Trunk("carrier", "acme", (Target("sip:a"),), numbering=numbering)
    route = Route("out", "acme", (Destination(ToTrunk("carrier")),))
    return RoutingTable.build([trunk], [route], [], [ALI, EVE], [Tenant("acme", "TR")])


@pytest.mark.parametrize("numbering", [Numbering("international", "TR"), Numbering("e164", "TR")], ids=str)
@pytest.mark.parametrize("called", ["4930123456", "442079460000", "14155552671", "883510001234567"])
def test_what_the_trunk_would_take_for_a_number_abroad_is_one(called: str, numbering: Numbering) -> None:
    rows = through(numbering)
    refused = decide(called, table=rows)
    assert (refused.attempts, refused.refusal) == ((), 403)
    assert decide(called, EVE, table=rows).attempts


def test_a_trunk_of_another_country_reads_national_digits_as_its_own() -> None:
    assert decide("03012345678", table=through(Numbering("national", "DE"))).refusal == 403
    assert decide("+903124440000", table=through(Numbering("national", "TR"))).attempts


@pytest.mark.parametrize("called", ["+903124440000", "155", "11880"])
def test_numbers_of_the_country_pass_in_every_format(called: str) -> None:
    for written in ("international", "national", "e164"):
        assert decide(called, table=through(Numbering(written, "TR"))).attempts


def test_help_goes_to_emergency_trunks_of_the_tenant() -> None:
    made = decide("112")
    assert [(one.trunk, one.called, one.is_emergency) for one in made.attempts if isinstance(one, DialTrunk)] == [
        ("help", "112", True)
    ]
    assert made.route is None


def test_a_user_is_rung_by_name() -> None:
    from santral.routing.numbers import Pattern  # noqa: PLC0415

    rows = table(called=Pattern(r"1\d\d"))
    assert decide("102", table=rows).attempts == (
        DialUser("102@acme.example", 20.0, "route inside: destination 1 of 1, user 102"),
    )
    missing = decide("150", table=rows)
    assert (missing.attempts, missing.refusal) == ((), 404)
    assert "there is no user 150" in missing.why


def test_targets_that_are_down_are_left_out_unless_all_are() -> None:
    def targets(*down: str) -> tuple[str, ...]:
        (attempt,) = decide("+903124440000", down={("carrier", one) for one in down}).attempts
        assert isinstance(attempt, DialTrunk)
        return attempt.targets

    assert targets() == ("sip:a", "sip:b")
    assert targets("sip:a") == ("sip:b",)
    assert targets("sip:a", "sip:b") == ("sip:a", "sip:b")
    assert targets("sip:c") == ("sip:a", "sip:b")
