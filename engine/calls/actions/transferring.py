"""Transfer: one leg stays and is connected to somebody else, who is dialled first; who transfers leaves.

Dialled and routed as the party that transfers (`onward.py`). Until the new side answers everything stands as it was,
so a transfer that fails changes nothing, unless who asked for it has hung up meanwhile.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from santral.engine.calls import dialogs, onward, playing
from santral.engine.calls.actions import moving, ringing
from santral.engine.calls.actions.beginning import go
from santral.engine.calls.actions.branches import TIMERS
from santral.engine.calls.actions.moving import NO_SUCH_CALL, NORMAL, Joining
from santral.engine.calls.dialer import Dialer, GiveUp
from santral.engine.calls.joins import Bridge, OnLoan
from santral.engine.calls.leg import HeaderLines, Leg, Referral, Role, sure
from santral.engine.calls.table import Heard, Input, State
from santral.engine.calls.waiting import entertain
from santral.engine.ids import new_id
from santral.routing.plan import Plan
from santral.sip.identity.tel import number_of

if TYPE_CHECKING:
    from santral.engine.calls.call import Call

DIALLED: Final = (State.DIALING, State.RINGING)
DECLINED: Final = 603  # this side may not transfer
NOT_FOUND: Final = 404
PENDING: Final = 491  # one at a time
NOBODY: Final = 480  # nobody is there to be transferred
RINGING: Final = 180
TERMINATED: Final = 487  # it was not carried through


@dataclass(slots=True)
class Transfer:
    """One transfer under way. `stays` waits for the target, `leaver` goes once it is there; None has gone already."""

    stays: Leg
    leaver: Leg | None
    target: str
    plan: Plan
    by: str  # who wants it so: "caller" or "callee", else the name of a control client
    referral: Referral | None = None
    headers: HeaderLines = ()  # of the INVITE to the target
    taken: "Call | None" = None  # whose dialled legs come over: who transfers has called the target already
    roles: dict[Role, Leg] = field(default_factory=dict)  # as they were
    id: str = field(default_factory=new_id)  # as which it holds the channel of a user who transfers

    def tell(self, status: int) -> None:
        if self.referral is not None:
            self.referral.tell(status)


# ---- REFER ----


def judge(call: "Call", _what: Input, heard: Heard) -> None:
    """A party wants the other one to be connected elsewhere: may it, and where would that be?"""
    leg, referral = heard
    if isinstance(call.join, OnLoan):
        call.join.borrower.post(Input.REFERRED, heard)
    elif leg.party.transfer == "refuse":
        referral.refuse(DECLINED)
    elif not isinstance(call.join, Bridge) or leg not in call.join.legs or call.join.other(leg) not in call.legs:
        referral.refuse(NOBODY)  # nobody else, or somebody who is only lent
    elif referral.replaces is not None:
        _attend(call, leg, referral, call.join.other(leg))
    else:
        _go_blind(call, leg, referral, call.join.other(leg))


def _attend(call: "Call", leg: Leg, referral: Referral, stays: Leg) -> None:
    """To whom the party has spoken, in a call of ours; or, if that is none of ours, by way of the party itself."""
    replaces = sure(referral.replaces)
    named = dialogs.find(call.services, replaces)
    if named is None:
        _go_blind(call, leg, referral, stays)
        return
    other, by = named.call, _name_of(call, leg)
    if other is call or other.tenant != call.tenant:
        referral.refuse(NO_SUCH_CALL)
    elif isinstance(other.join, Bridge) and other.state is State.CONNECTED:
        theirs = named.counterpart(leg.party)
        referral.accept()
        call.post(Input.JOIN, Joining(stays, other, theirs, by, referral))
    elif other.state in DIALLED and named.leg is other.caller and not named.leg.is_answered and other.has_dialled:
        referral.accept()
        called = other.facts.called
        call.post(Input.TRANSFER, Transfer(stays, leg, called, other.plan, by, referral, taken=other))
    else:
        referral.refuse(PENDING)


def _name_of(call: "Call", leg: Leg) -> str:
    return "caller" if leg is call.roles.get(Role.CALLER) else "callee"


def _go_blind(call: "Call", leg: Leg, referral: Referral, stays: Leg) -> None:
    """To a number. What is to be replaced there is none of ours: only the party's own side can know it."""
    number = number_of(referral.target)
    plan = onward.plan_for(call, leg, referral.target)
    if referral.replaces is not None:
        plan = replace(plan, attempts=tuple(one for one in plan.attempts if onward.is_of(one, leg.party)))
    if not plan.attempts:
        referral.refuse(plan.refusal or NOT_FOUND)
        return
    referral.accept()
    lines = () if referral.replaces is None else (("Replaces", str(referral.replaces)),)
    by = _name_of(call, leg)
    call.post(Input.TRANSFER, Transfer(stays, leg, number, plan, by, referral, headers=lines))


def refuse(call: "Call", _what: Input, heard: Heard) -> None:
    """Not now: nobody has answered yet, or another transfer is under way."""
    referral: Referral = heard.data
    referral.refuse(PENDING if call.transfer is not None else NOBODY)


# ---- while it is dialled ----


