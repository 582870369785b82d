"""Changes of a session: re-INVITE and UPDATE, either way, what puts them off, and the refreshes that change nothing.

RFC 3261 section 14, RFC 3311, RFC 4028; the rows are in the table CHANGE. An offer in a PRACK is treated as an UPDATE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from santral.sip.events import (
    Pracked,
    PrackFailed,
    Refreshed,
    ReinviteAnswered,
    ReinviteCancelled,
    Reinvited,
    ReinviteDue,
    ReinviteRejected,
)
from santral.sip.message import Request, Response, sdp_body
from santral.sip.session.moment import Moment
from santral.sip.session.values import read_number
from santral.sip.session.watch import Watch, too_brief
from santral.sip.ua.compose import NOTHING, Draft, HeaderList
from santral.sip.ua.dialog import Exchange
from santral.sip.ua.usage import Change, Cue, Stage

if TYPE_CHECKING:
    from santral.sip.session.session import Session
    from santral.sip.ua.transaction import Transaction

RETRY_AFTER_S: Final = "5"  # 0 to 10 s after a change that meets another (RFC 3261 14.2, RFC 3311 5.2)
MAX_RETRY_AFTER_S: Final = 60  # longer waits than that are as good as a refusal
SETTLED_EARLY: Final = frozenset({Stage.EARLY, Stage.INCOMING, Stage.ANSWER_HELD, Stage.ANSWERED})
_OVER: Final = frozenset({Stage.BYE_HELD, Stage.ENDING, Stage.ENDED})  # the owner has been told
_NO_UPDATE: Final = frozenset({405, 501})  # the peer does not know UPDATE after all


def refuse(session: Session, moment: Moment, status: int, draft: Draft = NOTHING) -> None:
    """Answer the request at hand, which is not the one that is pending."""
    response = session.core.composer.response(moment.message, status, session.local_tag, None, draft)
    session.core.runner.respond(moment.transaction, response, moment.now)


def send_491(session: Session, moment: Moment) -> None:
    """Our own offer is open."""
    refuse(session, moment, 491)


def send_500(session: Session, moment: Moment) -> None:
    """The peer's own offer is open."""
    refuse(session, moment, 500, Draft((("Retry-After", RETRY_AFTER_S),)))


# -- requests of the peer ----------------------------------------------------------------------------------------------


def on_update(session: Session, transaction: Transaction, request: Request, now: float) -> bool:
    """An UPDATE; one without an offer is answered here (RFC 3311 section 5.2)."""
    dialog = session.find_dialog(request.from_.tag or "")
    if session.state in _OVER or dialog is None:
        return False
    moment = Moment(now, request, transaction, dialog=dialog, method="UPDATE")
    if refuse_too_brief(session, moment):
        return True
    if sdp_body(request) is None:
        if session.change is Change.THEIRS_UPDATE:
            send_500(session, moment)
        else:
            _ok(session, moment)
            session.tell(Refreshed(session, request))
    elif session.state is Stage.CONFIRMED or (session.state in SETTLED_EARLY and dialog.exchange is Exchange.SETTLED):
        session.feed_change(Cue.GOT_UPDATE, moment)
    elif dialog.exchange is Exchange.OURS:
        send_491(session, moment)
    else:
        send_500(session, moment)
    return True


def on_prack(session: Session, transaction: Transaction, request: Request, now: float) -> bool:
    """A PRACK; False when it acknowledges nothing that is open (RFC 3262 section 3)."""
    dialog, provisionals = session.dialog, session.provisionals
    if provisionals is None or dialog is None or not provisionals.is_about(request):
        return False
    moment = Moment(now, request, transaction, dialog=dialog, method="PRACK")
    body = sdp_body(request)
    if body is None or dialog.exchange is Exchange.OURS:
        if body is not None:
            dialog.exchange, session.heard = Exchange.SETTLED, body
        refuse(session, moment, 200)
        session.tell(Pracked(session, request))
    elif dialog.exchange is Exchange.SETTLED and session.state in SETTLED_EARLY:
        session.feed_change(Cue.GOT_UPDATE, moment)
    else:
        refuse(session, moment, 488)
    provisionals.on_prack(now)
    return True


def refuse_too_brief(session: Session, moment: Moment) -> bool:
    """Whether the request at hand wants a shorter session than we accept: 422 (RFC 4028 section 9)."""
    settings = session.core.settings
    if "timer" not in settings.supported or not too_brief(moment.message, settings.min_se_s):
        return False
    refuse(session, moment, 422, Draft((("Min-SE", f"{settings.min_se_s}"),)))
    return True


def take_update(session: Session, moment: Moment) -> None:
    """Their UPDATE or PRACK waits for the owner."""
    session.update_server, session.change_dialog = moment.transaction, moment.dialog


