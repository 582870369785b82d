"""The node's events: numbered, kept in a bounded ring as packed bytes, replayed and followed by subscribers.

`emit` belongs to the engine's loop thread. A subscription holds no copy of anything: it is a position in the ring, so
a reader that does not keep up costs no memory and is told so when the ring has overtaken it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

import msgpack

from santral.engine import utc
from santral.engine.sequence import Numbers

EVENTS_KEPT: Final = 20_000  # replayable events per node
RING_BYTES: Final = 32 * 1024 * 1024  # … and their packed size at most
BATCH_EVENTS: Final = 256  # handed to a subscriber at once
SCAN_EVENTS: Final = 2_000  # looked at for one subscriber before others get their turn


@dataclass(frozen=True, slots=True)
class EventType:
    """One row of `EVENTS`: what it tells, and its fields beside those every event has."""

    tells: str
    fields: dict[str, str] = field(default_factory=dict)


TIES: Final = {"linked": "str", "parent": "str or nil", "custom": "map of str to str", "x_headers": "map of str to str"}

MANNERS: Final = {
    "muted": "bool",
    "deaf": "bool",
    "monitor": "bool",
    "gain_db": "float",
    "agc": "bool",
    "whisper_to": 'str: id of the only leg that hears it, "" for everybody',
}

WORK: Final = {"queue": "str", "work": "id: of the call, where it is one"}
RESERVED: Final = {"reservation": "id", **WORK, "kind": "str", "agent": "str"}
SUPERVISED: Final = {"agent": "str, or nil", "supervisor": "id of the supervisor's call"}
OF_MESSAGE: Final = {"message": "str", "queue": "str or nil: the last that the caller waited in"}
OF_RECORDING: Final = {"recording": "str", "recorded_call": "id of its call, or nil"}

EVENTS: Final[dict[str, EventType]] = {
    "engine.ready": EventType("The engine listens and takes calls."),
    "engine.draining": EventType("No new calls; the engine stops when the last one ends.", {"calls": "int"}),
    "engine.reloaded": EventType("A new configuration is in force.", {"changes": "list of str"}),
    "engine.queues": EventType(
        "This engine decides for the queues from now on, or no more: somebody else does.",
        {"decides": "bool", "token": "int, larger with every owner"},
    ),
    "call.started": EventType(
        "A call came in. First event of every call.",
        {"trunk": "str: the trunk, or the address of the user who calls", "caller": "str", "called": "str", **TIES},
    ),
    "call.routed": EventType(
        "A plan was made.", {"route": "str or nil", "attempts": "list of str", "why": "list of str"}
    ),
    "call.transferred": EventType(
        "A leg of the call is connected to somebody else now.",
        {
            "target": "str: the number or user, as it was asked for",
            "by": "caller, callee, or the name of a control client",
            "to": "id of the leg that it hears now, nil for the engine itself",
            "other": "id of the call that leg came from, nil when it was dialled for this",
        },
    ),
    "call.transfer_failed": EventType(
        "Nobody was reached; the call goes on as before, or ends if who transferred has gone.",
        {"target": "str", "by": "str", "status": "int"},
    ),
    "call.ended": EventType(
        "The call is over. Last event of every call.",
        {"cause": "str", "status": "int or nil", "hung_up_by": "str", "duration_ms": "int", **TIES},
    ),
    "leg.started": EventType(
        "A leg exists.",
        {"role": "originating or connected", "trunk": "str: the trunk, or the user's address", "target": "str"},
    ),
    "leg.ringing": EventType("The far end rings.", {"status": "int"}),
    "leg.early": EventType("Audio may flow before the answer.", {"status": "int", "codec": "str"}),
    "leg.answered": EventType("The far end answered.", {"codec": "str or nil"}),
    "leg.held": EventType("The leg was put on hold.", {"by": "peer, or the name of a control client"}),
    "leg.resumed": EventType("The leg was taken off hold.", {"by": "peer, engine, or the name of a control client"}),
    "leg.changed": EventType("The leg's media changed within the call.", {"codec": "str", "direction": "str"}),
    "leg.moved": EventType(
        "The leg went over to another call, told in both: first in the one it leaves, with the role it had.",
        {"role": "originating or connected", "other": "id of the other call"},
    ),
    "leg.ended": EventType("The leg is over.", {"cause": "str", "status": "int or nil", "q850": "int or nil"}),
    "bridge.started": EventType("Two legs hear each other.", {"legs": "list of two leg ids"}),
    "bridge.ended": EventType("The two legs no longer hear each other.", {"legs": "list of two leg ids"}),
    "dtmf.received": EventType("A key was pressed.", {"digit": "str", "ms": "int", "via": "rfc4733, info or inband"}),
    "dtmf.sent": EventType(
        "Digits that a command asked for were sent, or no more of them can be.",
        {"digits": "int, how many", "completed": "bool"},
    ),
    "play.started": EventType("A file, or the first of several, or a tone begins.", {"file": "str", "play": "int"}),
    "play.finished": EventType(
        "What was played ended or was stopped; a list of files ends once.",
        {"file": "str", "play": "int", "reason": "end, stopped, digit, replaced or closed", "ms": "int, as heard"},
    ),
    "collect.finished": EventType(
        "Digits were collected. Those of a secure collection are shown as `*`.",
        {"digits": "str", "reason": "length, terminator, timeout, digit_timeout, stopped or ended"},
    ),
    "talk.started": EventType("Somebody speaks on this leg (told while `call.detect` asks for voice)."),
    "talk.stopped": EventType("Nobody speaks on this leg any more.", {"ms": "int"}),
    "tone.detected": EventType(
        "A network tone was heard on this leg.",
        {"tone": "ringback, busy, congestion, dial, sit, cng or ced", "ms": "int"},
    ),
    "fax.detected": EventType("A fax machine was heard on this leg.", {"tone": "cng or ced"}),
    "media.level": EventType("How loud this leg is, once a second while asked for.", {"dbov": "float"}),
    "conference.started": EventType("A conference begins.", {"name": "str"}),
    "conference.joined": EventType("A leg takes part.", {"name": "str", "members": "int", **MANNERS}),
    "conference.changed": EventType("A leg takes part in another manner.", {"name": "str", **MANNERS}),
    "conference.left": EventType(
        "A leg takes part no more.",
        {"name": "str", "members": "int, left behind", "reason": "left, kicked, ended or refused"},
    ),
    "conference.speaker": EventType("Another leg speaks in a conference, or nobody (leg nil).", {"name": "str"}),
    "conference.ended": EventType("Nobody is in it any more, or a command has ended it.", {"name": "str", "ms": "int"}),
    "queue.joined": EventType(
        "Somebody waits in a queue: a caller (`call`), or other work.",
        {
            **WORK,
            "kind": "call, callback, or what `queue.join` said",
            "priority": "int, points",
            "started": "when the waiting began, UTC; earlier than the event behind a transfer or an overflow",
            "position": "int, 1 is next",
            "expected_wait": "float, seconds, or nil",
        },
    ),
    "queue.refused": EventType(
        "Somebody may not wait there, and goes on to another queue, a message (`message:NAME`), the next destination.",
        {**WORK, "kind": "str", "reason": "closed, full, no_agents, overflow or already_there", "to": "str or nil"},
    ),
    "queue.announced": EventType(
        "A caller is told how it stands.",
        {**WORK, "position": "int", "expected_wait": "float or nil", "number": "int, the how many-th"},
    ),
    "queue.callback_offered": EventType("A caller is offered to be called back.", WORK),
    "queue.callback_refused": EventType("No callback for this caller.", {**WORK, "number": "str", "reason": "str"}),
    "queue.widened": EventType("Somebody has waited long enough to ask for less of an agent.", {**WORK, "why": "str"}),
    "queue.overflowed": EventType(
        "Somebody goes on to another queue, a message (`message:NAME`) or the next destination.",
        {**WORK, "kind": "str", "to": "str or nil", "why": "str", "waited": "float", "joined": "UTC"},
    ),
    "queue.left": EventType(
        "Somebody waits there no more.",
        {
            **WORK,
            "kind": "str",
            "reason": "answered, abandoned, key, request, callback, closed, lost or unreached",
            "waited": "float",
            "joined": "UTC",
            "agent": "str or nil",
            "is_connecting": "bool: it gave up between an agent's answer and the connection",
        },
    ),
    "reservation.created": EventType(
        "An agent is reserved for somebody, and is rung.",
        {**RESERVED, "expires": "UTC", "order": "agent or customer", "why": "list of str"},
    ),
    "reservation.ringing": EventType("The agent's phone rings.", RESERVED),
    "reservation.accepted": EventType("The agent takes it.", {**RESERVED, "after": "float"}),
    "reservation.refused": EventType(
        "The agent does not take it.",
        {**RESERVED, "cause": "refused, no_answer, busy or unreachable", "after": "float"},
    ),
    "reservation.timed_out": EventType("The agent did not answer in time.", {**RESERVED, "after": "float"}),
    "reservation.rescinded": EventType(
        "The reservation is taken back, at no fault of the agent.",
        {
            **RESERVED,
            "reason": "answered_elsewhere, caller_gone, agent_gone, overflowed, failed, unanswered, closed or removed",
            "after": "float",
        },
    ),
    "reservation.connected": EventType("Agent and caller hear each other.", {**RESERVED, "waited": "float"}),
    "reservation.wrapping": EventType(
        "The agent has left the call, and wraps up.", {**RESERVED, "talk": "float", "hold": "float"}
    ),
    "reservation.completed": EventType("The agent is done with it.", {**RESERVED, "wrap": "float"}),
    "agent.changed": EventType(
        "An agent is in another state.",
        {
            "agent": "str",
            "state": "offline, available, reserved, ringing, talking, wrapping, break, not_answering or busy",
            "before": "the same",
            "for_s": "float, seconds in the state before",
            "reason": "str",
            "queue": "str or nil: what the agent is busy with",
            "work": "str or nil",
        },
    ),
    "supervision.started": EventType(
        "A supervisor is on the call in which this leg speaks: an agent's, or another.",
        {**SUPERVISED, "mode": "monitor, whisper, barge or take_over", "by": "str: the control client"},
    ),
    "supervision.changed": EventType(
        "The supervisor goes on in another mode.", {**SUPERVISED, "mode": "str", "by": "str: the control client"}
    ),
    "supervision.ended": EventType(
        "The supervisor has gone, or the leg; then the supervisor is hung up, unless it has taken the call over.",
        {
            **SUPERVISED,
            "mode": "str",
            "reason": "left, leg_left, taken_over, not_now (to take over while it is transferred), or no_codec",
            "seconds": "float",
        },
    ),
    "recording.started": EventType(
        "A call or a conference is recorded.",
        {
            "recording": "str",
            "by": "route, number, trunk, tenant, queue, command or message",
            "channels": "mono or stereo",
            "conference": "str or nil",
        },
    ),
    "recording.paused": EventType("Nothing is recorded for now.", {"recording": "str", "mode": "silence or skip"}),
    "recording.resumed": EventType("It goes on.", {"recording": "str"}),
    "recording.masked": EventType("What is said and pressed is silence in it.", {"recording": "str"}),
    "recording.unmasked": EventType("What is said and pressed is recorded again.", {"recording": "str"}),
    "recording.stopped": EventType(
        "Nothing more comes; the files are made now.",
        {
            "recording": "str",
            "reason": "call_ended, conference_ended, stopped, engine_stopped, or what is wrong",
            "ms": "int",
        },
    ),
    "recording.ready": EventType(
        "The files are stored. Told after the last event of the call, whose id is therefore in a field of its own.",
        {
            **OF_RECORDING,
            "files": "list of maps: kind, name, format, bytes, sha256, seconds",
            "seconds": "float",
            "store": "str",
            "recovered": "bool: it was cut off",
        },
    ),
    "recording.failed": EventType(
        "A recording cannot begin, loses what it should hold, or cannot be finished for now. The call goes on.",
        {
            "recording": "str, nil where there is none",
            "recorded_call": "id of the call, where it is not `call`",
            "reason": "no_licence, key, full, gone, read_only, denied, slow …",
            "detail": "str",
            "capture_kept": "bool",
        },
    ),
    "recording.moved": EventType("Its files are in the store they are meant for.", {**OF_RECORDING, "store": "str"}),
    "recording.erased": EventType(
        "Its files and their key are gone.",
        {
            **OF_RECORDING,
            "by": "str; engine: a message that was too short, which no ledger has seen",
            "reason": "str",
            "entry": "int, of the ledger, or nil",
            "hash": "str, of that entry, or nil",
        },
    ),
    "recording.held": EventType("It is kept whatever happens.", {**OF_RECORDING, "by": "str"}),
    "recording.released": EventType("It is held no longer.", {**OF_RECORDING, "by": "str"}),
    "message.started": EventType("A caller leaves a message: the tone is over.", {**OF_MESSAGE, "recording": "str"}),
    "message.left": EventType(
        "A caller has left a message. `recording.ready` follows.",
        {
            **OF_MESSAGE,
            "recording": "str",
            "reason": "key, silence, full, hung_up, moved (to something else), ended (by others), lost (its recording)",
            "ms": "int, to the last word",
            "caller": "str",
        },
    ),
    "message.discarded": EventType(
        "Nothing worth keeping was said, or it could not be recorded.",
        {**OF_MESSAGE, "reason": "too_short or not_recorded", "ms": "int"},
    ),
    "trunk.full": EventType("A call met the trunk's channel limit.", {"trunk": "str", "channels": "int"}),
    "trunk.up": EventType(
        "A target answers again, or a registration stands.", {"trunk": "str", "target": "str", "reason": "str"}
    ),
    "trunk.down": EventType(
        "A target does not answer any more, or a registration failed.",
        {"trunk": "str", "target": "str", "reason": "str"},
    ),
    "user.registered": EventType(
        "A phone registered a contact that was not there.",
        {"user": "str", "contact": "str", "source": "str", "expires_s": "int"},
    ),
    "user.unregistered": EventType(
        "A contact is gone: taken back, expired, its connection closed, or its user removed.",
        {"user": "str", "contact": "str", "source": "str", "reason": "str"},
    ),
    "media.silent": EventType("No audio has come from this leg yet.", {"seconds": "float"}),
    "media.timeout": EventType("Audio from this leg stopped.", {"seconds": "float"}),
    "media.quality": EventType(
        "What a leg says sounds better or worse than before: another class of G.107. Once in some seconds at most.",
        {
            "grade": "good, fair, poor or bad",
            "r": "float",
            "mos": "float",
            "loss": "float, 0 to 1, since the last report",
            "jitter_ms": "float",
            "rtt_ms": "float or nil",
        },
    ),
    "security.refused": EventType(
        "Someone was refused for what they are.", {"what": "str", "source": "str", "held_back": "int"}
    ),
    "security.banned": EventType(
        "An address guessed too often and is not listened to for a while.", {"source": "str", "seconds": "float"}
    ),
    "events.gap": EventType("Events of these numbers cannot be shown.", {"from": "int", "to": "int"}),
}


class SubscriptionError(Exception):
    """The subscriber was too slow: the ring has overtaken it, or its owner closed the log."""


class SinceAheadError(Exception):
    """`since` names a number this node has not reached: it belongs to another node, or its data was removed."""

    def __init__(self, since: int, last: int) -> None:
        super().__init__(f"since {since} is ahead of this node's last event {last}")
        self.last = last


class EventLog:
    """Numbers events, keeps the latest, and shows them to subscribers. One thread: the engine's loop."""

    def __init__(
        self,
        node: str,
        numbers: Numbers | None = None,
        *,
        keep: int = EVENTS_KEPT,
        keep_bytes: int = RING_BYTES,
        clock_ms: Callable[[], int] = utc.now_ms,
    ) -> None:
        self.node: Final = node
        self._numbers = numbers or Numbers()
        self._clock_ms = clock_ms
        self._packer = msgpack.Packer(default=str, unicode_errors="replace")
        self._ring: list[bytes | None] = [None] * keep  # packed; whose they are stands beside it, at the same place
        self._kinds = [""] * keep
        self._tenants: list[str | None] = [None] * keep
        self._keep_bytes = keep_bytes
        self._bytes = 0
        self._oldest = self._numbers.first
        self._last = self._numbers.first - 1
        self._subscriptions: set[Subscription] = set()
        self._closed = False

    @property
    def last(self) -> int:
        """Number of the latest event; before the first one of this run, the number before it."""
        return self._last

    @property
    def oldest(self) -> int:
        """Number of the oldest event kept; `last + 1` when none is."""
        return self._oldest

    @property
    def subscribers(self) -> int:
        """How many subscriptions are open."""
        return len(self._subscriptions)

    def emit(
        self, kind: str, /, *, tenant: str | None = None, call: str | None = None, leg: str | None = None, **fields: Any
    ) -> int:
        """Record that something happened and wake subscribers; returns its number.

        `kind` must be a row of `EVENTS` (KeyError otherwise: our bug). Fields must be values MessagePack knows; others
        are shown as text.
        """
        if kind not in EVENTS:
            raise KeyError(f"event type {kind!r} has no row in EVENTS")
        seq = self._last = self._numbers.take()
        event = {
            "seq": seq,
            "at": utc.text_of(self._clock_ms()),
            "node": self.node,
            "type": kind,
            "tenant": tenant,
            "call": call,
            "leg": leg,
            **fields,
        }
        packed: bytes = self._packer.pack(event)
        size = len(self._ring)
        if seq - self._oldest >= size:
            self._drop_oldest()
        place = seq % size
        self._ring[place], self._kinds[place], self._tenants[place] = packed, kind, tenant
        self._bytes += len(packed)
        while self._bytes > self._keep_bytes and self._oldest < seq:
            self._drop_oldest()
        for subscription in self._subscriptions:
            subscription.wake()
        return seq

    def subscribe(
        self, *, since: int | None = None, types: Sequence[str] = ("*",), tenant: str | None = None
    ) -> "Subscription":
        """Follow events from now on, or from the one after `since`; `types` are globs, any may match.

        With a `tenant` only that tenant's events are shown (never those of the node itself). What is no longer kept is
        announced by one `events.gap`. Raises SinceAheadError when `since` has not happened yet.
        """
        if since is not None and since > self._last:
            raise SinceAheadError(since, self._last)
        subscription = Subscription(self, since, tuple(types), tenant)
        self._subscriptions.add(subscription)
        return subscription

    def close(self) -> None:
        """End every subscription once it has read everything, and save the numbers (waits for the disk)."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.wake()
        self._numbers.close()

    def gap(self, first: int, last: int) -> bytes:
        """Pack the event that stands for `first` to `last`; it carries the last one's number, to resume after it."""
        at = utc.text_of(self._clock_ms())
        shown = {
            "seq": last,
            "at": at,
            "node": self.node,
            "type": "events.gap",
            "tenant": None,
            "call": None,
            "leg": None,
        }
        packed: bytes = self._packer.pack({**shown, "from": first, "to": last})
        return packed

    def _drop_oldest(self) -> None:
        place = self._oldest % len(self._ring)
        packed = self._ring[place]
        if packed is not None:
            self._bytes -= len(packed)
        self._ring[place] = None
        self._oldest += 1

    def _entry(self, seq: int) -> tuple[str, str | None, bytes]:
        place = seq % len(self._ring)
        packed = self._ring[place]
        if packed is None:
            raise LookupError(seq)
        return self._kinds[place], self._tenants[place], packed


