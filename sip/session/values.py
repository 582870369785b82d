"""The header values that sessions and subscriptions act upon: RAck, Session-Expires, Event, Replaces and their kin.

Read tolerantly where the RFC lets peers differ, strictly where two readings would hit two different dialogs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from urllib.parse import quote, unquote

from santral.sip.errors import Malformed, RemoteError
from santral.sip.headers import CSeq, is_token, split_values
from santral.sip.reasons import phrase
from santral.sip.uri import Params, find_param, parse_params

if TYPE_CHECKING:
    from santral.sip.headers import Headers
    from santral.sip.message import Message, Request
    from santral.sip.uri import Uri

__all__ = [
    "MAX_NUMBER",
    "SIPFRAG",
    "EventType",
    "RAck",
    "Replaces",
    "SessionExpires",
    "SubscriptionState",
    "has_option",
    "one_replaces",
    "read_number",
    "refer_to",
    "replaces_in",
    "sipfrag",
    "sipfrag_status",
]

MAX_NUMBER: Final = 2**32 - 1  # RSeq, RFC 3262 section 7.1; delta-seconds, RFC 3261 section 25.1
SIPFRAG: Final = "message/sipfrag;version=2.0"  # RFC 3420, RFC 3515 section 2.4.5


def read_number(text: str | None) -> int | None:
    """A number of at most 32 bits, such as RSeq, Min-SE or Expires; None when it is none."""
    text = (text or "").partition(";")[0].strip(" \t")
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= MAX_NUMBER:
        return int(text)
    return None


def has_option(headers: Headers, name: str, option: str) -> bool:
    """Whether the list header `name` (Supported, Require…) holds this option tag."""
    return any(option == token.lower() for token in headers.tokens(name))


class RAck(NamedTuple):
    """Which provisional response a PRACK acknowledges (RFC 3262 section 7.2)."""

    rseq: int
    cseq: CSeq

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the value; raises Malformed."""
        number, _, rest = text.strip(" \t").partition(" ")
        rseq = read_number(number)
        if rseq is None:
            raise Malformed(f"RAck: {text[:40]!r}")
        return cls(rseq, CSeq.parse(rest.strip(" \t")))

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq}"


class SessionExpires(NamedTuple):
    """How long a session lives without a refresh, and who refreshes it: "uac", "uas" or "" (RFC 4028 section 4)."""

    seconds: int
    refresher: str = ""

    @classmethod
    def of(cls, message: Message) -> Self | None:
        """That of a message; None without one, or with one that cannot be read (it is no reason to lose a call)."""
        text = message.headers.get("Session-Expires")
        if text is None:
            return None
        number, semicolon, rest = text.partition(";")
        seconds = read_number(number)
        if not seconds:
            return None
        try:
            refresher = (find_param(parse_params(semicolon + rest), "refresher") or "").lower()
        except Malformed:
            refresher = ""
        return cls(seconds, refresher if refresher in ("uac", "uas") else "")

    def __str__(self) -> str:
        return f"{self.seconds};refresher={self.refresher}" if self.refresher else f"{self.seconds}"


class EventType(NamedTuple):
    """An event package and the id of one subscription to it (RFC 6665 section 8.2.1)."""

    package: str
    id: str = ""

    @classmethod
    def of(cls, message: Message) -> Self:
        """That of a SUBSCRIBE or NOTIFY; an empty package when there is none or it cannot be read."""
        package, semicolon, rest = (message.headers.get("Event") or "").partition(";")
        package = package.strip(" \t")
        try:
            found = find_param(parse_params(semicolon + rest), "id") or ""
        except Malformed:
            return cls("")
        return cls(package.lower() if is_token(package) else "", found)

    def __str__(self) -> str:
        return f"{self.package};id={self.id}" if self.id else self.package


