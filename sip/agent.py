"""The user agent: datagrams and owner's wishes in, actions out (RFC 3261 section 8). Reads no clock, opens no socket.

Matches each message to its transaction, its session, or neither, and answers by itself what needs no decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from santral.sip.errors import LocalError, RemoteError
from santral.sip.events import (
    Action,
    Alias,
    Hop,
    IncomingInvite,
    Refused,
    RequestAnswered,
    RequestFailed,
    Send,
    Stray,
)
from santral.sip.framing import is_keep_alive
from santral.sip.message import Request, Response, parse_message, serialise
from santral.sip.session import Session, SessionTimer, Subscription
from santral.sip.session.replacing import find_replaced
from santral.sip.session.subscription import refer_lines
from santral.sip.session.values import EventType, one_replaces
from santral.sip.session.watch import larger_interval, request_lines, too_brief
from santral.sip.ua.challenge import CHALLENGES, Amendment, Attempt, credentials_for
from santral.sip.ua.compose import (
    MAX_FORWARDS,
    NOTHING,
    SDP,
    AgentSettings,
    Composer,
    Draft,
    HeaderList,
    default_port,
    note_source,
    reply_hop,
)
from santral.sip.ua.core import Core
from santral.sip.ua.deadlines import Timers
from santral.sip.ua.dialog import Dialog
from santral.sip.ua.runner import client_key, merge_key, server_key
from santral.sip.ua.screen import Door, Refusal, screen, screen_first
from santral.sip.ua.transaction import INVITE_CLIENT, Input, Transaction
from santral.sip.uri import find_param

if TYPE_CHECKING:
    from santral.sip.auth.account import Account
    from santral.sip.locating import Network
    from santral.sip.uri import NameAddr, Uri

__all__ = ["AgentSettings", "Timers", "UserAgent"]

MAX_FORKS: Final = 16  # To-tags remembered per INVITE: more answers than that are ignored
MAX_RESENDS: Final = 6  # of one request, each time for another reason
_NOBODY: Final = Refusal(481, "dialog", "no such dialog")
_LOOP: Final = Refusal(482, "loop", "our own request came back unchanged")
_NO_INVITE: Final = Refusal(481, "dialog", "nothing to cancel")
_OLD: Final = Refusal(500, "sequence", "CSeq out of order")
_MERGED: Final = Refusal(482, "merged", "the same request came by another way")
_OVERLOAD: Final = Refusal(503, "overload", "too many transactions", (("Retry-After", "5"),))


_UNTOLD: Final = frozenset({"BYE", "CANCEL", "PRACK", "UPDATE"})  # nobody waits for how these end, but a session
_OF_EVENTS: Final = frozenset({"NOTIFY", "SUBSCRIBE"})


class UserAgent:
    """One SIP element: all its transactions and sessions. Every method returns the actions it caused, in order."""

    def __init__(self, settings: AgentSettings, entropy: Callable[[int], bytes]) -> None:
        self._settings = settings
        self._composer = Composer(settings, entropy)
        self._core = Core(self, settings, self._composer)
        self._runner = self._core.runner
        self._outbox = self._core.outbox
        self._out = self._core.out
        self._sessions = self._core.sessions
        self.door: Door | None = None  # decides about requests outside dialogs before they have any state
        self._source = Hop("udp", "", 0, "")  # of the message at hand
        self._now = 0.0
        self.counters = self._outbox.counters

    def set_sent_by(
        self, interface: str, transport: str, address: str, *, inside: str = "", local_net: Sequence[Network] = ()
    ) -> None:
        """Say as which "host:port" (IPv6 in brackets) peers reach us by this interface and transport; those inside
        `local_net` reach us as `inside`.
        """
        self._composer.set_sent_by((interface, transport), address, inside, local_net)

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
        self._source, self._now = source, now
        try:
            message = parse_message(data)
            if isinstance(message, Response):
                self._receive_response(message, now)
            else:
                self._receive_request(message, now)
        except RemoteError as refusal:
            self._refuse_broken(refusal, data)
        return self._outbox.flush()

    def refuse_unframed(self, error: RemoteError, source: Hop) -> list[Action]:
        """A stream cannot be cut into messages any further: answer the request it broke off at, if that can be read."""
        self._source = source
        self._refuse_broken(error, b"")
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

    # -- responses -------------------------------------------------------------------------------------------------

    def _receive_response(self, response: Response, now: float) -> None:
        transaction = self._runner.clients.get(client_key(response.via.branch, response.cseq.method))
        if transaction is not None:
            if transaction.owner is not None:
                transaction.owner.last_source = self._source
            self._runner.receive_response(transaction, response, now)
            return
        is_answer = 200 <= response.status < 300 and response.cseq.method == "INVITE"
        if not (is_answer and self._repeat_ack(response)):
            self.counters["stray_responses"] += 1

    def _repeat_ack(self, response: Response) -> bool:
        """A 2xx that its session has seen before; False when there is no such session any more."""
        session = self._sessions.get((response.call_id, response.from_.tag or ""))
        if session is None or session.remote_tag != (response.to.tag or ""):
            return False
        return session.repeat_ack(response.cseq.number)

    def on_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """Part of `Listener`: a response that its transaction lets through."""
        if response.status >= 400 and self._send_again(transaction, response, now):
            return
        owner = transaction.owner
        if transaction.table is INVITE_CLIENT:
            if 200 <= response.status < 300:
                tag = response.to.tag or ""
                if owner is None:
                    self._receive_late_answer(transaction, tag, response, now)
                    return
                transaction.tags = (tag,)
            if owner is not None:
                owner.on_invite_response(transaction, response, now)
            return
        if owner is not None:
            owner.on_final(transaction, response.status, response, now)
        elif transaction.origin and response.cseq.method not in _UNTOLD:
            self._out.append(RequestAnswered(transaction.origin, None, response))

    def on_failure(self, transaction: Transaction, status: int, now: float) -> None:
        """Part of `Listener`: no response at all."""
        owner = transaction.owner
        if transaction.table is INVITE_CLIENT:
            if owner is not None:
                owner.on_invite_failure(status, now)
            return
        if owner is not None:
            owner.on_final(transaction, status, None, now)
        elif transaction.origin and transaction.key.rpartition(" ")[2] not in _UNTOLD:
            self._out.append(RequestFailed(transaction.origin, None, status))

    def _send_again(self, transaction: Transaction, response: Response, now: float) -> bool:
        """Whether a refused request has been sent once more, with what it lacked; nobody hears of the refusal then."""
        request, owner = transaction.request, transaction.owner
        if request is None or transaction.resends >= MAX_RESENDS or (owner is None and request.method in _UNTOLD):
            return False
        amended = self._cure(transaction, request, response)
        if amended is None or not (owner or self).resend(transaction, amended, now):
            return False
        self.counters["challenges_answered"] += response.status in CHALLENGES
        return True

    def resend(self, transaction: Transaction, amended: Amendment, now: float) -> bool:
        """A refused request outside any session once more, amended."""
        request = transaction.request
        if request is None or not transaction.origin:
            return False
        again = self._composer.again(request, transaction.hop, request.cseq.number + 1, amended.headers)
        made = self._runner.start_client(again, transaction.hop, None, now, amended.attempt)
        made.origin, made.resends = transaction.origin, transaction.resends + 1
        return True

    def _cure(self, transaction: Transaction, request: Request, response: Response) -> Amendment | None:
        """What a refused request lacked; None where nothing helps."""
        if response.status in CHALLENGES:
            return credentials_for(transaction, response, self._composer)
        lines = larger_interval(request, response) if response.status == 422 else None
        return None if lines is None else Amendment(lines, transaction.attempt)

    def _receive_late_answer(self, transaction: Transaction, tag: str, response: Response, now: float) -> None:
        """A 2xx that no session waits for: the same again, or that of another fork, which is ACKed and BYEd."""
        known = tag in transaction.tags
        if known and self._repeat_ack(response):
            return
        if not known:
            if len(transaction.tags) >= MAX_FORKS:
                self.counters["stray_responses"] += 1
                return
            transaction.tags += (tag,)
        composer = self._composer
        dialog = Dialog.of_caller(response, None, self._source, composer.sent_by)
        hop = dialog.next_hop or self._source
        uri, routes = dialog.address()
        for method, cseq in (("ACK", response.cseq.number), ("BYE", response.cseq.number + 1)):
            request = composer.request(
                method,
                uri,
                hop,
                branch=composer.branch(),
                from_=dialog.local,
                to=dialog.remote,
                call_id=dialog.call_id,
                cseq=cseq,
                routes=routes,
            )
            if method == "ACK":
                self._out.append(Send(hop, serialise(request)))
            elif not known:
                self.counters["extra_answers"] += 1
                self._runner.start_client(request, hop, None, now)

    # -- requests --------------------------------------------------------------------------------------------------

    def _receive_request(self, request: Request, now: float) -> None:
        method, source = request.method, self._source
        if source.verified and source.flow and find_param(request.via.params, "alias") is not None:
            self._out.append(Alias(source, request.via.port or default_port(source.transport)))
        if method == "ACK":
            invite = self._runner.servers.get(server_key(request, "INVITE"))
            if invite is not None:
                self._runner.feed(invite, Input.ACK, now, request)
            else:
                self.on_ack(request, now)
            return
        if method == "CANCEL":
            self._receive_cancel(request, now)
            return
        key = server_key(request, method)
        transaction = self._runner.servers.get(key)
        if transaction is not None:
            self.counters["retransmissions_received"] += 1
            self._runner.feed(transaction, Input.REQUEST, now)
        elif (tag := request.to.tag) is not None:
            self._receive_in_dialog(request, key, tag, now)
        else:
            self._receive_first(request, key, now)

    def on_ack(self, request: Request, now: float) -> None:
        """Part of `Listener`: an ACK that belongs to a 2xx, or to nothing."""
        session = self._sessions.get((request.call_id, request.to.tag or ""))
        if session is None or session.find_dialog(request.from_.tag or "") is None:
            self.counters["stray_acks"] += 1
            return
        session.last_source = self._source
        if not session.on_ack(request, now):
            self.counters["stray_acks"] += 1

    def _receive_cancel(self, request: Request, now: float) -> None:
        """RFC 3261 9.2: always 200 to the CANCEL itself; what it does depends on whether the INVITE is unanswered."""
        invite = self._runner.servers.get(server_key(request, "INVITE"))
        if invite is None:
            self._refuse(request, _NO_INVITE)
            return
        session = invite.owner
        self._reply_stateless(request, 200, session.local_tag if session else self._composer.stateless_tag(request))
        if session is not None:
            session.on_cancel(request, now)

    def _receive_in_dialog(self, request: Request, key: str, tag: str, now: float) -> None:
        method, remote_tag = request.method, request.from_.tag or ""
        session = self._sessions.get((request.call_id, tag))
        dialog = session.find_dialog(remote_tag) if session is not None else None
        usage: Session | Subscription | None = session if dialog is not None else None
        refusal = None
        if method in _OF_EVENTS:
            usage, refusal = self._find_subscription(request, tag, usage)
            dialog = usage.find_dialog(remote_tag) if usage is not None else None
        if usage is None:
            refusal = refusal or _NOBODY
        refusal = refusal or screen(request, self._settings)
        if refusal is None and dialog is not None and not dialog.accepts(request.cseq.number):
            is_late_prack = method == "PRACK" and session is not None and session.awaits(request)
            refusal = None if is_late_prack else _OLD
        if refusal is not None or usage is None:
            self._refuse(request, refusal or _NOBODY)
            return
        usage.last_source = self._source
        transaction = self._runner.start_server(request, self._source, usage, now, key)
        try:
            if usage.on_request(transaction, request, now):
                return
            refusal = _NOBODY
        except RemoteError as problem:
            refusal = Refusal(problem.status, "malformed", str(problem))
        self._runner.respond(transaction, self._composer.response(request, refusal.status, tag), now)
        self._note_refusal(refusal)

    def _find_subscription(
        self, request: Request, tag: str, session: Session | Subscription | None
    ) -> tuple[Session | Subscription | None, Refusal | None]:
        """Whom a NOTIFY or SUBSCRIBE with our tag concerns: a subscription, or a session that gets a new one."""
        event, remote_tag = EventType.of(request), request.from_.tag or ""
        for subscription in self._core.subscriptions.get((request.call_id, tag), ()):
            if subscription.is_about(request.method, event, remote_tag):
                return subscription, None
        if event.package != "refer" and event.package not in self._settings.event_packages:
            return None, self._bad_event(event)
        if isinstance(session, Session) and request.method == "SUBSCRIBE" and event.package != "refer":
            return session, None
        return None, _NOBODY

    def _bad_event(self, event: EventType) -> Refusal:
        packages = ", ".join(("refer", *self._settings.event_packages))
        return Refusal(489, "event", f"event package {event.package[:40]!r}", (("Allow-Events", packages),))

    def _receive_first(self, request: Request, key: str, now: float) -> None:
        """A request outside any dialog: something new, or something wrong."""
        method = request.method
        turned_away = self.door.admit(request, self._source, now) if self.door is not None else None
        if turned_away is not None:
            self._answer_refusal(request, turned_away)
            return
        refusal = screen(request, self._settings) or screen_first(request) or self._screen_new(request)
        if refusal is None and merge_key(request) in self._runner.merged:
            refusal = _MERGED
        if refusal is None and len(self._runner.servers) >= self._settings.max_transactions:
            refusal = _OVERLOAD
        if refusal is not None:
            self._refuse(request, refusal)
            return
        source = self._source
        replaces = one_replaces(request) if method == "INVITE" and "replaces" in self._settings.supported else None
        transaction = self._runner.start_server(request, source, None, now, key)
        if method == "INVITE":
            session = Session(self._core, "uas", request, self._composer.tag(), source)
            replacement = None if replaces is None else find_replaced(self._sessions, replaces)
            session.adopt(transaction)
            self._out.append(IncomingInvite(session, request, source, replacement))
        elif method in ("REFER", "SUBSCRIBE"):
            event = "refer" if method == "REFER" else EventType.of(request).package
            subscription = Subscription(self._core, request.call_id, self._composer.tag(), source, event)
            subscription.take(transaction, request, now)
        else:
            self._out.append(Stray(key, request, source))

    def _screen_new(self, request: Request) -> Refusal | None:
        """What makes a request outside any dialog unacceptable by what we are and have."""
        method, settings = request.method, self._settings
        if method in ("BYE", "PRACK", "UPDATE", "NOTIFY"):
            return _NOBODY
        if method == "SUBSCRIBE":
            event = EventType.of(request)
            if event.package not in settings.event_packages:
                return self._bad_event(event)
        if method == "INVITE" and "timer" in settings.supported and too_brief(request, settings.min_se_s):
            least = (("Min-SE", f"{settings.min_se_s}"),)
            return Refusal(422, "session timer", f"Session-Expires below {settings.min_se_s} s", least)
        if len(vias := request.vias) > 1:
            for via in vias[1:]:
                ours = self._runner.clients.get(client_key(via.branch, method))
                if ours is not None and ours.request is not None and ours.request.uri == request.uri:
                    return _LOOP
        return None

    # -- refusals: no state is kept (RFC 3261 8.2.7), so that nobody can fill our memory with them -------------------

    def _refuse(self, request: Request, refusal: Refusal) -> None:
        if refusal.status and self.door is not None and not self.door.answers(self._source, self._now):
            refusal = replace(refusal, status=0)
        self._answer_refusal(request, refusal)

    def _answer_refusal(self, request: Request, refusal: Refusal) -> None:
        if refusal.status:
            tag = self._composer.stateless_tag(request)
            self._reply_stateless(request, refusal.status, tag, Draft(refusal.headers))
        self._note_refusal(refusal)

    def _refuse_broken(self, error: RemoteError, data: bytes) -> None:
        self.counters["malformed"] += 1
        request, detail = error.request, f"{error} in {data[:40]!r}"
        if request is None or request.method == "ACK":
            self._out.append(Refused("malformed", self._source, 0, detail))
        else:
            self._refuse(request, Refusal(error.status, "malformed", detail))

    def _reply_stateless(self, request: Request, status: int, tag: str, draft: Draft = NOTHING) -> None:
        hop, _ = reply_hop(request, self._source)
        note_source(request, self._source)
        self._out.append(Send(hop, serialise(self._composer.response(request, status, tag, None, draft))))

    def _note_refusal(self, refusal: Refusal) -> None:
        self.counters["refused"] += 1
        self._out.append(Refused(refusal.kind, self._source, refusal.status, refusal.detail))