class Subscription:
    """A reader's position in the log. Read with `batch` (packed) or `async for` (maps); `close` when done."""

    def __init__(self, events: EventLog, since: int | None, types: tuple[str, ...], tenant: str | None) -> None:
        self._log = events
        self._types = types
        self._tenant = tenant
        self._wanted: dict[str, bool] = {}
        self._news = asyncio.Event()
        self._open = True
        self._gap: bytes | None = None
        self._next = events.last + 1 if since is None else since + 1
        if self._next < events.oldest:
            self._gap = events.gap(self._next, events.oldest - 1)
            self._next = events.oldest

    async def batch(self) -> list[bytes]:
        """Wait for events and return some, packed, in order, at least one; empty when the log or this was closed.

        Raises SubscriptionError when events were overwritten before they were read.
        """
        while self._open:
            self._news.clear()
            if found := self._collect():
                return found
            if self._next <= self._log.last:
                await asyncio.sleep(0)  # more to look through: let others run first
            elif self._log._closed:
                break
            else:
                await self._news.wait()
        return []

    def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        return self._maps()

    async def _maps(self) -> AsyncIterator[dict[str, Any]]:
        while found := await self.batch():
            for packed in found:
                yield msgpack.unpackb(packed)

    def wake(self) -> None:
        """Tell that the log has changed."""
        self._news.set()

    def close(self) -> None:
        """Stop following; a waiting `batch` returns empty."""
        self._open = False
        self._log._subscriptions.discard(self)
        self._news.set()

    def _collect(self) -> list[bytes]:
        found: list[bytes] = []
        if self._gap is not None:
            found.append(self._gap)
            self._gap = None
        if self._next < self._log.oldest:
            raise SubscriptionError(
                f"events {self._next} to {self._log.oldest - 1} were overwritten before they were read"
            )
        stop = min(self._log.last, self._next + SCAN_EVENTS - 1)
        while self._next <= stop and len(found) < BATCH_EVENTS:
            kind, tenant, packed = self._log._entry(self._next)
            self._next += 1
            if (self._tenant is None or self._tenant == tenant) and self._wants(kind):
                found.append(packed)
        return found

    def _wants(self, kind: str) -> bool:
        wanted = self._wanted.get(kind)
        if wanted is None:
            wanted = self._wanted[kind] = any(fnmatchcase(kind, glob) for glob in self._types)
        return wanted
