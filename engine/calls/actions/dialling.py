"""Dialling: one attempt of the plan at a time, on one leg or on several at once (a user's phones).

Each dialled leg is a `Branch`. A branch that fails on its path goes on to the next hop of its target (RFC 3263 4.3);
an attempt has failed when no branch is left. The first leg that answers wins, the others are cancelled.
"""

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from santral.engine.calls import negotiation, outgoing
from santral.engine.calls.actions.beginning import OWN_OVERLOAD, OWN_OVERLOAD_RETRY_S, go, open_media
from santral.engine.calls.actions.branches import Branch, Way, give_up
from santral.engine.calls.actions.redirecting import follow
from santral.engine.calls.crossing import Outbound, Presented
from santral.engine.calls.dialer import Dial, Failure, Fault, best, may_try_elsewhere
from santral.engine.calls.leg import Leg, Role
from santral.engine.calls.table import Heard, Input, State
from santral.engine.calls.waiting import entertain
from santral.engine.limits import Refusal
from santral.engine.media import PortsExhausted
from santral.routing.plan import DialAddress, Dialled, DialTrunk, DialUser
from santral.sip.errors import NotAcceptable
from santral.sip.events import Hop
from santral.sip.offer_answer import Codec
from santral.sip.uri import Uri

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.world import TrunkSide

FAULTS: Final = {Input.NO_TRY: Fault.NO_TRY, Input.NO_PROGRESS: Fault.NO_PROGRESS}
GLOBAL_FAILURE: Final = 600  # and above: no other place can be better (RFC 3261 21.6)


def dial(call: "Call", _what: Input, step: Dial) -> None:
    call.failures.clear()
    wanted = call.originating
    lines = wanted.lines if wanted is not None and call.state is State.ORIGINATING else ()
    dial_all(call, step, Way(diverted=step.diverted, lines=lines))


def dial_all(call: "Call", step: Dial, way: Way) -> None:
    """A leg for each target of this step. Any of them may fail at once."""
    for contact in step.contacts:
        add_branch(call, step.attempt, contact.uri, deque((contact.hop,)), replace(way, contact=contact))
    for target in () if step.contacts else step.targets:
        add_branch(call, step.attempt, target, None, way)


def add_branch(call: "Call", attempt: Dialled, target: str, hops: deque[Hop] | None, way: Way) -> None:
    """A leg for this target: channel, look-up of its name unless its hops are known, media, offer, INVITE."""
    side = call.world.side_of(attempt)
    leg = Leg(Role.CALLEE, side.party, call.services.signalling, call.hear)
    leg.target = target
    leg.presented = _called(call, attempt, side)
    leg.max_forwards = call.caller.max_forwards - 1
    branch = Branch(attempt, side, target, leg, way)
    call.branches[leg.id] = branch
    exempt = isinstance(attempt, DialTrunk) and attempt.is_emergency
    limits, now = call.services.limits, call.services.signalling.now()
    group = call.id if way.contact is not None else None  # all the phones of a user take one channel
    refusal = None if exempt else limits.take_channel(leg.id, side.name, now, group)
    if refusal is not None:
        call.post(Input.CALLEE_FAILED, Heard(leg, _full(call, side, refusal)))
        return
    if not way.agent:
        call.services.queues.dialled(call, leg, attempt)
    call.add_leg(leg)
    call.emit("leg.started", leg=leg.id, role=leg.role.value, trunk=side.name, target=target)
    if hops is None:
        known = call.services.locator.hops_now(target, side.party.interface, side.tls_profile)
        if known is None:
            call.spawn(_locate(call, branch))
            return
        hops = deque(known)
    branch.hops = hops
    invite(call, Input.LOCATED, branch)


def _called(call: "Call", attempt: Dialled, side: "TrunkSide") -> Presented:
    """Who is called, should the call go on from there to somebody else."""
    if isinstance(attempt, DialTrunk):
        number = side.party.policy.numbering.read(attempt.called)
    elif isinstance(attempt, DialAddress):
        number = attempt.called
    else:
        number = call.world.users[attempt.user].name
    return Presented(number, number, number, is_asserted=True)


def _full(call: "Call", side: "TrunkSide", refusal: Refusal) -> Failure:
    """The far trunk has no room: its own answer for its channels, our overload for calls per second."""
    if refusal.reason == "user_channels":
        return Failure(Fault.FULL, side.full_status)
    if refusal.reason != "trunk_channels":
        return Failure(Fault.FULL, OWN_OVERLOAD, retry_after_s=refusal.retry_after_s)
    call.emit("trunk.full", trunk=side.name, channels=call.services.limits.channels(side.name))
    return Failure(Fault.FULL, side.full_status)


def _wanted_from(call: "Call", side: "TrunkSide") -> tuple[tuple[Codec, ...], str]:
    """Codecs and direction of our offer to a callee. Where early media has settled the caller's answer, that codec
    comes first.
    """
    caller = call.caller
    codecs = negotiation.offer_to_far_end(caller.remote, caller.party, side.party)
    if caller.agreement is not None:
        settled = caller.agreement.audio.key
        codecs = tuple(sorted(codecs, key=lambda codec: codec.key != settled))
    if caller.is_answered:
        return codecs, caller.wish  # it may be held by somebody who leaves the call
    return codecs, "sendrecv" if caller.remote is None else caller.remote.direction


