"""What crosses what: reservations, callers who go, agents who go, crashes; and every other way out of a queue."""

import json

import pytest
from tests.routing.acd.floors import Floor, agent, names, queue

from santral.routing.acd.distributor import Distributor
from santral.routing.acd.events import AgentChanged, Announced, Joined, Left, Overflowed, Rescinded, TurnedAway
from santral.routing.acd.settings import (
    Announcements,
    AtClose,
    CallbackSettings,
    DialFirst,
    JoinWhen,
    Membership,
    OverflowRule,
    QueueSettings,
    Settings,
    Strategy,
    Work,
)
from santral.routing.acd.tables import Cause, Leave


def ringing(**settings: object) -> Floor:
    """w1 rings at a, since 10; b is there too, since 2."""
    f = Floor([queue(**settings)], [agent("a"), agent("b")])
    f.at(1).login("a")
    f.at(2).login("b")
    f.at(10).join("w1")
    f.do("ringing", f.reservation("w1"))
    return f


def last(f: Floor, kind: type) -> object:
    return next(event for event in reversed(f.log) if isinstance(event, kind))


def test_a_caller_who_goes_frees_the_agent_with_no_penalty() -> None:
    f = ringing()
    f.at(15).do("leave", "w1", Leave.HUNG_UP)
    assert names(f.log)[-3:] == ["queue.left", "reservation.rescinded", "agent.changed"]
    f.join("w2")
    assert f.offers()[-1] == ("w2", "a")  # the longest idle still


def test_gone_between_the_answer_and_the_connection() -> None:
    f = ringing()
    f.do("accept", f.reservation("w1"))
    f.at(11).do("leave", "w1", Leave.HUNG_UP)
    gone = last(f, Left)
    assert (gone.reason, gone.is_connecting, gone.waited) == ("abandoned", True, 1.0)
    assert f.d.agent("a", 11).is_ready
    assert f.do("connected", f.reservation("w1")) == []


def test_no_answer_goes_on_to_the_next_and_the_agent_rests() -> None:
    f = ringing(ring_timeout=20.0, retry_delay=60.0)
    f.at(30)
    assert f.offers() == [("w1", "a"), ("w1", "b")]
    f.at(31).join("w2")
    assert f.offers()[2:] == []
    f.at(90)
    assert ("w2", "a") in f.offers() or ("w1", "a") in f.offers()[1:]


@pytest.mark.parametrize(
    ("cause", "counts"),
    [(Cause.REFUSED, True), (Cause.NO_ANSWER, True), (Cause.BUSY, False), (Cause.UNREACHABLE, False)],
)
def test_which_causes_count_for_the_automatic_pause(cause: Cause, counts: bool) -> None:
    f = Floor([queue(retry_delay=1.0)], [agent("a", auto_pause=3)])
    f.login("a")
    f.join("w1")
    for n in range(3):
        f.do("refuse", f.reservation("w1"), cause)
        f.at(f.now + 1)
        assert len(f.offers()) == (n + 2 if not counts or n < 2 else 3)
    assert f.d.agent("a", f.now).state == ("not_answering" if counts else "reserved")
    f.do("resume", "a")
    assert f.d.agent("a", f.now).state == "reserved"


def test_an_answer_ends_the_row_of_misses() -> None:
    f = Floor([queue(retry_delay=1.0)], [agent("a", auto_pause=2)])
    f.login("a")
    f.join("w1")
    f.do("refuse", f.reservation("w1"), Cause.REFUSED)
    f.at(1)
    f.serve("w1", 1.0)
    f.join("w2")
    f.do("refuse", f.reservation("w2"), Cause.REFUSED)
    f.at(f.now + 1)
    assert f.d.agent("a", f.now).state == "reserved"


@pytest.mark.parametrize("go", [("logout", "a"), ("pause", "a", "lunch")])
def test_an_agent_who_goes_while_ringing_gives_the_caller_back(go: tuple[str, ...]) -> None:
    f = ringing()
    f.do(*go)
    assert last(f, Rescinded).reason == "agent_gone"
    assert f.offers()[-1] == ("w1", "b")


