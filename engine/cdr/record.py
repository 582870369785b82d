"""What is remembered of a call, as values. One `CallRecord` per call, one `LegRecord` per leg, whatever happened.

Moments are UTC milliseconds since 1970, None where the thing did not happen. Durations come from the monotonic clock of
whoever measured them, so that a stepped wall clock never bills anybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

from santral.engine import utc

BILLING_UNIT_S: Final = 60
ENGINE_LOST: Final = "engine_lost"  # cause of a call found unfinished at start
TEMPORARY_FAILURE_Q850: Final = 41  # ITU-T Q.850: temporary failure

MOMENTS: Final = frozenset({"started", "ringing", "answered", "ended"})


def billed_seconds(answered_for_ms: int | None, unit_s: int = BILLING_UNIT_S) -> int:
    """Round the time since the answer up to whole units; an unanswered call (None) bills nothing, 0 ms one unit."""
    if answered_for_ms is None:
        return 0
    return max(1, -(-answered_for_ms // (unit_s * 1000))) * unit_s


@dataclass(frozen=True, slots=True)
class CallOpen:
    """What is known when a call starts: written at once, so that a killed engine still leaves a trace of it."""

    id: str
    node: str
    tenant: str
    trunk_in: str
    caller: str
    called: str
    started: int
    leg: str  # id of the originating leg
    sip_call_id: str = ""
    linked: str | None = None  # id shared by calls that belong together; the call's own id when it stands alone
    parent: str | None = None  # the call this one was made from
    custom: Mapping[str, Any] = field(default_factory=dict)
    x_headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LegRecord:
    """One leg. Packet figures are those of the media plane at the end; ratings (E-model, G.107) stay None where nothing
    was measured or the codec has no factors. `remote_` is what the peer hears of us, as its reports say.
    """

    id: str
    role: Literal["originating", "connected"]
    direction: Literal["in", "out"]
    started: int
    trunk: str = ""
    sip_call_id: str = ""
    target: str = ""  # where an outgoing leg was sent, as `udp:192.0.2.10:5060`
    status: int | None = None  # final SIP status of its INVITE
    q850: int | None = None
    codec: str = ""
    ringing: int | None = None
    answered: int | None = None
    ended: int | None = None
    packets_in: int = 0
    packets_out: int = 0
    lost: int = 0
    late: int = 0
    dropped_source: int = 0
    jitter_ms: float | None = None
    rtt_ms: float | None = None
    mos: float | None = None
    r: float | None = None
    loss: float | None = None  # 0 to 1
    bursts: int = 0
    remote_lost: int | None = None
    remote_jitter_ms: float | None = None
    remote_r: float | None = None
    remote_mos: float | None = None


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call, complete. `duration_ms` counts from start to end, `billed_s` from answer to end in whole units."""

    id: str
    node: str
    tenant: str
    started: int
    ended: int
    cause: str
    trunk_in: str = ""
    trunk_out: str = ""
    caller: str = ""
    called: str = ""
    route: str = ""
    plan: tuple[str, ...] = ()  # reasons of every choice, in order
    ringing: int | None = None
    answered: int | None = None
    status: int | None = None  # what the caller was told
    q850: int | None = None
    hung_up_by: str = ""
    duration_ms: int = 0
    billed_s: int = 0
    queue: str = ""  # the last it waited in
    agent: str = ""  # the last it spoke to
    waited_ms: int | None = None  # in queues, until it heard an agent or left them
    linked: str | None = None
    parent: str | None = None
    custom: Mapping[str, Any] = field(default_factory=dict)
    x_headers: Mapping[str, str] = field(default_factory=dict)
    recordings: tuple[str, ...] = ()
    legs: tuple[LegRecord, ...] = ()


def lost_call(found: CallOpen, answered: int | None, alive: int) -> CallRecord:
    """Close a call that a killed engine left open: it ended when that engine was last known alive.

    `answered` and `alive` are UTC milliseconds. A wall clock that stepped back between never gives a negative duration.
    """
    ended = max(found.started, answered or 0, alive)
    leg = LegRecord(
        id=found.leg,
        role="originating",
        direction="in",
        started=found.started,
        trunk=found.trunk_in,
        sip_call_id=found.sip_call_id,
        q850=TEMPORARY_FAILURE_Q850,
        answered=answered,
        ended=ended,
    )
    return CallRecord(
        id=found.id,
        node=found.node,
        tenant=found.tenant,
        started=found.started,
        ended=ended,
        cause=ENGINE_LOST,
        trunk_in=found.trunk_in,
        caller=found.caller,
        called=found.called,
        answered=answered,
        q850=TEMPORARY_FAILURE_Q850,
        hung_up_by="engine",
        duration_ms=ended - found.started,
        billed_s=billed_seconds(None if answered is None else ended - answered),
        linked=found.linked,
        parent=found.parent,
        custom=found.custom,
        x_headers=found.x_headers,
        legs=(leg,),
    )


def as_map(record: CallRecord | LegRecord) -> dict[str, Any]:
    """Show a record as control clients and logs see it: moments as UTC text, tuples as lists."""
    shown: dict[str, Any] = {}
    for each in fields(record):
        value = getattr(record, each.name)
        if each.name in MOMENTS:
            value = None if value is None else utc.text_of(value)
        elif each.name == "legs":
            value = [as_map(leg) for leg in value]
        elif isinstance(value, tuple):
            value = list(value)
        elif isinstance(value, Mapping):
            value = dict(value)
        shown[each.name] = value
    return shown
