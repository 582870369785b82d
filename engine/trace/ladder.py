"""Ladders: the messages of each call, bounded in number and octets, kept a while after its end. In memory only."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Any, Final

from santral.engine import utc
from santral.engine.trace.message import Traced
from santral.engine.trace.redact import redact
from santral.sip.uri import format_host

CALL_BYTES: Final = 256 * 1024  # of one call's messages
TOTAL_BYTES: Final = 32 * 1024 * 1024  # of all: the oldest calls go first
CALL_OVERHEAD: Final = 1024  # octets that a ladder costs without any message
MAX_OWNERS: Final = 4  # ladders that share one Call-ID: a peer that uses one again and again must not cost more
MESSAGE_OVERHEAD: Final = 400  # octets that one kept message costs beside its own


# The fields of a `Traced` as a plain tuple of atoms: the garbage collector forgets such tuples, and there are many.
Kept = tuple[int, bool, str, tuple[str, int], tuple[str, int], str, bytes]


class Ladder:
    """The messages of one call in order. Of more than `limit` the first half and the latest half are kept."""

    __slots__ = ("_first", "_latest", "_limit", "bytes", "call", "dropped", "hidden", "tenant")

    def __init__(self, call: str, tenant: str, limit: int) -> None:
        self.call = call
        self.tenant = tenant
        self.bytes = 0
        self.dropped = 0
        self.hidden: tuple[str, ...] = ()  # names and numbers of a caller who hides
        self._limit = limit
        self._first: list[Kept] = []
        self._latest: deque[Kept] = deque()

    def add(self, message: Kept) -> int:
        """Keep the fields of a `Traced`; answers by how many octets the ladder has grown (it may have shrunk)."""
        before, size = self.bytes, len(message[-1]) + MESSAGE_OVERHEAD
        self.bytes = before + size
        is_early = not self._latest and not self.dropped
        if is_early and len(self._first) < (self._limit + 1) // 2 and self.bytes <= CALL_BYTES // 2:
            self._first.append(message)
            return size
        self._latest.append(message)
        while self._latest and (len(self) > self._limit or self.bytes > CALL_BYTES):
            self.bytes -= len(self._latest.popleft()[-1]) + MESSAGE_OVERHEAD
            self.dropped += 1
        return self.bytes - before

    def __len__(self) -> int:
        return len(self._first) + len(self._latest)

    def __iter__(self) -> Iterator[Traced]:
        yield from (Traced(*plain) for plain in self._first)
        yield from (Traced(*plain) for plain in self._latest)

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


class Ladders:
    """All ladders by call, the oldest forgotten first."""

    def __init__(self, limit: int, total_bytes: int = TOTAL_BYTES) -> None:
        self._limit = limit
        self._total_bytes = total_bytes
        self._by_call: OrderedDict[str, Ladder] = OrderedDict()
        self._by_call_id: dict[str, list[tuple[Ladder, str]]] = {}  # SIP Call-ID -> ladder and leg
        self._call_ids: dict[str, list[str]] = {}
        self.bytes = 0
        self.forgotten = 0

    def open(self, sip_call_id: str, call: str, leg: str, tenant: str) -> Ladder:
        """From now on messages with this Call-ID belong to this leg of this call."""
        ladder = self._by_call.get(call)
        if ladder is None:
            ladder = self._by_call[call] = Ladder(call, tenant, self._limit)
            self._call_ids[call] = []
            self.bytes += CALL_OVERHEAD
            self._make_room()
        owners = self._by_call_id.setdefault(sip_call_id, [])
        owners.append((ladder, leg))
        del owners[:-MAX_OWNERS]  # calls that began earlier keep what they have
        self._call_ids[call].append(sip_call_id)
        return ladder

    def owners(self, sip_call_id: str) -> list[tuple[Ladder, str]]:
        """The ladders that messages with this Call-ID go to: two when a call comes back to us by way of a proxy."""
        return self._by_call_id.get(sip_call_id, [])

    def add(self, ladder: Ladder, message: Kept) -> None:
        """Keep a message in a ladder, and forget the oldest calls when all of them have grown too large."""
        if self._by_call.get(ladder.call) is not ladder:
            return
        self.bytes += ladder.add(message)
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
        for sip_call_id in self._call_ids.pop(call):
            left = [owner for owner in self._by_call_id.get(sip_call_id, ()) if owner[0] is not ladder]
            if left:
                self._by_call_id[sip_call_id] = left
            else:
                self._by_call_id.pop(sip_call_id, None)


def _written(end: tuple[str, int]) -> str:
    return f"{format_host(end[0])}:{end[1]}"
