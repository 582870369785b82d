"""A callee answers with a redirect: followed as that callee, or left to the caller, as its side's `redirect` says."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from santral.engine.calls import onward
from santral.engine.calls.actions.branches import Branch
from santral.engine.calls.dialer import Failure
from santral.engine.calls.leg import Leg
from santral.routing.plan import Attempt
from santral.sip.errors import LoopDetected
from santral.sip.identity.redirection import Diverted, check_loop
from santral.sip.identity.tel import number_of
from santral.sip.uri import NameAddr, Uri

if TYPE_CHECKING:
    from santral.engine.calls.call import Call

MAX_FOLLOWED: Final = 10  # redirects followed in one call, over all its branches
LOOP: Final = 482


def follow(call: "Call", branch: Branch, failure: Failure) -> Failure:
    """Have what this redirect names dialled next; the failure as it goes on from here, if nothing of it can be.

    Bounded by the diversions a call may have (RFC 5806), and over all branches by `MAX_FOLLOWED`.
    """
    leg = branch.leg
    if leg.party.redirect == "pass":
        read = leg.party.policy.numbering.read
        return replace(failure, passed=tuple(read(number) for uri in failure.contacts if (number := number_of(uri))))
    if leg.party.redirect == "refuse":
        return failure
    told = failure.diverted or (_by(leg, rang=failure.rang),)
    diverted = (*told, *branch.way.diverted)
    try:
        check_loop((*diverted, *call.caller.presented.diversions))
    except LoopDetected:
        return replace(failure, status=LOOP)
    if call.redirects >= MAX_FOLLOWED:
        return replace(failure, status=LOOP)
    call.redirects += 1
    attempts: list[Attempt] = []
    for uri in failure.contacts:
        plan = onward.plan_for(call, leg, uri)
        call.emit("call.routed", route=plan.route, attempts=[one.why for one in plan.attempts], why=list(plan.why))
        attempts += plan.attempts
        call.services.take_turns(plan)
    call.dialer.divert(attempts, diverted)
    return failure


def _by(leg: Leg, *, rang: bool) -> Diverted:
    """Who diverted, and why, where the redirect itself does not say."""
    number = NameAddr("", Uri(user=leg.presented.number))
    return Diverted(number, "deflection" if rang else "unconditional")