def test_logging_out_while_talking_takes_effect_after_it() -> None:
    f = ringing(wrap_up=30.0)
    one = f.reservation("w1")
    f.do("accept", one)
    f.do("connected", one)
    f.at(20).do(
        "logout",
        "a",
    )
    assert f.d.agent("a", 20).state == "talking"
    f.at(30).do("finished", one)
    assert f.d.agent("a", 30).state == "offline"
    assert last(f, AgentChanged).before == "talking"


def test_a_break_asked_for_while_talking_begins_after_the_wrap_up() -> None:
    f = ringing(wrap_up=5.0)
    one = f.reservation("w1")
    f.do("accept", one)
    f.do("connected", one)
    f.do("pause", "a", "lunch")
    f.at(20).do("finished", one)
    assert f.d.agent("a", 20).state == "wrapping"
    f.at(25)
    assert (f.d.agent("a", 25).state, f.d.agent("a", 25).reason) == ("break", "lunch")


def test_wrap_up_is_extended_and_ended() -> None:
    f = ringing(wrap_up=10.0)
    one = f.reservation("w1")
    f.do("accept", one)
    f.do("connected", one)
    f.at(20).do("finished", one)
    f.do("extend_wrap", "a", 5.0)
    f.at(34.9)
    assert f.d.agent("a", f.now).state == "wrapping"
    f.at(35)
    assert f.d.agent("a", f.now).state == "available"


def test_lost_between_the_answer_and_the_connection_the_caller_keeps_the_place() -> None:
    f = ringing()
    f.at(11).join("w2")
    f.join("w3")
    f.do("accept", f.reservation("w1"))
    f.do("failed", f.reservation("w1"))
    assert f.d.waiting("q", f.now)[0].id == "w1"
    f.do("accept", f.reservation("w2"))
    f.do("connected", f.reservation("w2"))
    f.do("finished", f.reservation("w2"))
    assert f.offers()[-1] == ("w1", "b")


def test_an_answer_that_is_never_connected_comes_to_an_end() -> None:
    f = ringing()
    f.do("accept", f.reservation("w1"))
    f.at(10 + 120)
    assert f.offers()[-1] == ("w1", "b")


def test_calls_outside_the_queue_make_busy_and_reset_the_idle_time() -> None:
    f = Floor([queue()], [agent("a"), agent("b")])
    f.at(1).login("a")
    f.at(2).login("b")
    f.at(3).do("occupy", "a", 1)
    assert f.d.agent("a", 3).state == "busy"
    f.join("w1")
    assert f.offers() == [("w1", "b")]
    f.at(5).do("occupy", "a", 0)
    f.at(6).do("leave", "w1", Leave.HUNG_UP)
    f.join("w2")
    assert f.offers()[-1] == ("w2", "b")  # idle since 2; a since 5


def test_an_endpoint_that_is_gone_is_not_rung() -> None:
    f = Floor([queue()], [agent("a")])
    f.login("a")
    f.do("reach", "a", False)
    f.join("w1")
    assert f.offers() == []
    f.do("reach", "a", True)
    assert f.offers() == [("w1", "a")]


# ---- joining ----


def test_who_is_turned_away_and_why() -> None:
    f = Floor(
        [
            queue("full", max_waiting=1), queue("in", join_when=JoinWhen.LOGGED_IN),
            queue("ready", join_when=JoinWhen.AVAILABLE), queue("shut", turned_away_to="voicemail"),
            queue("long", overflow=(OverflowRule("other", position=1),)),
        ],
        [agent("a", "in", "ready")],
    )  # fmt: skip
    f.do("open_queue", "shut", False)
    f.join("x1", "full")
    f.join("x2", "long")
    for name in ("full", "in", "ready", "shut", "long"):
        f.join(name, name)
    refused = {event.queue: (event.reason, event.to) for event in f.log if isinstance(event, TurnedAway)}
    assert refused == {
        "full": ("full", None), "in": ("no_agents", None), "ready": ("no_agents", None),
        "shut": ("closed", "voicemail"), "long": ("overflow", "other"),
    }  # fmt: skip
    f.login("a")
    f.do("pause", "a", "lunch")
    assert names(f.join("again", "in"))[0] == "queue.joined"
    assert names(f.join("again2", "ready"))[0] == "queue.refused"
    assert names(f.join("again", "in")) == ["queue.refused"]  # is there already


# ---- time ----


