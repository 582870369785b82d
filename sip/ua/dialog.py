"""One dialog: identity, sequence numbers, route set and remote target (RFC 3261 section 12). No states, no I/O."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Self

from santral.sip.errors import RemoteError
from santral.sip.ua.compose import WEB_SOCKETS, default_port
from santral.sip.uri import NameAddr, Uri

if TYPE_CHECKING:
    from santral.sip.events import Hop
    from santral.sip.message import Request, Response

__all__ = ["Dialog", "Exchange", "numeric_hop"]

_IS_IPV4: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}").fullmatch


class Exchange(IntEnum):
    """How far the first offer and answer of a dialog have come (RFC 3264, RFC 6337); what follows is a change."""

    NONE = 0  # the INVITE had no offer: the callee's first reliable message makes it
    OURS = 1  # we offered; the answer has not come reliably yet
    THEIRS = 2  # they offered; we owe the answer
    SETTLED = 3


def numeric_hop(uri: Uri, base: Hop, spoken: Collection[tuple[str, str]]) -> Hop | None:
    """The hop a URI with an address names, on the interface of `base`; None for a host name: nothing here resolves.

    A transport that interface does not speak (`spoken`: pairs of interface and transport) gives None as well, and so
    does a web socket: its peer is only where it came from.
    """
    host = uri.host
    if uri.scheme not in ("sip", "sips") or not host or not (":" in host or _IS_IPV4(host)):
        return None
    transport = "tls" if uri.scheme == "sips" else (uri.param("transport") or "udp").lower()
    if (base.interface, transport) not in spoken or transport in WEB_SOCKETS:
        return None
    port = uri.port or default_port(transport)
    if base.host == host and base.port == port and base.transport == transport and not base.flow:
        return base  # shares the object: thousands of sessions talk to one peer
    return base.beside(transport, host, port, host)


def requestable(uri: Uri) -> Uri:
    """As a Request-URI may be: the headers a Contact may carry have no place in one (RFC 3261 19.1.1, table 1)."""
    return uri.with_(headers="") if uri.headers else uri


class Dialog:
    """What both sides must agree on to exchange requests. `local` and `remote` are From and To as we write them."""

    __slots__ = (
        "_first_route",
        "allow",
        "call_id",
        "exchange",
        "local",
        "local_cseq",
        "next_hop",
        "owed_rack",
        "pracking",
        "remote",
        "remote_cseq",
        "remote_tag",
        "routes",
        "rseq",
        "rseq_cseq",
        "supported",
        "target",
    )

    def __init__(self, call_id: str, local: str, remote: str, remote_tag: str, target: Uri) -> None:
        self.call_id = call_id
        self.local = local
        self.remote = remote
        self.remote_tag = remote_tag
        self.target = requestable(target)
        self.routes: tuple[str, ...] = ()
        self.local_cseq = 0
        self.remote_cseq: int | None = None
        self.next_hop: Hop | None = None
        self.exchange = Exchange.NONE
        self.allow = ""
        self.supported = ""
        self.rseq, self.rseq_cseq = 0, -1  # the last reliable provisional response taken, and the INVITE it is about
        self.pracking = ""  # key of our last PRACK while it is unanswered
        self.owed_rack = ""  # of the reliable provisional response whose offer waits for the owner's answer
        self._first_route: Uri | None = None

    @classmethod
    def of_callee(cls, request: Request, local_tag: str, base: Hop, spoken: Collection[tuple[str, str]]) -> Self:
        """The dialog a request makes at its receiver (RFC 3261 12.1.1); one made by a NOTIFY knows our tag already."""
        contact, to = request.contact, request.headers.get("To")
        dialog = cls(
            request.call_id,
            to if to and request.to.tag else f"{to};tag={local_tag}",
            request.headers.get("From") or "",
            request.from_.tag or "",
            request.from_.uri if contact is None else contact.uri,
        )
        dialog.remote_cseq = request.cseq.number
        dialog.set_route(request.record_routes, base, spoken)
        dialog.note_abilities(request)
        return dialog

    @classmethod
    def of_caller(cls, response: Response, target: Uri | None, base: Hop, spoken: Collection[tuple[str, str]]) -> Self:
        """The dialog a response makes at the sender of the INVITE (RFC 3261 12.1.2).

        `target` stands in for a missing Contact; raises RemoteError when both are missing.
        """
        contact = response.contact
        if contact is not None:
            target = contact.uri
        if target is None:
            raise RemoteError("an answer without Contact")
        dialog = cls(
            response.call_id,
            response.headers.get("From") or "",
            response.headers.get("To") or "",
            response.to.tag or "",
            target,
        )
        dialog.local_cseq = response.cseq.number
        dialog.set_route(response.record_routes[::-1], base, spoken)
        dialog.note_abilities(response)
        return dialog

    def note_abilities(self, message: Request | Response) -> None:
        """Remember what the peer says it can do; a message that says nothing changes nothing."""
        allow = supported = ""
        for name, value in message.headers.items():
            if name == "Allow":
                allow = f"{allow},{value}" if allow else value
            elif name == "Supported":
                supported = f"{supported},{value}" if supported else value
        self.allow, self.supported = allow or self.allow, supported or self.supported

    def set_route(self, routes: Sequence[NameAddr], base: Hop, spoken: Collection[tuple[str, str]]) -> None:
        """Take over a route set, the next hop first."""
        self.routes = tuple([str(route) for route in routes])
        self._first_route = routes[0].uri if routes else None
        self.next_hop = numeric_hop(self._first_route or self.target, base, spoken)

    def refresh(self, message: Request | Response, base: Hop, spoken: Collection[tuple[str, str]]) -> None:
        """A target refresh: Contact of a re-INVITE, of an UPDATE or of their 2xx (RFC 3261 12.2)."""
        self.note_abilities(message)
        contact = message.contact
        if contact is not None and (target := requestable(contact.uri)) != self.target:
            self.target = target
            if self._first_route is None:
                self.next_hop = numeric_hop(self.target, base, spoken)

    @property
    def next_uri(self) -> Uri:
        """What its requests are sent towards: the first route, or the peer's own Contact."""
        return self._first_route or self.target

    def address(self) -> tuple[Uri, tuple[str, ...]]:
        """Request-URI and Route of a request, for a loose or a strict first router (RFC 3261 12.2.1.1)."""
        first = self._first_route
        if first is None or first.has_param("lr"):
            return self.target, self.routes
        return requestable(first), (*self.routes[1:], f"<{self.target}>")

    def accepts(self, number: int) -> bool:
        """Take note of a request's CSeq number; False when it is not newer than the last one (RFC 3261 12.2.2)."""
        if self.remote_cseq is not None and number <= self.remote_cseq:
            return False
        self.remote_cseq = number
        return True
