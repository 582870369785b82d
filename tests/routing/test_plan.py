"""Plans: which route, which attempts, and the reason of everything chosen and left out."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.routing.hours import Hours
from santral.routing.numbers import Pattern, Template
from santral.routing.plan import CallFacts, DialTrunk, Echo, Plan, Play, Reject, TakeMessage, plan
from santral.routing.routes import (
    Destination,
    Number,
    Route,
    RoutingTable,
    ToEcho,
    ToMessage,
    ToPlay,
    ToReject,
    ToTrunk,
)
from santral.routing.trunks import Strategy, Target, Trunk

MONDAY_NIGHT = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)  # 20:00 in Istanbul
CARRIER = Trunk("carrier", "acme", (Target("sip:192.0.2.1"), Target("sip:192.0.2.2")))
PBX = Trunk("pbx", "acme", (Target("sip:192.0.2.9"),))
OTHERS = Trunk("others", "globex", (Target("sip:192.0.2.50"),))
SHARED = Trunk("shared", "globex", (Target("sip:192.0.2.60"),), shared=True)
TRUNKS = (CARRIER, PBX, OTHERS, SHARED)


def facts(
    called: str = "+903125550100", trunk: str = "carrier", tenant: str = "acme", caller: str = "5551112233"
) -> CallFacts:
    return CallFacts(trunk, tenant, caller, called, MONDAY_NIGHT)


def route(
    name: str, *destinations: ToTrunk | ToEcho | ToPlay | ToReject | Destination, tenant: str = "acme", **filters
) -> Route:
    made = tuple(one if isinstance(one, Destination) else Destination(one) for one in destinations)
    return Route(name, tenant, made or (Destination(ToEcho()),), **filters)


def decide(*routes: Route, at: CallFacts | None = None, numbers: tuple[Number, ...] = (), **more) -> Plan:
    return plan(RoutingTable.build(TRUNKS, routes, numbers), at or facts(), **more)


def test_the_first_route_that_fits_decides_and_the_others_say_why_not() -> None:
    made = decide(
        route("mobile", called=Pattern(r"\+905\d{9}")),
        route("vip", caller=Pattern("5559.*")),
        route("day", hours=(Hours.parse("mon-fri 09:00-18:00 Europe/Istanbul"),)),
        route("pbx-only", from_trunk="pbx"),
        route("globex", tenant="globex"),
        route("front-desk", called=Pattern(r"\+90312\d{7}"), hours=(Hours.parse("mon 19:00-23:00 Europe/Istanbul"),)),
        route("late"),
    )
    assert made.route == "front-desk"
    assert made.tenant == "acme"
    assert made.refusal is None
    assert made.attempts == (Echo("route front-desk: destination 1 of 1"),)
    assert made.why == (
        r"route mobile: called does not match \+905\d{9}",
        "route vip: caller does not match 5559.*",
        "route day: closed at Mon 20:00 Europe/Istanbul",
        "route pbx-only: only from trunk pbx",
        "route globex: other tenant",
        r"route front-desk: fits (called matches \+90312\d{7}, open at Mon 20:00 Europe/Istanbul)",
        "later routes not asked (1): the first that fits decides",
    )


def test_no_route_is_404_with_every_reason() -> None:
    made = decide(route("other", called=Pattern("1")))
    assert (made.route, made.tenant, made.attempts, made.refusal) == (None, "acme", (), 404)
    assert made.why == ("route other: called does not match 1", "no route for +903125550100")


def test_an_exact_number_comes_before_the_order_of_the_file() -> None:
    desk = Number("+903125550100", "acme", "desk")
    made = decide(route("first"), route("desk", ToReject(603)), numbers=(desk,))
    assert made.route == "desk"
    assert made.attempts == (Reject(603, "route desk: destination 1 of 1"),)
    assert made.why[-1] == "number +903125550100: leads to route desk"


def test_the_filters_of_a_number_s_route_must_hold() -> None:
    desk = Number("+903125550100", "acme", "desk")
    made = decide(route("first"), route("desk", from_trunk="pbx"), numbers=(desk,))
    assert made.route == "first"
    assert made.why[:2] == (
        "route desk: only from trunk pbx",
        "number +903125550100: leads to route desk, which does not fit",
    )
    assert sum("only from trunk pbx" in reason for reason in made.why) == 1


def test_a_number_cannot_reach_another_tenant_s_route() -> None:
    made = decide(route("desk", tenant="globex"), numbers=(Number("+903125550100", "acme", "desk"),))
    assert made.refusal == 404
    assert made.why[0] == "number +903125550100: route desk is of another tenant"


def test_attempts_carry_number_targets_and_ringing_time() -> None:
    made = decide(
        route(
            "out",
            ToTrunk("pbx", Template.parse("0{national[1:]}"), 20.0),
            ToTrunk("carrier"),
            ToPlay("/s/closed.wav", "/s"),
            from_trunk="carrier",
            called=Pattern(r"\+90(?P<national>\d{10})"),
        )
    )
    assert made.attempts == (
        DialTrunk("pbx", "0125550100", 20.0, ("sip:192.0.2.9",), "route out: destination 1 of 3, trunk pbx, failover"),
        DialTrunk(
            "carrier",
            "+903125550100",
            60.0,
            ("sip:192.0.2.1", "sip:192.0.2.2"),
            "route out: destination 2 of 3, trunk carrier, failover",
        ),
        Play("/s/closed.wav", "/s", "route out: destination 3 of 3"),
    )


def test_nothing_comes_after_what_always_ends_the_call() -> None:
    made = decide(route("r", ToPlay("/s/a.wav", "/s"), ToReject(486), ToEcho()))
    assert [type(one) for one in made.attempts] == [Play, Reject]
    assert made.why[-1] == "route r: nothing after destination 2, which always ends the call"


def test_behind_a_message_there_may_be_something_else() -> None:
    """It may have no licence to be recorded."""
    made = decide(route("r", ToMessage("after-hours"), ToReject(480)))
    assert made.attempts == (
        TakeMessage("after-hours", "route r: destination 1 of 2, message after-hours"),
        Reject(480, "route r: destination 2 of 2"),
    )


def test_a_number_nobody_can_dial_leaves_the_destination_out() -> None:
    made = decide(route("r", ToTrunk("pbx", Template.parse("{called[20:]}")), ToTrunk("carrier"), from_trunk="carrier"))
    assert [one.trunk for one in made.attempts if isinstance(one, DialTrunk)] == ["carrier"]
    assert "trunk pbx: {called[20:]} makes an empty number" in made.why


def test_a_called_party_of_more_than_64_characters_goes_nowhere() -> None:
    made = decide(route("r", ToTrunk("pbx"), from_trunk="carrier"), at=facts("9" * 200))
    assert made.refusal == 404
    assert all(len(reason) < 200 for reason in made.why)


def test_another_tenant_s_trunk_is_left_out_and_a_shared_one_is_not() -> None:
    made = decide(route("r", ToTrunk("others"), ToTrunk("shared"), from_trunk="carrier"))
    assert [one.trunk for one in made.attempts if isinstance(one, DialTrunk)] == ["shared"]
    assert "trunk others: other tenant" in made.why
    assert decide(route("r", ToTrunk("others"), from_trunk="carrier")).refusal == 403


def test_calls_between_trunks_need_from_trunk() -> None:
    made = decide(route("r", ToTrunk("pbx")))
    assert (made.route, made.attempts, made.refusal) == ("r", (), 403)
    assert "trunk pbx: calls between trunks need from_trunk in route r" in made.why
    assert decide(route("r", ToTrunk("pbx")), at=facts(trunk="")).attempts


def test_only_callers_of_the_tenant_match() -> None:
    at = facts(trunk="others", tenant="globex")
    assert decide(route("r"), at=at).why[0] == "route r: other tenant"
    assert decide(route("r", from_trunk="others"), at=at).why[0] == "route r: other tenant"


def test_a_shared_trunk_brings_calls_to_routes_that_name_it_and_to_numbers() -> None:
    at = facts(trunk="shared", tenant="globex")
    assert decide(route("r"), at=at).refusal == 404
    named = decide(route("r", from_trunk="shared"), at=at)
    assert (named.route, named.tenant) == ("r", "acme")
    owned = decide(route("r"), at=at, numbers=(Number("+903125550100", "acme", "r"),))
    assert (owned.route, owned.tenant) == ("r", "acme")


def test_priorities_come_in_order_and_weights_are_drawn_within_one() -> None:
    destinations = (
        Destination(ToTrunk("shared"), priority=2),
        Destination(ToTrunk("carrier"), priority=1, weight=3),
        Destination(ToTrunk("pbx"), priority=1),
    )
    orders = Counter(
        tuple(
            one.trunk
            for one in decide(route("r", *destinations, from_trunk="carrier"), draw=step / 40).attempts
            if isinstance(one, DialTrunk)
        )
        for step in range(40)
    )
    assert orders == {("carrier", "pbx", "shared"): 30, ("pbx", "carrier", "shared"): 10}


def test_one_draw_serves_destinations_and_targets_independently() -> None:
    split = Trunk("split", "acme", (Target("sip:a"), Target("sip:b")), Strategy.WEIGHTED)
    table = RoutingTable.build(
        [CARRIER, split],
        [
            route(
                "r",
                Destination(ToTrunk("split"), weight=1),
                Destination(ToTrunk("carrier"), weight=1),
                from_trunk="carrier",
            )
        ],
    )
    seen: Counter[tuple[int, str]] = Counter()
    for step in range(400):
        attempts = plan(table, facts(), step / 400).attempts
        first = next(one for one in attempts if isinstance(one, DialTrunk) and one.trunk == "split")
        seen[(attempts.index(first), first.targets[0])] += 1
    assert seen == {(place, target): 100 for place in (0, 1) for target in ("sip:a", "sip:b")}


def test_round_robin_takes_its_turn_from_the_caller_of_plan() -> None:
    table = RoutingTable.build(
        [CARRIER, Trunk("many", "acme", (Target("sip:a"), Target("sip:b")), Strategy.ROUND_ROBIN)],
        [route("r", ToTrunk("many"), from_trunk="carrier")],
    )
    assert [plan(table, facts(), turns={"many": turn}).attempts[0].targets[0] for turn in (0, 1, 2)] == [
        "sip:a",
        "sip:b",
        "sip:a",
    ]


def test_a_trunk_without_targets_is_left_out() -> None:
    table = RoutingTable.build(
        [CARRIER, Trunk("in", "acme")], [route("r", ToTrunk("in"), ToEcho(), from_trunk="carrier")]
    )
    made = plan(table, facts())
    assert [type(one) for one in made.attempts] == [Echo]
    assert "trunk in: has no targets" in made.why


@pytest.mark.parametrize(
    ("trunks", "routes", "numbers"),
    [
        ([CARRIER, CARRIER], [], []),
        ([], [route("r"), route("r")], []),
        ([], [route("r")], [Number("1", "acme", "r")] * 2),
        ([], [], [Number("1", "acme", "r")]),
        ([], [route("r", from_trunk="carrier")], []),
        ([], [route("r", ToTrunk("carrier"))], []),
    ],
)
def test_a_table_with_loose_ends_is_not_built(trunks: list[Trunk], routes: list[Route], numbers: list[Number]) -> None:
    with pytest.raises(ValueError, match=r"twice|there is no"):
        RoutingTable.build(trunks, routes, numbers)


@given(st.text(max_size=80), st.text(max_size=80), st.floats(0, 1, exclude_max=True))
def test_any_facts_give_a_plan_with_attempts_or_a_refusal(called: str, caller: str, draw: float) -> None:
    made = decide(
        route(
            "a", ToTrunk("pbx", Template.parse("{called[2:]}{x}")), from_trunk="carrier", called=Pattern("(?P<x>.*)1")
        ),
        route("b", ToTrunk("others"), ToTrunk("shared"), from_trunk="carrier", caller=Pattern(".*2.*")),
        at=facts(called, caller=caller),
        draw=draw,
    )
    assert bool(made.attempts) is (made.refusal is None)
    assert made.why