def test_overflow_by_time_waits_for_the_end_of_an_offer() -> None:
    f = ringing(overflow=(OverflowRule("other", after=15.0),), ring_timeout=20.0)
    f.at(29)
    assert not any(isinstance(event, Overflowed) for event in f.log)
    f.at(30)
    gone = last(f, Overflowed)
    assert (gone.to, gone.waited) == ("other", 20.0)
    assert f.offers() == [("w1", "a")]


def test_the_longest_wait_leads_to_the_next_destination() -> None:
    f = Floor([queue(max_wait=60.0)], [])
    f.join("w1")
    f.at(60)
    assert last(f, Overflowed).to is None


def gone(f: Floor) -> list[tuple[float, str, str | None]]:
    """Who overflowed: when, who, where to."""
    return [(event.at, event.work, event.to) for event in f.log if isinstance(event, Overflowed)]


def test_overflow_by_expected_wait() -> None:
    """An agent came after 40 s: so long takes each who is before somebody."""
    rules = (OverflowRule("late", after=3.0, expected_wait=50.0), OverflowRule("full", expected_wait=100.0))
    f = Floor([queue(overflow=rules)], [agent("a")])
    f.join("w1")
    f.at(40).login("a")
    f.do("accept", f.reservation("w1"))
    f.do("connected", f.reservation("w1"))
    f.at(41)
    f.join("w2")  # 40 s
    f.join("w3")  # 80 s
    assert last(f, Joined).expected_wait == pytest.approx(80.0)
    f.join("w4")  # 120 s
    refused = last(f, TurnedAway)
    assert (refused.work, refused.reason, refused.to) == ("w4", "overflow", "full")
    f.at(43.99)
    assert gone(f) == []
    f.at(44)
    assert gone(f) == [(44, "w3", "late")]
    f.at(500)  # a rule is looked at once
    assert [work.id for work in f.d.waiting("q", f.now)] == ["w2"]
    f.do("pause", "a", "lunch")  # nobody takes anybody: no expectation, no overflow by it
    f.join("w5")
    f.at(1000)
    assert gone(f) == [(44, "w3", "late")]


def test_overflow_by_service_level() -> None:
    """Of the last fifty or so, fewer than half have been answered in time."""
    rules = (OverflowRule("level", after=2.0, service_level=0.5), OverflowRule("bad", service_level=0.4))
    f = Floor([queue(overflow=rules)], [agent("a")])
    f.join("w1")
    f.at(10)
    assert gone(f) == []  # nothing is known yet
    f.login("a")
    f.do("accept", f.reservation("w1"))
    f.do("connected", f.reservation("w1"))
    assert f.d.queue("q", f.now).recent_service_level == 1.0
    lost = [f"x{n}" for n in range(46)]  # 0.98 ** 35 is below 0.5, 0.98 ** 46 below 0.4
    for work in lost:
        f.join(work)
    f.at(20)
    assert gone(f) == []
    for work in lost[:34]:
        f.do("leave", work, Leave.HUNG_UP)
    f.join("good")
    f.at(22)
    assert gone(f) == []  # just above a half
    f.do("leave", lost[34], Leave.HUNG_UP)
    f.at(23)
    f.join("w2")
    f.at(24.99)
    assert gone(f) == []
    f.at(25)
    assert gone(f) == [(25, "w2", "level")]
    for work in lost[35:]:
        f.do("leave", work, Leave.HUNG_UP)
    f.join("w3")
    refused = last(f, TurnedAway)
    assert (refused.work, refused.reason, refused.to) == ("w3", "overflow", "bad")


def test_somebody_s_own_limit_is_an_overflow_to_the_next_destination() -> None:
    f = Floor([queue(max_wait=60.0, overflow=(OverflowRule("other", after=30.0),))], [])
    f.join("short", max_wait=20.0)
    f.join("long", max_wait=90.0)
    f.join("equal", max_wait=30.0)
    f.join("none")
    f.at(19.99)
    assert gone(f) == []
    f.at(20)
    assert gone(f) == [(20, "short", None)]
    assert last(f, Overflowed).why == "timeout"
    f.at(90)
    assert gone(f)[1:] == [(30, "long", "other"), (30, "equal", "other"), (30, "none", "other")]


