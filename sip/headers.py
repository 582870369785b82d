"""Header fields: an ordered multimap that keeps what it does not know, and the typed values a B2BUA needs.

Names are canonical (compact forms expanded); unknown names stay as written and match in any case. Typed values are
parsed once per header name and forgotten when that header changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar

from santral.sip.errors import Malformed
from santral.sip.uri import (
    HOST,
    MAX_PORT,
    TOKEN_CHAR,
    Params,
    find_param,
    format_host,
    format_params,
    parse_params,
    quote,
    unquote_string,
)

__all__ = [
    "CSeq",
    "Headers",
    "Reason",
    "RetryAfter",
    "Via",
    "canonical_name",
    "is_token",
    "parse_max_forwards",
    "split_values",
]

MAX_CSEQ: Final = 2**31 - 1  # RFC 3261 section 8.1.1.5
MAX_HOPS: Final = 255  # RFC 3261 section 20.22
MAX_SECONDS: Final = 2**32 - 1  # RFC 3261 section 20.19
MAX_CAUSE: Final = 999

_COMPACT: Final = {  # RFC 3261 section 7.3.3 and the IANA registry
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition", "e": "Content-Encoding",
    "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported", "l": "Content-Length", "m": "Contact",
    "n": "Identity-Info", "o": "Event", "r": "Refer-To", "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via",
    "x": "Session-Expires", "y": "Identity",
}  # fmt: skip
_KNOWN: Final = (
    "Accept", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow", "Authentication-Info", "Authorization",
    "Call-Info", "Content-Disposition", "Content-ID", "Content-Language", "CSeq", "Date", "Diversion", "Error-Info",
    "Expires", "Flow-Timer", "Geolocation", "History-Info", "In-Reply-To", "Join", "Max-Breadth", "Max-Forwards",
    "MIME-Version", "Min-Expires", "Min-SE", "Organization", "P-Access-Network-Info", "P-Asserted-Identity",
    "P-Called-Party-ID", "P-Charging-Vector", "P-Early-Media", "P-Preferred-Identity", "Path", "Priority", "Privacy",
    "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Require", "RAck", "RSeq", "Reason", "Record-Route", "Refer-Sub",
    "Remote-Party-ID", "Replaces", "Reply-To", "Require", "Retry-After", "Route", "Security-Client", "Security-Server",
    "Security-Verify", "Server", "Service-Route", "Session-ID", "SIP-ETag", "SIP-If-Match", "Subscription-State",
    "Timestamp", "Unsupported", "User-Agent", "User-to-User", "WWW-Authenticate", "Warning",
)  # fmt: skip

# Every spelling that saves the slow path: as registered, in lower case, in upper case, compact in both cases.
CANONICAL: Final[dict[str, str]] = {
    spelling: name for name in (*_KNOWN, *_COMPACT.values()) for spelling in (name, name.lower(), name.upper())
} | {spelling: name for short, name in _COMPACT.items() for spelling in (short, short.upper())}

_TOKEN: Final = re.compile(rf"{TOKEN_CHAR}+").fullmatch
_SPECIAL: Final = re.compile(r'[,"<]').search
_STRING_END: Final = re.compile(r'(?:[^"\\]|\\.)*"', re.DOTALL).match
_VIA: Final = re.compile(
    rf"[Ss][Ii][Pp][ \t]*/[ \t]*2\.0[ \t]*/[ \t]*({TOKEN_CHAR}+)[ \t]+({HOST})"
    r"(?:[ \t]*:[ \t]*([0-9]{1,5}))?[ \t]*(;.*)?",
    re.ASCII | re.DOTALL,
).fullmatch
_SENT_BY: Final = re.compile(
    rf"SIP[ \t]*/[ \t]*[0-9.]+[ \t]*/[ \t]*({TOKEN_CHAR}+)[ \t]+({HOST})(?:[ \t]*:[ \t]*([0-9]{{1,5}}))?", re.IGNORECASE
).match
_RETRY_AFTER: Final = re.compile(r"([0-9]{1,10})[ \t]*(?:\(((?:[^()\\]|\\.)*)\))?[ \t]*(;.*)?", re.DOTALL).fullmatch

T = TypeVar("T")


def is_token(text: str) -> bool:
    """Whether this is a token of RFC 3261 section 25.1 (methods, header names, option tags)."""
    return _TOKEN(text) is not None


def canonical_name(name: str) -> str:
    """The registered spelling of a header name, its compact form expanded; an unknown name as it is."""
    return CANONICAL.get(name) or CANONICAL.get(name.lower(), name)


def split_values(text: str) -> list[str]:
    """Split at commas, not inside quoted strings or angle brackets; raises Malformed where one is left open."""
    if "," not in text:
        return [text.strip(" \t")]
    values: list[str] = []
    start = at = 0
    while (special := _SPECIAL(text, at)) is not None:
        at = special.end()
        match special[0]:
            case ",":
                values.append(text[start : at - 1].strip(" \t"))
                start = at
            case "<":
                at = text.find(">", at) + 1
            case _:
                closing = _STRING_END(text, at)
                at = closing.end() if closing else 0
        if at == 0:
            raise Malformed(f"unbalanced {special[0]}: {text[:40]!r}")
    values.append(text[start:].strip(" \t"))
    return values


def _values_of(lines: list[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        if "," in line:
            found += split_values(line)
        elif line:
            found.append(line)
    return found


def _values_after_first(line: str) -> list[str]:
    try:
        return split_values(line)[1:]
    except Malformed:
        return []  # a broken line is one value: there is nothing sound behind it


class Headers:
    """The header fields of one message, in order, by canonical name."""

    __slots__ = ("_items", "_typed")

    def __init__(self, items: Iterable[tuple[str, str]] = (), own: list[tuple[str, str]] | None = None) -> None:
        self._items: list[tuple[str, str]] = (
            [(canonical_name(name), value) for name, value in items] if own is None else own
        )
        self._typed: dict[str, Any] = {}

    @staticmethod
    def of_canonical(items: list[tuple[str, str]]) -> Headers:
        """Take over a list whose names are canonical already (the message parser's way in)."""
        return Headers((), items)

    def _is(self, name: str) -> Callable[[str], bool]:
        known = CANONICAL.get(name) or CANONICAL.get(lower := name.lower())
        return known.__eq__ if known else lambda other: other.lower() == lower

    def get(self, name: str) -> str | None:
        """The first line's value as written; None when there is no such header."""
        known = CANONICAL.get(name)
        if known is not None:
            for key, value in self._items:
                if key == known:
                    return value
            return None
        found = self.all(name)
        return found[0] if found else None

    def all(self, name: str) -> list[str]:
        """The values as written, one per header line."""
        known = CANONICAL.get(name) or CANONICAL.get(name.lower())
        if known is not None:
            return [value for key, value in self._items if key == known]
        lower = name.lower()
        return [value for key, value in self._items if key.lower() == lower]

    def values(self, name: str) -> list[str]:
        """All values of a comma-separated header over all its lines; raises Malformed on an open quote or bracket."""
        return _values_of(self.all(name))

    def tokens(self, name: str) -> tuple[str, ...]:
        """A list of tokens (Allow, Supported, Require…), without empty ones and without parameters."""
        plain = (part.partition(";")[0].strip(" \t") for line in self.all(name) for part in line.split(","))
        return tuple(token for token in plain if token)

    def typed(self, name: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """All values of a header read by `parse`, once; `name` is canonical and always goes with the same `parse`."""
        cached: tuple[T, ...] | None = self._typed.get(name)
        if cached is None:
            cached = self._typed[name] = tuple(
                [parse(value) for value in _values_of([v for k, v in self._items if k == name])]
            )
        return cached

    def typed_single(self, name: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """Like `typed` for a header that is no list: its first line as a whole, or nothing."""
        cached: tuple[T, ...] | None = self._typed.get(name)
        if cached is None:
            cached = ()
            for key, value in self._items:
                if key == name:
                    cached = (parse(value),)
                    break
            self._typed[name] = cached
        return cached

    def set(self, name: str, value: str) -> None:
        """One line with this value, where the first one of that name stood, else at the end."""
        name = canonical_name(name)
        matches = self._is(name)
        kept: list[tuple[str, str]] = []
        at = None
        for item in self._items:
            if not matches(item[0]):
                kept.append(item)
            elif at is None:
                at = len(kept)
        kept.insert(len(kept) if at is None else at, (name, value))
        self._items = kept
        self._typed.pop(name, None)

    def add(self, name: str, value: str) -> None:
        """One more line, at the end."""
        name = canonical_name(name)
        self._items.append((name, value))
        self._typed.pop(name, None)

    def prepend(self, name: str, value: str) -> None:
        """One more line, before all others of that name (Via, Record-Route)."""
        name = canonical_name(name)
        matches = self._is(name)
        at = next((i for i, (key, _) in enumerate(self._items) if matches(key)), 0)
        self._items.insert(at, (name, value))
        self._typed.pop(name, None)

    def remove(self, name: str) -> None:
        """All lines of that name; nothing happens when there are none."""
        name = canonical_name(name)
        matches = self._is(name)
        self._items = [item for item in self._items if not matches(item[0])]
        self._typed.pop(name, None)

    def replace_first(self, name: str, value: str | None) -> None:
        """Put `value` in place of the first value, even in a comma-separated line; None takes it away."""
        name = canonical_name(name)
        matches = self._is(name)
        for i, (key, line) in enumerate(self._items):
            if matches(key):
                rest = _values_after_first(line)
                parts = rest if value is None else [value, *rest]
                self._items[i : i + 1] = [(key, ", ".join(parts))] if parts else []
                self._typed.pop(name, None)
                return

    def items(self) -> Iterator[tuple[str, str]]:
        """Name and value of each line, in order."""
        return iter(self._items)

    def copy(self) -> Headers:
        """The same lines; changing one copy does not change the other."""
        return Headers.of_canonical(self._items.copy())

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._items == other._items

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Headers({self._items!r})"


@dataclass(frozen=True)
class Via:
    """One hop of the response's way back (RFC 3261 section 20.42, RFC 3581 rport).

    `host` carries no brackets; `rport` is None when absent and 0 when present without a value; `params` are the others.
    """

    transport: str
    host: str
    port: int | None = None
    branch: str | None = None
    received: str | None = None
    rport: int | None = None
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one value (no comma-separated list); raises Malformed."""
        match = _VIA(text)
        if match is None:
            raise Malformed(f"Via: {text[:80]!r}")
        transport, host, port_text, rest = match.groups()
        port = None if port_text is None else int(port_text)
        if port is not None and port > MAX_PORT:
            raise Malformed(f"Via port: {text[:80]!r}")
        branch = received = rport = None
        others: list[tuple[str, str | None]] = []
        for name, value in parse_params(rest) if rest else ():
            match name.lower():
                case "branch":
                    branch = value or None
                case "received":
                    received = value.strip("[]") if value else None  # RFC 5118 section 4.5: with brackets or without
                case "rport":
                    rport = _read_rport(value)
                case _:
                    others.append((name, value))
        return cls(transport.upper(), host.strip("[]"), port, branch, received, rport, tuple(others))

    @classmethod
    def salvage(cls, text: str) -> Self:
        """Only where to send an answer, out of a value that may be broken after that; raises Malformed."""
        match = _SENT_BY(text)
        if match is None or int(match[3] or 0) > MAX_PORT:
            raise Malformed(f"Via: {text[:80]!r}")
        return cls(match[1].upper(), match[2].strip("[]"), int(match[3]) if match[3] else None)

    def __str__(self) -> str:
        text = f"SIP/2.0/{self.transport} {format_host(self.host)}"
        if self.port is not None:
            text += f":{self.port}"
        if self.branch is not None:
            text += f";branch={self.branch}"
        if self.received is not None:
            text += f";received={self.received}"
        if self.rport is not None:
            text += f";rport={self.rport}" if self.rport else ";rport"
        return text + format_params(self.params) if self.params else text

    @property
    def sent_by(self) -> str:
        """`host[:port]` as it stands in the header: half of a transaction's key (RFC 3261 section 17.2.3)."""
        host = format_host(self.host)
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def maddr(self) -> str | None:
        """Where a response goes first, when the sender asked so (RFC 3261 section 18.2.2)."""
        return find_param(self.params, "maddr") or None

    def with_source(self, address: str, port: int) -> Self:
        """With what the server transport adds: `received` where it differs, `rport` where asked for (RFC 3581)."""
        if self.rport is None and self.host == address:
            return self
        rport = None if self.rport is None else port
        return type(self)(self.transport, self.host, self.port, self.branch, address, rport, self.params)


def _read_rport(value: str | None) -> int:
    if not value:
        return 0
    if value.isascii() and value.isdigit() and len(value) <= 5 and int(value) <= MAX_PORT:
        return int(value)
    raise Malformed(f"rport: {value[:20]!r}")


@dataclass(frozen=True)
class CSeq:
    """Number and method of a request (RFC 3261 section 20.16)."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the value; raises Malformed beyond 2^31 - 1."""
        number, _, method = text.partition(" ")
        if not method or "\t" in text:
            number, _, method = text.replace("\t", " ").partition(" ")
        method = method.strip(" ")
        if number.isascii() and number.isdigit() and len(number) <= 10 and int(number) <= MAX_CSEQ and _TOKEN(method):
            return cls(int(number), method)
        raise Malformed(f"CSeq: {text[:40]!r}")

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def parse_max_forwards(text: str) -> int:
    """Hops left, 0 to 255 (RFC 3261 section 20.22); raises Malformed."""
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= MAX_HOPS:
        return int(text)
    raise Malformed(f"Max-Forwards: {text[:40]!r}")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a call ended: `SIP;cause=200;text="Call completed elsewhere"` or `Q.850;cause=16` (RFC 3326)."""

    protocol: str
    cause: int | None = None
    text: str = ""
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one value; raises Malformed."""
        protocol, semicolon, rest = text.partition(";")
        protocol = protocol.strip(" \t")
        if not _TOKEN(protocol):
            raise Malformed(f"Reason: {text[:40]!r}")
        cause, words = None, ""
        others: list[tuple[str, str | None]] = []
        for name, value in parse_params(semicolon + rest):
            match name.lower():
                case "cause" if value and value.isascii() and value.isdigit() and len(value) <= 3:
                    cause = int(value)
                case "text":
                    words = unquote_string(value or "")
                case "cause":
                    raise Malformed(f"Reason: {text[:40]!r}")
                case _:
                    others.append((name, value))
        return cls(protocol, cause, words, tuple(others))

    def __str__(self) -> str:
        text = self.protocol
        if self.cause is not None:
            text += f";cause={self.cause}"
        if self.text:
            text += f";text={quote(self.text)}"
        return text + format_params(self.params)


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """When to come back, with a comment, and for how long the peer will then be there (RFC 3261 section 20.33)."""

    seconds: int
    comment: str = ""
    duration_s: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the value; raises Malformed; a duration that is no number is ignored."""
        match = _RETRY_AFTER(text)
        if match is None or int(match[1]) > MAX_SECONDS:
            raise Malformed(f"Retry-After: {text[:40]!r}")
        duration = find_param(parse_params(match[3] or ""), "duration")
        is_number = duration is not None and duration.isascii() and duration.isdigit() and len(duration) <= 10
        return cls(int(match[1]), match[2] or "", int(duration) if duration and is_number else None)

    def __str__(self) -> str:
        text = f"{self.seconds} ({self.comment})" if self.comment else f"{self.seconds}"
        return text if self.duration_s is None else f"{text};duration={self.duration_s}"
