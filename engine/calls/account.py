"""What is remembered of a call: its open row, its record, and its picture for control clients."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from santral.engine import utc
from santral.engine.calls.leg import Leg, Role
from santral.engine.cdr.record import CallOpen, CallRecord, LegRecord, billed_seconds
from santral.sip.reasons import q850_from_status

if TYPE_CHECKING:
    from santral.engine.calls.call import Call

INTERNAL_ERROR: Final = "internal_error"
NORMAL_CLEARING: Final = 16  # Q.850
END_CAUSES: Final = {"bye": "normal", "no_ack": "no_ack", "lost": "lost", "no_answer": "no_media_answer"}
REFUSAL_CAUSES: Final = {
    300: "redirected",
    301: "redirected",
    302: "redirected",
    403: "forbidden",
    404: "not_found",
    408: "no_answer",
    480: "no_answer",
    486: "busy",
    487: "cancelled",
    488: "not_acceptable",
    502: "unreachable",
    503: "congestion",
    504: "unreachable",
    600: "busy",
    603: "declined",
}


@dataclass(slots=True)
class Outcome:
    """Why the call ended and by whom; the first word counts."""

    cause: str = ""
    by: str = ""

    def end(self, cause: str, by: str) -> None:
        if not self.cause:
            self.cause, self.by = cause, by


@dataclass(slots=True)
class Service:
    """What queues have done for a call: the last it waited in, the last agent it spoke to, and how long it waited."""

    queue: str = ""
    agent: str = ""
    waited_ms: int | None = None

    def waits(self, seconds: float) -> None:
        """So long it has waited in one more queue."""
        self.waited_ms = (self.waited_ms or 0) + round(1000 * seconds)


def end_cause(how: str) -> str:
    """The record's cause for how a leg ended."""
    return END_CAUSES.get(how, how or "normal")


def refusal_cause(status: int) -> str:
    """The record's cause for the status the caller was refused with."""
    return REFUSAL_CAUSES.get(status, "refused")


def ties(call: "Call") -> dict[str, Any]:
    """What connects a call with others and with what lies outside: in its events, its record and its picture."""
    return {
        "linked": call.linked,
        "parent": call.parent,
        "custom": dict(call.custom),
        "x_headers": dict(call.origin.presented.x_headers),
    }


def opened(call: "Call", node: str) -> CallOpen:
    caller = call.caller
    return CallOpen(
        id=call.id,
        node=node,
        tenant=call.tenant,
        trunk_in=call.facts.source,
        caller=call.facts.caller,
        called=call.facts.called,
        started=caller.times.started,
        leg=caller.id,
        sip_call_id=caller.sip_call_id,
        **ties(call),
    )


def closed(call: "Call", node: str) -> CallRecord:
    """The record of a call whose legs are all closed."""
    caller, connected = call.origin, call.callee
    ended = max((leg.times.ended for leg in call.legs if leg.times.ended is not None), default=utc.now_ms())
    answered = caller.times.answered
    status = caller.status
    answered_for_ms = None if answered is None else max(0, ended - answered)
    last = connected or (call.legs[-1] if len(call.legs) > 1 else None)
    return CallRecord(
        id=call.id,
        node=node,
        tenant=call.tenant,
        started=caller.times.started,
        ended=ended,
        cause=call.outcome.cause or "normal",
        trunk_in=call.facts.source,
        trunk_out="" if last is None or (answered is not None and connected is None) else last.party.name,
        caller=call.facts.caller,
        called=call.facts.called,
        route=call.plan.route or "",
        plan=call.plan.why,
        ringing=min((leg.times.ringing for leg in call.legs if leg.times.ringing is not None), default=None),
        answered=answered,
        status=status,
        q850=_q850(caller),
        hung_up_by=call.outcome.by,
        duration_ms=max(0, ended - caller.times.started),
        billed_s=billed_seconds(answered_for_ms),
        queue=call.service.queue,
        agent=call.service.agent,
        waited_ms=call.service.waited_ms,
        recordings=tuple(call.recordings),
        **ties(call),
        legs=tuple(leg_record(leg) for leg in call.legs),
    )


