"""Whether a call is recorded: what speaks, and whose word counts."""

from datetime import UTC, datetime

import pytest

from santral.engine.config.load import loads
from santral.engine.recordings.licences import Licences
from santral.engine.recordings.policy import Demand, Policy, decide
from santral.routing.plan import CallFacts, DialTrunk, Plan

CONFIG = """
[recording]
beep = 15
retention_days = 30
[[tenant]]
name = "acme"
country = "TR"
record = "mono"
recording_limit = 3
recording_retention_days = 0
[[tenant]]
name = "globex"
over_limit = "continue"
[[trunk]]
name = "in"
tenant = "acme"
accept_from = ["127.0.0.1"]
record = "stereo"
[[trunk]]
name = "out"
tenant = "acme"
targets = ["sip:127.0.0.1:5090"]
record = "off"
[[trunk]]
name = "theirs"
tenant = "globex"
shared = true
targets = ["sip:127.0.0.1:5091"]
record = "stereo"
[[number]]
number = "0312 5550100"
tenant = "acme"
route = "quiet"
record = "off"
[[route]]
name = "quiet"
from_trunk = "in"
destinations = [{ echo = true }]
[[route]]
name = "loud"
from_trunk = "in"
record = "stereo"
destinations = [{ echo = true }]
""".replace("0312 5550100", "03125550100")


def words(
    route: str = "quiet",
    *,
    source: str = "",
    called: str = "1",
    caller: str = "2",
    out: tuple[str, ...] = (),
    **more: object,
) -> dict[str, str]:
    facts = CallFacts(source, "acme", caller, called, datetime.now(UTC), **more)  # type: ignore[arg-type]
    attempts = tuple(DialTrunk(one, "1", (), 20) for one in out)
    return dict(Policy.of(loads(CONFIG)).words(facts, Plan(route, "acme", attempts, ())))


def test_each_says_what_its_table_says() -> None:
    assert words("loud", source="in", called="+903125550100") == {
        "route": "stereo", "number": "off", "trunk": "stereo", "tenant": "mono",
    }  # fmt: skip
    assert words() == {"tenant": "mono"}


def test_the_trunk_it_came_in_on_goes_before_those_it_goes_out_on() -> None:
    assert words(source="in", out=("out",))["trunk"] == "stereo"
    assert words(out=("out",))["trunk"] == "off"


def test_a_trunk_of_others_says_nothing() -> None:
    assert "trunk" not in words(out=("theirs",))


@pytest.mark.parametrize(("more", "said"), [({}, None), ({"user": "101@acme"}, "off"), ({"is_own": True}, "off")])
def test_the_caller_s_number_counts_for_our_own_callers_only(more: dict[str, object], said: str | None) -> None:
    assert words(caller="+903125550100", **more).get("number") == said  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "decided"),
    [
        ({}, None),
        ({"tenant": "mono"}, Demand("tenant", "mono")),
        ({"tenant": "mono", "trunk": "stereo"}, Demand("trunk", "stereo")),
        ({"trunk": "stereo", "number": "off"}, None),
        ({"number": "off", "route": "mono"}, Demand("route", "mono")),
        ({"route": "mono", "queue": "off"}, None),
        ({"route": "off", "queue": "stereo"}, Demand("queue", "stereo")),
    ],
)
def test_the_most_specific_that_speaks_decides(said: dict[str, str], decided: Demand | None) -> None:
    assert decide(said) == decided  # type: ignore[arg-type]


def test_tenants_have_their_own_manner() -> None:
    manners = Policy.of(loads(CONFIG)).manners
    acme, globex = manners["acme"], manners["globex"]
    assert (acme.limit, acme.over_limit, acme.retention_days, acme.beep_s) == (3, "refuse", 0, 15.0)
    assert (globex.limit, globex.over_limit, globex.retention_days) == (10, "continue", 30)


def test_licences_by_tenant_and_the_most_of_each_day() -> None:
    peaks: list[tuple[str, int]] = []
    today = ["2026-11-21"]
    licences = Licences(lambda *peak: peaks.append(peak), lambda: today[0])
    assert licences.take("acme", "a", 2)
    assert licences.take("acme", "a", 2)  # it has one
    assert licences.take("acme", "b", 2)
    assert not licences.take("acme", "c", 2)
    assert licences.take("globex", "c", 2)
    licences.give_back("acme", "a")
    assert licences.take("acme", "c", 2)
    licences.pass_on("acme", "c", "d")
    assert not licences.take("acme", "c", 2)
    assert (licences.in_use("acme"), licences.all_in_use()) == (2, 3)
    today[0] = "2026-11-22"
    licences.give_back("acme", "b")
    assert licences.take("acme", "d", 2)
    assert peaks == [("acme", 1), ("acme", 2), ("globex", 1), ("acme", 1)]
    licences.give_back("nobody", "x")
