"""Who is asked first, and who is served first: each rule by its smallest example."""

import pytest
from tests.routing.acd.floors import Floor, agent, names, queue

from santral.routing.acd.events import Created
from santral.routing.acd.settings import Membership, Need, Strategy, Wish
from santral.routing.acd.tables import Cause


def three(strategy: Strategy, **settings: object) -> Floor:
    """Agents a, b and c, logged in one after the other, each with the positions 3, 2 and 1."""
    f = Floor(
        [queue(strategy=strategy, **settings)],
        [
            agent("a", Membership("q", position=3), skills={"red": 9, "blue": 1}),
            agent("b", Membership("q", position=2), skills={"red": 5, "blue": 8}),
            agent("c", Membership("q", position=1), skills={"blue": 9}),
        ],
    )
    for at, name in enumerate("abc", 1):
        f.at(at).login(name)
    return f


def served_by(f: Floor, work: str) -> str:
    return next(agent for who, agent in reversed(f.offers()) if who == work)


def test_longest_idle() -> None:
    f = three(Strategy.LONGEST_IDLE)
    f.at(10).join("w1")
    f.serve("w1")
    f.join("w2")
    f.serve("w2")
    f.join("w3")
    assert [who for _, who in f.offers()] == ["a", "b", "c"]


def test_fewest_calls() -> None:
    f = three(Strategy.FEWEST_CALLS)
    for n in range(6):
        f.at(10 + 20 * n).join(f"w{n}")
        f.serve(f"w{n}")
    assert sorted(who for _, who in f.offers()) == ["a", "a", "b", "b", "c", "c"]


def test_least_talk_time() -> None:
    f = three(Strategy.LEAST_TALK_TIME)
    for work, talk in (("w1", 100.0), ("w2", 5.0), ("w3", 50.0), ("w4", 5.0), ("w5", 1.0)):
        f.at(f.now + 1).join(work)
        f.serve(work, talk)
    assert [who for _, who in f.offers()] == ["a", "b", "c", "b", "b"]


def test_round_robin_goes_on_after_who_was_asked_last_though_refused() -> None:
    f = three(Strategy.ROUND_ROBIN, retry_delay=0.0)
    f.at(10).join("w1")
    f.do("refuse", f.reservation("w1"), Cause.REFUSED)
    f.do("refuse", f.reservation("w1"), Cause.REFUSED)
    f.do("refuse", f.reservation("w1"), Cause.REFUSED)
    assert [who for _, who in f.offers()] == ["a", "b", "c", "a"]


def test_top_down_begins_at_the_top_every_time() -> None:
    f = three(Strategy.TOP_DOWN)
    for n in range(3):
        f.at(10 + 20 * n).join(f"w{n}")
        f.serve(f"w{n}")
    assert [who for _, who in f.offers()] == ["c", "c", "c"]


def test_random_asks_everybody_in_the_long_run() -> None:
    f = three(Strategy.RANDOM)
    for n in range(300):
        f.at(10 + 20 * n).join(f"w{n}")
        f.serve(f"w{n}")
    asked = [who for _, who in f.offers()]
    assert all(70 < asked.count(name) < 130 for name in "abc")


def test_skill_score_is_the_sum_of_weight_times_level() -> None:
    f = three(Strategy.SKILL_SCORE, wishes=(Wish("blue", 2),))
    f.at(10).join("w1", needs=(Need("red", 1),))  # a: 9 + 2, b: 5 + 16; c lacks red
    made = [event for event in f.log if isinstance(event, Created)]
    assert (made[0].agent, made[0].why.score) == ("b", 21)
    assert "skill score 21" in made[0].why.words()