def leg_record(leg: Leg) -> LegRecord:
    stats = leg.stats
    return LegRecord(
        id=leg.id,
        role=leg.role.value,
        direction="in" if leg.is_incoming else "out",
        started=leg.times.started,
        trunk=leg.party.name,
        sip_call_id=leg.sip_call_id,
        target=leg.target,
        status=leg.status,
        q850=_q850(leg),
        codec=leg.agreement.audio.name if leg.agreement is not None else "",
        ringing=leg.times.ringing,
        answered=leg.times.answered,
        ended=leg.times.ended,
        packets_in=stats.packets_in if stats else 0,
        packets_out=stats.packets_out if stats else 0,
        lost=stats.lost if stats else 0,
        late=stats.late if stats else 0,
        dropped_source=stats.dropped_source if stats else 0,
        jitter_ms=stats.jitter_ms if stats and stats.packets_in else None,
        rtt_ms=stats.rtt_ms if stats else None,
        mos=stats.mos if stats else None,
        r=stats.r if stats else None,
        loss=stats.loss if stats else None,
        bursts=stats.bursts if stats else 0,
        remote_lost=stats.remote_lost if stats else None,
        remote_jitter_ms=stats.remote_jitter_ms if stats else None,
        remote_r=stats.remote_r if stats else None,
        remote_mos=stats.remote_mos if stats else None,
    )


def snapshot(call: "Call") -> dict[str, Any]:
    """The call as it stands: MessagePack values only."""
    facts, times = call.facts, call.origin.times
    return {
        "id": call.id,
        "tenant": call.tenant,
        "state": call.state.value,
        "trunk": facts.source,
        "caller": facts.caller,
        "called": facts.called,
        "route": call.plan.route,
        "plan": list(call.plan.why),
        **ties(call),
        "queue": call.service.queue or None,
        "agent": call.service.agent or None,
        "started": utc.text_of(times.started),
        "answered": None if times.answered is None else utc.text_of(times.answered),
        "recordings": list(call.recordings),
        "masked": call.is_masked,
        "legs": [leg_snapshot(leg) for leg in call.legs],
    }


def leg_snapshot(leg: Leg) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": leg.id,
        "role": leg.role.value,
        "trunk": leg.party.name,
        "target": leg.target,
        "sip_call_id": leg.sip_call_id,
        "open": leg.is_open,
        "muted": leg.is_muted,
        "waits": leg.waits,
        "status": leg.status,
        "codec": leg.agreement.audio.name if leg.agreement is not None else None,
        "direction": leg.remote.direction if leg.remote is not None else None,
    }
    stats = leg.stats or (leg.media.stats() if leg.media is not None else None)
    if stats is not None:
        shown["media"] = {
            "packets_in": stats.packets_in,
            "packets_out": stats.packets_out,
            "lost": stats.lost,
            "late": stats.late,
            "dropped_source": stats.dropped_source,
            "jitter_ms": stats.jitter_ms,
            "rtt_ms": stats.rtt_ms,
            "loss": stats.loss,
            "r": stats.r,
            "mos": stats.mos,
            "remote_r": stats.remote_r,
            "remote_mos": stats.remote_mos,
            "remote": list(stats.remote) if stats.remote is not None else None,
            "locked": stats.locked,
        }
    return shown


def leg_cause(leg: LegRecord, call: CallRecord) -> str:
    """Why a leg ended: with its call, or before it, refused or given up."""
    if leg.role == Role.CALLER.value or leg.answered is not None or leg.status is None:
        return call.cause
    return refusal_cause(leg.status)


def _q850(leg: Leg) -> int | None:
    """What a Reason said, else what the answer to its INVITE comes to."""
    if leg.q850 is not None:
        return leg.q850
    if leg.times.answered is not None:
        return NORMAL_CLEARING
    return None if leg.status is None else q850_from_status(leg.status)
