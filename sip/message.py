"""Requests and responses: read from bytes, written to bytes, and the limits of both (RFC 3261 sections 7, 8.1.1, 18.3).

One pass over the header lines; the headers that route a message are read at once, so that a message which parsed is
sound as far as this stack looks at it. The rest stays text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, TypeVar

from santral.sip.errors import BadVersion, LocalError, Malformed, RemoteError, TooLarge
from santral.sip.headers import CANONICAL, CSeq, Headers, Via, canonical_name, is_token, parse_max_forwards
from santral.sip.multipart import find_part, media_type
from santral.sip.reasons import phrase
from santral.sip.uri import NameAddr, Uri

__all__ = [
    "MAX_HEAD",
    "MAX_HEADERS",
    "MAX_MESSAGE",
    "Message",
    "Request",
    "Response",
    "make_response",
    "parse_message",
    "salvage",
    "sdp_body",
    "serialise",
]

MAX_MESSAGE: Final = 65535  # octets: what one UDP datagram may hold (RFC 3261 section 18.1.1)
MAX_HEAD: Final = 32768  # octets of start line and headers
MAX_HEADERS: Final = 256  # lines
MAX_LINE: Final = 8192  # characters of one header after unfolding
MAX_VALUES: Final = 128  # comma-separated values of one routing header: nothing sane passes 70 hops

_VERSION: Final = "SIP/2.0"
_IS_VERSION: Final = re.compile(r"SIP/[0-9]+\.[0-9]+", re.IGNORECASE | re.ASCII).fullmatch
_STATUS: Final = re.compile(r"[1-6][0-9]{2}", re.ASCII).fullmatch
_FOLD: Final = re.compile(r"\r\n[ \t]+")
_CALL_ID: Final = re.compile(r"[\x21-\x7e]+").fullmatch
_SINGLE: Final = ("Call-ID", "CSeq", "From", "To", "Max-Forwards", "Content-Length", "Content-Type")
_DIALOG_FORMING: Final = frozenset({"INVITE", "SUBSCRIBE", "REFER"})

T = TypeVar("T")

# The same From, To, Contact and CSeq come with every message of a dialog. Values that were read stay read a while.
REMEMBERED: Final = 1024  # of each kind: about 1 MiB in all
_name_addr: Final = lru_cache(REMEMBERED)(NameAddr.parse)
_target: Final = lru_cache(REMEMBERED)(Uri.parse)
_cseq: Final = lru_cache(REMEMBERED)(CSeq.parse)


class Message:
    """What requests and responses share. Typed properties raise Malformed; of a parsed message they cannot."""

    __slots__ = ("body", "headers")

    headers: Headers
    body: bytes

    @property
    def via(self) -> Via:
        """The top Via."""
        return _one("Via", self.headers.typed("Via", Via.parse))

    @property
    def vias(self) -> tuple[Via, ...]:
        """All Vias, the last hop first."""
        return self.headers.typed("Via", Via.parse)

    @property
    def from_(self) -> NameAddr:
        """Who sent the request of this transaction."""
        return _one("From", self.headers.typed_single("From", _name_addr))

    @property
    def to(self) -> NameAddr:
        """To whom the request of this transaction was first addressed."""
        return _one("To", self.headers.typed_single("To", _name_addr))

    @property
    def call_id(self) -> str:
        """Compared octet by octet (RFC 3261 section 8.1.1.4)."""
        return _one("Call-ID", self.headers.typed_single("Call-ID", _parse_call_id))

    @property
    def cseq(self) -> CSeq:
        """Number and method of the request of this transaction."""
        return _one("CSeq", self.headers.typed_single("CSeq", _cseq))

    @property
    def contact(self) -> NameAddr | None:
        """The first Contact; None when there is none or it is `*`."""
        contacts = self.contacts
        return contacts[0] if contacts else None

    @property
    def contacts(self) -> tuple[NameAddr, ...]:
        """All Contacts; the `*` of a REGISTER (RFC 3261 section 10.2.2) is not one of them."""
        if self.headers.get("Contact") == "*":
            return ()
        return self.headers.typed("Contact", _name_addr)

    @property
    def record_routes(self) -> tuple[NameAddr, ...]:
        """Record-Route values in the order of the message (RFC 3261 section 12.1)."""
        return self.headers.typed("Record-Route", _name_addr)

    @property
    def content_type(self) -> str | None:
        """Media type in lower case without parameters; None when there is no Content-Type."""
        value = self.headers.get("Content-Type")
        return None if value is None else media_type(value)


class Request(Message):
    """One SIP request. `headers` may be changed; typed properties follow."""

    __slots__ = ("method", "uri")

    def __init__(self, method: str, uri: Uri, headers: Headers | None = None, body: bytes = b"") -> None:
        self.method = method
        self.uri = uri
        self.headers = Headers() if headers is None else headers
        self.body = body

    @property
    def max_forwards(self) -> int | None:
        """Hops left; None when an RFC 2543 peer sent none."""
        values = self.headers.typed_single("Max-Forwards", parse_max_forwards)
        return values[0] if values else None

    @property
    def routes(self) -> tuple[NameAddr, ...]:
        """Route values, the next hop first."""
        return self.headers.typed("Route", _name_addr)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Request) and _parts(self) == _parts(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Request({self.method} {self.uri}, {self.headers!r}, {len(self.body)} octets)"


class Response(Message):
    """One SIP response. `headers` may be changed; typed properties follow."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, headers: Headers | None = None, body: bytes = b"") -> None:
        self.status = status
        self.reason = reason
        self.headers = Headers() if headers is None else headers
        self.body = body

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Response) and _parts(self) == _parts(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Response({self.status} {self.reason}, {self.headers!r}, {len(self.body)} octets)"


def _parts(message: Request | Response) -> tuple[object, ...]:
    start = (message.method, message.uri) if isinstance(message, Request) else (message.status, message.reason)
    return (*start, message.headers, message.body)


def _one(name: str, values: tuple[T, ...]) -> T:
    if not values:
        raise Malformed(f"no {name}")
    return values[0]


def _parse_call_id(text: str) -> str:
    if _CALL_ID(text) is None:
        raise Malformed(f"Call-ID: {text[:40]!r}")
    return text


def parse_message(data: bytes) -> Request | Response:
    """Read one datagram, or one message cut from a stream.

    Octets beyond Content-Length are dropped, fewer of them are an error (RFC 3261 section 18.3). Raises RemoteError
    only; its `request` is what a stateless answer needs, where that much could be read.
    """
    try:
        return _parse(data)
    except RemoteError as refusal:
        if refusal.request is None:
            refusal.request = salvage(data)
        raise


def _parse(data: bytes) -> Request | Response:
    if len(data) > MAX_MESSAGE:
        raise TooLarge(f"{len(data)} octets")
    if data[:2] == b"\r\n":
        data = data.lstrip(b"\r\n")  # RFC 3261 section 7.5
    end = data.find(b"\r\n\r\n")
    if end < 0:
        raise Malformed("no empty line after the headers")
    start, items = _read_head(data[:end])
    headers = Headers.of_canonical(items)
    message: Request | Response
    if start[:4].upper() == "SIP/":
        message = Response(*_parse_status_line(start), headers)
    else:
        message = Request(*_parse_request_line(start), headers)
    _check(message, items)
    message.body = _read_body(headers, data, end + 4)
    return message


def _read_head(head: bytes) -> tuple[str, list[tuple[str, str]]]:
    """Start line and headers by canonical name."""
    if len(head) > MAX_HEAD:
        raise TooLarge(f"{len(head)} octets of headers")
    text = _decode(head)
    if "\0" in text:
        raise Malformed("NUL in a header")
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    lines = text.split("\r\n")
    if len(lines) > MAX_HEADERS:
        raise TooLarge(f"{len(lines)} headers")
    if len(text) > MAX_LINE and max(map(len, lines)) > MAX_LINE:
        raise TooLarge(f"a header of more than {MAX_LINE} characters")
    if text.count("\r") + text.count("\n") != 2 * len(lines) - 2:
        raise Malformed("a line does not end in CRLF")
    known = CANONICAL.get
    items: list[tuple[str, str]] = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        items.append(((colon and known(name)) or _unusual_name(name, colon), value.strip(" \t")))
    return lines[0], items


def _decode(head: bytes) -> str:
    """UTF-8, or ISO 8859-1 where it is not: old gateways still send names that way.

    A NUL is legal in a quoted pair only. It is read as `?` there: hardly anything behind us (C strings, SQL text, our
    own serialiser) could carry it.
    """
    try:
        text = head.decode()
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    return text.replace("\\\0", "?") if "\0" in text else text


def _unusual_name(name: str, colon: str) -> str:
    """A header name in unusual spelling, with white space before the colon, or unknown."""
    name = name.rstrip(" \t")
    if not colon or not is_token(name):
        raise Malformed(f"header: {name[:40]!r}")
    return canonical_name(name)


def _parse_request_line(line: str) -> tuple[str, Uri]:
    parts = line.split(" ")
    if len(parts) != 3:
        raise Malformed(f"request line: {line[:80]!r}")
    method, target, version = parts
    _check_version(version)
    if not is_token(method):
        raise Malformed(f"method: {method[:40]!r}")
    uri = _target(target)
    if uri.headers:
        raise Malformed("a Request-URI carries no headers")  # RFC 3261 section 19.1.1
    return method, uri


def _parse_status_line(line: str) -> tuple[int, str]:
    version, _, rest = line.partition(" ")
    _check_version(version)
    status, _, reason = rest.partition(" ")
    if _STATUS(status) is None:
        raise Malformed(f"status: {status[:20]!r}")
    return int(status), reason


def _check_version(version: str) -> None:
    if version == _VERSION or version.upper() == _VERSION:
        return
    if _IS_VERSION(version):
        raise BadVersion(version[:40])
    raise Malformed(f"version: {version[:40]!r}")


def _check(message: Request | Response, items: list[tuple[str, str]]) -> None:
    """Read what routes the message: after this no typed property of it raises."""
    names = [name for name, _ in items]
    if len(set(names)) != len(names):
        for single in _SINGLE:
            if names.count(single) > 1:
                raise Malformed(f"several {single}")
    if len(message.vias) > MAX_VALUES or len(message.record_routes) > MAX_VALUES:
        raise TooLarge("too many hops listed")
    _ = message.via, message.from_, message.to, message.call_id, message.contacts
    cseq = message.cseq
    if isinstance(message, Request):
        if cseq.method != message.method:
            raise Malformed(f"CSeq of {cseq.method[:40]!r} in {message.method[:40]!r}")
        _ = message.max_forwards, message.routes


def _read_body(headers: Headers, data: bytes, start: int) -> bytes:
    text = headers.get("Content-Length")
    if text is None:
        return data[start:]
    length = _read_length(text)
    if start + length > len(data):
        raise Malformed(f"Content-Length {length}, {len(data) - start} octets there")
    return data[start : start + length]


def _read_length(text: str) -> int:
    """Content-Length as a number; raises Malformed."""
    if text.isascii() and text.isdigit() and len(text) <= 10:
        return int(text)
    raise Malformed(f"Content-Length: {text[:20]!r}")


def salvage(data: bytes) -> Request | None:
    """What can still be read of a broken request, so that somebody may answer it without state.

    Of its typed properties only `via` is sure not to raise (of a broken one the sent-by part is left); `uri` may be a
    stand-in. None for responses, for ACK (never answered) and when no Via says where an answer goes.
    """
    head = data[:MAX_HEAD].lstrip(b"\r\n").partition(b"\r\n\r\n")[0]
    text = _FOLD.sub(" ", _decode(head)).replace("\0", "?")
    start, *lines = text.split("\r\n")[:MAX_HEADERS]
    method, space, target = start.partition(" ")
    if not space or not is_token(method) or method == "ACK":
        return None
    items: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.rstrip(" \t")
        if colon and is_token(name) and "\r" not in value and "\n" not in value:
            items.append((canonical_name(name), value.strip(" \t")))
    request = Request(method, _stand_in(target), Headers.of_canonical(items))
    try:
        _ = request.via
    except RemoteError:
        try:
            request.headers.typed_single("Via", Via.salvage)
            _ = request.via
        except RemoteError:
            return None
    return request


def _stand_in(target: str) -> Uri:
    try:
        return Uri.parse(target.strip(" ").partition(" ")[0])
    except RemoteError:
        return Uri(host="invalid")  # RFC 2606: resolves nowhere


def make_response(request: Request, status: int, reason: str | None = None, to_tag: str | None = None) -> Response:
    """A response with what RFC 3261 section 8.2.6.2 copies; `to_tag` goes into To unless it has a tag already.

    Record-Route is copied where the response makes a dialog (section 12.1.1), Timestamp into 100 (section 8.2.6.1).
    """
    headers = request.headers
    items = [("Via", value) for value in headers.all("Via")]
    if request.method in _DIALOG_FORMING and 100 < status < 300:
        items += [("Record-Route", value) for value in headers.all("Record-Route")]
    for name in ("From", "To", "Call-ID", "CSeq"):
        value = headers.get(name)
        if value is None:
            continue
        if name == "To" and to_tag is not None and not _has_to_tag(request):
            value = f"{value};tag={to_tag}"
        items.append((name, value))
    if status == 100 and (timestamp := headers.get("Timestamp")) is not None:
        items.append(("Timestamp", timestamp))
    return Response(status, phrase(status) if reason is None else reason, Headers.of_canonical(items))


def _has_to_tag(request: Request) -> bool:
    try:
        return request.to.tag is not None
    except RemoteError:
        return False


def serialise(message: Request | Response) -> bytes:
    """The message as it travels, Content-Length set from the body.

    Raises LocalError when CR, LF or NUL would get into the start line or a header, so that nobody can smuggle a header
    in through a value.
    """
    if isinstance(message, Request):
        target = str(message.uri)
        if not target or " " in target:
            raise LocalError(f"Request-URI: {target[:80]!r}")
        lines = [f"{message.method} {target} {_VERSION}"]
    else:
        lines = [f"{_VERSION} {message.status} {message.reason}"]
    lines += [f"{name}: {value}" for name, value in message.headers.items() if name != "Content-Length"]
    lines.append(f"Content-Length: {len(message.body)}")
    text = "\r\n".join(lines)
    if text.count("\r") != len(lines) - 1 or text.count("\n") != len(lines) - 1 or "\0" in text:
        raise LocalError(f"CR, LF or NUL in {_culprit(lines)!r}")
    try:
        return text.encode() + b"\r\n\r\n" + message.body
    except UnicodeEncodeError:
        raise LocalError("a header cannot be written as UTF-8") from None


def _culprit(lines: Sequence[str]) -> str:
    return next((line[:80] for line in lines if any(c in line for c in "\r\n\0")), "")


def sdp_body(message: Request | Response) -> bytes | None:
    """The session description of a message, alone or inside a multipart body (RFC 5621); None when there is none."""
    if not message.body:
        return None
    content_type = message.headers.get("Content-Type")
    if content_type is None:
        return None
    return find_part(content_type, message.body, "application/sdp")
