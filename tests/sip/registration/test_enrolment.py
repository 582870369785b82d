"""Our own registration with a carrier, on a clock of its own: when it asks, what it makes of answers, how it waits."""

from itertools import pairwise
from typing import Any

import pytest

from santral.sip.headers import Headers
from santral.sip.message import Response
from santral.sip.registration.enrolment import (
    EXPIRES_MOST_S,
    REFUSED_FIRST_S,
    RETRY_FIRST_S,
    RETRY_MOST_S,
    Enrolment,
    Standing,
)


def answer(status: int, cseq: int = 1, **headers: Any) -> Response:
    lines = [("CSeq", f"{cseq} REGISTER")]
    for name, value in headers.items():
        lines += [(name.replace("_", "-"), one) for one in ([value] if isinstance(value, str) else value)]
    return Response(status, "Any", Headers(lines))


@pytest.fixture
def one() -> Enrolment:
    made = Enrolment("<sip:token@192.0.2.1>", "c1")
    assert made.due(0.0)
    made.begin()
    assert not made.due(0.0)
    return made


def test_it_refreshes_before_it_expires(one: Enrolment) -> None:
    contacts = "<sip:other@h>;expires=7, <sip:token@192.0.2.1>;expires=600"
    one.answered(answer(200, 2, Contact=contacts, Service_Route="<sip:edge;lr>, <sip:core;lr>"), 10.0, 0.5)
    assert (one.standing, one.granted_until(10.0), one.cseq) == (Standing.REGISTERED, 600, 3)
    assert one.routes == ("<sip:edge;lr>", "<sip:core;lr>")
    assert not one.due(10.0 + 539)
    assert one.due(10.0 + 541)


@pytest.mark.parametrize("granted", [1, 20, 59, 60, 61, 300, 3600, 86400])
def test_any_time_granted_is_refreshed_in_time(one: Enrolment, granted: int) -> None:
    one.answered(answer(200, Contact=f"<sip:token@x>;expires={granted}"), 0.0, 0.0)
    assert 0 < one.next_at < max(granted, 5.1)


def test_without_a_word_it_is_what_was_asked_for(one: Enrolment) -> None:
    one.answered(answer(200), 0.0, 0.0)
    assert one.granted_until(0.0) == 3600
    one.begin()
    one.answered(answer(200, Expires="120"), 0.0, 0.0)
    assert one.granted_until(0.0) == 120


def test_nobody_is_believed_for_longer_than_a_day(one: Enrolment) -> None:
    one.answered(answer(200, Contact="<sip:token@x>;expires=999999999"), 0.0, 0.0)
    assert one.granted_until(0.0) == EXPIRES_MOST_S
    one.begin()
    one.answered(answer(423, Min_Expires="999999999"), 0.0, 0.0)
    assert one.expires_s == EXPIRES_MOST_S
    one.begin()
    one.answered(answer(423, Min_Expires="999999999"), 0.0, 0.0)
    assert one.standing is Standing.FAILED


def test_too_brief_is_asked_again_at_once(one: Enrolment) -> None:
    one.answered(answer(423, Min_Expires="7200"), 5.0, 0.0)
    assert one.due(5.0)
    assert one.expires_s == 7200
    one.begin()
    one.answered(answer(423, Min_Expires="7200"), 5.0, 0.0)  # the same again is a refusal
    assert not one.due(5.0)
    assert one.standing is Standing.FAILED


def test_it_waits_longer_each_time_and_not_for_ever(one: Enrolment) -> None:
    waits = []
    for _ in range(12):
        one.failed(503, 0.0, draw=0.999)
        waits.append(round(one.next_at))
        one.begin()
    assert waits[:3] == [30, 60, 120]
    assert waits[-1] == pytest.approx(RETRY_MOST_S, rel=0.001)
    assert one.standing is Standing.FAILED
    assert (one.last_status, one.last_error) == (503, "unreachable")


def test_the_draw_spreads_it(one: Enrolment) -> None:
    one.failed(408, 0.0, draw=0.0)
    assert one.next_at == RETRY_FIRST_S / 2


def test_a_refusal_waits_longer_and_retry_after_counts(one: Enrolment) -> None:
    one.answered(answer(403), 0.0, 0.999)
    assert round(one.next_at) == REFUSED_FIRST_S
    one.begin()
    one.answered(answer(503, Retry_After="900 (busy);x=1"), 0.0, 0.0)
    assert one.next_at == 900


def test_success_forgets_failures(one: Enrolment) -> None:
    one.failed(503, 0.0, 0.0)
    one.begin()
    one.answered(answer(200), 0.0, 0.0)
    assert (one.failures, one.last_error) == (0, "")


def test_numbers_grow_whatever_happens(one: Enrolment) -> None:
    seen = [one.cseq]
    for step in range(4):
        if step % 2:
            one.failed(408, 0.0, 0.0)
        else:
            one.answered(answer(200, one.cseq + 1), 0.0, 0.0)
        seen.append(one.begin())
    assert all(later >= earlier + 2 for earlier, later in pairwise(seen))


def test_who_leaves_asks_no_more(one: Enrolment) -> None:
    one.answered(answer(200), 0.0, 0.0)
    assert one.leave()
    one.begin()
    one.answered(answer(200), 0.0, 0.0)
    assert one.standing is Standing.LEAVING
    assert not one.due(1e9)
    assert not one.leave()


@pytest.mark.parametrize("broken", ["<sip:[", "x y z", '"open'])
def test_a_broken_service_route_is_none(one: Enrolment, broken: str) -> None:
    one.answered(answer(200, Service_Route=broken), 0.0, 0.0)
    assert one.routes == ()
    assert one.standing is Standing.REGISTERED
