"""Settings that change while people wait: places and lanes are those that the new settings give."""

import pytest
from tests.routing.acd.floors import Floor, agent, queue

from santral.routing.acd.settings import Membership, Need, Settings


def test_points_that_a_queue_gains_are_gained_by_those_who_wait_too() -> None:
    f = Floor([queue()], [agent("a")])
    f.join("w1")
    f.do("configure", Settings((queue(priority=1),), (agent("a"),)))
    f.at(5.0)
    f.join("w2")
    f.login("a")
    assert f.offers() == [("w1", "a")]
    assert [view.id for view in f.d.waiting("q", f.now)] == ["w1", "w2"]


def test_somebody_whose_agent_was_lost_returns_to_the_place_the_new_points_give() -> None:
    f = Floor([queue(retry_delay=1.0)], [agent("a")])
    f.login("a")
    f.join("w1")
    f.do("accept", f.reservation("w1"))
    f.do("configure", Settings((queue(retry_delay=1.0, priority=1),), (agent("a"),)))
    f.at(5.0)
    f.join("w2")
    f.do("failed", f.reservation("w1"))
    assert [view.id for view in f.d.waiting("q", f.now)] == ["w1", "w2"]


@pytest.mark.parametrize(("ageing", "first"), [(60.0, "urgent"), (2.0, "early"), (5.5, "wanted")])
def test_other_ageing_counts_for_those_who_wait_and_for_agents_who_have_not_changed(ageing: float, first: str) -> None:
    queues, agents = (queue("p"), queue("q")), (agent("a", "p", Membership("q", priority=2)),)
    f = Floor(queues, agents, ageing=30.0)
    f.join("early", "p")
    f.at(9.0)
    f.join("wanted", "q")
    f.join("urgent", "p", priority=3 if first == "urgent" else 1)
    f.do("configure", Settings(queues, agents, ageing=ageing))
    f.login("a")
    assert f.offers() == [(first, "a")]
    in_order = ["urgent", "early"] if ageing > 9.0 else ["early", "urgent"]
    assert [view.id for view in f.d.waiting("p", f.now)] == in_order


def test_agents_who_are_reserved_from_now_on_find_those_who_wait_already() -> None:
    reserved = agent("vip", Membership("q", min_priority=3))
    f = Floor([queue()], [agent("a")])
    f.join("plain", priority=2)
    f.join("vip", priority=3)
    f.do("configure", Settings((queue(),), (reserved,)))
    f.login("vip")
    assert f.offers() == [("vip", "vip")]
    f.do("configure", Settings((queue(),), (reserved, agent("b", Membership("q", min_priority=1)))))
    f.login("b")
    assert f.offers() == [("vip", "vip"), ("plain", "b")]


def test_people_of_different_points_stand_together_unless_agents_tell_them_apart() -> None:
    f = Floor([queue()], [agent("a")])
    f.join("w1")
    f.join("w2", priority=5)
    assert len(f.d._floor.queues["q"].hall.active_lanes()) == 1
    f.do("configure", Settings((queue(),), (agent("a"), agent("b", Membership("q", min_priority=4)))))
    assert len(f.d._floor.queues["q"].hall.active_lanes()) == 2


def test_more_needs_than_a_search_has_at_hand_are_looked_up() -> None:
    skills = [f"s{n}" for n in range(9)]
    needs = tuple(Need(skill, 2) for skill in skills)
    for missing in skills:
        levels = {skill: 2 for skill in skills if skill != missing}
        f = Floor([queue()], [agent("short", skills=levels), agent("weak", skills={**levels, missing: 1})])
        f.login("short", "weak")
        f.join("w", needs=needs)
        assert f.offers() == []
        whole = agent("whole", skills=dict.fromkeys(skills, 2))
        f.do("configure", Settings((queue(),), (*f.settings.agents, whole)))
        f.login("whole")
        assert f.offers() == [("w", "whole")]
