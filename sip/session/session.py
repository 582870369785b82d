"""One INVITE session as one side sees it, caller or callee: what its owner may ask and what the agent brings.

The tables of `sip.ua.usage` decide, `rows.py` does what they say. Each public method returns the actions it caused.
What makes no sense in the session's state does nothing, so that an owner need not know which crossing it just lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from santral.sip.errors import LocalError
from santral.sip.events import (
    Action,
    Hop,
    InDialog,
    RequestAnswered,
    RequestFailed,
    Send,
)
from santral.sip.message import Request, Response
from santral.sip.session import changes, rows
from santral.sip.session.base import Usage
from santral.sip.session.moment import Moment
from santral.sip.session.provisionals import Provisionals
from santral.sip.session.subscription import Subscription, refer_lines
from santral.sip.session.values import has_option
from santral.sip.session.watch import Duty, SessionTimer, Watch
from santral.sip.ua.compose import NOTHING, SDP, WEB_SOCKETS, Draft, HeaderList
from santral.sip.ua.dialog import Dialog, Exchange
from santral.sip.ua.runner import client_key
from santral.sip.ua.transaction import Transaction
from santral.sip.ua.usage import CHANGE, SESSION, Change, Cue, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from santral.sip.ua.challenge import Amendment
    from santral.sip.ua.core import Core
    from santral.sip.uri import Uri

__all__ = ["Session"]

_UNANSWERED: Final = frozenset({Stage.CALLING, Stage.CANCEL_HELD, Stage.EARLY, Stage.CANCELLING})
_AWAITING_ACK: Final = frozenset({Stage.ANSWERED, Stage.BYE_HELD})
_OVER: Final = frozenset({Stage.BYE_HELD, Stage.ENDING, Stage.ENDED})  # the owner has been told
_NOT_SENT: Final = frozenset({"INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "REFER", "SUBSCRIBE", "NOTIFY"})


class Session(Usage):
    """`role` is "uac" or "uas"; `user` is free for the owner, who clears it after the terminal event.

    `request` is the INVITE that began it, ours or theirs. `session_timer` is what we want (RFC 4028); without it the
    peer's wish is honoured.
    """

    __slots__ = (
        "__weakref__",
        "ack_sent",
        "answer_held",
        "answer_sent",
        "change",
        "change_dialog",
        "client",
        "described",
        "dialog",
        "due",
        "due_method",
        "early",
        "give_up",
        "got_cseq",
        "heard",
        "id",
        "interval",
        "is_offerless",
        "parting",
        "proofs",
        "proposed",
        "provisionals",
        "remind",
        "repeat",
        "request",
        "role",
        "sent_cseq",
        "server",
        "session_timer",
        "state",
        "update_client",
        "update_server",
        "user",
        "watch",
    )

    def __init__(self, core: Core, role: str, request: Request, local_tag: str, hop: Hop) -> None:
        super().__init__(core, request.call_id, local_tag, hop)
        is_caller = role == "uac"
        self.id = core.next_session()
        self.role = role
        self.request = request
        self.state = Stage.CALLING if is_caller else Stage.INCOMING
        self.change = Change.NONE
        self.session_timer: SessionTimer | None = None
        self.user: Any = None
        self.dialog: Dialog | None = None
        self.early: dict[str, Dialog] = {}
        self.client: Transaction | None = None  # our INVITE or re-INVITE, while it is pending
        self.server: Transaction | None = None  # theirs, until it is acknowledged
        self.update_client: Transaction | None = None  # our UPDATE with an offer
        self.update_server: Transaction | None = None  # their UPDATE, or PRACK with an offer
        self.change_dialog: Dialog | None = None  # that the UPDATE is about
        self.proofs: HeaderList = ()  # the credentials of our last INVITE, for its ACK
        self.is_offerless = is_caller and not request.body
        self.sent_cseq = request.cseq.number if is_caller else 0  # of our last INVITE
        self.got_cseq = 0 if is_caller else request.cseq.number  # of theirs
        self.ack_sent: tuple[int, Hop, bytes] | None = None  # the last ACK we sent to a 2xx
        self.answer_sent = b""  # our 2xx, until it is acknowledged
        self.answer_held = NOTHING  # our 2xx, until it may be sent
        self.parting = NOTHING  # what the owner wants said in a CANCEL or BYE that has to wait
        self.described = request.body if is_caller else b""  # our last description in force, for refreshes
        self.proposed = b""  # the one in our re-INVITE or UPDATE under way
        self.heard = b"" if is_caller else request.body  # the peer's last description
        self.interval = 0.0
        self.repeat = self.give_up = self.remind = self.due = 0
        self.due_method = "INVITE"
        self.provisionals: Provisionals | None = None
        self.watch: Watch | None = None
        if not is_caller:
            self.dialog = Dialog.of_callee(request, local_tag, hop, core.composer.sent_by)
            self.dialog.exchange = Exchange.THEIRS if request.body else Exchange.NONE

    def __repr__(self) -> str:
        return f"<Session {self.id} {self.role} {self.state}>"

    @property
    def remote_tag(self) -> str | None:
        """The peer's tag; None while our INVITE is unanswered."""
        return self.dialog.remote_tag if self.dialog is not None else None

    @property
    def remote_target(self) -> Uri | None:
        """Where the peer wants its requests; None while our INVITE is unanswered."""
        return self.dialog.target if self.dialog is not None else None

    @property
    def unlocated(self) -> Uri | None:
        """The name that the peer of an accepted connection wants its requests sent to: for the day when that connection
        is gone, the owner may look it up and set `located`. None where an address is known, or nothing can be opened.
        """
        if self.dialog is None or self.dialog.next_hop is not None or not self.last_source.flow:
            return None
        return None if self.last_source.transport in WEB_SOCKETS else self.dialog.next_uri

    @property
    def early_tags(self) -> tuple[str, ...]:
        """The peer tags of the early dialogs of our INVITE, oldest first."""
        return tuple(self.early)

    @property
    def is_over(self) -> bool:
        """Whether the terminal event has been told: hung up by either side, or the INVITE failed."""
        return self.state in _OVER

    @property
    def timer_state(self) -> str:
        """Who refreshes the session (RFC 4028): "off", "ours" or "theirs"."""
        duty = Duty.OFF if self.watch is None else self.watch.state
        return Duty.OURS.value if duty is Duty.ASKING else duty.value

    def peer_supports(self, option: str, to_tag: str = "") -> bool:
        """Whether the peer said that it has this extension, in Supported or by requiring it."""
        dialog = self.dialog_of(to_tag)
        said = dialog is not None and option in [tag.strip(" \t").lower() for tag in dialog.supported.split(",")]
        return said or self.requires(option)

    def peer_allows(self, method: str, to_tag: str = "") -> bool:
        """Whether the peer's Allow names this method; False when it sent none."""
        dialog = self.dialog_of(to_tag)
        return dialog is not None and method in [name.strip(" \t") for name in dialog.allow.split(",")]

    def requires(self, option: str) -> bool:
        """Whether the INVITE that was received requires this extension."""
        return self.role == "uas" and has_option(self.request.headers, "Require", option)

    def dialog_of(self, to_tag: str = "") -> Dialog | None:
        """The confirmed dialog; before there is one the early one with this tag, without a tag the newest."""
        if self.dialog is not None:
            return self.dialog
        return self.early.get(to_tag) if to_tag else next(reversed(self.early.values()), None)

    # -- callee ----------------------------------------------------------------------------------------------------

    def progress(
        self,
        status: int,
        now: float,
        *,
        headers: HeaderList = (),
        body: bytes = b"",
        reason: str | None = None,
        reliable: bool = False,
    ) -> list[Action]:
        """Send a provisional response, 101 to 199.

        With `reliable` it is repeated until the PRACK comes, if the peer has 100rel; for a peer that requires 100rel
        always (RFC 3262). One at a time: the next waits. No PRACK in 64*T1: 504 and Ended("no_prack").
        """
        if not 100 < status < 200:
            raise LocalError(f"{status} is no provisional response of ours")
        draft = Draft(headers, body, reason=reason)
        return self._act(Cue.PROGRESS, Moment(now, draft=draft, status=status, is_reliable=reliable))

    def answer(self, now: float, *, body: bytes = b"", headers: HeaderList = ()) -> list[Action]:
        """Send 200 and repeat it until the ACK comes (RFC 3261 13.3.1.4); none in 64*T1: BYE and Ended("no_ack").

        It waits inside while a reliable provisional response with a description is not acknowledged, or the offer in
        its PRACK not answered (RFC 3262 section 3).
        """
        cue = Cue.ANSWER_LATER if self.holds_answer else Cue.ANSWER
        return self._act(cue, Moment(now, draft=Draft(headers, body), status=200))

    @property
    def holds_answer(self) -> bool:
        """Whether an answer would have to wait."""
        if self.provisionals is None:
            return False
        server = self.update_server
        is_pracked = server is not None and server.request is not None and server.request.method == "PRACK"
        return self.provisionals.holds_answer or is_pracked

    def reject(
        self, status: int, now: float, *, headers: HeaderList = (), reason: str | None = None, body: bytes = b""
    ) -> list[Action]:
        """Refuse the INVITE with a final response, 300 to 699: Ended("local")."""
        _check_failure(status)
        return self._act(Cue.REJECT, Moment(now, draft=Draft(headers, body, reason=reason), status=status))

    def turn_away(self, status: int, now: float, headers: HeaderList = ()) -> list[Action]:
        """`reject` and forget: nothing is kept or repeated for an address that may be forged (RFC 3261 8.2.7)."""
        transaction = self.server
        actions = self.reject(status, now, headers=headers)
        if transaction is not None:
            self.core.runner.forget(transaction)
        return actions

    # -- caller ----------------------------------------------------------------------------------------------------

    def cancel(self, now: float, headers: HeaderList = ()) -> list[Action]:
        """Give up an unanswered INVITE; waits for the first 1xx (RFC 3261 9.1). A 2xx that crosses is ACKed and BYEd.

        In a session it takes back our re-INVITE, if the peer has said 100 to it.
        """
        if self.state in _UNANSWERED:
            self.parting = Draft(headers)
            return self._act(Cue.CANCEL, Moment(now))
        return self._alter(Cue.CANCEL, Moment(now, draft=Draft(headers)))

    def ack(self, now: float, body: bytes = b"") -> list[Action]:
        """Acknowledge a 2xx to an INVITE or re-INVITE that had no body; `body` answers the peer's offer."""
        moment = Moment(now, draft=Draft(body=body))
        return self._act(Cue.ACK, moment) if self.state is Stage.UNACKED else self._alter(Cue.ACK, moment)

    def prack(self, now: float, body: bytes = b"", to_tag: str = "") -> list[Action]:
        """Answer the offer of a reliable provisional response (`Progress.is_offer`); others need no help."""
        dialog = self.dialog_of(to_tag)
        if dialog is not None and dialog.owed_rack and self.state is Stage.EARLY:
            rows.send_prack(self, dialog, dialog.owed_rack, Draft((), body), now)
            dialog.owed_rack = ""
            if body:
                dialog.exchange, self.described = Exchange.SETTLED, body
        return self.core.outbox.flush()

    # -- both ------------------------------------------------------------------------------------------------------

    def bye(self, now: float, headers: HeaderList = ()) -> list[Action]:
        """Hang up: Ended("local") at once. Unanswered sessions are cancelled (caller) or refused with 480 (callee)."""
        if self.state not in _OVER:
            self.parting = Draft(headers)
        return self._act(Cue.BYE, Moment(now, draft=Draft(headers), status=480))

    def reinvite(self, now: float, body: bytes = b"", headers: HeaderList = ()) -> list[Action]:
        """Propose a change; no body asks for an offer. While another is pending: ReinviteRejected(491) at once."""
        moment = Moment(now, draft=Draft(headers, body), method="INVITE")
        if self.state is Stage.CONFIRMED:
            return self._alter(Cue.REINVITE, moment)
        if self.state not in _OVER:
            changes.tell_pending(self, moment)
            changes.wait(self, moment)
        return self.core.outbox.flush()

    def update(self, now: float, body: bytes = b"", headers: HeaderList = (), to_tag: str = "") -> list[Action]:
        """Propose a change by UPDATE, in the session or before its answer (RFC 3311). ReinviteAnswered or
        ReinviteRejected will say "UPDATE"; where the RFC forbids it now: ReinviteRejected(491) at once.
        """
        dialog = self.dialog_of(to_tag)
        moment = Moment(now, draft=Draft(headers, body), method="UPDATE", dialog=dialog)
        if self.state not in _OVER:
            is_lawful = not body or self.change is not Change.NONE or self.may_update(to_tag)
            if dialog is not None and is_lawful:
                self.feed_change(Cue.UPDATE, moment)
            else:
                changes.tell_pending(self, moment)
                changes.wait(self, moment)
        return self.core.outbox.flush()

    def may_update(self, to_tag: str = "") -> bool:
        """Whether RFC 3311 section 5.1 lets an offer travel in an UPDATE now: none is open in either direction."""
        dialog = self.dialog_of(to_tag)
        if dialog is None or self.change is not Change.NONE or not self.peer_allows("UPDATE", to_tag):
            return False
        if self.state is Stage.CONFIRMED:
            return True
        is_acknowledged = not dialog.pracking and not (self.provisionals is not None and self.provisionals.holds_answer)
        return self.state in changes.SETTLED_EARLY and dialog.exchange is Exchange.SETTLED and is_acknowledged

    def accept_reinvite(self, now: float, body: bytes = b"", headers: HeaderList = ()) -> list[Action]:
        """Answer the peer's change with 200: re-INVITE (repeated until the ACK comes), UPDATE, PRACK with an offer."""
        return self._alter(Cue.ANSWER, Moment(now, draft=Draft(headers, body), status=200))

    def reject_reinvite(self, status: int, now: float, headers: HeaderList = ()) -> list[Action]:
        """Refuse the peer's change; the session stands as before (RFC 3261 14.2, RFC 3311 5.2)."""
        _check_failure(status)
        return self._alter(Cue.REJECT, Moment(now, draft=Draft(headers), status=status))

    def send(
        self, method: str, now: float, headers: HeaderList = (), body: bytes = b"", content_type: str = SDP
    ) -> tuple[str, list[Action]]:
        """Send another request inside the dialog (INFO…): RequestAnswered or RequestFailed will carry the key."""
        if method in _NOT_SENT:
            raise LocalError(f"{method} has its own way out of a session")
        core, dialog = self.core, self.dialog_of()
        if dialog is None or self.state in _OVER:
            key = client_key(core.composer.branch(), method)
            self.tell(RequestFailed(key, self, 481))
            return key, core.outbox.flush()
        transaction = self.send_request(method, dialog, Draft(headers, body, content_type), now)
        return transaction.key, core.outbox.flush()

    def refer(
        self, now: float, refer_to: str, headers: HeaderList = (), *, referred_by: str = "", subscribes: bool = True
    ) -> tuple[Subscription, list[Action]]:
        """Ask the peer to call `refer_to` (a header value: `<sip:…?Replaces=…>`) in our place (RFC 3515).

        The subscription tells how it goes; without `subscribes` only whether it was accepted (RFC 4488).
        """
        lines = refer_lines(refer_to, referred_by, subscribes=subscribes)
        subscription = Subscription.within(self, "refer")
        subscription.start("REFER", Draft((*lines, *headers)), now, subscribes=subscribes)
        return subscription, self.core.outbox.flush()

    # -- what the agent brings -------------------------------------------------------------------------------------

    def find_dialog(self, remote_tag: str) -> Dialog | None:
        """The confirmed dialog with this peer tag, or the early one."""
        dialog = self.dialog
        if dialog is not None:
            return dialog if dialog.remote_tag == remote_tag else None
        return self.early.get(remote_tag)

    def start(self, hop: Hop, now: float) -> None:
        """Send our INVITE; raises LocalError, and leaves no trace, when it cannot be written."""
        self.client = self.core.runner.start_client(self.request, hop, self, now)
        self.core.sessions[self.call_id, self.local_tag] = self

    def adopt(self, transaction: Transaction) -> None:
        """Take over the transaction of the INVITE that began this session."""
        self.server = transaction
        transaction.owner = self
        self.core.sessions[self.call_id, self.local_tag] = self

    def on_request(self, transaction: Transaction, request: Request, now: float) -> bool:
        """A request in the dialog; False when there is nothing left that it could be about."""
        take = _TAKE.get(request.method)
        if take is not None:
            return take(self, transaction, request, now)
        if self.state in _OVER:
            return False
        self.tell(InDialog(self, transaction.key, request))
        return True

    def on_invite_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """A response to our INVITE or re-INVITE; of several 2xx only the first."""
        status = response.status
        moment = Moment(now, response, transaction, status=status)
        if status < 200:
            if not rows.take_progress(self, moment):
                return
            cue = Cue.GOT_PROGRESS
        elif status < 300:
            cue = Cue.GOT_OFFER if self.is_offerless and not self._has_offer(response) else Cue.GOT_ANSWER
        else:
            cue = Cue.GOT_FAILURE
        if status >= 200:
            self.client = None
        if self.state in _UNANSWERED:
            self.feed(cue, moment)
        else:
            self.feed_change(cue, moment)
            self.on_request_failure(status, now)

    def _has_offer(self, response: Response) -> bool:
        """Whether our INVITE without an offer got it before, in a reliable provisional response of this fork."""
        early = self.early.get(response.to.tag or "")
        return early is not None and early.exchange is Exchange.SETTLED

    def on_invite_failure(self, status: int, now: float) -> None:
        """No response to our INVITE or re-INVITE: 408 or 503."""
        self.client = None
        moment = Moment(now, status=status)
        if self.state in _UNANSWERED:
            self.feed(Cue.GOT_SILENCE if status == 408 else Cue.GOT_ERROR, moment)
        else:
            self.feed_change(Cue.GOT_FAILURE, moment)
            self.on_request_failure(status, now)

    def on_request_failure(self, status: int, now: float) -> None:
        """A request of ours in this dialog met `status`: 481 and 408 end it (RFC 3261 12.2.1.2, RFC 5057)."""
        if status in (481, 408):
            self.feed(Cue.GONE if status == 481 else Cue.SILENT, Moment(now))

    def on_final(self, transaction: Transaction, status: int, response: Response | None, now: float) -> None:
        """The end of a request of ours other than INVITE."""
        method = transaction.key.rpartition(" ")[2]
        if method == "BYE":
            self.feed(Cue.BYE_DONE, Moment(now))
            return
        if method == "PRACK":
            changes.on_pracked(self, transaction, status)
        elif method == "UPDATE":
            changes.on_updated(self, transaction, status, response, now)
        elif response is not None:
            self.tell(RequestAnswered(transaction.origin, self, response))
        else:
            self.tell(RequestFailed(transaction.origin, self, status))
        self.on_request_failure(status, now)

    def resend(self, transaction: Transaction, amended: Amendment, now: float) -> bool:
        """A refused request once more, amended: the INVITE and changes through their tables, the rest as it is."""
        request = transaction.request
        if request is None or self.state is Stage.ENDED:
            return False
        moment = Moment(now, transaction=transaction)
        moment.amended = amended
        if transaction is self.client and self.dialog is None:
            return self.feed(Cue.AGAIN, moment)
        if transaction is self.client or transaction is self.update_client:
            return self.feed_change(Cue.AGAIN, moment)
        dialog = self.find_dialog(request.to.tag or "")
        if dialog is None:
            return False
        again = self.send_again(transaction, dialog, amended, now)
        return again is not None

    def on_invite(self, transaction: Transaction, request: Request, now: float) -> bool:
        """A re-INVITE; False when there is nothing left to change."""
        moment = Moment(now, request, transaction)
        if self.state is Stage.CONFIRMED:
            if changes.refuse_too_brief(self, moment):
                return True
            return self.feed_change(Cue.GOT_REINVITE, moment)
        return self.feed(Cue.GOT_REINVITE, moment)

    def awaits(self, request: Request) -> bool:
        """Whether this PRACK is welcome even if a later request overtook it (its CSeq says so)."""
        return self.provisionals is not None and self.provisionals.is_about(request)

    def on_bye(self, transaction: Transaction, request: Request, now: float) -> bool:
        """A BYE; False when the session is over by it already."""
        return self.feed(Cue.GOT_BYE, Moment(now, request, transaction))

    def on_subscribing(self, transaction: Transaction, request: Request, now: float) -> bool:
        """A REFER, or a SUBSCRIBE to something new, in this dialog: the owner decides."""
        if self.state in _OVER or self.dialog is None:
            return False
        Subscription.within(self, "refer").take(transaction, request, now)
        return True

    def on_cancel(self, request: Request, now: float) -> None:
        """A CANCEL of their INVITE or re-INVITE."""
        moment = Moment(now, request)
        if self.state in (Stage.INCOMING, Stage.ANSWER_HELD):
            self.feed(Cue.GOT_CANCEL, moment)
        else:
            self.feed_change(Cue.GOT_CANCEL, moment)

    def on_ack(self, request: Request, now: float) -> bool:
        """An ACK in this dialog; False when no 2xx waits for it."""
        if not self.answer_sent or request.cseq.number != self.got_cseq:
            return False
        if request.body:
            self.heard = request.body
        if self.dialog is not None:
            self.dialog.exchange = Exchange.SETTLED
        moment = Moment(now, request)
        return self.feed(Cue.GOT_ACK, moment) if self.state in _AWAITING_ACK else self.feed_change(Cue.GOT_ACK, moment)

    def on_timer(self, cue: Cue, now: float) -> None:
        """One of our own timers, around a 1xx, a 2xx or a change, has come due."""
        if cue is Cue.TIMER_REMIND or (self.state in _AWAITING_ACK and cue is not Cue.TIMER_DUE):
            self.feed(cue, Moment(now))
        else:
            self.feed_change(cue, Moment(now, method=self.due_method))

    def repeat_ack(self, number: int) -> bool:
        """The 2xx to our INVITE `number` came again: so does its ACK, if we have it. False for an INVITE we forgot."""
        if self.ack_sent is None or self.ack_sent[0] != number:
            owes = self.state is Stage.UNACKED or self.change is Change.OURS_UNACKED
            return owes and self.sent_cseq == number
        self.core.outbox.counters["retransmissions_sent"] += 1
        self.core.out.append(Send(self.ack_sent[1], self.ack_sent[2]))
        return True

    # -- what its parts bring --------------------------------------------------------------------------------------

    def reply(self, now: float, status: int, draft: Draft = NOTHING) -> bytes:
        """Answer the INVITE or re-INVITE that is pending; nothing when it is no longer there."""
        transaction = self.server
        if transaction is None or transaction.request is None:
            return b""
        hop = transaction.hop if status < 300 else None
        response = self.core.composer.response(transaction.request, status, self.local_tag, hop, draft)
        return self.core.runner.respond(transaction, response, now)

    def describe_reliably(self, body: bytes) -> None:
        """A reliable provisional response carries our offer or answer."""
        self.described = body
        if self.dialog is not None:
            is_offer = self.dialog.exchange is Exchange.NONE
            self.dialog.exchange = Exchange.OURS if is_offer else Exchange.SETTLED

    def release_answer(self, now: float) -> None:
        """An answer that waited may go now."""
        if self.state is Stage.ANSWER_HELD and not self.holds_answer:
            self.feed(Cue.PRACKED, Moment(now, draft=self.answer_held, status=200))

    def on_no_prack(self, now: float) -> None:
        """A reliable provisional response was never acknowledged."""
        self.feed(Cue.TIMER_NO_PRACK, Moment(now))

    def on_expiry(self, now: float) -> None:
        """Nobody refreshed the session in time."""
        self.parting = Draft((("Reason", 'SIP;cause=408;text="Session expired"'),))
        self.feed(Cue.TIMER_EXPIRED, Moment(now))

    def send_refresh(self, now: float, draft: Draft) -> None:
        """Refresh the session, by UPDATE without a body if the peer knows it (RFC 4028 section 7.4)."""
        changes.send_refresh(self, now, draft)

    # -- the machines ----------------------------------------------------------------------------------------------

    def feed(self, cue: Cue, moment: Moment) -> bool:
        """Run one row of the session's table; False when there is none."""
        row = SESSION.get((self.state, cue))
        if row is None:
            return False
        self.state, todo = row
        for do in todo:
            rows.PERFORM[do](self, moment)
        return True

    def feed_change(self, cue: Cue, moment: Moment) -> bool:
        """Run one row of the table of changes; False when there is none."""
        row = CHANGE.get((self.change, cue))
        if row is None:
            return False
        self.change, todo = row
        for do in todo:
            rows.PERFORM[do](self, moment)
        return True

    def _act(self, cue: Cue, moment: Moment) -> list[Action]:
        self.feed(cue, moment)
        return self.core.outbox.flush()

    def _alter(self, cue: Cue, moment: Moment) -> list[Action]:
        self.feed_change(cue, moment)
        return self.core.outbox.flush()


def _check_failure(status: int) -> None:
    if not 300 <= status < 700:
        raise LocalError(f"{status} refuses nothing")


_TAKE: Final[dict[str, Callable[[Session, Transaction, Request, float], bool]]] = {
    "INVITE": Session.on_invite,
    "BYE": Session.on_bye,
    "PRACK": changes.on_prack,
    "UPDATE": changes.on_update,
    "REFER": Session.on_subscribing,
    "SUBSCRIBE": Session.on_subscribing,
}
