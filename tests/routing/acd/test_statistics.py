"""Figures by their definitions, and that the log alone gives them again."""

import json
from collections import Counter
from datetime import UTC, datetime

import pytest
from tests.routing.acd.floors import Floor, agent, queue
from tests.routing.acd.world import World

from santral.routing.acd.distributor import Distributor
from santral.routing.acd.events import AgentChanged, fields_of, name_of, parse
from santral.routing.acd.settings import Announcements, ServiceLevel
from santral.routing.acd.statistics import AgentFigures, QueueFigures, Schedule, Statistics
from santral.routing.acd.tables import Leave, State
from santral.routing.hours import Hours

HOUR, DAY = 3600.0, 86400.0
STATES = tuple(str(state) for state in State)


def figures(f: Floor, **more: object) -> Statistics:
    found = Statistics(f.settings, **more)  # type: ignore[arg-type]
    for event in f.log:
        found.add(event)
    return found


def test_a_small_day_counted_by_hand() -> None:
    level = ServiceLevel(within=10, short_abandon=5)
    f = Floor([queue(service_level=level, wrap_up=5)], [agent("a")])
    f.at(0).login("a")
    f.at(10).join("w1")  # answered at once
    f.serve("w1", 30)  # 10 to 40, wrap-up to 45
    f.at(20).join("w2")
    f.at(22).join("w3")
    f.at(25).do("leave", "w3", Leave.HUNG_UP)  # short
    f.at(26).join("w4")
    f.at(40).do("leave", "w4", Leave.HUNG_UP)  # abandoned after 14 s
    f.at(45)
    f.serve("w2", 20)  # waited 25 s; talks to 65, wrap-up to 70
    f.at(100)
    q = figures(f).queue("q")
    assert (q.offered, q.answered, q.answered_within, q.abandoned, q.abandoned_short) == (4, 2, 1, 2, 1)
    assert q.as_map()["answered_after"] == 1
    assert q.service_level == pytest.approx(1 / 3)
    assert q.average_speed_of_answer == pytest.approx(12.5)
    assert q.abandon_rate == pytest.approx(1 / 3)
    assert (q.talk, q.wrap, q.average_handle_time) == (50.0, 10.0, 30.0)
    assert q.percentile(0.5) == 0.0
    assert q.percentile(1.0) == pytest.approx(25, rel=0.011)
    a = figures(f).agent("a", now=100)
    assert a.logged_in == pytest.approx(100)
    assert a.states == pytest.approx({"available": 40.0, "talking": 50.0, "wrapping": 10.0})
    assert a.occupancy == pytest.approx(0.6)


def test_break_is_no_time_of_occupancy_and_hold_is_no_talk() -> None:
    f = Floor([queue()], [agent("a")])
    f.login("a")
    f.join("w1")
    one = f.reservation("w1")
    f.do("accept", one)
    f.do("connected", one)
    f.at(10).do("hold", one, True)
    f.at(15).do("hold", one, False)
    f.at(20).do("finished", one)
    f.do("pause", "a", "lunch")
    f.at(80).do("resume", "a")
    s = figures(f)
    assert (s.agent("a").talk, s.agent("a").hold) == (15.0, 5.0)
    assert s.agent("a", now=100).occupancy == pytest.approx(20 / 40)


def test_offers_count_in_the_interval_in_which_they_joined() -> None:
    f = Floor([queue()], [agent("a")])
    f.at(50).join("w1")
    f.at(130).login("a")
    f.serve("w1")
    f.at(200).do("logout", "a")
    s = figures(f, interval=60.0)
    assert [(at, q.offered, q.answered) for at, q in s.queue_intervals("q")] == [(0.0, 1, 1), (120.0, 0, 0)]
    assert [at for at, _ in s.agent_intervals("a")] == [0.0, 60.0, 120.0, 180.0]
    states = [round(a.states.get("talking", 0.0)) for _, a in s.agent_intervals("a")]
    assert states == [0, 0, 10, 0]
    assert sum(sum(a.states.values()) for _, a in s.agent_intervals("a")) == pytest.approx(200)


