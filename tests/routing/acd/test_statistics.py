"""Figures by their definitions, and that the log alone gives them again."""

from collections import Counter

import pytest
from tests.routing.acd.floors import Floor, agent, queue
from tests.routing.acd.world import World

from santral.routing.acd.events import fields_of, name_of, parse
from santral.routing.acd.settings import Announcements, ServiceLevel
from santral.routing.acd.statistics import QueueFigures, Shift, Statistics
from santral.routing.acd.tables import Leave


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
    assert q.service_level == pytest.approx(1 / 3)
    assert q.average_speed_of_answer == pytest.approx(12.5)
    assert q.abandon_rate == pytest.approx(1 / 3)
    assert (q.talk, q.wrap, q.average_handle_time) == (50.0, 10.0, 30.0)
    assert q.percentile(0.5) == 0.0
    assert q.percentile(1.0) == pytest.approx(25, rel=0.011)
    a = figures(f).agent("a", now=100)
    assert a.logged_in == pytest.approx(100)
    assert a.states == pytest.approx(
        {"offline": 0.0, "available": 40.0, "talking": 50.0, "wrapping": 10.0, "reserved": 0.0}
    )
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


def test_adherence_is_the_share_of_the_schedule_that_was_kept() -> None:
    f = Floor([queue()], [agent("a")])
    f.at(10).login("a")
    f.at(60).do("pause", "a", "lunch")
    f.at(80).do("resume", "a")
    f.at(100).do("logout", "a")
    s = figures(f, schedules={"a": (Shift(0, 50), Shift(50, 70, is_break=True), Shift(70, 100))})
    # late by 10, break 10 late and 10 too long
    assert s.agent("a").scheduled == pytest.approx(100)
    assert s.agent("a").adherence == pytest.approx(0.7)


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
    assert queues.offered == total.offered
    assert agents.offers == total.offers


def balance(q: QueueFigures) -> dict[str, int]:
    """As the model of the race test names them."""
    found = Counter(
        offered=q.offered, answered=q.answered, abandoned=q.abandoned, overflowed=q.overflowed, key=q.left_by_key,
        request=q.left_by_request, callback=q.called_back, closed=q.closed, lost=q.lost, unreached=q.unreached,
    )  # fmt: skip
    return {reason: count for reason, count in found.items() if count}
