"""What a leg's session says, turned into the leg's happenings: one row per event of `sip.events`."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from santral.engine import utc
from santral.engine.calls import crossing
from santral.engine.calls.dialer import Failure, Fault
from santral.engine.calls.leg.model import METHOD_NOT_ALLOWED, NOT_ACCEPTABLE, REQUEST_PENDING, News
from santral.engine.calls.leg.referral import Referral
from santral.sip import events as sip
from santral.sip.errors import LoopDetected, NotAcceptable, RemoteError
from santral.sip.identity.redirection import MAX_DIVERSIONS, Diverted
from santral.sip.message import Request, Response, sdp_body
from santral.sip.registration.registrar import quality
from santral.sip.uri import NameAddr, Uri

if TYPE_CHECKING:
    from santral.engine.calls.leg.leg import Leg

NO_UPDATE: Final = frozenset({405, 501})  # the peer does not know UPDATE after all
REDIRECTS: Final = frozenset({300, 301, 302})  # that name other places for the same call (RFC 3261 21.3)
MAX_CONTACTS: Final = 8  # of one redirect
ENDLESS: Final = (Diverted(NameAddr("", Uri(user="unknown")), count=MAX_DIVERSIONS + 1),)
NOT_RINGING: Final = frozenset({100, 199})  # 199: one of the far end's forks is gone, which is its affair (RFC 6228)
PASSED_ON: Final = frozenset({"INFO", "MESSAGE"})  # requests in the dialog that are for the other side
SESSION_PROGRESS: Final = 183  # as which unknown provisional answers are taken (RFC 3261 8.1.3.2)
RINGING: Final = frozenset({180, 181, 182, SESSION_PROGRESS})


def hear(leg: "Leg", event: sip.Event) -> None:
    """Run the row of this event; an event without a row is none of a leg's."""
    row = _ROWS.get(type(event))
    if row is not None:
        row(leg, event)


def _progress(leg: "Leg", event: sip.Progress) -> None:
    response = event.response
    if response.status in NOT_RINGING:
        leg.tell(leg, News.TRYING, None)
        return
    leg.times.ringing = leg.times.ringing or utc.now_ms()
    leg.note_response(response)
    body = sdp_body(response)
    try:
        if body is not None and (event.is_offer or not leg.sdp.awaits_offer):
            leg.sdp.take_early(event.to_tag, body, is_reliable=event.is_reliable)
            if event.is_offer:
                leg.do(leg.live.prack(leg.line.now(), leg.sdp.body, event.to_tag))
    except RemoteError as problem:
        if event.is_offer:  # it cannot be acknowledged without an answer, and nothing else will come
            _give_up(leg, problem)
            return
        # early media we cannot take is no reason to give up ringing; the final answer decides
    leg.tell(leg, News.RINGING, response.status if response.status in RINGING else SESSION_PROGRESS)


def _answered(leg: "Leg", event: sip.Answered) -> None:
    response = event.response
    leg.status = response.status
    leg.times.answered = utc.now_ms()
    leg.note_response(response)
    try:
        if leg.sdp.take_final(response.to.tag or "", sdp_body(response)):
            leg.do(leg.live.ack(leg.line.now(), leg.sdp.body))
    except RemoteError as problem:
        _give_up(leg, problem)
        return
    leg.tell(leg, News.ANSWERED, None)


def _give_up(leg: "Leg", problem: RemoteError) -> None:
    """What the peer of a dialled leg describes cannot be served."""
    leg.hang_up((f"SIP;cause={problem.status}",))
    leg.tell(leg, News.FAILED, Failure(Fault.REFUSED, NOT_ACCEPTABLE))


def _rejected(leg: "Leg", event: sip.Rejected) -> None:
    leg.status = event.status
    leg.note_reasons(event.response)
    leg.close()
    if event.response is not None:
        failure = Failure(Fault.REFUSED, event.status, leg.rang, leg.reasons)
        if event.status in REDIRECTS:
            failure = replace(failure, contacts=_contacts(event.response), diverted=_diverted(leg, event.response))
    else:
        failure = Failure(Fault.UNREACHABLE if event.cause == "unreachable" else Fault.NO_TRY, 0, leg.rang)
    leg.tell(leg, News.FAILED, failure)


def _contacts(response: Response) -> tuple[Uri, ...]:
    """Where a redirect points, the highest q first (RFC 3261 8.1.3.4); nowhere if that cannot be read."""
    try:
        found = response.contacts[:MAX_CONTACTS]
    except RemoteError:
        return ()
    return tuple(one.uri for one in sorted(found, key=lambda one: -quality(one.param("q"))))


def _diverted(leg: "Leg", response: Response) -> tuple[Diverted, ...]:
    """Its own Diversion or History-Info, where its side is believed."""
    try:
        return crossing.diverted(response.headers, leg.party.policy)
    except LoopDetected:
        return ENDLESS


def _cancelled(leg: "Leg", event: sip.Cancelled) -> None:
    leg.status = 487
    leg.times.answered = None  # our 200 was held back for a PRACK
    leg.note_reasons(event.request)
    leg.close()
    leg.tell(leg, News.CANCELLED, leg.reasons)


def _ended(leg: "Leg", event: sip.Ended) -> None:
    leg.note_reasons(event.request)
    leg.close()
    leg.tell(leg, News.ENDED, event.cause)


