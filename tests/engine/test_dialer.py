"""Failover as values: which target or destination comes next, and what the caller is told in the end."""

import pytest

from santral.engine.calls.dialer import AnswerHere, Contact, Dial, Dialer, Failure, Fault, GiveUp, upstream
from santral.routing.plan import DialTrunk, DialUser, Echo, Reject
from santral.sip.events import Hop

TWO_TARGETS = DialTrunk("carrier", "100", 30.0, ("sip:a", "sip:b"))
SPARE = DialTrunk("spare", "100", 30.0, ("sip:c",))


def test_a_silent_target_makes_room_for_the_next_of_the_same_trunk() -> None:
    dialer = Dialer((TWO_TARGETS, SPARE))
    assert dialer.first() == Dial(TWO_TARGETS, ("sip:a",))
    assert dialer.after(Failure(Fault.NO_TRY)) == Dial(TWO_TARGETS, ("sip:b",))
    assert dialer.after(Failure(Fault.UNREACHABLE)) == Dial(SPARE, ("sip:c",))


@pytest.mark.parametrize("status", [408, 503])
def test_some_refusals_are_the_target_s_own(status: int) -> None:
    dialer = Dialer((TWO_TARGETS,))
    dialer.first()
    assert dialer.after(Failure(Fault.REFUSED, status)) == Dial(TWO_TARGETS, ("sip:b",))


@pytest.mark.parametrize("failure", [Failure(Fault.REFUSED, 486), Failure(Fault.FULL, 486), Failure(Fault.NO_ANSWER)])
def test_other_failures_skip_the_trunk_s_other_targets(failure: Failure) -> None:
    dialer = Dialer((TWO_TARGETS, SPARE))
    dialer.first()
    assert dialer.after(failure) == Dial(SPARE, ("sip:c",))


def test_never_fails_over_to_another_target_after_it_rang() -> None:
    dialer = Dialer((TWO_TARGETS, SPARE))
    dialer.first()
    assert dialer.after(Failure(Fault.REFUSED, 503, rang=True)) == Dial(SPARE, ("sip:c",))


def test_a_global_failure_ends_the_plan() -> None:
    dialer = Dialer((TWO_TARGETS, SPARE))
    dialer.first()
    step = dialer.after(Failure(Fault.REFUSED, 603))
    assert isinstance(step, GiveUp)
    assert step.status == 603


RING = DialUser("101@acme.example", 20.0)
HOP = Hop("udp", "192.0.2.7", 5060, "lan")
DESK, MOBILE, OTHER = (
    Contact("sip:desk", HOP, q=1000), Contact("sip:mobile", HOP, q=1000), Contact("sip:other", HOP, q=500),
)  # fmt: skip


def test_a_user_s_phones_ring_by_their_q_those_of_the_same_at_once() -> None:
    dialer = Dialer((RING, SPARE), lambda aor: (OTHER, DESK, MOBILE) if aor == RING.user else ())
    assert dialer.first() == Dial(RING, ("sip:desk", "sip:mobile"), (DESK, MOBILE))
    assert dialer.after(Failure(Fault.NO_ANSWER, rang=True)) == Dial(RING, ("sip:other",), (OTHER,))
    assert dialer.after(Failure(Fault.REFUSED, 486)) == Dial(SPARE, ("sip:c",))


def test_a_phone_that_declines_for_all_ends_it() -> None:
    dialer = Dialer((RING, SPARE), lambda _: (DESK, OTHER))
    dialer.first()
    assert isinstance(dialer.after(Failure(Fault.REFUSED, 603)), GiveUp)


def test_a_user_without_phones_makes_room_for_the_next_destination() -> None:
    assert Dialer((RING, SPARE)).first() == Dial(SPARE, ("sip:c",))
    nobody = Dialer((RING,)).first()
    assert isinstance(nobody, GiveUp)
    assert nobody.status == 480


def test_endpoints_and_rejections_of_the_plan() -> None:
    assert Dialer((Echo(),)).first() == AnswerHere(Echo())
    assert Dialer((Reject(603),)).first() == GiveUp(603)


@pytest.mark.parametrize(
    ("received", "told"),
    [(486, 486), (404, 404), (480, 480), (603, 603), (503, 500), (500, 500), (401, 500), (302, 480), (420, 500)],
)
def test_what_the_caller_is_told_of_a_final_answer(received: int, told: int) -> None:
    step = upstream(Failure(Fault.REFUSED, received))
    assert step.status == told
    assert any(reason.startswith("Q.850;cause=") for reason in step.reasons)
    if received != told:
        assert any(reason.startswith(f"SIP;cause={received};text=") for reason in step.reasons)


def test_a_received_reason_is_kept() -> None:
    assert upstream(Failure(Fault.REFUSED, 480, reasons=("Q.850;cause=20",))).reasons == ("Q.850;cause=20",)


@pytest.mark.parametrize(
    ("fault", "status", "cause"),
    [(Fault.NO_TRY, 504, 102), (Fault.NO_ANSWER, 480, 19), (Fault.NO_PORTS, 503, 41)],
)
def test_what_the_caller_is_told_when_nobody_said_anything(fault: Fault, status: int, cause: int) -> None:
    step = upstream(Failure(fault))
    assert (step.status, step.reasons) == (status, (f"Q.850;cause={cause}",))