def test_an_own_limit_waits_for_the_end_of_an_offer_and_survives_a_restart() -> None:
    f = ringing(ring_timeout=20.0)
    f.join("w2", max_wait=15.0)
    saved = f.d.snapshot(f.now)
    f.d, events = Distributor.restore(f.settings, saved, lambda _: True, f.now, new_id=f.new_id, draw=f.draw)
    f.log += events
    f.at(f.now + 14.99)
    assert gone(f) == []
    offered = [work for work, _ in f.offers()]
    f.at(60)
    assert offered == ["w1", "w2"]
    assert [(work, to) for _, work, to in gone(f)] == [("w2", None)]
    assert gone(f)[0][0] == pytest.approx(30.0)  # ringing began at 10


def test_announcements_tell_position_and_expected_wait_and_pause_while_an_agent_rings() -> None:
    f = Floor([queue(announce=Announcements(10.0, 20.0), ring_timeout=15.0, retry_delay=100.0)], [agent("a")])
    f.join("w1")
    f.join("w2")
    f.at(29)
    f.login("a")
    f.at(44)
    told = [(e.at, e.work, e.position, e.number) for e in f.log if isinstance(e, Announced)]
    assert told == [(10, "w1", 1, 1), (10, "w2", 2, 1), (30, "w2", 2, 2), (44, "w1", 1, 2)]


def test_the_expected_wait_is_the_position_times_the_pace() -> None:
    f = Floor([queue()], [agent("a")])
    f.login("a")
    for n in range(30):
        f.join(f"w{n}")
    for n in range(20):
        f.serve(f"w{n}", 30.0)
    assert f.d.queue("q", f.now).expected_wait == pytest.approx(30.0 * (f.d.queue("q", f.now).waiting + 1), rel=0.2)


def test_closing_time_sends_away_whoever_waits_and_lets_ring_who_rings() -> None:
    f = ringing(at_close=AtClose.SEND_AWAY)
    f.do("pause", "b", "lunch")
    f.join("w2")
    f.do("open_queue", "q", False)
    assert [(e.work, e.reason) for e in f.log if isinstance(e, Left)] == [("w2", "closed")]
    f.do("accept", f.reservation("w1"))
    f.do("connected", f.reservation("w1"))
    assert last(f, Left).reason == "answered"


def test_closing_time_may_serve_who_waits() -> None:
    f = Floor([queue()], [agent("a")])
    f.join("w1")
    f.do("open_queue", "q", False)
    f.login("a")
    assert f.offers() == [("w1", "a")]


def test_a_thousand_are_sent_away_in_small_steps() -> None:
    f = Floor([queue(at_close=AtClose.SEND_AWAY)], [])
    for n in range(1000):
        f.join(f"w{n}")
    steps = [f.do("open_queue", "q", False)]
    while f.d.next_deadline() is not None:
        steps.append(f.d.tick(f.now))
    assert max(map(len, steps)) <= 64
    assert sum(map(len, steps)) == 1000


def test_nobody_left_to_serve() -> None:
    f = Floor([queue(leave_when_empty=True, turned_away_to="voicemail")], [agent("a")])
    f.login("a")
    f.do("occupy", "a", 1)
    f.join("w1")
    f.do("logout", "a")
    f.at(0)
    gone = last(f, Overflowed)
    assert (gone.to, gone.why) == ("voicemail", "no agents")


# ---- callbacks ----


def test_a_callback_keeps_the_place_and_is_one_a_number() -> None:
    f = Floor([queue(callback=CallbackSettings(offer_after=5.0))], [agent("a")])
    f.join("w1")
    f.at(1).join("w2")
    f.at(5)
    assert names(f.log)[-1] == "queue.callback_offered"
    f.do("call_back", "w1", "c1", "+31201234567")
    assert last(f, Left).reason == "callback"
    assert names(f.do("call_back", "w2", "c2", "+31201234567")) == ["queue.callback_refused"]
    f.login("a")
    assert f.offers() == [("c1", "a")]