def _acknowledged(leg: "Leg", event: sip.Acknowledged | sip.ReinviteAcknowledged) -> None:
    """The ACK answers our offer when the INVITE or re-INVITE had none."""
    if not leg.awaits_ack_answer:
        leg.tell(leg, News.CONFIRMED, None)
    elif _take_answer(leg, event.request):
        leg.tell(leg, News.CHANGED, None)


def _pracked(leg: "Leg", event: sip.Pracked) -> None:
    """The PRACK answers our offer when it was in a reliable 18x."""
    if leg.awaits_ack_answer and _take_answer(leg, event.request):
        leg.tell(leg, News.CHANGED, None)


def _take_answer(leg: "Leg", request: Request) -> bool:
    """The answer to an offer in a response of ours; without one there is no session."""
    leg.awaits_ack_answer = False
    try:
        stream = leg.read(request)
        if stream is None:
            raise NotAcceptable("no answer in the ACK or PRACK")
        leg.sdp.settle_answer_of(stream)
    except RemoteError as problem:
        leg.hang_up((f"SIP;cause={problem.status}",))
        leg.tell(leg, News.ENDED, "no_answer")
        return False
    return True


def _reinvited(leg: "Leg", event: sip.Reinvited) -> None:
    """The peer proposes a change. Of a fork that is not heard only the codec could change: it is put off."""
    if leg.agreement is None or (not leg.is_incoming and event.to_tag != leg.sdp.heard_tag):
        leg.do(leg.live.reject_reinvite(REQUEST_PENDING, leg.line.now()))
        return
    standing = leg.sdp.stand()
    try:
        stream = leg.read(event.request)
    except RemoteError as problem:
        leg.do(leg.live.reject_reinvite(problem.status, leg.line.now()))
        return
    if stream is None:  # it asks for our offer (RFC 3261 14.2); what it makes of it comes with the ACK
        leg.awaits_ack_answer = True
        leg.do(leg.live.accept_reinvite(leg.line.now(), leg.offer(leg.agreement.ours)))
        return
    leg.sdp.hold_on_to(standing)
    leg.change = event
    leg.tell(leg, News.CHANGE_ASKED, None)


def _reinvite_cancelled(leg: "Leg", _event: sip.ReinviteCancelled) -> None:
    if leg.change is not None:
        leg.change = None
        leg.sdp.go_back()
        leg.tell(leg, News.CHANGE_WITHDRAWN, None)


def _reinvite_answered(leg: "Leg", event: sip.ReinviteAnswered) -> None:
    if not leg.is_asking:  # a refresh of the session's own has brought news
        leg.sdp.hold_on_to()
    leg.is_asking = False
    try:
        stream = leg.read(event.response)
        if stream is None:
            raise NotAcceptable("no answer in the 2xx")
        leg.sdp.settle_answer_of(stream)
    except RemoteError:
        leg.sdp.go_back()
        leg.tell(leg, News.CHANGE_REFUSED, NOT_ACCEPTABLE)
        return
    leg.sdp.note_change()
    leg.tell(leg, News.CHANGE_ANSWERED, None)


def _reinvite_rejected(leg: "Leg", event: sip.ReinviteRejected) -> None:
    if leg.is_asking:
        leg.is_asking = False
        leg.sdp.go_back()
        if event.method == "UPDATE" and event.status in NO_UPDATE:
            leg.takes_update = False
            leg.tell(leg, News.CHANGE_REFUSED, REQUEST_PENDING)
            leg.tell(leg, News.CHANGE_DUE, None)
            return
        leg.tell(leg, News.CHANGE_REFUSED, event.status)


def _reinvite_due(leg: "Leg", _event: sip.ReinviteDue) -> None:
    leg.tell(leg, News.CHANGE_DUE, None)


def _in_dialog(leg: "Leg", event: sip.InDialog) -> None:
    if event.request.method in PASSED_ON:
        leg.tell(leg, News.ASKED, (event.key, event.request))
    else:
        leg.reply(event.key, event.request, 200 if event.request.method == "OPTIONS" else METHOD_NOT_ALLOWED)


def _referred(leg: "Leg", event: sip.Referred) -> None:
    leg.tell(leg, News.REFERRED, Referral(leg.line, event))


def _request_answered(leg: "Leg", event: sip.RequestAnswered) -> None:
    leg.tell(leg, News.REPLIED, (event.key, event.response.status))


def _request_failed(leg: "Leg", event: sip.RequestFailed) -> None:
    leg.tell(leg, News.REPLIED, (event.key, event.status))


_ROWS: Final[dict[type, Callable[["Leg", Any], None]]] = {
    sip.Progress: _progress,
    sip.Answered: _answered,
    sip.Rejected: _rejected,
    sip.Cancelled: _cancelled,
    sip.Ended: _ended,
    sip.Acknowledged: _acknowledged,
    sip.Pracked: _pracked,
    sip.Reinvited: _reinvited,
    sip.ReinviteCancelled: _reinvite_cancelled,
    sip.ReinviteAnswered: _reinvite_answered,
    sip.ReinviteRejected: _reinvite_rejected,
    sip.ReinviteDue: _reinvite_due,
    sip.ReinviteAcknowledged: _acknowledged,
    sip.InDialog: _in_dialog,
    sip.Referred: _referred,
    sip.RequestAnswered: _request_answered,
    sip.RequestFailed: _request_failed,
}