async def _locate(call: "Call", branch: Branch) -> None:
    """Look the target's name up; whether anybody still waits for it is decided when the answer is there."""
    side = branch.side
    branch.hops.extend(await call.services.locator.hops(branch.target, side.party.interface, side.tls_profile))
    call.post(Input.LOCATED, branch)


def _prepare(call: "Call", branch: Branch) -> Failure | None:
    """Media and offer of a leg whose peer is known by now; what stands in the way."""
    leg, side = branch.leg, branch.side
    try:
        open_media(call, leg)
        wanted = _wanted_from(call, side)
        if side.late_offer:
            leg.sdp.await_offer(*wanted)
        else:
            branch.offer = leg.offer(*wanted)
    except (PortsExhausted, OSError) as problem:
        call.log.error("no media for the callee", trunk=side.name, error=str(problem))
        return Failure(Fault.NO_PORTS, retry_after_s=OWN_OVERLOAD_RETRY_S)
    except NotAcceptable as problem:
        return Failure(Fault.REFUSED, problem.status)
    return None


def invite(call: "Call", _what: Input, branch: Branch) -> None:
    """Open media that this hop can reach, send the INVITE there, and give it so long to say something."""
    leg, side = branch.leg, branch.side
    if leg.id not in call.branches:
        return
    if not branch.hops:
        call.post(Input.CALLEE_FAILED, Heard(leg, Failure(Fault.UNREACHABLE)))
        return
    hop = branch.hops.popleft()
    if isinstance(branch.attempt, DialAddress) and not call.world.may_reach(hop.host):
        call.log.warning("an address outside sip.dial_networks, or a trunk's", target=branch.target, host=hop.host)
        call.post(Input.CALLEE_FAILED, Heard(leg, Failure(Fault.UNREACHABLE)))
        return
    leg.face(hop.host)
    problem = _prepare(call, branch)
    if problem is not None:
        call.post(Input.CALLEE_FAILED, Heard(leg, problem))
        return
    call.arm(Input.NO_TRY, side.try_timeout_s, Heard(leg))
    call.arm(Input.NO_PROGRESS, side.progress_timeout_s, Heard(leg))
    lines = branch.way.lines if call.transfer is None else call.transfer.headers
    out = _outbound(call, branch)
    wanted = outgoing.Invite(call.caller, leg, out, branch.offer, branch.side.name, branch.way.contact, lines)
    outgoing.send(wanted, hop, call.services)


def _outbound(call: "Call", branch: Branch) -> Outbound:
    """Where the branch's INVITE goes, and the name of the number it shows, where that is the tenant's own."""
    attempt = branch.attempt
    row = call.world.table.numbers.get(call.caller.presented.shown)
    return Outbound(
        called=call.facts.called if isinstance(attempt, DialUser) else attempt.called,
        caller=attempt.caller if isinstance(attempt, DialTrunk) else None,
        target=Uri.parse(branch.target),
        call=call.id,
        tenant=call.tenant,
        trunk=branch.side.name,
        diverted=branch.way.diverted,
        caller_name=row.caller_name if row is not None and row.tenant == call.tenant else "",
    )


# ---- the end of a branch, and of an attempt ----


def drop_branch(call: "Call", what: Input, heard: Heard) -> None:
    """One leg failed, as it said itself or as its timer says. The next hop of its target may do better; when no leg of
    the attempt is left, the attempt has failed.
    """
    branch = call.branches.get(heard.leg.id)
    failure = fail_branch(call, what, heard)
    if branch is None or failure is None:
        return
    if failure.contacts:
        failure = follow(call, branch, failure)
    call.failures.append(failure)
    if failure.status >= GLOBAL_FAILURE:
        give_up(call, call.dialled)
    if not call.branches:
        call.post(Input.ATTEMPT_FAILED, best(call.failures))


def fail_branch(call: "Call", what: Input, heard: Heard) -> Failure | None:
    """Give this branch up, and why; None when it was none any more, or the next hop of its target is tried."""
    leg, said = heard
    branch = call.branches.get(leg.id)
    if branch is None:
        return None
    failure = said if isinstance(said, Failure) else Failure(FAULTS.get(what, Fault.NO_PROGRESS), rang=leg.rang)
    give_up(call, (leg,))
    if branch.hops and may_try_elsewhere(failure):
        add_branch(call, branch.attempt, branch.target, branch.hops, branch.way)
        return None
    return failure


def drop_attempt(call: "Call", _what: Input, _data: Any) -> None:
    """It rang for its whole time: everything that rings is cancelled."""
    give_up(call, call.dialled)


def take_next_step(call: "Call", what: Input, data: Any) -> None:
    """After an attempt has failed, as its failure says or the timer that ran out means."""
    failure = data if what is Input.ATTEMPT_FAILED else Failure(Fault.NO_ANSWER, rang=True)
    give_up(call, call.dialled)
    call.disarm(Input.NO_ANSWER)
    entertain(call, call.caller, None)
    go(call, call.dialer.after(failure))
