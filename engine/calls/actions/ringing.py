"""What the caller hears and is told while legs ring: progress, early media, ringback (RFC 3960; rule 14).

The caller sees one early dialog and one answer whatever rings: the newest leg with a description and audio is heard.
"""

from typing import TYPE_CHECKING, Any

from santral.engine.calls.actions import connecting
from santral.engine.calls.actions.branches import TIMERS
from santral.engine.calls.crossing import connected
from santral.engine.calls.leg import Leg
from santral.engine.calls.table import Heard, Input
from santral.engine.calls.waiting import entertain

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
    if has_early_media(call, leg) and call.join is None:
        hear_leg(call, leg)
    if not call.caller.is_answered:
        call.caller.progress(status, connected(leg.response, leg.party.policy, call.caller.party.policy, call.id))
    elif call.join is None:
        entertain(call, call.caller, call.world.ringback[call.tenant])


def hear_audio(call: "Call", _what: Input, leg: Leg) -> None:
    """The first packet of a leg that rings: it is the newest with audio, so it is heard from now on."""
    if leg.id in call.branches and has_early_media(call, leg):
        hear_leg(call, leg)


def hear_leg(call: "Call", leg: Leg) -> None:
    if not call.caller.is_answered:
        connecting.answer_caller_with(call, leg)
    connecting.bridge(call, leg)


def hear_another(call: "Call", _what: Input, _data: Any) -> None:
    """Who was heard has gone: the newest of those that still ring with early media is heard instead."""
    if call.join is None:
        for leg in reversed(call.dialled):
            if has_early_media(call, leg):
                hear_leg(call, leg)
                return


def has_early_media(call: "Call", leg: Leg) -> bool:
    """Its peer described its audio, and the caller can be given any: our offer to a late one is in its 200."""
    return leg.agreement is not None and not call.caller.is_late
