"""Our own requests and responses: Via, branches, tags, Contact and the headers this stack puts into every message."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2s
from typing import TYPE_CHECKING, Final

from santral.sip.errors import LocalError
from santral.sip.headers import Headers, canonical_name
from santral.sip.locating import is_within
from santral.sip.message import Request, Response, make_response
from santral.sip.ua.deadlines import Timers

if TYPE_CHECKING:
    from santral.sip.events import Hop
    from santral.sip.locating import Network
    from santral.sip.uri import Uri

__all__ = ["COOKIE", "SDP", "AgentSettings", "Composer", "Draft", "HeaderList", "reply_hop"]

COOKIE: Final = "z9hG4bK"  # RFC 3261 8.1.1.7: this branch is unique
SDP: Final = "application/sdp"
WEB_SOCKETS: Final = frozenset({"ws", "wss"})  # no connection can be opened to these peers (RFC 7118 section 5)
DEFAULT_PORT: Final = 5060
DEFAULT_TLS_PORT: Final = 5061  # RFC 3261 19.1.2
MAX_FORWARDS: Final = 70  # RFC 3261 8.1.1.6
MAX_TRANSACTIONS: Final = 200_000  # below 1 KiB each; 400 calls/s keep some 40,000 for their 32 s
_TAG_OCTETS: Final = 8
_CALL_ID_OCTETS: Final = 16

MAX_INSIDERS: Final = 4096  # addresses looked at before

HeaderList = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What one user agent says of itself.

    `sent_by` is the "host:port" (IPv6 in brackets) of each (interface, transport), as peers shall see it in Via and
    Contact; ports that are known later come by `UserAgent.set_sent_by`. `allow` is every method the owner serves.
    With `max_transactions` of others' requests alive, new ones outside any dialog get 503 and leave nothing behind.
    """

    timers: Timers = field(default_factory=Timers)
    sent_by: Mapping[tuple[str, str], str] = field(default_factory=dict)
    user_agent: str = "Santral"
    allow: tuple[str, ...] = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO")
    supported: tuple[str, ...] = ()
    max_transactions: int = MAX_TRANSACTIONS
    min_se_s: int = 90  # RFC 4028 section 5: shorter session intervals of peers get 422
    event_packages: tuple[str, ...] = ()  # besides "refer"; SUBSCRIBE to others gets 489


@dataclass(frozen=True)
class Draft:
    """What the owner of a session adds to a message: headers, body, reason phrase.

    Raises LocalError at once when they cannot be written, so that no machine moves for a message that never leaves.
    """

    headers: HeaderList = ()
    body: bytes = b""
    content_type: str = SDP
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.headers or self.reason:
            text = "".join([name + value for name, value in self.headers]) + (self.reason or "")
            if "\r" in text or "\n" in text or "\0" in text or (not text.isprintable() and _is_unwritable(text)):
                raise LocalError(f"no header of ours: {text[:80]!r}")


def _is_unwritable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


NOTHING: Final = Draft()


def reply_hop(request: Request, source: Hop) -> tuple[Hop, Hop]:
    """Where the answer goes, and where it goes when that connection is gone (RFC 3261 18.2.2, RFC 3581 section 4)."""
    via = request.via
    port = via.port or default_port(source.transport)
    if source.transport == "udp":
        written = source if source.port == port else source._replace(port=port)
        return (source if via.rport is not None else written), written
    if source.transport in WEB_SOCKETS:
        return source, source
    return source, source.beside(source.transport, source.host, port, via.host)


def default_port(transport: str) -> int:
    """The port of a URI or Via without one."""
    return DEFAULT_TLS_PORT if transport == "tls" else DEFAULT_PORT


def note_source(request: Request, source: Hop) -> None:
    """Put `received` and `rport` into the top Via, as the server transport has to (RFC 3261 18.2.1, RFC 3581)."""
    via = request.via
    if via.rport is not None or via.host != source.host:
        request.headers.replace_first("Via", str(via.with_source(source.host, source.port)))


