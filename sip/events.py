"""What the user agent hands back: bytes to send and events to act upon, in the order in which they happened.

`Send` and `Alias` are for the transport, everything else for the owner of the agent. Exactly one of the terminal events
(`Rejected`, `Cancelled`, `Ended`) closes each session.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from santral.sip.message import Request, Response
    from santral.sip.session import Replaces, Session, Subscription
    from santral.sip.uri import NameAddr

__all__ = [
    "Acknowledged",
    "Action",
    "Alias",
    "Answered",
    "Cancelled",
    "Ended",
    "Event",
    "Hop",
    "InDialog",
    "IncomingInvite",
    "Notified",
    "PrackFailed",
    "Pracked",
    "Progress",
    "Referred",
    "Refreshed",
    "Refused",
    "ReinviteAcknowledged",
    "ReinviteAnswered",
    "ReinviteCancelled",
    "ReinviteDue",
    "ReinviteRejected",
    "Reinvited",
    "Rejected",
    "Replacement",
    "RequestAnswered",
    "RequestFailed",
    "Resubscribed",
    "Send",
    "Stray",
    "Subscribed",
    "SubscriptionAnswered",
    "SubscriptionEnded",
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

    def beside(self, transport: str, host: str, port: int, name: str) -> Hop:
        """Another address of the same peer, by whatever connection there is or will be.

        Over TLS it has to prove the name that the peer has proved here; else `name`, the host as the peer wrote it.
        """
        if transport != "tls":
            return Hop(transport, host, port, self.interface)
        proved = self.server_name or (self.verified[0] if self.verified else name)
        return Hop(transport, host, port, self.interface, proved, self.profile)


@dataclass(frozen=True)
class Send:
    """Hand these bytes to the transport, now."""

    hop: Hop
    data: bytes


@dataclass(frozen=True, slots=True)
class Replacement:
    """What an INVITE with Replaces wants to take over (RFC 3891). With `status` 0 it may have `session`.

    Otherwise `status` is what it is to be refused with, by an owner that knows who is calling: 481 (we have no such
    dialog, or an early one that we did not begin), 486 (it asked for an early one only), 603 (that one is over).
    """

    header: Replaces
    session: Session | None
    status: int


@dataclass(frozen=True, slots=True)
class Alias:
    """The peer of this flow, known by its certificate, takes requests to its `port` by the flow (RFC 5923)."""

    hop: Hop
    port: int


@dataclass(frozen=True)
class IncomingInvite:
    """A new session asks to be answered; 100 Trying is already on its way."""

    session: Session
    request: Request
    source: Hop
    replaces: Replacement | None = None


@dataclass(frozen=True)
class Progress:
    """A provisional response to our INVITE, 100 included. `to_tag` names the early dialog ("" for 100).

    One that is reliable (RFC 3262) has been acknowledged, unless it brought the offer that our INVITE lacked: then the
    owner calls `session.prack` with its answer. A 199 says that this early dialog is no more (RFC 6228).
    """

    session: Session
    response: Response
    to_tag: str
    is_reliable: bool = False
    is_offer: bool = False


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Acknowledged:
    """The first ACK to our 2xx; its body may be the answer to our offer."""

    session: Session
    request: Request


@dataclass(frozen=True, slots=True)
class Pracked:
    """Our reliable provisional response is acknowledged; the body may be the answer to our offer in it."""

    session: Session
    request: Request


@dataclass(frozen=True, slots=True)
class PrackFailed:
    """Our PRACK in this early dialog was refused, or met silence (408) or an unreachable peer (503)."""

    session: Session
    to_tag: str
    status: int


@dataclass(frozen=True, slots=True)
class Reinvited:
    """The peer wants to change the session: call `accept_reinvite` or `reject_reinvite`.

    By re-INVITE, by UPDATE (in the session or before its answer, RFC 3311) or by an offer in a PRACK: see `method`.
    `to_tag` is the peer's and names the early dialog, while there may be several.
    """

    session: Session
    request: Request
    to_tag: str = ""

    @property
    def method(self) -> str:
        """INVITE, UPDATE or PRACK."""
        return self.request.method


@dataclass(frozen=True, slots=True)
class ReinviteCancelled:
    """The peer took its re-INVITE back before we answered it; 487 has been sent, nothing changes.

    So it is with the UPDATE of a fork when another fork answers the INVITE; `request` is that UPDATE, else the CANCEL.
    """

    session: Session
    request: Request

    @property
    def method(self) -> str:
        """UPDATE, or INVITE for a CANCEL."""
        return "UPDATE" if self.request.method == "UPDATE" else "INVITE"


@dataclass(frozen=True, slots=True)
class ReinviteAnswered:
    """The 2xx to our re-INVITE or UPDATE. A re-INVITE without a body has not been ACKed: the owner calls `session.ack`.

    Also a 2xx to a refresh of the session's own that brought another description than the one known.
    """

    session: Session
    response: Response
    to_tag: str = ""

    @property
    def method(self) -> str:
        """INVITE or UPDATE."""
        return self.response.cseq.method


@dataclass(frozen=True, slots=True)
class ReinviteRejected:
    """Our re-INVITE or UPDATE came to nothing and the session stands as before.

    Without a response it met a timeout (408), an unreachable peer (503), another change under way (491) or the answer
    of another fork (481). After a 491, or a 500 that says when, `ReinviteDue` tells when to try again. A session that
    ends while a change is pending tells only that it ended.
    """

    session: Session
    status: int
    response: Response | None
    method: str = "INVITE"


@dataclass(frozen=True, slots=True)
class ReinviteDue:
    """The wait after a refused change is over (RFC 3261 section 14.1): propose it anew if it is still wanted."""

    session: Session
    method: str


@dataclass(frozen=True, slots=True)
class ReinviteAcknowledged:
    """The first ACK to our 2xx to a re-INVITE; its body may be the answer to our offer."""

    session: Session
    request: Request


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A refresh that changes no media: their UPDATE without a body, answered already, or the 2xx to one of ours."""

    session: Session
    message: Request | Response


