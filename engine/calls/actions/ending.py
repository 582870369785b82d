"""Ending a call: who is told what, what is given back, and the record."""

from typing import TYPE_CHECKING, Any, Final

from santral.engine.calls import account
from santral.engine.calls.dialer import GiveUp
from santral.engine.calls.leg import Leg
from santral.engine.calls.leg.model import HeaderLines
from santral.engine.calls.table import Heard, Input
from santral.engine.cdr.record import CallRecord
from santral.sip.uri import Uri, escape_user

if TYPE_CHECKING:
    from santral.engine.calls.call import Call

TERMINATED: Final = 'SIP;cause=487;text="Request Terminated"'
NORMAL: Final = ("Q.850;cause=16",)  # normal call clearing
RECOVERY: Final = ("Q.850;cause=102",)  # recovery on timer expiry
BY_COMMAND_STATUS: Final = 603
INTERNAL_ERROR_STATUS: Final = 500
TIMED_OUT: Final = {Input.MEDIA_LOST: "media_timeout", Input.TOO_LONG: "max_duration"}


def refuse_caller(call: "Call", _what: Input, step: GiveUp) -> None:
    headers: HeaderLines = () if step.retry_after_s is None else (("Retry-After", str(step.retry_after_s)),)
    if step.contacts:
        headers = tuple(("Contact", f"<{_address(call.caller, number)}>") for number in step.contacts)
    call.outcome.end(account.refusal_cause(step.status), step.by)
    if call.caller.is_answered:
        call.caller.hang_up(step.reasons)
        return
    call.caller.reject(step.status, step.reasons, headers)


def _address(caller: Leg, number: str) -> Uri:
    """A number as the caller is to dial it: at our own host, whatever the redirect named."""
    policy = caller.party.policy
    return Uri(user=escape_user(policy.numbering.write(number)), host=policy.host)


def refuse_by_command(call: "Call", _what: Input, data: tuple[int | None, str]) -> None:
    status, by = data
    call.outcome.end("hung_up", by)
    if call.caller.is_answered:
        call.caller.hang_up(NORMAL)
        return
    call.caller.reject(status or BY_COMMAND_STATUS, NORMAL)


def cancel_dialled(call: "Call", what: Input, data: Any) -> None:
    """The caller is gone before the answer: CANCEL, with the caller's reason or the usual one (RFC 3326)."""
    if what is Input.CALLER_ENDED:
        call.outcome.end(account.end_cause(data.data), "caller" if data.data == "bye" else "engine")
    elif what is Input.CALLER_CANCELLED:
        call.outcome.end("cancelled", "caller")
    reasons = data.data if what is Input.CALLER_CANCELLED and data.data else (TERMINATED,)
    for leg in call.dialled:
        leg.hang_up(reasons, told(call.caller, leg))


def hang_up_callee(call: "Call", what: Input, heard: Heard) -> None:
    """The caller's end; its CANCEL too, while our 200 waits for its PRACK."""
    if what is Input.CALLER_CANCELLED:
        call.outcome.end("cancelled", "caller")
        reasons = heard.data or NORMAL
    else:
        call.outcome.end(account.end_cause(heard.data), "caller" if heard.data == "bye" else "engine")
        reasons = said(heard.leg, heard.data)
    if call.callee is not None:
        call.callee.hang_up(reasons, told(heard.leg, call.callee))


def hang_up_caller(call: "Call", _what: Input, heard: Heard | None) -> None:
    """The callee's end, or the end of what the engine itself had to say."""
    if heard is None:
        call.outcome.end("normal", "engine")
        call.caller.hang_up(NORMAL)
        return
    cause = heard.data
    call.outcome.end(account.end_cause(cause), "callee" if cause == "bye" else "engine")
    call.caller.hang_up(said(heard.leg, cause), told(heard.leg, call.caller))


def said(leg: Leg, cause: str) -> tuple[str, ...]:
    """The Reason values for the other side: what the peer gave in its BYE, or what its end means (RFC 3326)."""
    if cause != "bye":
        return RECOVERY
    return leg.reasons or NORMAL


def told(leg: Leg, other: Leg) -> HeaderLines:
    """What the peer of `leg` said beside its reasons, as far as the other side takes part in it (RFC 7433)."""
    return leg.last_words if other.party.policy.user_to_user else ()


def hang_up_both(call: "Call", what: Input, data: Any) -> None:
    call.outcome.end(TIMED_OUT.get(what, "hung_up"), data[1] if what is Input.HANG_UP else "engine")
    for leg in call.roles.values():
        leg.hang_up(RECOVERY if what in TIMED_OUT else NORMAL)


def break_off(call: "Call", _what: Input, _data: Any) -> None:
    """Our own bug must not leave a call hanging: everyone is told, and the record says so."""
    call.outcome.end(account.INTERNAL_ERROR, "engine")
    caller = call.caller
    if caller.session is not None and caller.is_open and caller.is_incoming and not caller.is_answered:
        caller.reject(INTERNAL_ERROR_STATUS)
    for leg in call.legs:
        leg.hang_up()


def finish(call: "Call", _what: Input, _data: Any) -> None:
    """Over for everyone: limits are given back now, the record follows with the final counters."""
    call.is_finished = True
    call.disarm_all()
    call.services.queues.over(call)
    for collecting in list(call.collecting.values()):
        collecting.finish("ended")
    call.end_join()
    for leg in call.legs:
        leg.close()
    for leg in call.legs:
        call.services.queues.gone(leg)
    if call.transfer is not None:
        call.services.limits.release(call.transfer.id)
    call.services.limits.release(call.id, *(leg.id for leg in call.legs), *call.branches)
    call.spawn(_record(call))


async def _record(call: "Call") -> None:
    try:
        for leg in call.legs:  # all at once: the media thread is asked once
            leg.begin_closing_media()
        for leg in call.legs:
            await call.close_media(leg)
        _hand_over(call, account.closed(call, call.world.node))
    finally:
        call.forget()


def _hand_over(call: "Call", record: CallRecord) -> None:
    for leg in record.legs:
        call.emit("leg.ended", leg=leg.id, cause=account.leg_cause(leg, record), status=leg.status, q850=leg.q850)
    call.services.cdrs.call_ended(record)
    call.emit(
        "call.ended",
        cause=record.cause,
        status=record.status,
        hung_up_by=record.hung_up_by,
        duration_ms=record.duration_ms,
        **account.ties(call),
    )
    call.log.info(
        "call ended", cause=record.cause, status=record.status, by=record.hung_up_by, duration_ms=record.duration_ms
    )