def schedule(*work: str, breaks: tuple[str, ...] = ()) -> Schedule:
    return Schedule("s", tuple(map(Hours.parse, work)), tuple(map(Hours.parse, breaks)))


MINUTE = 60.0


def test_adherence_is_the_share_of_the_schedule_that_was_kept() -> None:
    f = Floor([queue()], [agent("a")])
    f.at(10 * MINUTE).login("a")
    f.at(60 * MINUTE).do("pause", "a", "lunch")
    f.at(80 * MINUTE).do("resume", "a")
    f.at(120 * MINUTE).do("logout", "a")
    week = schedule("thu 00:00-01:40 UTC", breaks=("daily 00:50-01:10 UTC", "daily 02:00-03:00 UTC"))
    s = figures(f, schedules={"a": week}, began=0.0)
    # late by 10, break 10 late and 10 too long; what is worked longer is not asked for
    assert s.agent("a").scheduled == pytest.approx(100 * MINUTE)
    assert s.agent("a").adherence == pytest.approx(0.7)
    by_quarter = [(each.scheduled / MINUTE, each.adhered / MINUTE) for _, each in s.agent_intervals("a")]
    assert by_quarter[:7] == [(15, 5), (15, 15), (15, 15), (15, 5), (15, 10), (15, 10), (10, 10)]


def test_who_never_comes_keeps_nothing_of_the_schedule() -> None:
    f = Floor([queue()], [agent("a"), agent("b")])
    f.at(HOUR).login("b")
    week = schedule("thu 00:00-04:00 UTC")
    s = figures(f, schedules={"a": week, "b": week}, began=0.0)
    absent, late = s.agent("a", 2 * HOUR), s.agent("b", 2 * HOUR)
    assert (absent.scheduled, absent.adherence, absent.logged_in) == (2 * HOUR, 0.0, 0.0)
    assert (late.scheduled, late.adherence) == (2 * HOUR, 0.5)
    _, everybody = s.tenant("t", 2 * HOUR)
    assert everybody.adherence == 0.25


def test_not_answering_is_not_working() -> None:
    week = schedule("daily 00:00-24:00 UTC", breaks=("daily 12:00-13:00 UTC",))
    work, rest = week.shifts(11 * HOUR, 11.25 * HOUR), week.shifts(12 * HOUR, 12.25 * HOUR)
    kept = {state: next(week.shifts(11 * HOUR, 11.25 * HOUR)).fits(state) for state in STATES}
    assert kept == dict.fromkeys(STATES, True) | dict.fromkeys(("offline", "break", "not_answering"), False)
    kept = {state: next(week.shifts(12 * HOUR, 12.25 * HOUR)).fits(state) for state in STATES}
    assert kept == dict.fromkeys(STATES, False) | dict.fromkeys(("offline", "break"), True)
    assert {one.due for one in work} == {"work"}
    assert {one.due for one in rest} == {"break"}


def test_a_schedule_follows_the_clock_on_the_wall() -> None:
    """Summer time begins in Berlin on 2026-03-29 at 02:00, and ends on 2026-10-25 at 03:00."""
    week = schedule("sun 01:00-04:00 Europe/Berlin")
    for day, hours in ((datetime(2026, 3, 29, tzinfo=UTC), 2), (datetime(2026, 10, 25, tzinfo=UTC), 4)):
        begins = day.timestamp() - 6 * HOUR
        assert sum(one.ends - one.begins for one in week.shifts(begins, begins + DAY)) == hours * HOUR
    night = schedule("sat 22:00-06:00 UTC")
    begins = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
    shifts = list(night.shifts(begins, begins + DAY))
    assert (shifts[0].begins - begins, shifts[-1].ends - begins) == (10 * HOUR, 18 * HOUR)
    assert night.due(begins) is None
    assert night.due(begins + 11 * HOUR) == "work"