class SubscriptionState(NamedTuple):
    """Subscription-State of a NOTIFY (RFC 6665 section 8.2.3); `expires_s` None: not said."""

    state: str
    reason: str = ""
    expires_s: int | None = None
    retry_after_s: int | None = None

    @classmethod
    def of(cls, message: Message) -> Self:
        """That of a NOTIFY; one without it keeps the subscription as it is: "active"."""
        state, semicolon, rest = (message.headers.get("Subscription-State") or "active").partition(";")
        try:
            params: Params = parse_params(semicolon + rest)
        except Malformed:
            params = ()
        return cls(
            state.strip(" \t").lower(),
            (find_param(params, "reason") or "").lower(),
            read_number(find_param(params, "expires")),
            read_number(find_param(params, "retry-after")),
        )

    def __str__(self) -> str:
        text = self.state
        if self.reason:
            text += f";reason={self.reason}"
        if self.expires_s is not None:
            text += f";expires={self.expires_s}"
        return text if self.retry_after_s is None else f"{text};retry-after={self.retry_after_s}"


@dataclass(frozen=True, slots=True)
class Replaces:
    """The dialog an INVITE wants to take over, named as its receiver knows it: `to_tag` is the receiver's own.

    RFC 3891 section 6.1. A tag "0" stands for none, as RFC 2543 peers have it.
    """

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the header value; raises Malformed without a Call-ID or without exactly one of each tag.

        One that came escaped in a URI may hold anything: nothing that could end a line gets through.
        """
        call_id, semicolon, rest = text.partition(";")
        call_id = call_id.strip(" \t")
        params = parse_params(semicolon + rest)
        names = [name.lower() for name, _ in params]
        to_tag, from_tag = find_param(params, "to-tag"), find_param(params, "from-tag")
        if not call_id or not to_tag or not from_tag or names.count("to-tag") + names.count("from-tag") != 2:
            raise Malformed(f"Replaces: {text[:80]!r}")
        if not text.isprintable():
            raise Malformed(f"Replaces: {text[:80]!r}")
        return cls(call_id, to_tag, from_tag, "early-only" in names)

    def __str__(self) -> str:
        text = f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}"
        return text + ";early-only" if self.early_only else text

    def escaped(self) -> str:
        """As a URI header of Refer-To: `<sip:carol@example.com?Replaces=…>` (RFC 3261 section 19.1.1)."""
        return "Replaces=" + quote(str(self), safe="")


def replaces_in(uri: Uri) -> Replaces | None:
    """What the INVITE that a Refer-To asks for is to replace; None for nothing. Raises Malformed."""
    for part in uri.headers.split("&") if uri.headers else ():
        name, _, value = part.partition("=")
        if unquote(name).lower() == "replaces":
            return Replaces.parse(unquote(value))
    return None


def one_replaces(request: Request) -> Replaces | None:
    """The Replaces of an INVITE; raises Malformed when there are several, or Join beside it (RFC 3891 section 3)."""
    headers = request.headers
    lines = headers.all("Replaces")
    if not lines:
        return None
    try:
        if len(lines) > 1 or len(split_values(lines[0])) > 1 or "Join" in headers:
            raise Malformed("Replaces more than once, or with Join")
        return Replaces.parse(lines[0])
    except RemoteError as problem:
        problem.request = request
        raise


def sipfrag(status: int, reason: str = "") -> bytes:
    """How far a REFER has come, as the body of a NOTIFY (RFC 3420)."""
    return f"SIP/2.0 {status} {reason or phrase(status)}\r\n".encode()


def sipfrag_status(message: Message) -> int:
    """The status in such a body; 0 when there is none to read."""
    line = message.body.lstrip(b"\r\n").partition(b"\n")[0].split(b" ")
    if len(line) < 2 or line[0].strip().upper() != b"SIP/2.0":
        return 0
    text = line[1].strip()
    return int(text) if len(text) == 3 and text.isdigit() and b"100" <= text < b"700" else 0


def refer_to(request: Request) -> str | None:
    """The one Refer-To of a REFER; None when it is missing or there are several (RFC 3515 section 2.4.2)."""
    lines = request.headers.all("Refer-To")
    try:
        return lines[0] if len(lines) == 1 and len(split_values(lines[0])) == 1 else None
    except RemoteError:
        return None