def test_ring_all_rings_all_and_the_first_to_accept_wins() -> None:
    f = three(Strategy.RING_ALL)
    f.at(10).join("w1")
    assert sorted(f.offers()) == [("w1", "a"), ("w1", "b"), ("w1", "c")]
    told = f.do("accept", f.reservation("w1", "b"))
    assert names(told)[0] == "reservation.accepted"
    assert names(told).count("reservation.rescinded") == 2
    assert {event.reason for event in told if names([event]) == ["reservation.rescinded"]} == {"answered_elsewhere"}
    assert f.do("accept", f.reservation("w1", "a")) == []  # the second 200
    f.at(11).join("w2")
    f.do("accept", f.reservation("w2", "a"))
    assert f.d.agent("a", f.now).calls == 0
    assert f.d.agent("c", f.now).is_ready


def test_ring_all_takes_in_who_comes_free_up_to_its_limit() -> None:
    f = Floor([queue(strategy=Strategy.RING_ALL, ring_limit=2)], [agent("a"), agent("b"), agent("c")])
    f.login("a")
    f.at(1).join("w1")
    f.at(2).login("b", "c")
    assert f.offers() == [("w1", "a"), ("w1", "b")]
    f.do("refuse", f.reservation("w1", "a"), Cause.BUSY)
    assert f.offers()[2:] == [("w1", "c")]


def test_ring_progressively_adds_one_after_the_other() -> None:
    f = three(Strategy.RING_PROGRESSIVELY, ring_every=4.0, ring_timeout=30.0)
    f.at(10).join("w1")
    assert f.offers() == [("w1", "c")]
    f.at(14)
    assert f.offers() == [("w1", "c"), ("w1", "b")]
    f.at(18)
    assert f.offers() == [("w1", "c"), ("w1", "b"), ("w1", "a")]
    assert f.d.queue("q", f.now).offered == 1


@pytest.mark.parametrize("strategy", [Strategy.LONGEST_IDLE, Strategy.SKILL_SCORE, Strategy.FEWEST_CALLS])
def test_lower_tiers_come_first_whatever_the_strategy(strategy: Strategy) -> None:
    f = Floor(
        [queue(strategy=strategy, wishes=(Wish("red"),))],
        [agent("high", Membership("q", tier=2), skills={"red": 10}), agent("low", Membership("q", tier=1))],
    )
    f.login("high")
    f.at(5).login("low")
    f.at(10).join("w1")
    f.join("w2")
    assert f.offers() == [("w1", "low"), ("w2", "high")]


def test_further_tiers_are_kept_back_and_counted_from_who_is_there() -> None:
    agents = [agent(f"t{tier}", Membership("q", tier=tier)) for tier in (1, 2, 3)]
    f = Floor([queue(tier_wait=10.0)], agents)
    f.login("t1", "t2", "t3")
    f.do("occupy", "t1", 1)
    f.join("w1")
    f.at(9.9)
    assert f.offers() == []
    f.at(10)
    assert f.offers() == [("w1", "t2")]
    f.do("logout", "t1")
    f.do("logout", "t2")
    assert f.offers()[1:] == [("w1", "t3")]  # the lowest there is


# ---- who is served first ----


def test_a_point_is_worth_so_many_seconds_of_waiting() -> None:
    f = Floor([queue()], [agent("a")], ageing=60.0)
    f.at(0).join("early")
    f.at(50).join("important", priority=1)
    f.at(70).join("late", priority=1)
    f.at(80).login("a")
    for _ in range(3):
        f.serve(f.offers()[-1][0])
    assert [work for work, _ in f.offers()] == ["important", "early", "late"]


def test_without_ageing_points_come_strictly_first() -> None:
    f = Floor([queue()], [agent("a")], ageing=None)
    f.at(0).join("early")
    f.at(5000).join("important", priority=1)
    f.login("a")
    assert f.offers() == [("important", "a")]


