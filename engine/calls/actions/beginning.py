"""The first step of a call, and the way from a step of the plan to the input that carries it out."""

from typing import TYPE_CHECKING, Any, Final

from santral.engine.calls.dialer import AnswerHere, Dial, GiveUp, Step, Wait
from santral.engine.calls.table import Input
from santral.engine.media import PortsExhausted
from santral.routing.plan import DialTrunk

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.calls.leg import Leg

OWN_OVERLOAD_RETRY_S: Final = 5
OWN_OVERLOAD: Final = 503
NOT_RECORDED: Final = 486  # no licence for a recording that has to be: a limit, as that of channels
NO_LICENCE: Final = "recording_limit"  # cause in the record


def take_first_step(call: "Call", _what: Input, _data: Any) -> None:
    if call.plan.refusal is not None:
        go(call, GiveUp(call.plan.refusal))
        return
    if must_be_refused(call):
        go(call, GiveUp(NOT_RECORDED))
        return
    try:
        open_media(call, call.caller)
    except (PortsExhausted, OSError) as problem:
        call.log.error("no media for the caller", error=str(problem))
        go(call, GiveUp(OWN_OVERLOAD, retry_after_s=OWN_OVERLOAD_RETRY_S))
        return
    go(call, call.dialer.first())


def must_be_refused(call: "Call") -> bool:
    """It is to be recorded and cannot be; calls for help go on in any case."""
    if not call.services.recordings.refuses(call):
        return False
    if any(isinstance(one, DialTrunk) and one.is_emergency for one in call.plan.attempts):
        return False
    call.outcome.end(NO_LICENCE, "engine")
    return True


def go(call: "Call", step: Step) -> None:
    """Post the input that carries this step out."""
    match step:
        case Dial():
            call.post(Input.DIAL, step)
        case AnswerHere():
            call.post(Input.ANSWER_HERE, step)
        case Wait():
            call.post(Input.WAIT, step)
        case GiveUp():
            call.post(Input.GIVE_UP, step)


def open_media(call: "Call", leg: "Leg") -> None:
    """A port of ours for the leg's audio. Raises `PortsExhausted`; `OSError` when its address is not ours."""
    leg.sdp.open_media(call.services.plane.open_leg(leg.party.rtp_address), call.services.description_id())
    call.services.media_owners[leg.rtp.id] = (call, leg)
