"""What the user agent hands back: bytes to send and events to act upon, in the order in which they happened.

`Send` is for the transport, everything else for the owner of the agent. Exactly one of the terminal events (`Rejected`,
`Cancelled`, `Ended`) closes each session.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from santral.sip.message import Request, Response
    from santral.sip.session import Session

__all__ = [
    "Acknowledged",
    "Action",
    "Answered",
    "Cancelled",
    "Ended",
    "Event",
    "Hop",
    "InDialog",
    "IncomingInvite",
    "Progress",
    "Refused",
    "ReinviteAcknowledged",
    "ReinviteAnswered",
    "ReinviteCancelled",
    "ReinviteRejected",
    "Reinvited",
    "Rejected",
    "RequestAnswered",
    "RequestFailed",
    "Send",
    "Stray",
]


class Hop(NamedTuple):
    """Where bytes go to, or came from. `host` is an address without brackets, `interface` names our own binding.

    A connection is found by `flow` if that is given; else by transport, address, `server_name` and `profile`.
    """

    transport: str  # "udp" | "tcp" | "tls" | "ws" | "wss"
    host: str
    port: int
    interface: str
    server_name: str = ""  # whom the certificate must name: the host of the URI before any look-up (RFC 5922 section 4)
    profile: str = ""  # whose certificate we show and which authorities we trust: a trunk's, "" the interface's
    flow: int = 0  # the accepted connection it came by; 0: any to that address
    verified: tuple[str, ...] = ()  # names that the peer's certificate has proved, in lower case

    def elsewhere(self, port: int, server_name: str = "") -> Hop:
        """The same peer at another port of the same address, by a connection of our own."""
        name = self.server_name or (self.verified[0] if self.verified else server_name)
        return Hop(self.transport, self.host, port, self.interface, name, self.profile)


@dataclass(frozen=True, slots=True)
class Send:
    """Hand these bytes to the transport, now."""

    hop: Hop
    data: bytes


@dataclass(frozen=True, slots=True)
class IncomingInvite:
    """A new session asks to be answered; 100 Trying is already on its way."""

    session: Session
    request: Request
    source: Hop


@dataclass(frozen=True, slots=True)
class Progress:
    """A provisional response to our INVITE, 100 included. `to_tag` names the early dialog ("" for 100)."""

    session: Session
    response: Response
    to_tag: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The 2xx that won. It has been ACKed, unless our INVITE had no body: then the owner calls `session.ack`."""

    session: Session
    response: Response


@dataclass(frozen=True, slots=True)
class Rejected:
    """Terminal: our INVITE failed. `cause` is "response", "timeout", "unreachable" or "cancelled" (by ourselves)."""

    session: Session
    status: int
    response: Response | None
    cause: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Terminal: the caller gave up before our answer. `request` is its CANCEL (or its BYE on the early dialog)."""

    session: Session
    request: Request


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The first ACK to our 2xx; its body may be the answer to our offer."""

    session: Session
    request: Request


@dataclass(frozen=True, slots=True)
class Reinvited:
    """The peer wants to change the session: call `accept_reinvite` or `reject_reinvite`."""

    session: Session
    request: Request


@dataclass(frozen=True, slots=True)
class ReinviteCancelled:
    """The peer took its re-INVITE back before we answered it; 487 has been sent, nothing changes."""

    session: Session
    request: Request


@dataclass(frozen=True, slots=True)
class ReinviteAnswered:
    """The 2xx to our re-INVITE. It has been ACKed, unless that had no body: then the owner calls `session.ack`."""

    session: Session
    response: Response


@dataclass(frozen=True, slots=True)
class ReinviteRejected:
    """Our re-INVITE came to nothing and the session stands as before (491: try again later, RFC 3261 section 14.1).

    Without a response it met a timeout (408), an unreachable peer (503) or another change under way (491). A session
    that ends while a change is pending tells only that it ended.
    """

    session: Session
    status: int
    response: Response | None


@dataclass(frozen=True, slots=True)
class ReinviteAcknowledged:
    """The first ACK to our 2xx to a re-INVITE; its body may be the answer to our offer."""

    session: Session
    request: Request


@dataclass(frozen=True, slots=True)
class InDialog:
    """A request inside the session (INFO, UPDATE, MESSAGE, OPTIONS…): answer it with `agent.respond(key, …)`."""

    session: Session
    key: str
    request: Request


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """A final response to a request of ours other than INVITE, CANCEL and BYE."""

    key: str
    session: Session | None
    response: Response


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """Such a request got no answer: 408 for silence, 503 for an unreachable hop, 481 for a session that is over."""

    key: str
    session: Session | None
    status: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Terminal: an answered session is over, or an incoming one was rejected by us.

    `cause` is "bye" (the peer's; in `request`), "local" (our own `bye` or `reject`), "no_ack" (our 2xx was never
    acknowledged) or "lost" (the peer no longer knows the dialog, or is silent).
    """

    session: Session
    cause: str
    request: Request | None = None


@dataclass(frozen=True, slots=True)
class Stray:
    """A request outside any session, other than INVITE (OPTIONS, MESSAGE…): answer with `agent.respond(key, …)`."""

    key: str
    request: Request
    source: Hop


@dataclass(frozen=True, slots=True)
class Refused:
    """A request the agent has already answered (or dropped, status 0) by itself: to be logged and counted."""

    kind: str
    source: Hop
    status: int
    detail: str


Event = (
    IncomingInvite
    | Progress
    | Answered
    | Rejected
    | Cancelled
    | Acknowledged
    | Reinvited
    | ReinviteCancelled
    | ReinviteAnswered
    | ReinviteRejected
    | ReinviteAcknowledged
    | InDialog
    | RequestAnswered
    | RequestFailed
    | Ended
    | Stray
    | Refused
)
Action = Send | Event
