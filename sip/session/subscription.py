"""One subscription of either side: SUBSCRIBE or REFER, and the NOTIFYs it brings (RFC 6665, RFC 3515, RFC 4488).

A usage of a dialog of its own or of a session's, which it may outlive (RFC 5057). One NOTIFY travels at a time; of
those that wait behind it the newest is sent, so that a peer never hears them in the wrong order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Self

from santral.sip.errors import LocalError, RemoteError
from santral.sip.events import (
    Action,
    Hop,
    Notified,
    Referred,
    Resubscribed,
    Subscribed,
    SubscriptionAnswered,
    SubscriptionEnded,
)
from santral.sip.session.base import Usage
from santral.sip.session.moment import Moment
from santral.sip.session.values import (
    SIPFRAG,
    EventType,
    SubscriptionState,
    has_option,
    read_number,
    refer_to,
    replaces_in,
    sipfrag,
)
from santral.sip.ua.compose import NOTHING, Draft, HeaderList
from santral.sip.ua.dialog import Dialog
from santral.sip.ua.subscribing import SUBSCRIPTION, Act, Standing, Word
from santral.sip.uri import NameAddr

if TYPE_CHECKING:
    from santral.sip.message import Request, Response
    from santral.sip.session.session import Session
    from santral.sip.ua.challenge import Amendment
    from santral.sip.ua.core import Core
    from santral.sip.ua.transaction import Transaction

__all__ = ["Subscription", "refer_lines"]

REFER_S: Final = 180  # how long a REFER is reported on: longer than anything rings
DEFAULT_S: Final = 3600  # a SUBSCRIBE that names no time
MAX_S: Final = 86_400
MAX_IN_DIALOG: Final = 8  # subscriptions sharing one dialog
REFRESH_BEFORE_S: Final = 60.0  # or half of the time, if that is later
_UNTOLD: Final = frozenset({404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604})  # RFC 6665 4.2.2
_OVER: Final = frozenset({Standing.LAST, Standing.ENDED})


def refer_lines(target: str, referred_by: str, *, subscribes: bool) -> HeaderList:
    """What a REFER of ours says; raises LocalError for a target that is no URI."""
    try:
        NameAddr.parse(target)
    except RemoteError as problem:
        raise LocalError(f"Refer-To: {problem}") from None
    lines = [("Refer-To", target)]
    if referred_by:
        lines.append(("Referred-By", referred_by))
    return lines if subscribes else [*lines, ("Refer-Sub", "false"), ("Require", "norefersub")]


class Subscription(Usage):
    """`role` is "notifier" or "subscriber"; `user` is free for the owner, who clears it after SubscriptionEnded.

    `session` is the one whose dialog it shares, if any. Without `subscribes` (Refer-Sub: false) nothing is notified.
    """

    __slots__ = (
        "_client",
        "_end",
        "_flying",
        "_kept",
        "_refresh",
        "_server",
        "_until",
        "dialog",
        "event",
        "event_id",
        "expires_s",
        "is_ending",
        "refreshes",
        "request",
        "role",
        "session",
        "state",
        "subscribes",
        "user",
    )

    def __init__(self, core: Core, call_id: str, local_tag: str, hop: Hop, event: str) -> None:
        super().__init__(core, call_id, local_tag, hop)
        self.role = "subscriber"
        self.event = event
        self.event_id = ""
        self.session: Session | None = None
        self.dialog: Dialog | None = None
        self.request: Request | None = None  # ours that began it, outside any dialog
        self.state = Standing.ASKING
        self.user: Any = None
        self.expires_s = REFER_S if event == "refer" else DEFAULT_S
        self.is_ending = False
        self.subscribes = True
        self.refreshes = False  # by itself, before it expires
        self._server: Transaction | None = None  # their request that waits
        self._client: Transaction | None = None  # our SUBSCRIBE or REFER
        self._flying: Transaction | None = None  # our NOTIFY
        self._kept: Draft | None = None  # the next one
        self._until = 0.0
        self._end = self._refresh = 0

    @classmethod
    def within(cls, session: Session, event: str) -> Self:
        """One that shares the dialog of a session."""
        made = cls(session.core, session.call_id, session.local_tag, session.last_source, event)
        made.session, made.dialog = session, session.dialog
        made.follow_source, made.attempt = session.follow_source, session.attempt
        return made

    def __repr__(self) -> str:
        return f"<Subscription {self.event} {self.role} {self.state}>"

    # -- notifier --------------------------------------------------------------------------------------------------

    def accept(self, now: float, expires_s: int | None = None, headers: HeaderList = ()) -> list[Action]:
        """Take on a REFER (202, and a NOTIFY that we are trying) or a SUBSCRIBE (200; the owner notifies at once)."""
        if expires_s is not None:
            self.expires_s = min(self.expires_s, expires_s)
        if not self.subscribes:
            return self._act(Word.ACCEPT_ALONE, Moment(now, draft=Draft((("Refer-Sub", "false"), *headers))))
        self.is_ending = self.expires_s == 0  # asked only for how things stand (RFC 6665 section 4.4.3)
        return self._act(Word.ACCEPT_ONCE if self.is_ending else Word.ACCEPT, Moment(now, draft=Draft(headers)))

    def reject(self, status: int, now: float, headers: HeaderList = ()) -> list[Action]:
        """Refuse it, with 300 to 699."""
        if not 300 <= status < 700:
            raise LocalError(f"{status} refuses nothing")
        return self._act(Word.REJECT, Moment(now, draft=Draft(headers), status=status))

    def notify(self, now: float, body: bytes = b"", content_type: str = "", headers: HeaderList = ()) -> list[Action]:
        """Tell the subscriber how things stand; the last time if it has unsubscribed."""
        state = "terminated;reason=timeout" if self.is_ending else ""
        return self._act(Word.NOTIFY, Moment(now, draft=self._report(now, state, body, content_type, headers)))

    def notify_status(self, now: float, status: int, reason: str = "") -> list[Action]:
        """Tell who sent a REFER how far it has come; a final status is the last word."""
        body = sipfrag(status, reason)
        if status < 200:
            return self.notify(now, body, SIPFRAG)
        return self.terminate(now, "noresource", body, SIPFRAG)

    def terminate(
        self,
        now: float,
        reason: str = "noresource",
        body: bytes = b"",
        content_type: str = "",
        retry_after_s: int | None = None,
    ) -> list[Action]:
        """The last NOTIFY: SubscriptionEnded("local") at once."""
        state = str(SubscriptionState("terminated", reason, None, retry_after_s))
        return self._act(Word.FINISH, Moment(now, draft=self._report(now, state, body, content_type, ())))

    def _report(self, now: float, state: str, body: bytes, content_type: str, headers: HeaderList) -> Draft:
        left = max(int(self._until - now), 0)
        lines = (
            ("Event", str(EventType(self.event, self.event_id))),
            ("Subscription-State", state or f"active;expires={left}"),
            *headers,
        )
        return Draft(lines, body, content_type or SIPFRAG)

    # -- subscriber ------------------------------------------------------------------------------------------------

    def resubscribe(self, now: float, expires_s: int) -> list[Action]:
        """Ask for more time."""
        self.expires_s = expires_s
        return self._act(Word.RESUBSCRIBE, Moment(now))

    def unsubscribe(self, now: float) -> list[Action]:
        """Hear no more; SubscriptionEnded("local") comes after the last NOTIFY."""
        self.expires_s = 0
        return self._act(Word.UNSUBSCRIBE, Moment(now))

    # -- what the agent and a session bring ------------------------------------------------------------------------

    def start(self, method: str, draft: Draft, now: float, *, subscribes: bool = True) -> None:
        """Send our REFER or SUBSCRIBE in the dialog of a session."""
        self.subscribes = subscribes
        session, dialog = self.session, self.dialog
        if session is None or session.is_over or dialog is None:
            self.state = Standing.ENDED
            self.tell(SubscriptionEnded(self, "rejected", 481))
            return
        if method == "REFER":
            self.event_id = f"{dialog.local_cseq + 1}"  # RFC 3515 section 2.4.6
        self._client = self.send_request(method, dialog, draft, now)
        self._enter()

    def start_alone(self, request: Request, hop: Hop, now: float, *, subscribes: bool = True) -> None:
        """Send our REFER or SUBSCRIBE outside any dialog; raises LocalError when it cannot be written."""
        self.subscribes, self.request = subscribes, request
        if request.method == "REFER":
            self.event_id = f"{request.cseq.number}"
        self._client = self.core.runner.start_client(request, hop, self, now)
        self._enter()

    def take(self, transaction: Transaction, request: Request, now: float) -> None:
        """A new REFER or SUBSCRIBE of theirs: the owner is asked, unless it is wrong."""
        self.role, self.state = "notifier", Standing.ASKED
        self.dialog = self.dialog or Dialog.of_callee(
            request, self.local_tag, self.last_source, self.core.composer.sent_by
        )
        self._server = transaction
        transaction.owner = self
        event = self._read_refer(request) if request.method == "REFER" else self._read_subscribe(request)
        if event is None or len(self.core.subscriptions.get((self.call_id, self.local_tag), ())) >= MAX_IN_DIALOG:
            self.state = Standing.ENDED
            self._respond(request, 400 if event is None else 503, NOTHING, now)
            return
        self._enter()
        self._arm_patience(Moment(now))
        self.tell(event)

    def _read_refer(self, request: Request) -> Referred | None:
        headers = request.headers
        others = self.core.subscriptions.get((self.call_id, self.local_tag), ())
        if any(other.event == "refer" for other in others):
            self.event_id = f"{request.cseq.number}"  # only the first may do without (RFC 3515 section 2.4.6)
        is_told = (headers.get("Refer-Sub") or "true").partition(";")[0].strip(" \t").lower() != "false"
        supported = self.core.settings.supported
        self.subscribes = not (
            ("norefersub" in supported and not is_told)
            or ("nosub" in supported and has_option(headers, "Require", "nosub"))  # RFC 7614
        )
        target = refer_to(request)
        try:
            if target is None:
                return None
            named = NameAddr.parse(target)
            return Referred(self.session, self, request, named, replaces_in(named.uri), self.last_source)
        except RemoteError:
            return None

    def _read_subscribe(self, request: Request) -> Subscribed:
        event = EventType.of(request)
        self.event, self.event_id = event
        self._read_expires(request)
        return Subscribed(self, request, self.last_source)

    def _read_expires(self, request: Request) -> None:
        wanted = read_number(request.headers.get("Expires"))
        default = REFER_S if self.event == "refer" else DEFAULT_S
        self.expires_s = min(default if wanted is None else wanted, MAX_S)

    def find_dialog(self, remote_tag: str) -> Dialog | None:
        """Its dialog, if it is with this peer."""
        return self.dialog if self.dialog is not None and self.dialog.remote_tag == remote_tag else None

    def is_about(self, method: str, event: EventType, remote_tag: str) -> bool:
        """Whether this NOTIFY or SUBSCRIBE belongs here. A NOTIFY may be the first to tell us the peer's tag."""
        if self.role != ("subscriber" if method == "NOTIFY" else "notifier") or self.state in _OVER:
            return False
        if self.dialog is not None and self.dialog.remote_tag != remote_tag:
            return False
        return event.package == self.event and (event.id == self.event_id or (self.event == "refer" and not event.id))

    def on_request(self, transaction: Transaction, request: Request, now: float) -> bool:
        """A NOTIFY to us, or a SUBSCRIBE that refreshes."""
        moment = Moment(now, request, transaction)
        if request.method == "NOTIFY":
            if self.dialog is None:
                self.dialog = Dialog.of_callee(request, self.local_tag, self.last_source, self.core.composer.sent_by)
                self.dialog.local_cseq = 0 if self.request is None else self.request.cseq.number
            else:
                self.dialog.refresh(request, self.last_source, self.core.composer.sent_by)
            is_last = SubscriptionState.of(request).state == "terminated"
            return self.feed(Word.GOT_LAST_NOTIFY if is_last else Word.GOT_NOTIFY, moment)
        if request.method != "SUBSCRIBE":
            return False
        self._read_expires(request)
        self._server = transaction
        self.is_ending = self.expires_s == 0
        return self.feed(Word.GOT_UNSUBSCRIBE if self.is_ending else Word.GOT_SUBSCRIBE, moment)

    def on_final(self, transaction: Transaction, status: int, response: Response | None, now: float) -> None:
        """The end of our NOTIFY, REFER or SUBSCRIBE."""
        moment = Moment(now, response, transaction, status=status)
        if transaction is self._flying:
            self._flying = None
            if status in _UNTOLD:
                self.feed(Word.GONE, moment)
            else:
                self.feed(Word.NOTIFIED if self._kept is None else Word.NOTIFY_NEXT, moment)
        elif transaction is self._client:
            self._client = None
            if response is not None and 200 <= status < 300:
                self._on_accepted(response, moment)
            else:
                self.feed(Word.GONE if status in (481, 408) else Word.REFUSED, moment)

    def _on_accepted(self, response: Response, moment: Moment) -> None:
        if self.dialog is None and self.request is not None and response.to.tag:
            spoken = self.core.composer.sent_by
            self.dialog = Dialog.of_caller(response, self.request.uri, self.last_source, spoken)
        granted = read_number(response.headers.get("Expires"))
        if granted is not None and response.cseq.method == "SUBSCRIBE":
            self.expires_s = granted
            if self.state is Standing.TOLD:
                self._arm(moment)
        is_refused = (response.headers.get("Refer-Sub") or "").strip(" \t").lower().startswith("false")
        is_alone = not self.subscribes or is_refused
        self.feed(Word.ACCEPTED_ALONE if is_alone else Word.ACCEPTED, moment)

    def on_timer(self, cue: Word, now: float) -> None:
        """One of the two timers has come due."""
        self.feed(cue, Moment(now))

    def resend(self, transaction: Transaction, amended: Amendment, now: float) -> bool:
        """A refused request of ours once more, amended."""
        moment = Moment(now, transaction=transaction)
        moment.amended = amended
        return self.feed(Word.AGAIN, moment)

    # -- the machine -----------------------------------------------------------------------------------------------

    def feed(self, word: Word, moment: Moment) -> bool:
        """Run one row of the table; False when there is none."""
        row = SUBSCRIPTION.get((self.state, word))
        if row is None:
            return False
        self.state, todo = row
        for act in todo:
            _PERFORM[act](self, moment)
        return True

    def _act(self, word: Word, moment: Moment) -> list[Action]:
        self.feed(word, moment)
        return self.core.outbox.flush()

    def _enter(self) -> None:
        books, key = self.core.subscriptions, (self.call_id, self.local_tag)
        books[key] = (*books.get(key, ()), self)

    def _close(self, moment: Moment) -> None:
        books, key = self.core.subscriptions, (self.call_id, self.local_tag)
        left = tuple(other for other in books.get(key, ()) if other is not self)
        if left:
            books[key] = left
        else:
            books.pop(key, None)
        self._stop(moment)
        self._server = self._kept = None

    def _respond(self, request: Request, status: int, draft: Draft, now: float) -> None:
        if self._server is not None:
            self.respond(self._server, request, status, draft, now, with_contact=status < 300)
            self._server = None

    def _ok(self, moment: Moment) -> None:
        server = self._server
        if server is None or server.request is None:
            return  # later than 64*T1: the peer has given it up (RFC 4320)
        request = server.request
        if self.dialog is not None:
            self.dialog.refresh(request, self.last_source, self.core.composer.sent_by)
        if request.method == "REFER":
            self._respond(request, 202, moment.draft, moment.now)
        else:
            lines = (("Expires", f"{self.expires_s}"), *moment.draft.headers)
            self._respond(request, 200, Draft(lines), moment.now)

    def _refuse(self, moment: Moment) -> None:
        if self._server is not None and self._server.request is not None:
            self._respond(self._server.request, moment.status, moment.draft, moment.now)

    def _ok_notify(self, moment: Moment) -> None:
        self.respond(moment.transaction, moment.message, 200, NOTHING, moment.now, with_contact=True)
        state = SubscriptionState.of(moment.message)
        if state.expires_s is not None:
            self.expires_s = min(state.expires_s, MAX_S)

    def _notify(self, moment: Moment) -> None:
        if self._flying is not None:
            self._kept = moment.draft
        elif self.dialog is not None:
            self._flying = self.send_request("NOTIFY", self.dialog, moment.draft, moment.now)

    def _notify_trying(self, moment: Moment) -> None:
        if self.event == "refer":
            moment.draft = self._report(moment.now, "", sipfrag(100), SIPFRAG, ())
            self._notify(moment)

    def _notify_timeout(self, moment: Moment) -> None:
        moment.draft = self._report(moment.now, "terminated;reason=timeout", b"", "", ())
        self._notify(moment)

    def _next(self, moment: Moment) -> None:
        if self._kept is not None:
            moment.draft, self._kept = self._kept, None
            self._notify(moment)

    def _subscribe(self, moment: Moment) -> None:
        if self.dialog is not None and self._client is None:
            lines = (("Event", str(EventType(self.event, self.event_id))), ("Expires", f"{self.expires_s}"))
            self._client = self.send_request("SUBSCRIBE", self.dialog, Draft(lines), moment.now)

    def _again(self, moment: Moment) -> None:
        old: Transaction = moment.transaction
        if moment.amended is None:
            return
        again = self.send_again(old, self.dialog, moment.amended, moment.now)
        if old is self._flying:
            self._flying = again
        else:
            self._client = again
            if self.dialog is None and again is not None:
                self.request = again.request

    # -- timers ----------------------------------------------------------------------------------------------------

    def _arm(self, moment: Moment) -> None:
        self._stop(moment)
        self._until = moment.now + self.expires_s
        deadlines = self.core.deadlines
        self._end = deadlines.arm(self._until, (self, Word.TIMER_END))
        if self.refreshes and self.role == "subscriber":
            after = max(self.expires_s - REFRESH_BEFORE_S, self.expires_s / 2)
            self._refresh = deadlines.arm(moment.now + after, (self, Word.TIMER_REFRESH))

    def _arm_patience(self, moment: Moment) -> None:
        self._stop(moment)
        self._end = self.core.deadlines.arm(moment.now + self.core.timers.timeout, (self, Word.TIMER_END))

    def _stop(self, _moment: Moment) -> None:
        deadlines = self.core.deadlines
        deadlines.cancel(self._end)
        deadlines.cancel(self._refresh)
        self._end = self._refresh = 0

    # -- events ----------------------------------------------------------------------------------------------------

    def _tell_notified(self, moment: Moment) -> None:
        state = SubscriptionState.of(moment.message)
        self.tell(Notified(self, moment.message, state.state, state.reason))