class Composer:
    """Writes the messages of one agent. `entropy(n)` gives n random octets."""

    __slots__ = (
        "_allow",
        "_inside",
        "_insiders",
        "_local_nets",
        "_secret",
        "_supported",
        "_user_agent",
        "entropy",
        "sent_by",
    )

    def __init__(self, settings: AgentSettings, entropy: Callable[[int], bytes]) -> None:
        self.sent_by: dict[tuple[str, str], str] = dict(settings.sent_by)
        self.entropy = entropy
        self._inside: dict[tuple[str, str], str] = {}
        self._local_nets: dict[str, tuple[Network, ...]] = {}
        self._insiders: dict[tuple[str, str], bool] = {}  # by interface and address, as found
        self._secret = entropy(_CALL_ID_OCTETS)
        self._user_agent = settings.user_agent
        self._allow = ", ".join(settings.allow)
        self._supported = ", ".join(settings.supported)

    def set_sent_by(self, way: tuple[str, str], address: str, inside: str, local_net: Sequence[Network]) -> None:
        """What this interface and transport are called: `inside` toward peers of `local_net`, else `address`."""
        self.sent_by[way] = address
        if inside and local_net:
            self._inside[way] = inside
            self._local_nets[way[0]] = tuple(local_net)

    def branch(self) -> str:
        """A new Via branch."""
        return COOKIE + self.entropy(_TAG_OCTETS).hex()

    def tag(self) -> str:
        """A new From or To tag (RFC 3261 19.3 asks for 32 random bits at least)."""
        return self.entropy(_TAG_OCTETS).hex()

    def call_id(self) -> str:
        """A new Call-ID."""
        return self.entropy(_CALL_ID_OCTETS).hex()

    def stateless_tag(self, request: Request) -> str:
        """The same To tag for every copy of a request that is answered without state (RFC 3261 8.2.7)."""
        seed = f"{request.headers.get('Via')} {request.headers.get('Call-ID')}"
        return blake2s(seed.encode(errors="replace"), key=self._secret, digest_size=_TAG_OCTETS).hexdigest()

    def via(self, hop: Hop, branch: str) -> str:
        """Our Via line toward a hop; raises LocalError when we do not listen on its interface and transport."""
        return f"SIP/2.0/{hop.transport.upper()} {self._our_name(hop)};branch={branch};rport"

    def contact(self, hop: Hop, scheme: str = "sip") -> str:
        """Where the peer behind a hop reaches us; in answer to a sips URI by one (RFC 3261 8.1.1.8, 12.1.1)."""
        if scheme == "sips":
            return f"<sips:{self._our_name(hop)}>"
        transport = "ws" if hop.transport == "wss" else hop.transport  # RFC 7118 section 5.2
        suffix = "" if transport == "udp" else f";transport={transport}"
        return f"<sip:{self._our_name(hop)}{suffix}>"

    def _our_name(self, hop: Hop) -> str:
        way = (hop.interface, hop.transport)
        if way in self._inside and self._is_insider(hop):
            return self._inside[way]
        try:
            return self.sent_by[way]
        except KeyError:
            raise LocalError(f"interface {hop.interface!r} does not speak {hop.transport!r}") from None

    def _is_insider(self, hop: Hop) -> bool:
        who = (hop.interface, hop.host)
        found = self._insiders.get(who)
        if found is None:
            if len(self._insiders) >= MAX_INSIDERS:
                self._insiders.clear()
            found = self._insiders[who] = is_within(hop.host, self._local_nets[hop.interface])
        return found

    def request(
        self,
        method: str,
        uri: Uri,
        hop: Hop,
        *,
        branch: str,
        from_: str,
        to: str,
        call_id: str,
        cseq: int,
        routes: Sequence[str] = (),
        draft: Draft = NOTHING,
        max_forwards: int = MAX_FORWARDS,
    ) -> Request:
        """A request of ours. `from_` and `to` are header values with their tags, `routes` Route values."""
        items = [("Via", self.via(hop, branch))]
        if routes:
            items += [("Route", route) for route in routes]
        items += [
            ("Max-Forwards", f"{max_forwards}"),
            ("From", from_),
            ("To", to),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} {method}"),
        ]
        own = {canonical_name(name) for name, _ in draft.headers} if draft.headers else ()
        if method != "ACK":
            if method in _WITH_CONTACT and "Contact" not in own:
                items.append(("Contact", self.contact(hop, uri.scheme)))
            if method in _WITH_ABILITIES:
                items += self._abilities(own)
            if "User-Agent" not in own:
                items.append(("User-Agent", self._user_agent))
        return Request(method, uri, _finish(items, draft), draft.body)

    def response(
        self, request: Request, status: int, to_tag: str | None, hop: Hop | None = None, draft: Draft = NOTHING
    ) -> Response:
        """A response of ours; with a `hop` it carries Contact and what we can do, as one that makes a dialog does."""
        response = make_response(request, status, draft.reason, to_tag)
        items = list(response.headers.items())
        own = {canonical_name(name) for name, _ in draft.headers} if draft.headers else ()
        if hop is not None:
            if "Contact" not in own:
                items.append(("Contact", self.contact(hop, request.uri.scheme)))
            items += self._abilities(own)
        if "Server" not in own:
            items.append(("Server", self._user_agent))
        response.headers = _finish(items, draft)
        response.body = draft.body
        return response

    def _abilities(self, own: set[str] | tuple[()]) -> list[tuple[str, str]]:
        found = []
        if self._allow and "Allow" not in own:
            found.append(("Allow", self._allow))
        if self._supported and "Supported" not in own:
            found.append(("Supported", self._supported))
        return found

    def again(self, request: Request, hop: Hop, cseq: int, changes: HeaderList) -> Request:
        """A refused request to be sent once more: new branch, this CSeq, the headers named in `changes` replaced.

        A name with an empty value is only taken away.
        """
        gone = {canonical_name(name) for name, _ in changes} | {"Via", "CSeq"}
        items = [("Via", self.via(hop, self.branch()))]
        items += [item for item in request.headers.items() if item[0] not in gone]
        items.append(("CSeq", f"{cseq} {request.method}"))
        items += [(canonical_name(name), value) for name, value in changes if value]
        return Request(request.method, request.uri, Headers.of_canonical(items), request.body)

    def random_below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1 (bound up to 2^31)."""
        return int.from_bytes(self.entropy(8), "big") % bound

    def ack_failure(self, invite: Request, response: Response) -> Request:
        """The ACK that belongs to the transaction of a failed INVITE (RFC 3261 17.1.1.3)."""
        return self._twin("ACK", invite, response.headers.get("To") or "", ())

    def cancel(self, invite: Request, extra: HeaderList) -> Request:
        """The CANCEL of a pending INVITE (RFC 3261 9.1)."""
        return self._twin("CANCEL", invite, invite.headers.get("To") or "", extra)

    @staticmethod
    def _twin(method: str, invite: Request, to: str, extra: HeaderList) -> Request:
        headers = invite.headers
        items = [("Via", headers.get("Via") or "")]
        items += [("Route", route) for route in headers.all("Route")]
        items += [
            ("Max-Forwards", f"{MAX_FORWARDS}"),
            ("From", headers.get("From") or ""),
            ("To", to),
            ("Call-ID", invite.call_id),
            ("CSeq", f"{invite.cseq.number} {method}"),
        ]
        return Request(method, invite.uri, _finish(items, Draft(extra)))


_WITH_ABILITIES: Final = frozenset({"INVITE", "UPDATE", "REFER", "SUBSCRIBE"})
_WITH_CONTACT: Final = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})  # target refresh requests


def _finish(items: list[tuple[str, str]], draft: Draft) -> Headers:
    if draft.headers:
        items += [(canonical_name(name), value) for name, value in draft.headers]
    if draft.body and "Content-Type" not in [name for name, _ in items]:
        items.append(("Content-Type", draft.content_type))
    return Headers.of_canonical(items)
