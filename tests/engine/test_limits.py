"""Limits: what is refused and why, and that everything taken comes back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.engine.limits import Limits, LimitSettings, LocalStore, Refusal, Throttle, TokenBucket, TrunkLimit


def test_a_bucket_gives_its_burst_then_its_rate() -> None:
    bucket = TokenBucket(10, now=0.0)
    assert [bucket.take(0.0) for _ in range(11)] == [True] * 10 + [False]
    assert bucket.wait(0.0) == pytest.approx(0.1)
    assert bucket.take(0.1)
    assert not bucket.take(0.1)
    assert [bucket.take(100.0) for _ in range(11)].count(True) == 10


def test_a_slow_bucket_still_gives_one_and_an_empty_one_never_refills() -> None:
    slow = TokenBucket(0.5, now=0.0)
    assert (slow.take(0.0), slow.take(1.0), slow.take(2.0)) == (True, False, True)
    none = TokenBucket(0, now=0.0)
    none.take(0.0)
    assert none.wait(5.0) == math.inf


@given(st.lists(st.floats(0, 2), min_size=1, max_size=200), st.floats(1, 50))
def test_no_second_sees_more_than_burst_and_rate(gaps: list[float], rate: float) -> None:
    bucket, now, taken = TokenBucket(rate, 0.0), 0.0, []
    for gap in gaps:
        now += gap
        if bucket.take(now):
            taken.append(now)
    for start in taken:
        assert sum(start <= each < start + 1 for each in taken) <= 2 * rate + 1


def test_time_that_stands_still_or_steps_back_gives_nothing() -> None:
    bucket = TokenBucket(1, now=10.0)
    assert bucket.take(10.0)
    assert not bucket.take(5.0)
    assert not bucket.take(10.5)


def limits(**trunk: float) -> Limits:
    return Limits(LimitSettings(3, 5, {"t": TrunkLimit(**trunk)}))  # type: ignore[arg-type]


def test_max_calls() -> None:
    some = limits()
    assert [some.admit(f"c{n}", f"l{n}", "t", 0.0) for n in range(4)] == [None] * 3 + [Refusal("max_calls", None, 1)]
    some.release("c0", "l0")
    assert some.admit("c9", "l9", "t", 0.0) is None
    assert some.calls() == 3


def test_calls_per_second_of_the_node() -> None:
    some = Limits(LimitSettings(None, 2, {}))
    refused = [some.admit(f"c{n}", f"l{n}", "t", 0.0) for n in range(3)]
    assert refused == [None, None, Refusal("calls_per_second", None, 1)]
    assert some.admit("c9", "l9", "t", 0.5) is None


def test_calls_per_second_of_a_trunk_spend_nothing_of_the_node() -> None:
    some = limits(calls_per_second=1)
    assert some.admit("c1", "l1", "t", 0.0) is None
    assert some.admit("c2", "l2", "t", 0.0) == Refusal("trunk_calls_per_second", "t", 1)
    for number in range(2):
        assert some.admit(f"d{number}", f"m{number}", "other", 0.0) is None
    assert some.calls() == 3


def test_channels_count_both_directions_and_have_no_retry_after() -> None:
    some = limits(channels=2)
    assert some.admit("c1", "l1", "t", 0.0) is None
    assert some.take_channel("l2", "t", 0.0) is None
    assert some.is_full("t")
    assert some.admit("c2", "l3", "t", 0.0) == Refusal("trunk_channels", "t")
    assert some.take_channel("l4", "t", 0.0) == Refusal("trunk_channels", "t")
    assert (some.calls(), some.channels("t"), some.holders()) == (1, 2, 3)
    assert some.refused == {"trunk_channels": 2}
    some.release("l2")
    assert some.admit("c2", "l3", "t", 0.0) is None


def test_everything_is_idempotent_and_comes_back() -> None:
    some = limits(channels=1)
    for _ in range(3):
        assert some.admit("c1", "l1", "t", 0.0) is None
        assert some.take_channel("l1", "t", 0.0) is None
    for _ in range(3):
        some.release("c1", "l1")
    assert (some.calls(), some.channels("t"), some.holders()) == (0, 0, 0)


def test_new_settings_apply_at_once_and_keep_what_is_held() -> None:
    some = limits(channels=5, calls_per_second=1)
    assert some.admit("c1", "l1", "t", 0.0) is None
    assert some.take_channel("l2", "t", 0.0) == Refusal("trunk_calls_per_second", "t", 1)
    some.reconfigure(LimitSettings(None, None, {"t": TrunkLimit(channels=1)}), 0.0)
    assert some.take_channel("l2", "t", 0.0) == Refusal("trunk_channels", "t")
    assert some.channels("t") == 1
    some.reconfigure(LimitSettings(None, 1, {"t": TrunkLimit()}), 0.0)
    assert some.take_channel("l2", "t", 0.0) is None


def test_retry_after_is_bounded() -> None:
    some = Limits(LimitSettings(None, 0, {}))
    some.admit("c1", "l1", "t", 0.0)
    assert some.admit("c2", "l2", "t", 0.0) == Refusal("calls_per_second", None, 3600)


def test_a_store_forgets_empty_keys() -> None:
    store = LocalStore()
    assert store.reserve("k", "a", 1)
    assert store.reserve("k", "a", 1)
    assert not store.reserve("k", "b", 1)
    assert store.reserve("k", "b", None)
    for holder in ("a", "b", "b", "c"):
        store.release("k", holder)
    assert store.count("k") == 0
    assert store._holders == {}


def test_a_throttle_tells_how_many_it_held_back_and_stays_small() -> None:
    throttle = Throttle(1, max_keys=10)
    assert [throttle.allow("x", 0.0) for _ in range(4)] == [0, None, None, None]
    assert throttle.allow("x", 1.0) == 3
    for number in range(100):
        throttle.allow(f"s{number}", 2.0)
    assert len(throttle._keys) == 10
