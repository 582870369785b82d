"""What the rows of the session's tables do: our messages, the 2xx and its repetition, the events of the owner.

Each function does one `Do`, in the order of the row; none decides what comes next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from santral.sip.errors import RemoteError
from santral.sip.events import (
    Acknowledged,
    Answered,
    Cancelled,
    Ended,
    Event,
    Progress,
    ReinviteAcknowledged,
    ReinviteCancelled,
    Rejected,
    Send,
)
from santral.sip.message import Response, sdp_body, serialise
from santral.sip.session import changes
from santral.sip.session.moment import Moment
from santral.sip.session.provisionals import Provisionals
from santral.sip.session.values import has_option, read_number
from santral.sip.ua.challenge import proofs_of
from santral.sip.ua.compose import NOTHING, Draft
from santral.sip.ua.dialog import Dialog, Exchange
from santral.sip.ua.transaction import Input, State, Transaction
from santral.sip.ua.usage import Change, Cue, Do, Stage

if TYPE_CHECKING:
    from santral.sip.session.session import Session

MAX_EARLY: Final = 32  # early dialogs of one INVITE: more forks than that are somebody's game
REMIND_S: Final = 60.0  # RFC 3261 13.3.1.1: a provisional response every minute
DIALOG_GONE: Final = 199  # RFC 6228
_WANTED: Final = frozenset({Stage.CALLING, Stage.EARLY})  # nobody has given our INVITE up
_OVER: Final = frozenset({Stage.ENDING, Stage.ENDED})

# -- provisional responses to our INVITE -------------------------------------------------------------------------------


def take_progress(session: Session, moment: Moment) -> bool:
    """A provisional response to our INVITE: its early dialog, its PRACK. False: repeated or too early, so ignored."""
    response: Response = moment.message
    tag = response.to.tag or ""
    dialog = None if response.status == 100 or not tag else _early_dialog(session, tag, response)
    number = None
    if dialog is not None and "RSeq" in response.headers and has_option(response.headers, "Require", "100rel"):
        number = read_number(response.headers.get("RSeq"))
    if number is None or dialog is None or not _is_pracked(session):
        moment.progress = Progress(session, response, tag)
    else:
        cseq = response.cseq.number
        if dialog.rseq_cseq == cseq and number != dialog.rseq + 1:
            return False
        dialog.rseq_cseq, dialog.rseq = cseq, number
        is_offer = _take_description(session, dialog, response)
        moment.progress = Progress(session, response, tag, is_reliable=True, is_offer=is_offer)
        rack = f"{number} {cseq} INVITE"
        if is_offer:
            dialog.owed_rack = rack
        else:
            send_prack(session, dialog, rack, NOTHING, moment.now)
    if response.status == DIALOG_GONE and session.early.pop(tag, None) is not None:
        _leave_fork(session, dialog, moment)
    return True


def _is_pracked(session: Session) -> bool:
    is_changing = session.change in (Change.OURS, Change.REFRESHING)
    return session.state in _WANTED or (session.state is Stage.CONFIRMED and is_changing)


def _early_dialog(session: Session, tag: str, response: Response) -> Dialog | None:
    if session.dialog is not None:
        return session.dialog if session.dialog.remote_tag == tag else None
    if session.state in _OVER:
        return None
    dialog = session.early.get(tag)
    if dialog is not None:
        dialog.note_abilities(response)
    elif len(session.early) < MAX_EARLY:
        spoken = session.core.composer.sent_by
        dialog = Dialog.of_caller(response, session.request.uri, session.last_source, spoken)
        dialog.exchange = Exchange.NONE if session.is_offerless else Exchange.OURS
        session.early[tag] = dialog
    return dialog


def _take_description(session: Session, dialog: Dialog, response: Response) -> bool:
    """The description in a reliable provisional response is the answer to our offer, or the offer: then True."""
    try:
        body = None if session.dialog is not None else sdp_body(response)
    except RemoteError:
        body = None  # what the owner makes of it is another matter: it hears of the response
    if body is None or dialog.exchange in (Exchange.SETTLED, Exchange.THEIRS):
        return False
    session.heard = body
    is_offer = dialog.exchange is Exchange.NONE
    dialog.exchange = Exchange.THEIRS if is_offer else Exchange.SETTLED
    return is_offer


def send_prack(session: Session, dialog: Dialog, rack: str, draft: Draft, now: float) -> None:
    """Acknowledge a reliable provisional response (RFC 3262 section 4)."""
    draft = Draft((("RAck", rack),), draft.body)
    dialog.pracking = session.send_request("PRACK", dialog, draft, now).key


def _leave_fork(session: Session, dialog: Dialog | None, moment: Moment) -> None:
    if session.change_dialog is dialog and dialog is not None:
        session.feed_change(Cue.OTHER_FORK, Moment(moment.now))


# -- our requests ------------------------------------------------------------------------------------------------------


def confirm(session: Session, moment: Moment) -> None:
    """The 2xx to our INVITE makes the dialog; changes under way in other early dialogs are no more."""
    response: Response = moment.message
    dialog = Dialog.of_caller(response, session.request.uri, session.last_source, session.core.composer.sent_by)
    early = session.early.get(dialog.remote_tag)
    if early is not None:  # requests may have gone both ways; the route set is the answer's (RFC 3261 13.2.2.4)
        dialog.remote_cseq, dialog.local_cseq = early.remote_cseq, early.local_cseq
        dialog.pracking = early.pracking
        dialog.allow, dialog.supported = dialog.allow or early.allow, dialog.supported or early.supported
    if session.change is not Change.NONE and session.change_dialog is not early:
        session.feed_change(Cue.OTHER_FORK, Moment(moment.now))
    dialog.exchange = Exchange.SETTLED
    session.dialog, session.change_dialog = dialog, dialog
    session.early = {}
    session.heard = response.body or session.heard
    changes.agree_on_timer(session, response, moment.now)


def send_again(session: Session, moment: Moment) -> None:
    """The INVITE, re-INVITE or UPDATE that was refused, amended."""
    old: Transaction = moment.transaction
    if moment.amended is None:
        return
    if old is session.update_client:
        session.update_client = session.send_again(old, session.change_dialog, moment.amended, moment.now)
        return
    again = session.send_again(old, session.dialog, moment.amended, moment.now)
    session.client = again
    if again is not None and again.request is not None:
        session.sent_cseq, session.proofs = again.request.cseq.number, proofs_of(again.request)
        if session.dialog is None:
            session.request, session.early = again.request, {}


def send_ack(session: Session, moment: Moment) -> None:
    """Acknowledge the 2xx to our INVITE or re-INVITE."""
    if session.dialog is not None:
        session.described = moment.draft.body or session.described
        draft = moment.draft
        if session.proofs:
            draft = Draft((*draft.headers, *session.proofs), draft.body, draft.content_type)  # RFC 3261 22.1
        request, hop = session.compose("ACK", session.dialog, session.sent_cseq, draft)
        data = serialise(request)
        session.ack_sent = (session.sent_cseq, hop, data)
        session.core.out.append(Send(hop, data))


def send_bye(session: Session, moment: Moment) -> None:
    """Hang up."""
    if session.dialog is not None:
        session.send_request("BYE", session.dialog, session.parting, moment.now)


def send_cancel(session: Session, moment: Moment) -> None:
    """Take our INVITE or re-INVITE back, if the peer is known to have it."""
    invite = session.client
    if invite is None or invite.request is None or invite.state is not State.PROCEEDING:
        return
    runner = session.core.runner
    headers = session.parting.headers or moment.draft.headers
    runner.start_client(session.core.composer.cancel(invite.request, headers), invite.hop, None, moment.now)
    runner.feed(invite, Input.ABANDON, moment.now)


def send_reinvite(session: Session, moment: Moment) -> None:
    """Propose a change, or refresh, by re-INVITE."""
    if session.dialog is not None:
        draft, session.proofs = moment.draft, ()
        session.is_offerless, session.proposed = not draft.body, draft.body
        lines = changes.timer_request(session)
        if lines:
            draft = Draft((*lines, *draft.headers), draft.body, draft.content_type)
        session.client = session.send_request("INVITE", session.dialog, draft, moment.now)
        session.sent_cseq = session.dialog.local_cseq


def abandon_reinvite(session: Session, moment: Moment) -> None:
    """Whatever it is answered: nobody wants to know."""
    invite, session.client = session.client, None
    if invite is not None:
        invite.owner = None
        invite.tags = (session.remote_tag or "",)  # its 2xx will be acknowledged, and nothing more
        session.core.runner.feed(invite, Input.ABANDON, moment.now)


# -- our responses -----------------------------------------------------------------------------------------------------


def send_provisional(session: Session, moment: Moment) -> None:
    """Send a provisional response; reliably where the peer wants it, or can and the owner wants it."""
    is_reliable = False
    if "100rel" in session.core.settings.supported:
        is_reliable = session.requires("100rel") or (moment.is_reliable and session.peer_supports("100rel"))
    if is_reliable:
        if session.provisionals is None:
            session.provisionals = Provisionals(session)
        session.provisionals.send(moment.status, moment.draft, moment.now)
    else:
        session.described = moment.draft.body or session.described
        session.reply(moment.now, moment.status, moment.draft)
    _remind_later(session, moment)


def _remind_later(session: Session, moment: Moment) -> None:
    deadlines = session.core.deadlines
    deadlines.cancel(session.remind)
    session.remind = deadlines.arm(moment.now + REMIND_S, (session, Cue.TIMER_REMIND))


def remind(session: Session, moment: Moment) -> None:
    """Send the last provisional response again, for the proxies on the way."""
    if session.server is not None:
        session.core.runner.feed(session.server, Input.REQUEST, moment.now)
    _remind_later(session, moment)


def _end_provisionals(session: Session, now: float) -> None:
    session.core.deadlines.cancel(session.remind)
    if session.provisionals is not None:
        session.provisionals.on_final(now)


def send_failure(session: Session, moment: Moment) -> None:
    """Refuse the INVITE or re-INVITE that is pending."""
    session.reply(moment.now, moment.status, moment.draft)
    session.server = None


def send_487(session: Session, moment: Moment) -> None:
    """It was taken back."""
    session.reply(moment.now, 487)
    session.server = None


def send_504(session: Session, moment: Moment) -> None:
    """The caller does not hear us (RFC 3262 section 3)."""
    session.reply(moment.now, 504)
    session.server = None


def ok_bye(session: Session, moment: Moment) -> None:
    """Answer a BYE."""
    changes.refuse(session, moment, 200)


def take_reinvite(session: Session, moment: Moment) -> None:
    """Their re-INVITE waits for the owner."""
    session.server = moment.transaction
    session.got_cseq = moment.message.cseq.number
    if moment.message.body:
        session.heard = moment.message.body


def hold_2xx(session: Session, moment: Moment) -> None:
    """It is too early to answer."""
    session.answer_held = moment.draft
    if session.provisionals is not None:
        session.provisionals.on_hold(moment.now)


def send_2xx(session: Session, moment: Moment) -> None:
    """Accept the INVITE or re-INVITE that is pending, and repeat it until it is acknowledged."""
    core, t1, draft = session.core, session.core.timers.t1, moment.draft
    server = session.server
    if server is not None and server.request is not None:
        lines = changes.timer_answer(session, server.request, moment.now)
        if lines:
            draft = Draft((*lines, *draft.headers), draft.body, draft.content_type)
    dialog = session.dialog
    if draft.body:
        session.described = draft.body
        if dialog is not None and session.role == "uas":
            is_offer = dialog.exchange is Exchange.NONE
            dialog.exchange = Exchange.OURS if is_offer else Exchange.SETTLED
    session.answer_sent = session.reply(moment.now, moment.status, draft)
    _end_provisionals(session, moment.now)
    session.interval = t1
    session.repeat = core.deadlines.arm(moment.now + t1, (session, Cue.TIMER_REPEAT))
    session.give_up = core.deadlines.arm(moment.now + core.timers.timeout, (session, Cue.TIMER_NO_ACK))


def send_held_2xx(session: Session, moment: Moment) -> None:
    """Now it is time."""
    session.answer_held = NOTHING
    send_2xx(session, moment)


def repeat_2xx(session: Session, moment: Moment) -> None:
    """No ACK yet."""
    core = session.core
    if session.server is not None:
        core.outbox.counters["retransmissions_sent"] += 1
        core.runner.feed(session.server, Input.SUCCESS, moment.now, session.answer_sent)
    session.interval = min(session.interval * 2, core.timers.t2)
    session.repeat = core.deadlines.arm(moment.now + session.interval, (session, Cue.TIMER_REPEAT))


def stop_2xx(session: Session, _moment: Moment) -> None:
    """Acknowledged, or given up."""
    session.core.deadlines.cancel(session.repeat)
    session.core.deadlines.cancel(session.give_up)
    session.repeat = session.give_up = 0
    session.answer_sent = b""
    session.server = None


def drop_change(session: Session, moment: Moment) -> None:
    """What is under way ends with the session."""
    session.feed_change(Cue.OVER, Moment(moment.now))
    changes.stop_waiting(session)


def lose(session: Session, moment: Moment) -> None:
    """A change left the two sides without a common view."""
    session.feed(Cue.TIMER_NO_ACK, moment)


def close(session: Session, moment: Moment) -> None:
    """Out of the books; no transaction of an INVITE knows the session any more, and no part of it."""
    session.core.sessions.pop((session.call_id, session.local_tag), None)
    if session.change is not Change.NONE:
        session.feed_change(Cue.OVER, Moment(moment.now))
    changes.stop_waiting(session)
    stop_2xx(session, moment)
    abandon_reinvite(session, moment)
    session.core.deadlines.cancel(session.remind)
    session.early = {}
    if session.provisionals is not None:
        session.provisionals.close()
        session.provisionals = None
    if session.watch is not None:
        session.watch.close()
        session.watch = None


# -- events ------------------------------------------------------------------------------------------------------------


def _tell_progress(session: Session, moment: Moment) -> None:
    if moment.progress is not None:
        session.tell(moment.progress)


def _tell_withdrawn(session: Session, moment: Moment) -> None:
    failure = moment.message if moment.status >= 300 else None
    session.tell(Rejected(session, 487 if failure is None else moment.status, failure, "cancelled"))


def _ended(cause: str) -> Perform:
    def tell(session: Session, moment: Moment) -> None:
        session.tell(Ended(session, cause, moment.message if cause == "bye" else None))

    return tell


def _telling(event: Callable[[Session, Any], Event]) -> Perform:
    """Tell the owner of the message at hand."""
    return lambda session, moment: session.tell(event(session, moment.message))


Perform = Callable[["Session", Moment], None]

PERFORM: Final[dict[Do, Perform]] = {
    Do.CONFIRM: confirm,
    Do.ACK: send_ack,
    Do.BYE: send_bye,
    Do.CANCEL: send_cancel,
    Do.SEND_AGAIN: send_again,
    Do.SEND_PROVISIONAL: send_provisional,
    Do.REMIND: remind,
    Do.SEND_2XX: send_2xx,
    Do.REPEAT_2XX: repeat_2xx,
    Do.STOP_2XX: stop_2xx,
    Do.HOLD_2XX: hold_2xx,
    Do.SEND_HELD_2XX: send_held_2xx,
    Do.SEND_FAILURE: send_failure,
    Do.SEND_487: send_487,
    Do.SEND_504: send_504,
    Do.SEND_491: changes.send_491,
    Do.SEND_500: changes.send_500,
    Do.OK_BYE: ok_bye,
    Do.SEND_REINVITE: send_reinvite,
    Do.ABANDON_REINVITE: abandon_reinvite,
    Do.SEND_UPDATE: changes.send_update,
    Do.ABANDON_UPDATE: changes.abandon_update,
    Do.TAKE_UPDATE: changes.take_update,
    Do.OK_UPDATE: changes.ok_update,
    Do.REFUSE_UPDATE: changes.refuse_update,
    Do.DROP_UPDATE: changes.drop_update,
    Do.RELEASE_ANSWER: lambda session, moment: session.release_answer(moment.now),
    Do.WAIT: changes.wait,
    Do.REFRESH: changes.settle,
    Do.TAKE_REINVITE: take_reinvite,
    Do.DROP_CHANGE: drop_change,
    Do.CLOSE: close,
    Do.LOSE: lose,
    Do.TELL_PROGRESS: _tell_progress,
    Do.TELL_ANSWERED: _telling(Answered),
    Do.TELL_REJECTED: lambda s, m: s.tell(Rejected(s, m.status, m.message, "response")),
    Do.TELL_SILENCE: lambda s, _: s.tell(Rejected(s, 408, None, "timeout")),
    Do.TELL_UNREACHABLE: lambda s, _: s.tell(Rejected(s, 503, None, "unreachable")),
    Do.TELL_WITHDRAWN: _tell_withdrawn,
    Do.TELL_CANCELLED: _telling(Cancelled),
    Do.TELL_ACKNOWLEDGED: _telling(Acknowledged),
    Do.TELL_BYE: _ended("bye"),
    Do.TELL_LOCAL: _ended("local"),
    Do.TELL_NO_ACK: _ended("no_ack"),
    Do.TELL_NO_PRACK: _ended("no_prack"),
    Do.TELL_EXPIRED: _ended("session_expired"),
    Do.TELL_LOST: _ended("lost"),
    Do.TELL_REINVITED: changes.tell_reinvited,
    Do.TELL_REINVITE_CANCELLED: _telling(ReinviteCancelled),
    Do.TELL_UPDATE_CANCELLED: changes.tell_update_cancelled,
    Do.TELL_REINVITE_ANSWERED: changes.tell_answered,
    Do.TELL_REINVITE_REJECTED: changes.tell_rejected,
    Do.TELL_UPDATE_LOST: changes.tell_update_lost,
    Do.TELL_PENDING: changes.tell_pending,
    Do.TELL_DUE: changes.tell_due,
    Do.TELL_REFRESHED: changes.tell_refreshed,
    Do.TELL_NOT_REFRESHED: changes.tell_not_refreshed,
    Do.TELL_REINVITE_ACKNOWLEDGED: _telling(ReinviteAcknowledged),
}
