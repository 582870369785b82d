"""One INVITE session as one side sees it, caller or callee: performs what the tables of `sip.ua.usage` say.

The owner calls the public methods; each returns the actions it caused. What makes no sense in the session's state does
nothing, so that an owner need not know which crossing it just lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from santral.sip.errors import LocalError
from santral.sip.events import (
    Acknowledged,
    Action,
    Answered,
    Cancelled,
    Ended,
    Event,
    Hop,
    Progress,
    ReinviteAcknowledged,
    ReinviteAnswered,
    ReinviteCancelled,
    Reinvited,
    ReinviteRejected,
    Rejected,
    RequestFailed,
    Send,
)
from santral.sip.message import Request, Response, serialise
from santral.sip.ua.challenge import proofs_of
from santral.sip.ua.compose import NOTHING, SDP, Draft, HeaderList
from santral.sip.ua.dialog import Dialog
from santral.sip.ua.runner import client_key
from santral.sip.ua.transaction import Input, State, Transaction
from santral.sip.ua.usage import CHANGE, SESSION, Change, Cue, Do, Stage

if TYPE_CHECKING:
    from santral.sip.ua.challenge import Attempt
    from santral.sip.ua.core import Core
    from santral.sip.uri import Uri

__all__ = ["Moment", "Session"]

MAX_EARLY: Final = 32  # early dialogs of one INVITE: more forks than that are somebody's game
RETRY_AFTER_S: Final = "5"  # 0 to 10 s after a second INVITE (RFC 3261 14.2)

_UNANSWERED: Final = frozenset({Stage.CALLING, Stage.CANCEL_HELD, Stage.EARLY, Stage.CANCELLING})
_AWAITING_ACK: Final = frozenset({Stage.ANSWERED, Stage.BYE_HELD})
_OVER: Final = frozenset({Stage.ENDING, Stage.ENDED})


class Moment:
    """What is at hand while one row is performed: the message, its transaction, what the owner wants said."""

    __slots__ = ("attempt", "draft", "message", "now", "status", "transaction")

    def __init__(
        self,
        now: float,
        message: Request | Response | None = None,
        transaction: Transaction | None = None,
        draft: Draft = NOTHING,
        status: int = 0,
        *,
        attempt: Attempt | None = None,
    ) -> None:
        self.now = now
        self.attempt = attempt
        self.message: Any = message
        self.transaction: Any = transaction
        self.draft = draft
        self.status = status


class Session:
    """`role` is "uac" or "uas"; `user` is free for the owner, who clears it after the terminal event.

    `request` is the INVITE that began it, ours or theirs. With `follow_source` requests go to where the peer was last
    heard instead of to the address in its Contact or Route (peers behind NAT).
    """

    __slots__ = (
        "__weakref__",
        "_ack",
        "_answer",
        "_client",
        "_core",
        "_dialog",
        "_early",
        "_give_up",
        "_got_cseq",
        "_interval",
        "_is_offerless",
        "_parting",
        "_proofs",
        "_repeat",
        "_sent_cseq",
        "_server",
        "attempt",
        "call_id",
        "change",
        "follow_source",
        "id",
        "last_source",
        "local_tag",
        "request",
        "role",
        "state",
        "user",
    )

    def __init__(self, core: Core, role: str, request: Request, local_tag: str, hop: Hop) -> None:
        self.id = core.next_session()
        self.role = role
        self.request = request
        self.call_id = request.call_id
        self.local_tag = local_tag
        self.last_source = hop
        self.state = Stage.CALLING if role == "uac" else Stage.INCOMING
        self.change = Change.NONE
        self.follow_source = False
        self.user: Any = None
        self.attempt: Attempt | None = None  # how challenges to our requests are answered, if they are
        self._core = core
        self._dialog: Dialog | None = None
        self._early: dict[str, Dialog] = {}
        self._client: Transaction | None = None  # our INVITE or re-INVITE, while it is pending
        self._server: Transaction | None = None  # theirs, until it is acknowledged
        self._proofs: HeaderList = ()  # the credentials of our last INVITE, for its ACK
        self._is_offerless = role == "uac" and not request.body
        self._sent_cseq = request.cseq.number if role == "uac" else 0  # of our last INVITE
        self._got_cseq = 0 if role == "uac" else request.cseq.number  # of theirs
        self._ack: tuple[int, Hop, bytes] | None = None  # the last ACK we sent to a 2xx
        self._answer = b""  # our 2xx, until it is acknowledged
        self._parting = NOTHING  # what the owner wants said in a CANCEL or BYE that has to wait
        self._interval = 0.0
        self._repeat = 0
        self._give_up = 0
        if role == "uas":
            self._dialog = Dialog.of_callee(request, local_tag, hop, core.composer.sent_by)

    def __repr__(self) -> str:
        return f"<Session {self.id} {self.role} {self.state}>"

    @property
    def remote_tag(self) -> str | None:
        """The peer's tag; None while our INVITE is unanswered."""
        return self._dialog.remote_tag if self._dialog is not None else None

    @property
    def remote_target(self) -> Uri | None:
        """Where the peer wants its requests; None while our INVITE is unanswered."""
        return self._dialog.target if self._dialog is not None else None

    @property
    def is_over(self) -> bool:
        """Whether BYE has been sent or received, or the INVITE failed."""
        return self.state in _OVER

    # -- callee ----------------------------------------------------------------------------------------------------

    def progress(
        self, status: int, now: float, *, headers: HeaderList = (), body: bytes = b"", reason: str | None = None
    ) -> list[Action]:
        """Send a provisional response, 101 to 199."""
        if not 100 < status < 200:
            raise LocalError(f"{status} is no provisional response of ours")
        return self._act(Cue.PROGRESS, Moment(now, draft=Draft(headers, body, reason=reason), status=status))

    def answer(self, now: float, *, body: bytes = b"", headers: HeaderList = ()) -> list[Action]:
        """Send 200 and repeat it until the ACK comes (RFC 3261 13.3.1.4); none in 64*T1: BYE and Ended("no_ack")."""
        return self._act(Cue.ANSWER, Moment(now, draft=Draft(headers, body), status=200))

    def reject(
        self, status: int, now: float, *, headers: HeaderList = (), reason: str | None = None, body: bytes = b""
    ) -> list[Action]:
        """Refuse the INVITE with a final response, 300 to 699: Ended("local")."""
        _check_failure(status)
        return self._act(Cue.REJECT, Moment(now, draft=Draft(headers, body, reason=reason), status=status))

    def turn_away(self, status: int, now: float) -> list[Action]:
        """`reject` and forget: nothing is kept or repeated for an address that may be forged (RFC 3261 8.2.7)."""
        transaction = self._server
        actions = self.reject(status, now)
        if transaction is not None:
            self._core.runner.forget(transaction)
        return actions

    # -- caller ----------------------------------------------------------------------------------------------------

    def cancel(self, now: float, headers: HeaderList = ()) -> list[Action]:
        """Give up an unanswered INVITE; waits for the first 1xx (RFC 3261 9.1). A 2xx that crosses is ACKed and BYEd.

        In a session it takes back our re-INVITE, if the peer has said 100 to it.
        """
        if self.state in _UNANSWERED:
            self._parting = Draft(headers)
            return self._act(Cue.CANCEL, Moment(now))
        return self._alter(Cue.CANCEL, Moment(now, draft=Draft(headers)))

    def ack(self, now: float, body: bytes = b"") -> list[Action]:
        """Acknowledge a 2xx to an INVITE or re-INVITE that had no body; `body` answers the peer's offer."""
        moment = Moment(now, draft=Draft(body=body))
        return self._act(Cue.ACK, moment) if self.state is Stage.UNACKED else self._alter(Cue.ACK, moment)

    # -- both ------------------------------------------------------------------------------------------------------

    def bye(self, now: float, headers: HeaderList = ()) -> list[Action]:
        """Hang up: Ended("local") at once. Unanswered sessions are cancelled (caller) or refused with 480 (callee)."""
        if self.state not in _OVER:
            self._parting = Draft(headers)
        return self._act(Cue.BYE, Moment(now, draft=Draft(headers), status=480))

    def reinvite(self, now: float, body: bytes = b"", headers: HeaderList = ()) -> list[Action]:
        """Propose a change; no body asks for an offer. While another is pending: ReinviteRejected(491) at once."""
        moment = Moment(now, draft=Draft(headers, body))
        if self.state is Stage.CONFIRMED:
            return self._alter(Cue.REINVITE, moment)
        if self.state not in _OVER:
            self._tell_pending(moment)
        return self._core.outbox.flush()

    def accept_reinvite(self, now: float, body: bytes = b"", headers: HeaderList = ()) -> list[Action]:
        """Answer the peer's re-INVITE with 200, repeated until the ACK comes."""
        return self._alter(Cue.ANSWER, Moment(now, draft=Draft(headers, body), status=200))

    def reject_reinvite(self, status: int, now: float, headers: HeaderList = ()) -> list[Action]:
        """Refuse the peer's re-INVITE; the session stands as before (RFC 3261 14.2)."""
        _check_failure(status)
        return self._alter(Cue.REJECT, Moment(now, draft=Draft(headers), status=status))

    def send(
        self, method: str, now: float, headers: HeaderList = (), body: bytes = b"", content_type: str = SDP
    ) -> tuple[str, list[Action]]:
        """Send another request inside the dialog (INFO…): RequestAnswered or RequestFailed will carry the key."""
        if method in _NOT_SENT:
            raise LocalError(f"{method} has its own way out of a session")
        core = self._core
        dialog = self._dialog or next(reversed(self._early.values()), None)
        if dialog is None or self.state in _OVER:
            key = client_key(core.composer.branch(), method)
            core.out.append(RequestFailed(key, self, 481))
            return key, core.outbox.flush()
        transaction = self._send_request(method, dialog, Moment(now, draft=Draft(headers, body, content_type)))
        return transaction.key, core.outbox.flush()

    # -- what the agent brings -------------------------------------------------------------------------------------

    def find_dialog(self, remote_tag: str) -> Dialog | None:
        """The confirmed dialog with this peer tag, or the early one."""
        dialog = self._dialog
        if dialog is not None:
            return dialog if dialog.remote_tag == remote_tag else None
        return self._early.get(remote_tag)

    def start(self, hop: Hop, now: float) -> None:
        """Send our INVITE; raises LocalError, and leaves no trace, when it cannot be written."""
        self._client = self._core.runner.start_client(self.request, hop, self, now)
        self._core.sessions[self.call_id, self.local_tag] = self

    def adopt(self, transaction: Transaction) -> None:
        """Take over the transaction of the INVITE that began this session."""
        self._server = transaction
        transaction.owner = self
        self._core.sessions[self.call_id, self.local_tag] = self

    def on_invite_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """A response to our INVITE or re-INVITE; of several 2xx only the first."""
        status = response.status
        moment = Moment(now, response, transaction, status=status)
        if status < 200:
            self._note_early_dialog(response)
            cue = Cue.GOT_PROGRESS
        elif status < 300:
            cue = Cue.GOT_OFFER if self._is_offerless else Cue.GOT_ANSWER
        else:
            cue = Cue.GOT_FAILURE
        if status >= 200:
            self._client = None
        if self.state in _UNANSWERED:
            self.feed(cue, moment)
        else:
            self._feed_change(cue, moment)
            self.on_request_failure(status, now)

    def on_challenge(self, again: Request, attempt: Attempt, now: float) -> bool:
        """Our INVITE or re-INVITE met a challenge, and `again` would answer it; False: nobody wants it any more."""
        feed = self.feed if self.state in _UNANSWERED else self._feed_change
        return feed(Cue.GOT_CHALLENGE, Moment(now, again, attempt=attempt))

    def on_invite_failure(self, status: int, now: float) -> None:
        """No response to our INVITE or re-INVITE: 408 or 503."""
        self._client = None
        moment = Moment(now, status=status)
        if self.state in _UNANSWERED:
            self.feed(Cue.GOT_SILENCE if status == 408 else Cue.GOT_ERROR, moment)
        else:
            self._feed_change(Cue.GOT_FAILURE, moment)
            self.on_request_failure(status, now)

    def on_request_failure(self, status: int, now: float) -> None:
        """A request of ours in this dialog met `status`: 481 and 408 end it (RFC 3261 12.2.1.2, RFC 5057)."""
        if status in (481, 408):
            self.feed(Cue.GONE if status == 481 else Cue.SILENT, Moment(now))

    def on_invite(self, transaction: Transaction, request: Request, now: float) -> bool:
        """A re-INVITE; False when there is nothing left to change."""
        moment = Moment(now, request, transaction)
        if self.state is Stage.CONFIRMED:
            return self._feed_change(Cue.GOT_REINVITE, moment)
        return self.feed(Cue.GOT_REINVITE, moment)

    def on_cancel(self, request: Request, now: float) -> None:
        """A CANCEL of their INVITE or re-INVITE."""
        moment = Moment(now, request)
        if self.state is Stage.INCOMING:
            self.feed(Cue.GOT_CANCEL, moment)
        else:
            self._feed_change(Cue.GOT_CANCEL, moment)

    def on_ack(self, request: Request, now: float) -> bool:
        """An ACK in this dialog; False when no 2xx waits for it."""
        if not self._answer or request.cseq.number != self._got_cseq:
            return False
        moment = Moment(now, request)
        return self.feed(Cue.GOT_ACK, moment) if self.state in _AWAITING_ACK else self._feed_change(Cue.GOT_ACK, moment)

    def on_timer(self, cue: Cue, now: float) -> None:
        """One of our own timers, around a 2xx of ours, has come due."""
        if self.state in _AWAITING_ACK:
            self.feed(cue, Moment(now))
        else:
            self._feed_change(cue, Moment(now))

    def repeat_ack(self, number: int) -> bool:
        """The 2xx to our INVITE `number` came again: so does its ACK, if we have it. False for an INVITE we forgot."""
        if self._ack is None or self._ack[0] != number:
            owes = self.state is Stage.UNACKED or self.change is Change.OURS_UNACKED
            return owes and self._sent_cseq == number
        self._core.outbox.counters["retransmissions_sent"] += 1
        self._core.out.append(Send(self._ack[1], self._ack[2]))
        return True

    def refresh(self, message: Request | Response) -> None:
        """Take over the Contact of a target refresh."""
        if self._dialog is not None:
            self._dialog.refresh(message, self.last_source, self._core.composer.sent_by)

    # -- the machines ----------------------------------------------------------------------------------------------

    def feed(self, cue: Cue, moment: Moment) -> bool:
        """Run one row of the session's table; False when there is none."""
        row = SESSION.get((self.state, cue))
        if row is None:
            return False
        self.state, todo = row
        for do in todo:
            _PERFORM[do](self, moment)
        return True

    def _feed_change(self, cue: Cue, moment: Moment) -> bool:
        row = CHANGE.get((self.change, cue))
        if row is None:
            return False
        self.change, todo = row
        for do in todo:
            _PERFORM[do](self, moment)
        return True

    def _act(self, cue: Cue, moment: Moment) -> list[Action]:
        self.feed(cue, moment)
        return self._core.outbox.flush()

    def _alter(self, cue: Cue, moment: Moment) -> list[Action]:
        self._feed_change(cue, moment)
        return self._core.outbox.flush()

    # -- what the rows do: our requests ----------------------------------------------------------------------------

    def _confirm(self, moment: Moment) -> None:
        response: Response = moment.message
        dialog = Dialog.of_caller(response, self.request.uri, self.last_source, self._core.composer.sent_by)
        early = self._early.get(dialog.remote_tag)
        if early is not None:  # requests may have gone both ways; the route set is the answer's (RFC 3261 13.2.2.4)
            dialog.remote_cseq = early.remote_cseq
            dialog.local_cseq = early.local_cseq
        self._dialog = dialog
        self._early = {}

    def _hop(self, dialog: Dialog) -> Hop:
        return self.last_source if self.follow_source or dialog.next_hop is None else dialog.next_hop

    def _compose(self, method: str, dialog: Dialog, cseq: int, draft: Draft) -> tuple[Request, Hop]:
        composer, hop = self._core.composer, self._hop(dialog)
        uri, routes = dialog.address()
        request = composer.request(
            method,
            uri,
            hop,
            branch=composer.branch(),
            from_=dialog.local,
            to=dialog.remote,
            call_id=self.call_id,
            cseq=cseq,
            routes=routes,
            draft=draft,
        )
        return request, hop

    def _send_request(self, method: str, dialog: Dialog, moment: Moment) -> Transaction:
        request, hop = self._compose(method, dialog, dialog.local_cseq + 1, moment.draft)
        transaction = self._core.runner.start_client(request, hop, self, moment.now)
        dialog.local_cseq += 1
        return transaction

    def _send_ack(self, moment: Moment) -> None:
        if self._dialog is not None:
            draft = replace(moment.draft, headers=(*moment.draft.headers, *self._proofs))
            request, hop = self._compose("ACK", self._dialog, self._sent_cseq, draft)
            data = serialise(request)
            self._ack = (self._sent_cseq, hop, data)
            self._core.out.append(Send(hop, data))

    def _send_bye(self, moment: Moment) -> None:
        if self._dialog is not None:
            moment.draft = self._parting
            self._send_request("BYE", self._dialog, moment)

    def _send_cancel(self, moment: Moment) -> None:
        invite = self._client
        if invite is None or invite.request is None or invite.state is not State.PROCEEDING:
            return
        runner = self._core.runner
        headers = self._parting.headers or moment.draft.headers
        runner.start_client(self._core.composer.cancel(invite.request, headers), invite.hop, None, moment.now)
        runner.feed(invite, Input.ABANDON, moment.now)

    def _send_reinvite(self, moment: Moment) -> None:
        if self._dialog is not None:
            self._is_offerless = not moment.draft.body
            self._proofs = ()
            self._client = self._send_request("INVITE", self._dialog, moment)
            self._sent_cseq = self._dialog.local_cseq

    def _resend(self, moment: Moment) -> None:
        """The INVITE once more, with credentials; what the first one brought is forgotten, early dialogs with it."""
        again: Request = moment.message
        if self._client is None:
            return
        self._proofs = proofs_of(again)
        self._client = self._core.runner.start_client(again, self._client.hop, self, moment.now, moment.attempt)
        self._sent_cseq = again.cseq.number
        if self._dialog is None:
            self.request = again
            self._early = {}

    def _abandon_reinvite(self, moment: Moment) -> None:
        invite, self._client = self._client, None
        if invite is not None:
            invite.owner = None
            invite.tags = (self.remote_tag or "",)  # its 2xx will be acknowledged, and nothing more
            self._core.runner.feed(invite, Input.ABANDON, moment.now)

    def _note_early_dialog(self, response: Response) -> None:
        tag = response.to.tag
        if tag is None or response.status == 100 or self.state not in _UNANSWERED:
            return
        if tag not in self._early and len(self._early) < MAX_EARLY:
            spoken = self._core.composer.sent_by
            self._early[tag] = Dialog.of_caller(response, self.request.uri, self.last_source, spoken)

    # -- what the rows do: our responses ---------------------------------------------------------------------------

    def _reply(self, moment: Moment, status: int, draft: Draft = NOTHING) -> bytes:
        """Answer the INVITE or re-INVITE that is pending; nothing when it is no longer there."""
        transaction = self._server
        if transaction is None or transaction.request is None:
            return b""
        hop = transaction.hop if status < 300 else None
        response = self._core.composer.response(transaction.request, status, self.local_tag, hop, draft)
        return self._core.runner.respond(transaction, response, moment.now)

    def _refuse(self, moment: Moment, status: int, draft: Draft = NOTHING) -> None:
        """Answer the request at hand, which is not the one that is pending."""
        response = self._core.composer.response(moment.message, status, self.local_tag, None, draft)
        self._core.runner.respond(moment.transaction, response, moment.now)

    def _send_provisional(self, moment: Moment) -> None:
        self._reply(moment, moment.status, moment.draft)

    def _send_failure(self, moment: Moment) -> None:
        self._reply(moment, moment.status, moment.draft)
        self._server = None

    def _send_487(self, moment: Moment) -> None:
        self._reply(moment, 487)
        self._server = None

    def _send_491(self, moment: Moment) -> None:
        self._refuse(moment, 491)

    def _send_500(self, moment: Moment) -> None:
        self._refuse(moment, 500, Draft((("Retry-After", RETRY_AFTER_S),)))

    def _ok_bye(self, moment: Moment) -> None:
        self._refuse(moment, 200)

    def _take_reinvite(self, moment: Moment) -> None:
        self._server = moment.transaction
        self._got_cseq = moment.message.cseq.number

    def _refresh_target(self, moment: Moment) -> None:
        message = moment.message
        if message is None and self._server is not None:
            message = self._server.request
        if message is not None:
            self.refresh(message)

    def _send_2xx(self, moment: Moment) -> None:
        core, t1 = self._core, self._core.timers.t1
        self._answer = self._reply(moment, moment.status, moment.draft)
        self._interval = t1
        self._repeat = core.deadlines.arm(moment.now + t1, (self, Cue.TIMER_REPEAT))
        self._give_up = core.deadlines.arm(moment.now + core.timers.timeout, (self, Cue.TIMER_NO_ACK))

    def _repeat_2xx(self, moment: Moment) -> None:
        core = self._core
        if self._server is not None:
            core.outbox.counters["retransmissions_sent"] += 1
            core.runner.feed(self._server, Input.SUCCESS, moment.now, self._answer)
        self._interval = min(self._interval * 2, core.timers.t2)
        self._repeat = core.deadlines.arm(moment.now + self._interval, (self, Cue.TIMER_REPEAT))

    def _stop_2xx(self, _moment: Moment) -> None:
        self._core.deadlines.cancel(self._repeat)
        self._core.deadlines.cancel(self._give_up)
        self._repeat = self._give_up = 0
        self._answer = b""
        self._server = None

    def _drop_change(self, moment: Moment) -> None:
        self._feed_change(Cue.OVER, Moment(moment.now))

    def _lose(self, moment: Moment) -> None:
        self.feed(Cue.TIMER_NO_ACK, moment)

    def _close(self, moment: Moment) -> None:
        """Out of the books, and no transaction of an INVITE knows us any more."""
        self._core.sessions.pop((self.call_id, self.local_tag), None)
        self._stop_2xx(moment)
        self._abandon_reinvite(moment)
        self._early = {}

    # -- what the rows do: events ----------------------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        self._core.out.append(event)

    def _tell_pending(self, _moment: Moment) -> None:
        self._tell(ReinviteRejected(self, 491, None))

    def _tell_progress(self, moment: Moment) -> None:
        response: Response = moment.message
        self._tell(Progress(self, response, response.to.tag or ""))

    def _tell_withdrawn(self, moment: Moment) -> None:
        failure = moment.message if moment.status >= 300 else None
        self._tell(Rejected(self, 487 if failure is None else moment.status, failure, "cancelled"))