def _ok(session: Session, moment: Moment, draft: Draft = NOTHING) -> None:
    """Answer an UPDATE with 200: a target refresh, and one of the session timer."""
    request = moment.message
    if moment.dialog is not None:
        moment.dialog.refresh(request, session.last_source, session.core.composer.sent_by)
    lines = timer_answer(session, request, moment.now)
    session.respond(
        moment.transaction,
        request,
        200,
        Draft((*lines, *draft.headers), draft.body, draft.content_type),
        moment.now,
        with_contact=True,
    )


def ok_update(session: Session, moment: Moment) -> None:
    """The owner accepts their UPDATE, or the offer in their PRACK."""
    transaction, session.update_server = session.update_server, None
    if transaction is None or transaction.request is None:
        return  # later than 64*T1: the peer has given it up (RFC 4320)
    request = transaction.request
    session.heard = sdp_body(request) or session.heard
    session.described = moment.draft.body or session.described
    if request.method == "PRACK":
        session.respond(transaction, request, 200, moment.draft, moment.now, with_contact=False)
    else:
        _ok(session, Moment(moment.now, request, transaction, dialog=session.change_dialog), moment.draft)


def refuse_update(session: Session, moment: Moment) -> None:
    """The owner refuses it."""
    _end_update(session, moment.status, moment.draft, moment.now)


def drop_update(session: Session, moment: Moment) -> None:
    """The session is over, or another fork's: nobody will answer it."""
    _end_update(session, 487, NOTHING, moment.now)


def _end_update(session: Session, status: int, draft: Draft, now: float) -> None:
    transaction, session.update_server = session.update_server, None
    if transaction is not None and transaction.request is not None:
        session.respond(transaction, transaction.request, status, draft, now, with_contact=False)


def tell_update_cancelled(session: Session, _moment: Moment) -> None:
    """Another fork than the one that asked has answered the INVITE."""
    transaction = session.update_server
    if transaction is not None and transaction.request is not None:
        session.tell(ReinviteCancelled(session, transaction.request))


# -- requests of ours --------------------------------------------------------------------------------------------------


def send_update(session: Session, moment: Moment) -> None:
    """Send our UPDATE."""
    dialog = moment.dialog
    if dialog is not None:
        draft = moment.draft
        session.change_dialog, session.proposed = dialog, draft.body
        lines = timer_request(session)
        draft = Draft((*lines, *draft.headers), draft.body, draft.content_type)
        session.update_client = session.send_request("UPDATE", dialog, draft, moment.now)


def abandon_update(session: Session, _moment: Moment) -> None:
    """Its answer will find nobody."""
    transaction, session.update_client = session.update_client, None
    if transaction is not None:
        transaction.owner, transaction.origin = None, ""


def on_updated(session: Session, transaction: Transaction, status: int, response: Response | None, now: float) -> None:
    """The end of our UPDATE, the owner's or the session's own."""
    dialog = session.change_dialog if transaction is session.update_client else session.dialog
    moment = Moment(now, response, transaction, status=status, method="UPDATE", dialog=dialog)
    if transaction is session.update_client:
        session.update_client = None
        session.feed_change(Cue.GOT_ANSWER if 200 <= status < 300 else Cue.GOT_FAILURE, moment)
    elif not session.is_over:
        (tell_refreshed if 200 <= status < 300 else tell_not_refreshed)(session, moment)


def on_pracked(session: Session, transaction: Transaction, status: int) -> None:
    """The end of our PRACK."""
    for dialog in (session.dialog, *session.early.values()):
        if dialog is not None and dialog.pracking == transaction.origin:
            dialog.pracking = ""
            if status >= 300 and not session.is_over:
                session.tell(PrackFailed(session, dialog.remote_tag, status))


def settle(session: Session, moment: Moment) -> None:
    """The 2xx to our change, or the 2xx we are about to send to theirs: a target refresh, and what holds now."""
    message = moment.message
    if message is None:
        transaction = session.server if session.change is Change.THEIRS_UNACKED else None
        message = None if transaction is None else transaction.request
    elif isinstance(message, Response):
        session.described, session.proposed = session.proposed or session.described, b""
        moment.is_same = message.body in (b"", session.heard)
        session.heard = message.body or session.heard
        if session.watch is not None:
            session.watch.on_answer(message, moment.now)
    dialog = moment.dialog or session.dialog
    if message is not None and dialog is not None:
        dialog.refresh(message, session.last_source, session.core.composer.sent_by)


# -- what puts a change off --------------------------------------------------------------------------------------------