def test_a_schedule_that_changes_counts_from_then_on() -> None:
    f = Floor([queue()], [agent("a")])
    f.login("a")
    s = figures(f, schedules={"a": schedule("daily 00:00-24:00 UTC")}, began=0.0)
    s.configure(f.settings, {"a": schedule("daily 12:00-13:00 UTC")}, HOUR)
    assert s.agent("a", 10 * HOUR).scheduled == HOUR
    assert s.agent("a", 10 * HOUR).logged_in == 10 * HOUR
    s.configure(f.settings, {}, 10 * HOUR)
    f.at(20 * HOUR).do("logout", "a")
    s.add(f.log[-1])
    assert (s.agent("a").scheduled, s.agent("a").logged_in) == (HOUR, 20 * HOUR)


@pytest.mark.parametrize("seed", range(30))
def test_adherence_is_in_the_log(seed: int) -> None:
    """Live and read again it is the same, and what looking at every half second of the log says."""
    world = World(seed)
    world.now = began = 1000.0 * (seed % 7)
    world.d = Distributor(world.settings, began, new_id=world.new_id, draw=world.chance.random)
    world.play(150)
    week = schedule("daily 00:00-00:21 UTC", "daily 00:40-24:00 UTC", breaks=("daily 00:05-00:09 UTC",))
    schedules = {one.name: week for one in world.settings.agents}
    live, replay = (Statistics(world.settings, 300.0, schedules, began) for _ in range(2))
    for event in world.log:
        live.add(event)
        replay.add(parse(name_of(event), event.at, fields_of(event)))
    for one in world.settings.agents:
        found = live.agent(one.name, world.now)
        assert found.as_map() == replay.agent(one.name, world.now).as_map()
        changes = [(event.at, event.state) for event in world.log if isinstance(event, AgentChanged)
                   and event.agent == one.name]  # fmt: skip
        scheduled, adhered = looked_at(week, changes, began, world.now)
        assert found.scheduled == pytest.approx(scheduled, abs=2 * STEP)
        assert found.adhered == pytest.approx(adhered, abs=2 * STEP * (len(changes) + 2))


STEP = 0.5


def looked_at(week: Schedule, changes: list[tuple[float, str]], began: float, ends: float) -> tuple[float, float]:
    """Seconds in which something was due, and in which the agent did it."""
    away, scheduled, adhered = {"offline", "break"}, 0.0, 0.0
    at, state, coming = began, "offline", iter([*changes, (ends + 1, "")])
    change = next(coming)
    while at < ends:
        while change[0] <= at:
            state, change = change[1], next(coming)
        due = week.due(at)
        scheduled += STEP * (due is not None)
        is_at_work = state not in away and state != "not_answering"
        adhered += STEP * ((due == "work" and is_at_work) or (due == "break" and state in away))
        at += STEP
    return scheduled, adhered