def _ended(cause: str) -> Callable[[Subscription, Moment], None]:
    def tell(subscription: Subscription, moment: Moment) -> None:
        is_refused = cause == "rejected"
        status, response = (moment.status, moment.message) if is_refused else (0, None)
        subscription.tell(SubscriptionEnded(subscription, cause, status, response))

    return tell


_PERFORM: Final[dict[Act, Callable[[Subscription, Moment], None]]] = {
    Act.OK: Subscription._ok,
    Act.REFUSE: Subscription._refuse,
    Act.OK_NOTIFY: Subscription._ok_notify,
    Act.NOTIFY: Subscription._notify,
    Act.NOTIFY_TRYING: Subscription._notify_trying,
    Act.NOTIFY_TIMEOUT: Subscription._notify_timeout,
    Act.NEXT: Subscription._next,
    Act.SUBSCRIBE: Subscription._subscribe,
    Act.AGAIN: Subscription._again,
    Act.ARM: Subscription._arm,
    Act.ARM_PATIENCE: Subscription._arm_patience,
    Act.STOP: Subscription._stop,
    Act.CLOSE: Subscription._close,
    Act.TELL_RESUBSCRIBED: lambda s, m: s.tell(Resubscribed(s, m.message)),
    Act.TELL_ANSWERED: lambda s, m: s.tell(SubscriptionAnswered(s, m.message)),
    Act.TELL_NOTIFIED: Subscription._tell_notified,
    Act.TELL_LOCAL: _ended("local"),
    Act.TELL_REJECTED: _ended("rejected"),
    Act.TELL_TERMINATED: _ended("terminated"),
    Act.TELL_EXPIRED: _ended("expired"),
    Act.TELL_LOST: _ended("lost"),
}