def begin(call: "Call", _what: Input, transfer: Transfer) -> None:
    call.transfer = transfer
    if transfer.leaver is None:  # the engine itself was the other side
        playing.leave(call, transfer.stays)
        call.end_join()
    transfer.roles, call.roles = call.roles, {Role.CALLER: transfer.stays}
    if transfer.leaver is not None and transfer.leaver.party.user:
        call.services.limits.share(transfer.id, transfer.leaver.id)
    if transfer.taken is not None:
        _take_over(call, transfer, transfer.taken)
        return
    plan = transfer.plan
    call.services.take_turns(plan)
    call.emit("call.routed", route=plan.route, attempts=[one.why for one in plan.attempts], why=list(plan.why))
    call.dialer = Dialer(plan.attempts, call.services.registrations.contacts)
    go(call, call.dialer.first())


def _take_over(call: "Call", transfer: Transfer, other: "Call") -> None:
    """The legs that ring for the other call ring for this one, and that call is over."""
    transfer.taken = None
    other.end_join()
    call.dialer, call.failures = other.dialer, other.failures
    for branch in list(other.branches.values()):
        leg = branch.leg
        for timer in TIMERS:
            other.disarm(timer, leg=leg)
        call.branches[leg.id] = other.branches.pop(leg.id)
        moving.hand(leg, other, call, Role.CALLEE)
        if leg.rang:
            report_progress(call, Input.CALLEE_RINGING, Heard(leg, RINGING))
        else:
            call.arm(Input.NO_PROGRESS, branch.side.progress_timeout_s, Heard(leg))
    moving.link(call, other)
    other.post(Input.TRANSFERRED)


def report_progress(call: "Call", _what: Input, heard: Heard) -> None:
    """The target rings: who transfers is told so, the leg that waits alone hears it."""
    leg = heard.leg
    for timer in TIMERS:
        call.disarm(timer, leg=leg)
    branch = call.branches.get(leg.id)
    if branch is not None and not call.is_armed(Input.NO_ANSWER):
        call.arm(Input.NO_ANSWER, branch.attempt.timeout_s)
    if call.transfer is not None:
        call.transfer.tell(RINGING)
    if call.join is None and call.caller.is_answered:
        _let_hear(call, leg)


def hear_target(call: "Call", _what: Input, leg: Leg) -> None:
    """Its first packet: who waits alone hears it."""
    if call.join is None and leg.id in call.branches and leg.rang:
        _let_hear(call, leg)


def _let_hear(call: "Call", leg: Leg) -> None:
    if ringing.has_early_media(leg):
        ringing.hear_leg(call, leg)
    else:
        entertain(call, call.caller, call.world.ringback[call.tenant])


def let_leaver_go(call: "Call", _what: Input, heard: Heard) -> None:
    """Who transfers hangs up before the target has answered: the other side waits alone from now on."""
    if call.transfer is not None:
        call.transfer.leaver = None
    call.end_join()
    if heard.leg in call.legs:
        call.let_go(heard.leg)
    rang = [leg for leg in call.dialled if leg.rang]
    if rang:
        _let_hear(call, rang[-1])


# ---- how it ends ----


def hand_over(call: "Call", what: Input, data: Any) -> None:
    """The target has answered: who transferred is told, and hung up. A user's channel stays taken where the target is
    outside, so that transfers get nobody more calls than the user may have.
    """
    transfer, call.transfer = call.transfer, None
    if transfer is None:
        return
    target: Leg | None = data.leg if what is Input.CALLEE_ANSWERED else None
    limits = call.services.limits
    if target is not None and target.party.trunk:
        limits.share(target.id, transfer.id)
    limits.release(transfer.id)
    call.emit(
        "call.transferred",
        leg=transfer.stays.id,
        target=transfer.target,
        by=transfer.by,
        to=None if target is None else target.id,
        other=None,
    )
    transfer.tell(200)
    if transfer.leaver is not None:
        call.end_join()
        _hang_up(call, transfer.leaver)


def _hang_up(call: "Call", leaver: Leg) -> None:
    """Who transferred has left; a leg that was lent goes on in its own call."""
    if leaver in call.legs:
        leaver.hang_up(NORMAL)
        call.let_go(leaver)


def fail(call: "Call", _what: Input, step: GiveUp) -> None:
    """No place is left to try."""
    transfer = call.transfer
    if transfer is None:
        return
    transfer.tell(step.status)
    call.emit("call.transfer_failed", leg=transfer.stays.id, target=transfer.target, by=transfer.by, status=step.status)
    call.post(Input.ABANDONED if transfer.leaver is None else Input.RETURN, step)


def go_back(call: "Call", _what: Input, _step: GiveUp) -> None:
    """Everything stands as it was before."""
    transfer, call.transfer = call.transfer, None
    if transfer is not None:
        call.roles = transfer.roles
        call.services.limits.release(transfer.id)


def drop(call: "Call", _what: Input, _data: Any) -> None:
    """The call ends while it is under way: nobody is left to be transferred."""
    transfer = call.transfer
    if transfer is None:
        return
    transfer.tell(TERMINATED)
    if transfer.leaver is not None and transfer.leaver in call.legs:
        transfer.leaver.hang_up(NORMAL)