@pytest.mark.parametrize("seed", range(40))
def test_a_fold_that_is_interrupted_goes_on(seed: int) -> None:
    """What one run has counted, kept as plain values, and the rest of the log are all of the log."""
    world = World(seed)
    began = world.now
    world.play(150)
    schedules = {one.name: schedule("daily 00:00-24:00 UTC") for one in world.settings.agents[:2]}
    whole, first, second = (Statistics(world.settings, 30.0, schedules, began) for _ in range(3))
    cut = world.chance.randrange(len(world.log))
    for event in world.log:
        whole.add(event)
    for event in world.log[:cut]:
        first.add(event)
    kept_at = world.log[cut].at
    for each in world.settings.queues:
        for kind in first.kinds(each.name):
            for begins, figures_ in first.queue_intervals(each.name, kind):
                kept = json.loads(json.dumps(figures_.as_kept()))
                second.put_queue(each.name, kind, begins, QueueFigures.of_kept(kept))
    states = {event.agent: (event.state, event.at) for event in world.log[:cut] if isinstance(event, AgentChanged)}
    for one in world.settings.agents:
        for begins, figures_ in first.agent_intervals(one.name, kept_at):
            kept = json.loads(json.dumps(figures_.as_map()))
            second.put_agent(one.name, begins, AgentFigures.of_kept(kept), min(kept_at, begins + 30.0))
        if one.name in states:
            state, since = states[one.name]
            found = State(state)
            second.add(AgentChanged(kept_at, one.name, "t", found, found, kept_at - since, "", None, None))
    for event in world.log[cut:]:
        second.add(event)
    for each in world.settings.queues:
        assert second.queue(each.name).as_map() == pytest.approx(whole.queue(each.name).as_map())
        ours, theirs = (list(s.queue_intervals(each.name)) for s in (second, whole))
        assert [at for at, _ in ours] == [at for at, _ in theirs]
    (our_queues, our_agents), (their_queues, their_agents) = (s.tenant("t", world.now) for s in (second, whole))
    assert our_queues.as_map() == pytest.approx(their_queues.as_map())
    assert told_of(our_agents) == pytest.approx(told_of(their_agents))
    for one in world.settings.agents:
        ours, theirs = (s.agent(one.name, world.now).as_map() for s in (second, whole))
        assert {name: value for name, value in ours.pop("states").items() if value > 1e-6} == pytest.approx(
            {name: value for name, value in theirs.pop("states").items() if value > 1e-6}
        )
        assert ours == pytest.approx(theirs)


def test_announcements_are_no_figures() -> None:
    f = Floor([queue(announce=Announcements(5, 5))], [agent("a")])
    f.join("w1")
    f.at(21)
    assert sum(name_of(event) == "queue.announced" for event in f.log) == 4
    assert figures(f).queue("q").offered == 1


@pytest.mark.parametrize("seed", range(60))
def test_the_log_read_again_gives_the_same_figures(seed: int) -> None:
    world = World(seed)
    world.play(150)
    live, replay = Statistics(world.settings, 30.0), Statistics(world.settings, 30.0)
    for event in world.log:
        live.add(event)
        again = parse(name_of(event), event.at, fields_of(event))
        assert again == event
        replay.add(again)
    total = QueueFigures()
    for each in world.settings.queues:
        assert live.queue(each.name).as_map() == replay.queue(each.name).as_map()
        total.merge(live.queue(each.name))
    for one in world.settings.agents:
        assert live.agent(one.name, world.now).as_map() == replay.agent(one.name, world.now).as_map()
    assert balance(total) == {reason: count for reason, count in world.model.counts.items() if count}
    assert total.waiting == 0
    queues, agents = live.tenant("t", world.now)
    everybody = AgentFigures()
    for one in world.settings.agents:
        everybody.merge(live.agent(one.name, world.now))
    assert queues.as_map() == pytest.approx(total.as_map())
    assert told_of(agents) == pytest.approx(told_of(everybody))
    by_interval = [replay.tenant("t", world.now, begins, begins + 30.0) for begins, *_ in live.tenant_intervals("t")]
    again_, agents_again = QueueFigures(), AgentFigures()
    for each, one in by_interval:
        again_.merge(each)
        agents_again.merge(one)
    assert again_.as_map() == pytest.approx(total.as_map())
    assert agents_again.handled == agents.handled


def told_of(figures: AgentFigures) -> dict[str, float]:
    """A tenant's figures leave out time in which agents are not there."""
    found = figures.as_map()
    states = {f"in {name}": value for name, value in found.pop("states").items() if name != "offline" and value}
    return states | {name: value for name, value in found.items() if value is not None}


def balance(q: QueueFigures) -> dict[str, int]:
    """As the model of the race test names them."""
    found = Counter(
        offered=q.offered, answered=q.answered, abandoned=q.abandoned, overflowed=q.overflowed, key=q.left_by_key,
        request=q.left_by_request, callback=q.called_back, closed=q.closed, lost=q.lost, unreached=q.unreached,
    )  # fmt: skip
    return {reason: count for reason, count in found.items() if count}
