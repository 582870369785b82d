"""The user agent: datagrams and owner's wishes in, actions out (RFC 3261 section 8). Reads no clock, opens no socket.

What comes in is sorted by `ua/intake.py` (requests) and `ua/outcomes.py` (responses), and answered where nobody has to
decide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from santral.sip.errors import LocalError, RemoteError
from santral.sip.events import Action, Hop
from santral.sip.framing import is_keep_alive
from santral.sip.message import Request, Response, parse_message
from santral.sip.session import Session, SessionTimer, Subscription
from santral.sip.session.subscription import refer_lines
from santral.sip.session.watch import request_lines
from santral.sip.ua.challenge import Attempt
from santral.sip.ua.compose import MAX_FORWARDS, SDP, AgentSettings, Composer, Draft, HeaderList
from santral.sip.ua.core import Core
from santral.sip.ua.deadlines import Timers
from santral.sip.ua.intake import Intake
from santral.sip.ua.outcomes import Outcomes
from santral.sip.ua.screen import Door
from santral.sip.ua.transaction import Transaction

if TYPE_CHECKING:
    from santral.sip.auth.account import Account
    from santral.sip.locating import Network
    from santral.sip.uri import NameAddr, Uri

__all__ = ["AgentSettings", "Timers", "UserAgent"]


class UserAgent:
    """One SIP element: all its transactions and sessions. Every method returns the actions it caused, in order."""

    def __init__(self, settings: AgentSettings, entropy: Callable[[int], bytes]) -> None:
        self._composer = Composer(settings, entropy)
        self._core = Core(self, settings, self._composer)
        self._runner = self._core.runner
        self._outbox = self._core.outbox
        self._sessions = self._core.sessions
        self._intake = Intake(self._core)
        self._outcomes = Outcomes(self._core)
        self.on_ack = self._intake.on_ack  # these three make it the `Listener` of its transactions
        self.on_response = self._outcomes.on_response
        self.on_failure = self._outcomes.on_failure
        self.counters = self._outbox.counters

    def set_sent_by(
        self, interface: str, transport: str, address: str, *, inside: str = "", local_net: Sequence[Network] = ()
    ) -> None:
        """Say as which "host:port" (IPv6 in brackets) peers reach us by this interface and transport; those inside
        `local_net` reach us as `inside`.
        """
        self._composer.set_sent_by((interface, transport), address, inside, local_net)

    @property
    def door(self) -> Door | None:
        """Who decides about requests outside dialogs before they have any state."""
        return self._intake.door

    @door.setter
    def door(self, door: Door | None) -> None:
        self._intake.door = door

    @property
    def counts(self) -> dict[str, int]:
        """How many of each are alive: all zero once everything has ended and its timers ran out."""
        return {
            "sessions": len(self._sessions),
            "subscriptions": sum(map(len, self._core.subscriptions.values())),
            "client_transactions": len(self._runner.clients),
            "server_transactions": len(self._runner.servers),
            "merge_keys": len(self._runner.merged),
            "timers": len(self._core.deadlines),
        }

    # -- time ------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `tick` is needed next; None while nothing is pending."""
        return self._core.deadlines.next()

    def tick(self, now: float) -> list[Action]:
        """Do what has come due."""
        for owner, what in self._core.deadlines.due(now):
            if isinstance(owner, Transaction):
                self._runner.feed(owner, what, now)
            else:
                owner.on_timer(what, now)
        return self._outbox.flush()

    # -- the wire --------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, source: Hop, now: float) -> list[Action]:
        """One datagram, or one message cut from a stream."""
        if is_keep_alive(data):
            self.counters["keepalives"] += 1
            return []
        self._core.source, self._core.now = source, now
        try:
            message = parse_message(data)
            if isinstance(message, Response):
                self._outcomes.receive(message, now)
            else:
                self._intake.receive(message, now)
        except RemoteError as refusal:
            self._intake.refuse_broken(refusal, data)
        return self._outbox.flush()

    def refuse_unframed(self, error: RemoteError, source: Hop) -> list[Action]:
        """A stream cannot be cut into messages any further: answer the request it broke off at, if that can be read."""
        self._core.source = source
        self._intake.refuse_broken(error, b"")
        return self._outbox.flush()

    def send_failed(self, hop: Hop, now: float) -> list[Action]:
        """The transport could not deliver to this hop: requests there fail as 503, answers try the way Via names."""
        self.counters["send_failures"] += 1
        self._runner.unreachable(hop, now)
        return self._outbox.flush()

    # -- what the owner wants --------------------------------------------------------------------------------------

    def respond(self, key: str, response: Response, now: float) -> list[Action]:
        """Answer a `Stray` or `InDialog` request with a final response; too late (64*T1, RFC 4320) nothing happens."""
        if response.status < 200:
            raise LocalError("no provisional response but 100 to a request other than INVITE (RFC 4320 4.1)")
        transaction = self._runner.servers.get(key)
        if transaction is None or transaction.request is None:
            return []
        if response.to.tag is None:
            response.headers.set("To", f"{response.headers.get('To')};tag={self._composer.tag()}")
        self._runner.respond(transaction, response, now)
        return self._outbox.flush()

    def find_session(self, call_id: str, local_tag: str, remote_tag: str) -> Session | None:
        """The session with this dialog, early ones included; `local_tag` is our own."""
        session = self._sessions.get((call_id, local_tag))
        return session if session is not None and session.find_dialog(remote_tag) is not None else None

    def invite(
        self,
        *,
        hop: Hop,
        uri: Uri,
        from_: NameAddr,
        to: NameAddr,
        headers: HeaderList = (),
        body: bytes = b"",
        content_type: str = SDP,
        call_id: str | None = None,
        max_forwards: int = MAX_FORWARDS,
        routes: Sequence[str] = (),
        account: Account | None = None,
        session_timer: SessionTimer | None = None,
        now: float,
    ) -> tuple[Session, list[Action]]:
        """Begin a session. Without a body the peer is asked for an offer, and the owner owes `session.ack`.

        `routes` are Route values. With an `account` the session answers challenges to its requests, as long as they
        come from the host of this hop; with a `session_timer` it is kept alive by refreshes, or ends (RFC 4028).
        """
        tag = from_.tag or self._composer.tag()
        if session_timer is not None:
            headers = (*request_lines(session_timer), *headers)
        request = self._composer.request(
            "INVITE",
            uri,
            hop,
            branch=self._composer.branch(),
            from_=str(from_ if from_.tag else from_.with_tag(tag)),
            to=str(to),
            call_id=call_id or self._composer.call_id(),
            cseq=1,
            routes=routes,
            draft=Draft(headers, body, content_type),
            max_forwards=max_forwards,
        )
        session = Session(self._core, "uac", request, tag, hop)
        session.session_timer = session_timer
        if account is not None:
            session.attempt = Attempt(account, hop.host)
        session.start(hop, now)
        return session, self._outbox.flush()

    def request(
        self,
        *,
        method: str,
        hop: Hop,
        uri: Uri,
        from_: NameAddr,
        to: NameAddr,
        headers: HeaderList = (),
        body: bytes = b"",
        content_type: str = SDP,
        call_id: str | None = None,
        cseq: int = 1,
        routes: Sequence[str] = (),
        account: Account | None = None,
        now: float,
    ) -> tuple[str, list[Action]]:
        """Send a request outside any session (OPTIONS…): RequestAnswered or RequestFailed will carry the key.

        `call_id` and `cseq` go on where an earlier request ended (REGISTER, RFC 3261 10.2); an `account` answers
        challenges from this hop's host.
        """
        draft = Draft(headers, body, content_type)
        request = self._alone(
            method, hop, uri, from_=from_, to=to, draft=draft, call_id=call_id, cseq=cseq, routes=routes
        )
        attempt = None if account is None else Attempt(account, hop.host)
        transaction = self._runner.start_client(request, hop, None, now, attempt)
        return transaction.key, self._outbox.flush()

    def subscribe(
        self,
        *,
        hop: Hop,
        uri: Uri,
        from_: NameAddr,
        to: NameAddr,
        event: str,
        expires_s: int,
        headers: HeaderList = (),
        body: bytes = b"",
        content_type: str = SDP,
        now: float,
    ) -> tuple[Subscription, list[Action]]:
        """Ask to be told of an event package (RFC 6665); the subscription refreshes itself until `unsubscribe`."""
        lines = (("Event", event), ("Expires", f"{expires_s}"), *headers)
        request = self._alone("SUBSCRIBE", hop, uri, from_=from_, to=to, draft=Draft(lines, body, content_type))
        subscription = Subscription(self._core, request.call_id, request.from_.tag or "", hop, event)
        subscription.expires_s, subscription.refreshes = expires_s, True
        subscription.start_alone(request, hop, now)
        return subscription, self._outbox.flush()

    def refer(
        self,
        *,
        hop: Hop,
        uri: Uri,
        from_: NameAddr,
        to: NameAddr,
        refer_to: str,
        headers: HeaderList = (),
        subscribes: bool = True,
        now: float,
    ) -> tuple[Subscription, list[Action]]:
        """REFER outside any dialog (RFC 3515): as `session.refer`."""
        lines = (*refer_lines(refer_to, "", subscribes=subscribes), *headers)
        request = self._alone("REFER", hop, uri, from_=from_, to=to, draft=Draft(lines))
        subscription = Subscription(self._core, request.call_id, request.from_.tag or "", hop, "refer")
        subscription.start_alone(request, hop, now, subscribes=subscribes)
        return subscription, self._outbox.flush()

    def _alone(
        self,
        method: str,
        hop: Hop,
        uri: Uri,
        *,
        from_: NameAddr,
        to: NameAddr,
        draft: Draft,
        call_id: str | None = None,
        cseq: int = 1,
        routes: Sequence[str] = (),
    ) -> Request:
        """A request outside any dialog."""
        composer = self._composer
        return composer.request(
            method,
            uri,
            hop,
            branch=composer.branch(),
            from_=str(from_ if from_.tag else from_.with_tag(composer.tag())),
            to=str(to),
            call_id=call_id or composer.call_id(),
            cseq=cseq,
            routes=routes,
            draft=draft,
        )

    def new_call_id(self) -> str:
        """A Call-ID for requests that belong together outside any session (REGISTER)."""
        return self._composer.call_id()

    def contact(self, hop: Hop, user: str) -> str:
        """Our contact, as the peer behind a hop reaches us, with this user part."""
        return self._composer.contact(hop).replace("<sip:", f"<sip:{user}@", 1)
