"""Somebody else takes over a leg's place: an INVITE with Replaces (RFC 3891) to a dialog of ours."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from santral.engine.calls import negotiation
from santral.engine.calls.actions.beginning import OWN_OVERLOAD, open_media
from santral.engine.calls.actions.branches import Branch
from santral.engine.calls.actions.moving import NORMAL, keep_channel
from santral.engine.calls.crossing import STRANGER, connected
from santral.engine.calls.joins import Bridge
from santral.engine.calls.leg import Leg
from santral.engine.calls.negotiation import Agreement
from santral.engine.calls.table import Heard, Input
from santral.engine.media import PortsExhausted
from santral.sip.errors import NotAcceptable
from santral.sip.offer_answer import common

if TYPE_CHECKING:
    from santral.engine.calls.call import Call

NOBODY = 480  # nobody is there whose place could be taken


class Replacing(NamedTuple):
    """`new` wants to be where `gone` is. It is one of the call's legs afterwards, or refused."""

    gone: Leg
    new: Leg


def replace_leg(call: "Call", what: Input, replacing: Replacing) -> None:
    """In an answered call: whoever `gone` talked to hears `new` from now on."""
    gone, new = replacing
    role = next((role for role, leg in call.roles.items() if leg is gone), None)
    if role is None or not isinstance(call.join, Bridge) or gone not in call.join.legs:
        refuse(call, what, replacing)
        return
    stays = call.join.other(gone)
    if stays not in call.legs:
        refuse(call, what, replacing)  # it is only lent
        return
    if not _enter(call, new, (stays.agreed.audio.name,), stays.agreed):
        return
    call.end_join()
    keep_channel(call, gone, stays)
    gone.hang_up(NORMAL)
    call.let_go(gone)
    new.role, call.roles[role] = gone.role, new
    call.join = bridge = Bridge(call, stays, new)
    _answer(call, new)
    call.emit("call.transferred", leg=stays.id, target=new.presented.number, by="replaces", to=new.id, other=None)
    bridge.announce()
    bridge.align()


def pick_up(call: "Call", what: Input, replacing: Replacing) -> None:
    """While it rings at `gone`: the call is answered at `new`, and `gone` is told so."""
    gone, new = replacing
    branch = call.branches.get(gone.id)
    if branch is None:
        refuse(call, what, replacing)
        return
    offer, allowed = call.caller.remote, new.party.codecs
    if not _enter(call, new, allowed if offer is None else [one.name for one in common(offer.codecs, allowed)]):
        return
    call.branches[new.id] = Branch(branch.attempt, branch.side, new.target, new)
    _answer(call, new)
    call.post(Input.CALLEE_ANSWERED, Heard(new))


def refuse(_call: "Call", _what: Input, replacing: Replacing) -> None:
    """Not in this state."""
    replacing.new.reject(NOBODY)


def _has_events(new: Leg, other: Agreement) -> bool:
    return new.party.dtmf in negotiation.EVENTED and (other.has_events or new.party.dtmf == "rfc4733")


def _enter(call: "Call", new: Leg, codecs: Sequence[str], other: Agreement | None = None) -> bool:
    """Media and answer (or offer, where it sent none) of the leg that comes, for who stays with
    `other` agreed, if that is settled; False when it had to be refused."""
    try:
        open_media(call, new)
        if new.is_late:
            new.offer_once(negotiation.offer_alone(codecs[:1], new.party.dtmf), "sendrecv")
        elif other is not None:
            agreement = negotiation.answer_for(new.peer, new.party, other, events=_has_events(new, other))
            new.prepare_answer(agreement, "sendrecv")
        else:
            new.prepare_answer(negotiation.answer_locally(new.peer, codecs, new.party.dtmf), "sendrecv")
    except NotAcceptable as problem:
        new.reject(problem.status)
    except (PortsExhausted, OSError) as problem:
        call.log.error("no media for who takes over", error=str(problem))
        new.reject(OWN_OVERLOAD)
    else:
        call.add_leg(new)
        call.emit("leg.started", leg=new.id, role=new.role.value, trunk=new.party.name, target=new.target)
        return True
    if new.media is not None:
        call.spawn(call.close_media(new))
    return False


def _answer(call: "Call", new: Leg) -> None:
    new.answer(connected(None, STRANGER, new.party.policy, call.id))
    call.announce_answer(new)
