"""Ladders: the messages of each call, bounded in number and octets, kept a while after its end. In memory only."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Any, Final, cast

from santral.engine import utc
from santral.engine.trace.message import Traced
from santral.engine.trace.redact import redact
from santral.sip.events import Hop
from santral.sip.uri import format_host

CALL_BYTES: Final = 256 * 1024  # of one call's messages
TOTAL_BYTES: Final = 32 * 1024 * 1024  # of all: the oldest calls go first
CALL_OVERHEAD: Final = 1024  # octets that a ladder costs without any message
MAX_OWNERS: Final = 4  # ladders that share one Call-ID: a peer that uses one again and again must not cost more
MESSAGE_OVERHEAD: Final = 160  # octets that one kept message costs beside its own


# What is kept of a message: UTC in microseconds, whether it came in, the peer's hop, our address and port, leg, octets.
Kept = tuple[int, bool, Hop, tuple[str, int], str, bytes]
FIELDS: Final = 6


class Ladder:
    """The messages of one call in order. Of more than `limit` the first half and the latest half are kept."""

    __slots__ = ("_first", "_latest", "_limit", "bytes", "call", "dropped", "hidden", "sip_call_ids", "tenant")

    def __init__(self, call: str, tenant: str, limit: int) -> None:
        self.call = call
        self.tenant = tenant
        self.bytes = 0
        self.dropped = 0
        self.hidden: tuple[str, ...] = ()  # names and numbers of a caller who hides
        self.sip_call_ids: tuple[str, ...] = ()  # whose messages it is given
        self._limit = limit
        self._first: list[Any] = []  # field by field: thousands of tuples would keep the garbage collector busy
        self._latest: deque[Kept] | None = None  # from the first message on that is not among them

    def add(self, message: Kept) -> int:
        """Keep a message; answers by how many octets the ladder has grown (it may have shrunk)."""
        before, size = self.bytes, len(message[-1]) + MESSAGE_OVERHEAD
        self.bytes = before + size
        latest = self._latest
        if latest is None:
            if len(self._first) < FIELDS * ((self._limit + 1) // 2) and self.bytes <= CALL_BYTES // 2:
                self._first += message
                return size
            latest = self._latest = deque()
        latest.append(message)
        while latest and (len(self) > self._limit or self.bytes > CALL_BYTES):
            self.bytes -= len(latest.popleft()[-1]) + MESSAGE_OVERHEAD
            self.dropped += 1
        return self.bytes - before

    def __len__(self) -> int:
        return len(self._first) // FIELDS + len(self._latest or ())

    def __iter__(self) -> Iterator[Traced]:
        first = self._first
        for at in range(0, len(first), FIELDS):
            yield traced(cast(Kept, tuple(first[at : at + FIELDS])))
        for message in self._latest or ():
            yield traced(message)

    def shown(self, *, hides: bool, whole: bool = False) -> list[dict[str, Any]]:
        """The ladder for control clients, secrets masked; `hides`: hidden callers too, `whole`: with the messages."""
        return [self._row(message, hides=hides, whole=whole) for message in self]

    def messages(self, *, hides: bool) -> Iterator[Traced]:
        """The messages with their secrets masked."""
        for message in self:
            yield message._replace(data=redact(message.data, self.hidden, hides=hides))

    def _row(self, message: Traced, *, hides: bool, whole: bool) -> dict[str, Any]:
        safe = message._replace(data=redact(message.data, self.hidden, hides=hides))
        row: dict[str, Any] = {
            "at": utc.text_of(message.at_us // 1000),
            "direction": "in" if message.is_incoming else "out",
            "leg": message.leg,
            "transport": message.transport,
            "from": _written(message.source),
            "to": _written(message.target),
            "line": safe.first_line,
            "bytes": len(message.data),
        }
        if whole:
            row["message"] = safe.data.decode("utf-8", "replace")
        return row


Owners = tuple[tuple[Ladder, str], ...]  # ladders and legs


class Ladders:
    """All ladders by call, the oldest forgotten first."""

    def __init__(self, limit: int, total_bytes: int = TOTAL_BYTES) -> None:
        self._limit = limit
        self._total_bytes = total_bytes
        self._by_call: OrderedDict[str, Ladder] = OrderedDict()
        self._by_call_id: dict[str, Owners] = {}
        self.bytes = 0
        self.forgotten = 0

    def open(self, sip_call_id: str, call: str, leg: str, tenant: str) -> Ladder:
        """From now on messages with this Call-ID belong to this leg of this call."""
        ladder = self._by_call.get(call)
        if ladder is None:
            ladder = self._by_call[call] = Ladder(call, tenant, self._limit)
            self.bytes += CALL_OVERHEAD
            self._make_room()
        # Of more than so many, calls that began earlier keep what they have.
        self._by_call_id[sip_call_id] = (*self.owners(sip_call_id), (ladder, leg))[-MAX_OWNERS:]
        ladder.sip_call_ids = (*ladder.sip_call_ids, sip_call_id)
        return ladder

    def owners(self, sip_call_id: str) -> Owners:
        """The ladders that messages with this Call-ID go to: two when a call comes back to us by way of a proxy."""
        return self._by_call_id.get(sip_call_id, ())

    def add(self, ladder: Ladder, message: Kept) -> None:
        """Keep a message in a ladder, and forget the oldest calls when all of them have grown too large."""
        if self._by_call.get(ladder.call) is not ladder:
            return
        self.bytes += ladder.add(message)
        if self.bytes > self._total_bytes:
            self._make_room()

    def _make_room(self) -> None:
        while self.bytes > self._total_bytes and len(self._by_call) > 1:
            self._forget(next(iter(self._by_call)))

    def of(self, call: str) -> Ladder | None:
        return self._by_call.get(call)

    def __len__(self) -> int:
        return len(self._by_call)

    def _forget(self, call: str) -> None:
        ladder = self._by_call.pop(call)
        self.bytes -= ladder.bytes + CALL_OVERHEAD
        self.forgotten += 1
        for sip_call_id in ladder.sip_call_ids:
            left = tuple(owner for owner in self.owners(sip_call_id) if owner[0] is not ladder)
            if left:
                self._by_call_id[sip_call_id] = left
            else:
                self._by_call_id.pop(sip_call_id, None)


def traced(message: Kept) -> Traced:
    """What was kept of a message, for people to look at."""
    at_us, is_incoming, hop, ours, leg, data = message
    return Traced(at_us, is_incoming, hop.transport, ours, (hop.host, hop.port), leg, data)


def _written(end: tuple[str, int]) -> str:
    return f"{format_host(end[0])}:{end[1]}"