def test_nobody_starves() -> None:
    """A stream of important callers, faster than they can be served: the unimportant one has a turn."""
    f = Floor([queue()], [agent("a")], ageing=60.0)
    f.login("a")
    f.join("first", priority=3)
    f.join("poor")
    for n in range(40):
        f.at(f.now + 1).join(f"w{n}", priority=3)
        f.join(f"v{n}", priority=3)
        f.serve(f.offers()[-1][0], 9.0)
    order = [work for work, _ in f.offers()]
    assert "poor" in order
    assert f.log[[e.work for e in f.log if hasattr(e, "work")].index("poor")].at + 200 > 3 * 60 - 20


def test_an_agent_prefers_the_queue_it_gives_points_to() -> None:
    f = Floor([queue("p"), queue("q")], [agent("a", Membership("p"), Membership("q", priority=1))], ageing=60.0)
    f.at(0).join("w1", "p")
    f.at(30).join("w2", "q")
    f.login("a")
    assert f.offers() == [("w2", "a")]


def test_a_virtual_start_keeps_the_place() -> None:
    f = Floor([queue()], [agent("a")])
    f.at(100).join("w1")
    f.at(110).join("moved", started=50.0)
    f.login("a")
    assert f.offers() == [("moved", "a")]


# ---- who may take whom ----


def test_reserved_agents_are_for_vips_until_they_are_released() -> None:
    f = Floor([queue(release_reserved=30.0)], [agent("vip", Membership("q", min_priority=5))])
    f.login("vip")
    f.join("w1")
    f.at(1).join("w2", priority=5)
    assert f.offers() == [("w2", "vip")]
    f.serve("w2", 1.0)
    f.at(29.9)
    assert f.offers()[1:] == []
    f.at(30)
    assert f.offers()[1:] == [("w1", "vip")]


def test_a_sticky_agent_alone_is_asked_for_a_while() -> None:
    f = Floor([queue()], [agent("a"), agent("b")])
    f.login("a", "b")
    f.join("w1")
    f.do("accept", f.reservation("w1"))
    f.at(1).join("w2", sticky="a", sticky_for=10.0)
    assert f.offers() == [("w1", "a")]
    f.at(11)
    assert f.offers() == [("w1", "a"), ("w2", "b")]


def test_a_sticky_agent_who_goes_is_waited_for_no_longer() -> None:
    f = Floor([queue()], [agent("a"), agent("b")])
    f.login("a", "b")
    f.join("w1")
    f.do("accept", f.reservation("w1"))
    f.at(1).join("w2", sticky="a", sticky_for=100.0)
    f.at(2).do("pause", "a", "lunch")
    assert f.offers()[1:] == [("w2", "b")]


def test_a_sticky_agent_is_asked_first_and_not_waited_for() -> None:
    f = Floor([queue()], [agent("a"), agent("b")])
    f.at(1).login("a")
    f.at(2).login("b")
    f.at(3).join("w1", sticky="b")
    f.join("w2", sticky="b")
    assert f.offers() == [("w1", "b"), ("w2", "a")]


def test_capacity_is_by_kind_and_one_offer_at_a_time() -> None:
    f = Floor([queue()], [agent("a", capacity={"call": 1, "chat": 2})])
    f.login("a")
    for work in ("c1", "c2", "c3"):
        f.join(work, kind="chat")
    assert len(f.offers()) == 1
    f.do("accept", f.reservation("c1"))
    f.do("connected", f.reservation("c1"))
    assert len(f.offers()) == 2
    f.do("accept", f.reservation("c2"))
    f.join("w1")
    assert len(f.offers()) == 2  # no third chat, and no call beside chats
    f.do("finished", f.reservation("c1"))
    assert f.offers()[2:] == [("c3", "a")]


def test_who_mixes_holds_different_kinds_at_once() -> None:
    f = Floor([queue()], [agent("a", capacity={"call": 1, "chat": 1}, mixes=True)])
    f.login("a")
    f.join("c1", kind="chat")
    f.do("accept", f.reservation("c1"))
    f.join("w1")
    assert f.offers() == [("c1", "a"), ("w1", "a")]
    assert f.d.agent("a", 0).state == "talking"