def test_a_callback_is_tried_again_and_given_up() -> None:
    settings = CallbackSettings(order=DialFirst.CUSTOMER, attempts=2, retry_after=60.0, ring_timeout=30.0)
    f = Floor([queue(callback=settings)], [agent("a")])
    f.login("a")
    f.do("pause", "a", "x")
    f.join("w1")
    f.do("call_back", "w1", "c1", "+31201234567")
    f.do("resume", "a")
    made = f.log[-2]
    assert (made.order, made.expires - made.at) == ("customer", 30.0)
    f.at(10).do("unanswered", f.reservation("c1"))
    assert f.d.agent("a", f.now).is_ready
    f.at(70)
    assert len(f.offers()) == 2
    f.at(75).do("customer_answered", f.reservation("c1"))
    f.do("accept", f.reservation("c1"))
    f.do("unanswered", f.reservation("c1"))
    assert last(f, Left).reason == "unreached"


def test_a_callback_waits_for_its_time_and_expires() -> None:
    f = Floor([queue(callback=CallbackSettings())], [agent("a")])
    f.join("w1")
    f.d.call_back("w1", "c1", "+1", f.now, not_before=100.0, expires=200.0)
    f.login("a")
    f.at(99)
    assert f.offers() == []
    f.at(100)
    assert f.offers() == [("c1", "a")]
    g = Floor([queue(callback=CallbackSettings())], [])
    g.join("w1")
    g.d.call_back("w1", "c1", "+1", g.now, not_before=100.0, expires=200.0)
    g.at(200)
    assert last(g, Left).reason == "unreached"


# ---- restarts and other settings ----


def test_a_snapshot_is_plain_and_goes_on_on_another_clock() -> None:
    f = ringing(wrap_up=5.0)
    f.at(12).join("w2")
    f.join("w3")
    saved = json.loads(json.dumps(f.d.snapshot(12.0)))
    d, told = Distributor.restore(f.settings, saved, lambda _: True, 5000.0, new_id=f.new_id, draw=f.draw)
    assert told == []
    assert [view.id for view in d.waiting("q", 5000.0)] == ["w1", "w2", "w3"]
    assert d.agent("a", 5000.0).for_s == pytest.approx(2.0)
    assert d.next_deadline() == pytest.approx(5018.0)  # the ringing timeout, as if nothing had happened
    assert names(d.accept(f.reservation("w1"), 5001.0))[0] == "reservation.accepted"


def test_calls_that_died_with_their_node_are_lost_and_their_agents_free() -> None:
    f = ringing(wrap_up=5.0)
    f.do("accept", f.reservation("w1"))
    f.do("connected", f.reservation("w1"))
    f.at(20).join("w2")
    f.join("w3")
    d, told = Distributor.restore(
        f.settings, f.d.snapshot(20.0), lambda work: work == "w3", 20.0, new_id=f.new_id, draw=f.draw
    )
    assert [(e.work, e.reason) for e in told if isinstance(e, Left)] == [("w2", "lost")]
    assert d.agent("a", 20.0).state == "wrapping"
    assert d.agent("b", 20.0).reservations != ()  # w3


def test_other_settings_let_go_of_what_is_gone() -> None:
    f = Floor([queue("p"), queue("q")], [agent("a", "p"), agent("b", "q")])
    f.login("a", "b")
    f.join("w1", "p")
    f.join("w2", "q")
    f.join("w3", "q")
    f.do("accept", f.reservation("w2"))
    f.do("connected", f.reservation("w2"))
    told = f.do("configure", Settings((queue("q"),), (agent("b", "q"),)))
    assert [(e.work, e.why) for e in told if isinstance(e, Overflowed)] == [("w1", "queue removed")]
    assert f.d.queues() == ("q",)
    assert f.d.agents() == ("b",)
    f.do("finished", f.reservation("w2"))
    assert f.offers()[-1] == ("w3", "b")


def test_a_new_skill_is_used_at_once() -> None:
    f = Floor([queue()], [agent("a")])
    f.login("a")
    settings = QueueSettings("q", "t", strategy=Strategy.TOP_DOWN)
    assert f.do("configure", Settings((settings,), (agent("a", Membership("q", tier=2), skills={"red": 3}),))) == []
    f.join("w1")
    assert f.offers() == [("w1", "a")]


def test_an_unknown_queue_is_a_mistake_and_unknown_ids_are_crossings() -> None:
    f = Floor([queue()], [agent("a")])
    with pytest.raises(KeyError):
        f.d.join(Work("w", "nowhere"), 0.0)
    for method, *args in (("accept", "x"), ("finished", "x"), ("leave", "x", Leave.KEY), ("login", "x")):
        assert f.do(method, *args) == []