def _check_failure(status: int) -> None:
    if not 300 <= status < 700:
        raise LocalError(f"{status} refuses nothing")


def _ended(cause: str) -> Callable[[Session, Moment], None]:
    def tell(session: Session, moment: Moment) -> None:
        session._tell(Ended(session, cause, moment.message if cause == "bye" else None))

    return tell


_NOT_SENT: Final = frozenset({"INVITE", "ACK", "CANCEL", "BYE"})

_PERFORM: Final[dict[Do, Callable[[Session, Moment], None]]] = {
    Do.CONFIRM: Session._confirm,
    Do.ACK: Session._send_ack,
    Do.BYE: Session._send_bye,
    Do.CANCEL: Session._send_cancel,
    Do.SEND_PROVISIONAL: Session._send_provisional,
    Do.SEND_2XX: Session._send_2xx,
    Do.REPEAT_2XX: Session._repeat_2xx,
    Do.STOP_2XX: Session._stop_2xx,
    Do.SEND_FAILURE: Session._send_failure,
    Do.SEND_487: Session._send_487,
    Do.SEND_491: Session._send_491,
    Do.SEND_500: Session._send_500,
    Do.OK_BYE: Session._ok_bye,
    Do.SEND_REINVITE: Session._send_reinvite,
    Do.RESEND: Session._resend,
    Do.ABANDON_REINVITE: Session._abandon_reinvite,
    Do.REFRESH: Session._refresh_target,
    Do.TAKE_REINVITE: Session._take_reinvite,
    Do.DROP_CHANGE: Session._drop_change,
    Do.CLOSE: Session._close,
    Do.LOSE: Session._lose,
    Do.TELL_PROGRESS: Session._tell_progress,
    Do.TELL_ANSWERED: lambda s, m: s._tell(Answered(s, m.message)),
    Do.TELL_REJECTED: lambda s, m: s._tell(Rejected(s, m.status, m.message, "response")),
    Do.TELL_SILENCE: lambda s, _: s._tell(Rejected(s, 408, None, "timeout")),
    Do.TELL_UNREACHABLE: lambda s, _: s._tell(Rejected(s, 503, None, "unreachable")),
    Do.TELL_WITHDRAWN: Session._tell_withdrawn,
    Do.TELL_CANCELLED: lambda s, m: s._tell(Cancelled(s, m.message)),
    Do.TELL_ACKNOWLEDGED: lambda s, m: s._tell(Acknowledged(s, m.message)),
    Do.TELL_BYE: _ended("bye"),
    Do.TELL_LOCAL: _ended("local"),
    Do.TELL_NO_ACK: _ended("no_ack"),
    Do.TELL_LOST: _ended("lost"),
    Do.TELL_REINVITED: lambda s, m: s._tell(Reinvited(s, m.message)),
    Do.TELL_REINVITE_CANCELLED: lambda s, m: s._tell(ReinviteCancelled(s, m.message)),
    Do.TELL_REINVITE_ANSWERED: lambda s, m: s._tell(ReinviteAnswered(s, m.message)),
    Do.TELL_REINVITE_REJECTED: lambda s, m: s._tell(ReinviteRejected(s, m.status, m.message)),
    Do.TELL_PENDING: Session._tell_pending,
    Do.TELL_REINVITE_ACKNOWLEDGED: lambda s, m: s._tell(ReinviteAcknowledged(s, m.message)),
}
