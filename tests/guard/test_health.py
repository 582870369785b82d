"""A target of a trunk goes down after some failures and comes back with one answer."""

import pytest

from santral.engine.trunks.health import DOWN_AFTER, RECHECK_MOST_S, Target


@pytest.fixture
def target() -> Target:
    return Target("t", "sip:a", 30.0, next_at=30.0, since=0)


def test_it_is_asked_at_its_interval(target: Target) -> None:
    assert not target.due(29.0)
    assert target.due(30.0)
    target.is_pending = True
    assert not target.due(31.0)
    assert target.heard(200, 31.0, 1) is None
    assert not target.due(60.0)
    assert target.due(61.0)


def test_down_after_some_failures_up_with_one_answer(target: Target) -> None:
    said = [target.heard(408, float(n), 100 + n) for n in range(DOWN_AFTER + 1)]
    assert said == [None] * (DOWN_AFTER - 1) + [False, None]
    assert (target.is_up, target.since) == (False, 100 + DOWN_AFTER - 1)
    assert target.next_at == DOWN_AFTER + RECHECK_MOST_S
    assert target.heard(486, 50.0, 500) is True
    assert (target.is_up, target.since, target.failures) == (True, 500, 0)


@pytest.mark.parametrize("status", [200, 302, 401, 403, 404, 405, 481, 486, 500, 501, 504, 603])
def test_who_answers_is_there(target: Target, status: int) -> None:
    for _ in range(10):
        assert target.heard(status, 0.0, 0) is None
    assert target.is_up


@pytest.mark.parametrize("status", [408, 503])
def test_silence_and_overload_are_absence(target: Target, status: int) -> None:
    for _ in range(DOWN_AFTER):
        target.heard(status, 0.0, 0)
    assert not target.is_up


def test_an_answer_between_starts_the_count_anew(target: Target) -> None:
    for n in range(20):
        target.heard(408 if n % DOWN_AFTER else 200, 0.0, 0)
    assert target.is_up


def test_not_watched() -> None:
    assert not Target("t", "sip:a", 0.0, 0.0, 0).due(1e9)
