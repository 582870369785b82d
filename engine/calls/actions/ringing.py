"""What the caller hears and is told while legs ring: progress, early media, ringback (RFC 3960; rule 14).

The caller sees one early dialog and one answer whatever rings: the newest leg with a description and audio is heard.
"""

from typing import TYPE_CHECKING, Any, Final

from santral.engine.calls.actions import connecting
from santral.engine.calls.actions.branches import TIMERS
from santral.engine.calls.crossing import connected, early_media
from santral.engine.calls.leg import HeaderLines, Leg
from santral.engine.calls.table import Heard, Input
from santral.engine.calls.waiting import entertain

RINGING: Final = 180
PERMITTED: Final = frozenset({"sendrecv", "sendonly"})  # P-Early-Media that lets its sender be heard (RFC 5009)

if TYPE_CHECKING:
    from santral.engine.calls.call import Call


def stop_try_timer(call: "Call", _what: Input, heard: Heard) -> None:
    call.disarm(Input.NO_TRY, leg=heard.leg)


def carry_progress(call: "Call", _what: Input, heard: Heard) -> None:
    """A far end rings: tell the caller, with early media once the far end described any. A caller who is answered
    already cannot be told: it hears ringback from us.
    """
    leg, status = heard
    for timer in TIMERS:
        call.disarm(timer, leg=leg)
    branch = call.branches.get(leg.id)
    if branch is not None and not call.is_armed(Input.NO_ANSWER):
        call.arm(Input.NO_ANSWER, branch.attempt.timeout_s)
    caller, lines = call.caller, connected(leg.response, leg.party.policy, call.caller.party.policy, call.id)
    if has_early_media(leg):
        if not caller.is_late and (call.join is None or leg in call.join.legs):
            hear_leg(call, leg)
        elif caller.is_late and caller.progresses_reliably:
            caller.offer_once(leg.agreed.ours, leg.peer.direction)
        lines = (*lines, *_permission(caller))
    if not caller.is_answered:
        caller.progress(status, lines)
    elif call.join is None:
        entertain(call, caller, call.world.ringback[call.tenant])


def ring_caller(call: "Call", _what: Input, _data: Any) -> None:
    """By command: the caller is told that it rings, whatever does."""
    call.caller.progress(RINGING)
    call.emit("leg.ringing", leg=call.caller.id, status=RINGING)


def _permission(caller: Leg) -> HeaderLines:
    """P-Early-Media to a trusted caller that has said that it knows it (RFC 5009 section 5)."""
    if caller.session is None or not caller.is_incoming:
        return ()
    known = early_media(caller.session.request, caller.party.policy)
    return (("P-Early-Media", "sendrecv"),) if known is not None and known.supported else ()


def hear_audio(call: "Call", _what: Input, leg: Leg) -> None:
    """The first packet of a leg that rings: it is the newest with audio, so it is heard from now on."""
    if leg.id in call.branches and has_early_media(leg) and not call.caller.is_late:
        hear_leg(call, leg)


def hear_another(call: "Call", _what: Input, _data: Any) -> None:
    """Nobody is heard, as who was has gone or the caller was not ready: the newest that can be heard now is."""
    if call.join is None and not call.caller.is_late:
        for leg in reversed(call.dialled):
            if has_early_media(leg):
                hear_leg(call, leg)
                return


def hear_leg(call: "Call", leg: Leg) -> None:
    """Let the caller hear this leg, with the one answer it gets. Another codec than that one is asked for by UPDATE
    where the caller can be asked now; else the media plane converts.
    """
    if not call.caller.is_answered:
        connecting.answer_caller_with(call, leg)
    connecting.bridge(call, leg).align()


def has_early_media(leg: Leg) -> bool:
    """Its peer described its audio, and where its trunk is trusted to say so, it may be heard (RFC 5009)."""
    if leg.agreement is None:
        return False
    said = None if leg.response is None else early_media(leg.response, leg.party.policy)
    return said is None or not said.directions or said.directions[0] in PERMITTED
