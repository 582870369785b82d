"""Timers as data: order, cancelling, and no growth from what was cancelled."""

from hypothesis import given
from hypothesis import strategies as st

from santral.sip.ua.deadlines import SWEEP_FLOOR, Deadlines, Timers


def test_due_in_order_of_time_and_of_arming() -> None:
    deadlines = Deadlines()
    for at, name in ((3.0, "c"), (1.0, "a"), (2.0, "b1"), (2.0, "b2"), (9.0, "z")):
        deadlines.arm(at, name)
    assert deadlines.next() == 1.0
    assert list(deadlines.due(3.0)) == ["a", "b1", "b2", "c"]
    assert deadlines.next() == 9.0
    assert list(deadlines.due(8.9)) == []
    assert len(deadlines) == 1


def test_cancelled_timers_do_not_fire_and_do_not_show() -> None:
    deadlines = Deadlines()
    first, second = deadlines.arm(1.0, "a"), deadlines.arm(2.0, "b")
    deadlines.cancel(first)
    deadlines.cancel(first)
    deadlines.cancel(0)
    assert deadlines.next() == 2.0
    assert list(deadlines.due(5.0)) == ["b"]
    deadlines.cancel(second)
    assert deadlines.next() is None
    assert len(deadlines) == 0


def test_a_timer_may_arm_and_cancel_others_while_it_fires() -> None:
    deadlines = Deadlines()
    fired = []
    victim = deadlines.arm(2.0, "victim")
    deadlines.arm(1.0, "a")
    for what in deadlines.due(3.0):
        fired.append(what)
        if what == "a":
            deadlines.cancel(victim)
            deadlines.arm(1.5, "b")
            deadlines.arm(4.0, "later")
    assert fired == ["a", "b"]
    assert deadlines.next() == 4.0


def test_what_was_cancelled_does_not_pile_up() -> None:
    deadlines = Deadlines()
    kept = [deadlines.arm(1e6 + i, i) for i in range(100)]
    for i in range(200_000):  # a timer of 32 s that is cancelled at once, at 400 calls/s for eight minutes
        deadlines.cancel(deadlines.arm(1000.0 + i, i))
    assert len(deadlines) == len(kept)
    assert len(deadlines._heap) <= len(kept) + SWEEP_FLOOR + 1


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=200), st.floats(0, 100))
def test_exactly_what_is_armed_and_due_fires(timers: list[tuple[float, bool]], now: float) -> None:
    deadlines = Deadlines()
    tickets = [deadlines.arm(at, number) for number, (at, _) in enumerate(timers)]
    for ticket, (_, cancelled) in zip(tickets, timers, strict=True):
        if cancelled:
            deadlines.cancel(ticket)
    live = [(at, number) for number, (at, cancelled) in enumerate(timers) if not cancelled]
    assert deadlines.next() == min((at for at, _ in live), default=None)
    assert list(deadlines.due(now)) == [number for at, number in sorted(live) if at <= now]
    assert len(deadlines) == sum(at > now for at, _ in live)


def test_values_of_table_4() -> None:
    timers = Timers()
    assert (timers.t1, timers.t2, timers.t4, timers.timeout, timers.d) == (0.5, 4.0, 5.0, 32.0, 32.0)
    assert timers.trying == 3.5  # 0.5 + 1 + 2: Timer E has reached T2 (RFC 4320 4.1)
