"""Bans: after how many failures, for how long, and how they are forgiven."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.engine.guard import bans
from santral.engine.guard.bans import BAN_AFTER, BAN_FIRST_S, BAN_MOST_S, FORGIVE_S, WINDOW_S, Bans


def fail(some: Bans, times: int, now: float = 0.0, host: str = "h") -> list[float]:
    return [some.fail(host, now) for _ in range(times)]


def test_a_ban_comes_after_enough_failures() -> None:
    some = Bans()
    assert fail(some, BAN_AFTER) == [0.0] * (BAN_AFTER - 1) + [BAN_FIRST_S]
    assert some.is_banned("h", BAN_FIRST_S - 1)
    assert not some.is_banned("other", 0.0)
    assert not some.is_banned("h", BAN_FIRST_S + 1)
    assert some.banned(10.0) == [("h", BAN_FIRST_S - 10, 1)]


def test_bans_grow_to_a_day() -> None:
    some, now, seen = Bans(), 0.0, []
    for _ in range(14):
        (*_, seconds) = fail(some, BAN_AFTER, now)
        seen.append(seconds)
        now += seconds + 1
    assert seen[:3] == [BAN_FIRST_S, 2 * BAN_FIRST_S, 4 * BAN_FIRST_S]
    assert seen[-1] == BAN_MOST_S


def test_failures_far_apart_do_not_add_up() -> None:
    some = Bans()
    assert [some.fail("h", n * (WINDOW_S / 4)) for n in range(40)] == [0.0] * 40


def test_success_and_time_and_operators_forgive() -> None:
    some = Bans()
    fail(some, BAN_AFTER - 1)
    some.succeed("h")
    assert len(some) == 0
    fail(some, BAN_AFTER)
    some.succeed("h")  # the ban is remembered: the next one is longer
    assert fail(some, BAN_AFTER, BAN_FIRST_S + 1)[-1] == 2 * BAN_FIRST_S
    assert fail(some, BAN_AFTER, FORGIVE_S * 2)[-1] == BAN_FIRST_S
    assert some.forgive("h")
    assert not some.forgive("h")
    assert not some.is_banned("h", FORGIVE_S * 2)


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bans, "MAX_ADDRESSES", 3)
    some = Bans()
    for host in "abcabcd":
        some.fail(host, 0.0)
    assert len(some) == 3


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 2 * FORGIVE_S), st.booleans()), max_size=80))
def test_only_who_failed_is_banned_and_never_longer_than_a_day(steps: list[tuple[str, float, bool]]) -> None:
    some, now, failed = Bans(), 0.0, set[str]()
    for host, wait, good in steps:
        now += wait
        if good:
            some.succeed(host)
        else:
            failed.add(host)
            assert 0 <= some.fail(host, now) <= BAN_MOST_S
        assert {one for one, _, _ in some.banned(now)} <= failed