def wait(session: Session, moment: Moment) -> None:
    """After a 491, or a 500 that says when: ReinviteDue in time (RFC 3261 section 14.1)."""
    seconds = wait_s(session, moment)
    if seconds is not None:
        session.core.deadlines.cancel(session.due)
        session.due_method = moment.method
        session.due = session.core.deadlines.arm(moment.now + seconds, (session, Cue.TIMER_DUE))


def wait_s(session: Session, moment: Moment) -> float | None:
    """How long; None for a refusal that time does not cure. Who made the Call-ID waits longer, so that one is first."""
    response = moment.message
    if moment.status == 500 and isinstance(response, Response):
        seconds = read_number(response.headers.get("Retry-After"))
        return float(seconds) if seconds is not None and seconds <= MAX_RETRY_AFTER_S else None
    if moment.status not in (0, 491):
        return None
    steps = session.core.composer.random_below(191 if session.role == "uac" else 201)  # of 10 ms
    return (2.1 if session.role == "uac" else 0.0) + steps / 100


def stop_waiting(session: Session) -> None:
    """Nothing will be tried again."""
    session.core.deadlines.cancel(session.due)
    session.due = 0


# -- the session timer -------------------------------------------------------------------------------------------------


def timer_request(session: Session) -> HeaderList:
    """Session-Expires and Min-SE of a request of ours that refreshes the session."""
    return () if session.watch is None else session.watch.for_request()


def timer_answer(session: Session, request: Request, now: float) -> HeaderList:
    """Session-Expires of our 2xx; a timer begins where either side wants one."""
    if session.watch is None:
        is_wanted = session.session_timer is not None or "Session-Expires" in request.headers
        if not is_wanted or "timer" not in session.core.settings.supported:
            return ()
        session.watch = Watch(session)
    return session.watch.for_answer(request, now)


def agree_on_timer(session: Session, response: Response, now: float) -> None:
    """The 2xx to our INVITE: what its Session-Expires says."""
    if session.watch is None:
        is_wanted = session.session_timer is not None or "Session-Expires" in response.headers
        if not is_wanted or "timer" not in session.core.settings.supported:
            return
        session.watch = Watch(session)
    session.watch.on_answer(response, now)


def send_refresh(session: Session, now: float, draft: Draft) -> None:
    """UPDATE without a body if the peer knows it, else re-INVITE with the description it has (RFC 4028 section 7.4)."""
    dialog, watch = session.dialog, session.watch
    if dialog is None or watch is None or session.state is not Stage.CONFIRMED:
        return
    moment = Moment(now, draft=Draft((), session.described))
    if session.change is not Change.NONE:
        watch.on_refused(now)
    elif watch.by_update and session.peer_allows("UPDATE"):
        session.send_request("UPDATE", dialog, draft, now)
    else:
        session.feed_change(Cue.REFRESH, moment)


def tell_refreshed(session: Session, moment: Moment) -> None:
    """Our refresh succeeded; a re-INVITE that was answered with another description is news to the owner."""
    response: Response = moment.message
    if moment.method == "UPDATE":
        settle(session, moment)
    session.tell(Refreshed(session, response) if moment.is_same else ReinviteAnswered(session, response, _tag(moment)))


def tell_not_refreshed(session: Session, moment: Moment) -> None:
    """Our refresh was refused: again, while there is time."""
    watch = session.watch
    if watch is not None:
        if moment.method == "UPDATE" and moment.status in _NO_UPDATE:
            watch.by_update = False
            watch.on_refused(moment.now, 0.0)
        else:
            watch.on_refused(moment.now, wait_s(session, moment))


# -- what the owner hears ----------------------------------------------------------------------------------------------


def tell_pending(session: Session, moment: Moment) -> None:
    """Another change is under way."""
    session.tell(ReinviteRejected(session, 491, None, moment.method))


def tell_due(session: Session, moment: Moment) -> None:
    """The wait is over."""
    if session.state not in _OVER:
        session.tell(ReinviteDue(session, moment.method))


def tell_reinvited(session: Session, moment: Moment) -> None:
    """They propose a change."""
    session.tell(Reinvited(session, moment.message, moment.message.from_.tag or ""))


def tell_answered(session: Session, moment: Moment) -> None:
    """Ours is accepted."""
    session.tell(ReinviteAnswered(session, moment.message, _tag(moment)))


def tell_rejected(session: Session, moment: Moment) -> None:
    """Ours is refused."""
    session.proposed = b""
    session.tell(ReinviteRejected(session, moment.status, moment.message, moment.method))


def tell_update_lost(session: Session, _moment: Moment) -> None:
    """Another fork than the one we asked has answered the INVITE."""
    session.proposed = b""
    session.tell(ReinviteRejected(session, 481, None, "UPDATE"))


def _tag(moment: Moment) -> str:
    return moment.message.to.tag or ""