@dataclass(frozen=True, slots=True)
class InDialog:
    """A request inside the session (INFO, MESSAGE, OPTIONS…): answer it with `agent.respond(key, …)`."""

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


@dataclass(frozen=True)
class Ended:
    """Terminal: an answered session is over, or an incoming one was rejected by us.

    `cause` is "bye" (the peer's; in `request`), "local" (our own `bye` or `reject`), "no_ack" (our 2xx was never
    acknowledged), "no_prack" (a reliable provisional response was not), "session_expired" (nobody refreshed it, RFC
    4028) or "lost" (the peer no longer knows the dialog, or is silent).
    """

    session: Session
    cause: str
    request: Request | None = None


@dataclass(frozen=True, slots=True)
class Referred:
    """The peer asks us to call somebody (RFC 3515): `subscription.accept` or `subscription.reject`.

    `session` is the one it was said in; None: outside any. `replaces` is what the new call is to take over (RFC 3891),
    named as the referred-to party knows it.
    """

    session: Session | None
    subscription: Subscription
    request: Request
    refer_to: NameAddr
    replaces: Replaces | None
    source: Hop


@dataclass(frozen=True, slots=True)
class Subscribed:
    """Somebody asks to be told of an event package: `subscription.accept` or `reject`, then `notify`."""

    subscription: Subscription
    request: Request
    source: Hop


@dataclass(frozen=True, slots=True)
class Resubscribed:
    """A refresh of a subscription, answered already; the owner owes a `notify`, the last one if `is_ending`."""

    subscription: Subscription
    request: Request


@dataclass(frozen=True, slots=True)
class SubscriptionAnswered:
    """The 2xx to our REFER or SUBSCRIBE."""

    subscription: Subscription
    response: Response


@dataclass(frozen=True, slots=True)
class Notified:
    """A NOTIFY of a subscription of ours, answered already. `state` is "active", "pending" or "terminated"."""

    subscription: Subscription
    request: Request
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class SubscriptionEnded:
    """Terminal, exactly one for each subscription.

    `cause` is "local" (our `reject`, `terminate` or `unsubscribe`), "rejected" (ours, with `status`), "terminated" (by
    a NOTIFY, or accepted without one to come), "expired" or "lost" (the peer knows it no more, or is silent).
    """

    subscription: Subscription
    cause: str
    status: int = 0
    response: Response | None = None


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
    | Pracked
    | PrackFailed
    | Answered
    | Rejected
    | Cancelled
    | Acknowledged
    | Reinvited
    | ReinviteCancelled
    | ReinviteAnswered
    | ReinviteRejected
    | ReinviteDue
    | ReinviteAcknowledged
    | Refreshed
    | InDialog
    | RequestAnswered
    | RequestFailed
    | Ended
    | Referred
    | Subscribed
    | Resubscribed
    | SubscriptionAnswered
    | Notified
    | SubscriptionEnded
    | Stray
    | Refused
)
Action = Send | Alias | Event
