"""The registrar's books: which contacts an address of record has, how long, and how a REGISTER changes them.

RFC 3261 section 10, RFC 3327 (Path), RFC 5626 4.2 (instances), RFC 6140 (a block of numbers behind one contact). Who
may register is decided before; `now` is monotonic seconds. Nothing here sends or stores.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeVar

from santral.sip.errors import Malformed
from santral.sip.events import Hop
from santral.sip.uri import NameAddr, Uri, quote

if TYPE_CHECKING:
    from santral.sip.message import Request

T = TypeVar("T")

__all__ = ["Binding", "Outcome", "Registrar", "RegistrarSettings"]

MAX_CONTACTS: Final = 10  # of one address of record
MAX_RECORDS: Final = 100_000  # addresses of record with a contact
MAX_PATH: Final = 8  # proxies between us and a phone
MAX_CONTACT: Final = 512  # characters of one contact's URI
MAX_INSTANCE: Final = 128
Q_STEPS: Final = 1000  # a q-value has three digits after the point (RFC 3261 25.1)
STREAMS: Final = frozenset({"tcp", "tls", "ws", "wss"})  # whose bindings die with their connection (RFC 5626 4.2)


@dataclass(frozen=True, slots=True)
class RegistrarSettings:
    """Seconds. A wish below `min_expires` is refused with 423, one above `max_expires` is cut."""

    min_expires: int = 60
    default_expires: int = 3600
    max_expires: int = 7200


@dataclass(frozen=True, slots=True)
class Binding:
    """One contact of an address of record.

    `source` is where its REGISTER came from: requests to it go there, through the same connection or the same hole in
    a NAT. `q` counts thousandths. `is_block` marks a `bnc` contact: it takes the numbers of a block (RFC 6140).
    """

    contact: str
    source: Hop
    expires_at: float
    call_id: str
    cseq: int
    q: int = Q_STEPS
    instance: str = ""
    path: tuple[str, ...] = ()
    is_block: bool = False
    user_agent: str = ""

    @property
    def key(self) -> str:
        """What makes it the same contact as another: its instance, else its URI (RFC 5626 4.2, RFC 3261 10.2.4)."""
        return self.instance or _comparable(self.contact)

    def left(self, now: float) -> int:
        """Seconds until it expires, rounded up."""
        return max(0, math.ceil(self.expires_at - now))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a REGISTER comes to: the answer's status and headers, and what changed."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    kept: tuple[Binding, ...] = ()  # new and refreshed ones
    added: tuple[Binding, ...] = ()  # those among them that were not there before
    removed: tuple[Binding, ...] = ()


@dataclass(slots=True)
class _Wish:
    """One Contact of a REGISTER; 0 seconds take it away."""

    binding: Binding
    seconds: int = field(default=0)


class Registrar:
    """All bindings of this node, by address of record (`user@domain`, lower-case domain)."""

    def __init__(self, settings: RegistrarSettings | None = None) -> None:
        self._settings = settings or RegistrarSettings()
        self._records: dict[str, dict[str, Binding]] = {}
        self._sources: dict[Hop, Counter[str]] = {}  # whose contacts came by which connection or from which address
        self.hosts: Counter[str] = Counter()  # addresses contacts are registered from

    def __len__(self) -> int:
        return sum(map(len, self._records.values()))

    def bindings(self, aor: str, now: float) -> tuple[Binding, ...]:
        """The contacts that stand, the highest q first; of equal ones the latest registered first."""
        standing = [one for one in self._records.get(aor, {}).values() if one.expires_at > now]
        return tuple(sorted(standing, key=lambda one: (-one.q, -one.expires_at)))

    def items(self) -> Iterator[tuple[str, Binding]]:
        """Every binding with its address of record."""
        for aor, record in self._records.items():
            for binding in record.values():
                yield aor, binding

    def restore(self, rows: Iterable[tuple[str, Binding]]) -> None:
        """Take over what an earlier run knew."""
        for aor, binding in rows:
            self._put(aor, {**self._records.get(aor, {}), binding.key: binding})

    def register(self, aor: str, request: Request, source: Hop, now: float) -> Outcome:
        """Do what a REGISTER asks (RFC 3261 10.3, steps 6 to 8): all of it or nothing.

        Raises RemoteError with the status to answer where it is no sound request.
        """
        path = _path_of(request)
        contacts = request.headers.values("Contact")
        if contacts == ["*"]:
            return self._take_all(aor, request, now)
        if "*" in contacts:
            raise Malformed("Contact: * stands alone")
        wishes = [self._wish(request, text, source, path, now) for text in contacts]
        too_brief = [one for one in wishes if 0 < one.seconds < self._settings.min_expires]
        if too_brief:
            return Outcome(423, (("Min-Expires", str(self._settings.min_expires)),))
        standing = {one.key: one for one in self.bindings(aor, now)}
        added, kept, removed = [], [], []
        record = dict(standing)
        for wish in wishes:
            new = wish.binding
            old = record.pop(new.key, None)
            if old is not None and not _is_later(new, old):
                return Outcome(500)  # RFC 3261 10.3 step 7: out of order; nothing changes
            if wish.seconds == 0:
                removed += [] if old is None else [old]
                continue
            record[new.key] = new
            kept.append(new)
            if new.key not in standing:
                added.append(new)
        if len(record) > MAX_CONTACTS or (aor not in self._records and len(self._records) >= MAX_RECORDS):
            return Outcome(403)
        self._put(aor, record)
        return Outcome(200, self._answer(aor, request, path, now), tuple(kept), tuple(added), tuple(removed))

    def drop_flow(self, flow: Hop) -> list[tuple[str, Binding]]:
        """A connection is gone, and the bindings that came by it with it (RFC 5626 4.2.2)."""
        return self._drop(tuple(self._sources.get(flow, ())), lambda one: one.source == flow)

    def drop_expired(self, now: float) -> list[tuple[str, Binding]]:
        """Forget what has expired; returns it."""
        return self._drop(self._records, lambda one: one.expires_at <= now)

    def drop(self, aors: Collection[str]) -> list[tuple[str, Binding]]:
        """Forget every contact of users that are no longer there."""
        gone = [(aor, one) for aor in aors for one in self._records.get(aor, {}).values()]
        for aor in aors:
            self._put(aor, {})
        return gone

    def _drop(self, aors: Iterable[str], is_gone: Callable[[Binding], bool]) -> list[tuple[str, Binding]]:
        gone = [(aor, one) for aor in aors for one in self._records[aor].values() if is_gone(one)]
        for aor, binding in gone:
            record = {key: one for key, one in self._records[aor].items() if one is not binding}
            self._put(aor, record)
        return gone

    def _put(self, aor: str, record: dict[str, Binding]) -> None:
        for one in self._records.get(aor, {}).values():
            self._note_source(aor, one.source, -1)
        for one in record.values():
            self._note_source(aor, one.source, 1)
        if record:
            self._records[aor] = record
        else:
            self._records.pop(aor, None)

    def _note_source(self, aor: str, source: Hop, by: int) -> None:
        _count(self.hosts, source.host, by)
        there = self._sources.setdefault(source, Counter())
        _count(there, aor, by)
        if not there:
            del self._sources[source]

    def _take_all(self, aor: str, request: Request, now: float) -> Outcome:
        """`Contact: *`, which needs `Expires: 0` (RFC 3261 10.2.2)."""
        if (request.headers.get("Expires") or "").strip() != "0":
            raise Malformed("Contact: * needs Expires: 0")
        standing = self.bindings(aor, now)
        for one in standing:
            if one.call_id == request.call_id and request.cseq.number <= one.cseq:
                return Outcome(500)
        self._put(aor, {})
        return Outcome(200, removed=standing)

    def _wish(self, request: Request, text: str, source: Hop, path: tuple[str, ...], now: float) -> _Wish:
        contact = NameAddr.parse(text)
        uri = contact.uri
        if uri.scheme not in ("sip", "sips") or len(text) > MAX_CONTACT:
            raise Malformed(f"Contact: {text[:80]!r}")
        asked = _seconds(contact.param("expires"))
        if asked is None:
            asked = _seconds(request.headers.get("Expires"))
        seconds = min(self._settings.default_expires if asked is None else asked, self._settings.max_expires)
        instance = contact.param("+sip.instance") or ""
        if len(instance) > MAX_INSTANCE or not instance.isprintable():
            raise Malformed(f"+sip.instance: {instance[:80]!r}")
        binding = Binding(
            contact=str(uri),
            source=source,
            expires_at=now + seconds,
            call_id=request.call_id,
            cseq=request.cseq.number,
            q=quality(contact.param("q")),
            instance=instance,
            path=path,
            is_block=uri.has_param("bnc"),
            user_agent=(request.headers.get("User-Agent") or "")[:MAX_INSTANCE],
        )
        return _Wish(binding, seconds)

    def _answer(self, aor: str, request: Request, path: tuple[str, ...], now: float) -> tuple[tuple[str, str], ...]:
        """Every contact with what is left of it, and the Path that was taken (RFC 3261 10.3 step 8, RFC 3327 5.3)."""
        lines = []
        for one in self.bindings(aor, now):
            tail = f";expires={one.left(now)}"
            if one.q != Q_STEPS:
                tail += f";q={one.q / Q_STEPS:g}"
            if one.instance:
                tail += f";+sip.instance={quote(one.instance)}"
            lines.append(("Contact", f"<{one.contact}>{tail}"))
        lines += [("Path", line) for line in path]
        if "gin" in request.headers.tokens("Require"):
            lines.append(("Require", "gin"))
        return tuple(lines)


def _count(counter: Counter[T], key: T, by: int) -> None:
    counter[key] += by
    if not counter[key]:
        del counter[key]


def _is_later(new: Binding, old: Binding) -> bool:
    """RFC 3261 10.3 step 7: with another Call-ID the client has started anew; with the same one it counts up."""
    return new.call_id != old.call_id or new.cseq > old.cseq


def _path_of(request: Request) -> tuple[str, ...]:
    lines = request.headers.values("Path")
    if not lines:
        return ()
    if len(lines) > MAX_PATH:
        raise Malformed(f"{len(lines)} Path values")
    for line in lines:
        NameAddr.parse(line)
    return tuple(lines)


def _seconds(text: str | None) -> int | None:
    """An expiry; what is none counts as not given (RFC 3261 20.19 has it so for Contact)."""
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 10:
        return None
    return int(text)


def quality(text: str | None) -> int:
    """A q-value in thousandths; what is none is the highest."""
    if not text:
        return Q_STEPS
    try:
        return min(Q_STEPS, max(0, round(float(text) * Q_STEPS))) if len(text) <= 5 else Q_STEPS
    except ValueError:
        return Q_STEPS


def _comparable(contact: str) -> str:
    """A contact's URI so that equal ones are equal texts: RFC 3261 19.1.4, as far as it matters here."""
    uri = Uri.parse(contact)
    transport = (uri.param("transport") or "").lower()
    plain = replace(uri, host=uri.host.lower(), params=(), headers="", password=None)
    return f"{plain};transport={transport}" if transport else str(plain)
