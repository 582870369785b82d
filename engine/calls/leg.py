"""One leg of a call: an INVITE session and its audio, told to the call as a handful of abstract happenings.

A leg speaks SIP and SDP so that calls never see either. It arms no timer and decides nothing about the call.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from santral.engine import utc
from santral.engine.calls import negotiation
from santral.engine.calls.dialer import Failure, Fault
from santral.engine.calls.negotiation import Agreement
from santral.engine.ids import new_id
from santral.engine.media import LegStats, MediaLeg
from santral.engine.media.model import MAX_LATCH_NETWORKS
from santral.sip import events as sip
from santral.sip.errors import LocalError, NotAcceptable, RemoteError
from santral.sip.message import Request, Response, make_response, sdp_body
from santral.sip.offer_answer import (
    Codec,
    LocalSession,
    LocalStream,
    RemoteStream,
    answer_direction,
    audio,
    remote_streams,
)
from santral.sip.sdp import SessionDescription
from santral.sip.session import Session

HeaderLines = Sequence[tuple[str, str]]
T = TypeVar("T")
MAX_REASONS: Final = 4  # Reason values carried over from one leg to the other
NOT_ACCEPTABLE: Final = 488
REQUEST_PENDING: Final = 491
NOT_RINGING: Final = frozenset({100, 199})  # 199: one of the far end's forks is gone, which is its affair (RFC 6228)
SESSION_PROGRESS: Final = 183  # as which unknown provisional answers are taken (RFC 3261 8.1.3.2)
RINGING: Final = frozenset({180, 181, 182, SESSION_PROGRESS})
_Q850: Final = re.compile(r"Q\.850\s*;(?:.*;)?\s*cause\s*=\s*([0-9]{1,3})(?![0-9])", re.IGNORECASE | re.ASCII).match


class Role(Enum):
    CALLER = "originating"
    CALLEE = "connected"


class News(Enum):
    """What a leg tells its call; in brackets what comes with it."""

    TRYING = auto()
    RINGING = auto()  # (status of the 18x)
    ANSWERED = auto()
    FAILED = auto()  # (Failure)
    CANCELLED = auto()  # (Reason values)
    ENDED = auto()  # (cause: bye, no_ack, lost, no_answer)
    BROKEN = auto()  # our own bug, while it heard its session
    CHANGE_ASKED = auto()  # its re-INVITE waits; `remote` is what it wants
    CHANGE_WITHDRAWN = auto()
    CHANGE_ANSWERED = auto()
    CHANGE_REFUSED = auto()  # (status)
    CHANGED = auto()  # its ACK settled a change that began with our offer
    CONFIRMED = auto()  # its ACK to our 2xx, without an answer in it
    ASKED = auto()  # (key, Request): an INFO for the other leg
    REPLIED = auto()  # (key, status): the answer to an INFO we passed on, or to our probe


class Line(Protocol):
    """What a leg needs of the signalling: the loop's clock, and a way to have actions performed."""

    def now(self) -> float: ...
    def perform(self, actions: Iterable[sip.Action]) -> None: ...
    def respond(self, key: str, response: Response) -> None: ...


@dataclass(slots=True)
class Times:
    """When what happened, UTC milliseconds; None until it does."""

    started: int
    ringing: int | None = None
    answered: int | None = None
    ended: int | None = None


@dataclass(frozen=True, slots=True)
class Party:
    """The configured side of a leg: its trunk, the codecs it may use, where its audio may come from."""

    trunk: str
    interface: str
    rtp_address: str
    advertise: str | None
    codecs: tuple[str, ...]
    ptime_ms: int = 20
    latch_networks: tuple[str, ...] = ()
    nat: bool = False  # it is where its packets come from, whatever its Contact and SDP say (RFC 3581, RFC 7362)


class Standing(NamedTuple):
    """What holds between a leg and its peer, and holds again when a change is refused (RFC 3261 14.1)."""

    streams: tuple[RemoteStream, ...]
    remote: RemoteStream | None
    direction: str
    offered: tuple[Codec, ...]


class Leg:
    """Made without a session: an incoming one or a dialled one is attached. `tell` is the call's inbox."""

    def __init__(self, role: Role, party: Party, line: Line, tell: Callable[["Leg", News, Any], None]) -> None:
        self.id = new_id()
        self.role = role
        self.party = party
        self.session: Session | None = None
        self.media: MediaLeg | None = None
        self.stats: LegStats | None = None  # final, once the media leg is closed
        self.remote: RemoteStream | None = None
        self.agreement: Agreement | None = None
        self.times = Times(utc.now_ms())
        self.status: int | None = None  # the final answer to its INVITE
        self.q850: int | None = None  # as a Reason of either side said it
        self.reasons: tuple[str, ...] = ()  # what the peer said when it hung up
        self.target = ""
        self.sip_call_id = ""
        self.display_name = ""  # of the caller, as the callee is to see it
        self.max_forwards = 70  # RFC 3261 8.1.1.6, as the INVITE came
        self.is_open = True
        self._line = line
        self._tell = tell
        self._local: LocalSession | None = None
        self._described = b""  # our description as the peer last got it
        self._offered: tuple[Codec, ...] = ()
        self._streams: tuple[RemoteStream, ...] = ()
        self._early_tag = ""  # the early dialog that is heard
        self._change: sip.Reinvited | None = None  # the peer's re-INVITE that waits for the other leg
        self._standing = Standing((), None, "sendrecv", ())  # before the change under way, either way
        self._asking = False  # our own re-INVITE is under way
        self._awaits_ack_answer = False  # our last 2xx carried an offer
        self.direction = "sendrecv"  # as our last description states it

    # What has to be there at this point of a leg's life: its absence is our bug, told by `LocalError`.

    @property
    def agreed(self) -> Agreement:
        return sure(self.agreement)

    @property
    def peer(self) -> RemoteStream:
        return sure(self.remote)

    @property
    def rtp(self) -> MediaLeg:
        return sure(self.media)

    @property
    def _live(self) -> Session:
        return sure(self.session)

    # ---- descriptions and media ----

    def open_media(self, media: MediaLeg, description_id: int) -> None:
        """Own this media leg from now on. `description_id` is the session id of our o= line (RFC 8866 5.2)."""
        self.media = media
        self._local = LocalSession(description_id, self.party.advertise or media.address)

    @property
    def is_late(self) -> bool:
        """The caller sent no offer: we offer in the 2xx, the ACK answers."""
        return self.role is Role.CALLER and self.remote is None

    def read(self, message: Request | Response) -> RemoteStream | None:
        """The peer's audio in this message, remembered as its latest description; None without a description.

        Raises `RemoteError` and keeps the old description then.
        """
        body = sdp_body(message)
        if body is None:
            return None
        streams = remote_streams(SessionDescription.parse(body))
        stream = audio(streams)
        if (":" in stream.address) != (":" in self.party.rtp_address):
            raise NotAcceptable(f"no way to {stream.address} from {self.party.rtp_address}")
        if self._local is not None:
            negotiation.check_lines(self._local.streams, streams)
        self._streams, self.remote = streams, stream
        return stream

    def offer(self, codecs: tuple[Codec, ...], direction: str = "sendrecv") -> bytes:
        """Our description as an offer of these codecs; the peer's answer is matched against it."""
        self._offered = codecs
        return self._describe(codecs, direction)

    def prepare_answer(self, agreement: Agreement, limit: str) -> None:
        """Settle our answer to the caller's offer, for early media or the 200, in no more directions than `limit`.

        A settled answer stays: the caller sees one answer, whichever early dialog is heard (RFC 3261 13.2.1).
        """
        if self.agreement is None:
            self._settle_answer(agreement, limit)

    def _settle_answer(self, agreement: Agreement, limit: str) -> bytes:
        body = self._describe(agreement.theirs, negotiation.meet(self._mirrored(), limit))
        self._settle(agreement)
        return body

    def _settle(self, agreement: Agreement, *, is_new: bool = False) -> None:
        """Both sides' numbers are known (again). The media plane learns what has changed; an address, a codec or a new
        early dialog opens a latch window, hold and refresh keep the learnt source.
        """
        self.agreement = agreement
        direction = negotiation.meet(self.peer.direction, answer_direction(self.direction))
        media = negotiation.media_of(self.peer, agreement, direction, self._latch_networks(), muxes=self._muxes)
        known = self.rtp.remote
        if known is None or is_new or replace(media, direction=known.direction) != known:
            self.rtp.set_remote(media)
        elif media.direction != known.direction:
            self.rtp.set_direction(media.direction)

    def _latch_networks(self) -> tuple[str, ...]:
        if not self.party.nat or self.session is None:
            return self.party.latch_networks
        return (*self.party.latch_networks, self.session.last_source.host)[-MAX_LATCH_NETWORKS:]

    def expect_media(self) -> None:
        """The peer says that it is there: arm the media plane's time-out anew."""
        if self.media is not None and self.media.remote is not None:
            self.media.set_direction(self.media.remote.direction)

    def _describe(self, codecs: tuple[Codec, ...], direction: str) -> bytes:
        """Our SDP; unchanged content keeps its version (RFC 3264 8)."""
        self.direction = direction
        ours = LocalStream(
            "audio",
            self.party.advertise or self.rtp.address,
            self.rtp.port,
            codecs,
            direction,
            self.party.ptime_ms,
            "RTP/AVP" if self.remote is None else self.remote.protocol,
            rtcp_mux=self._muxes,
        )
        self._described = sure(self._local).render(negotiation.streams(self._streams, self.remote, ours))
        return self._described

    @property
    def _muxes(self) -> bool:
        """RTCP shares the RTP port when the peer offered so (RFC 5761 5.1.1); our own offers do not ask for it."""
        return self.role is Role.CALLER and self.remote is not None and self.remote.rtcp_mux

    def _mirrored(self) -> str:
        return answer_direction(self.remote.direction) if self.remote is not None else "sendrecv"

    # ---- what the call asks of it ----

    def attach(self, session: Session, target: str = "") -> None:
        self.session = session
        self.sip_call_id = session.call_id
        self.target = target
        session.user = self
        session.follow_source = self.party.nat

    def progress(self, status: int) -> None:
        """Pass a 18x on to the caller, with our answer in it once there is one."""
        body = self._described if self.agreement is not None else b""
        self._do(self._live.progress(status, self._line.now(), body=body))

    def answer(self) -> None:
        """200 to the caller with the settled answer; to a late offer, with the offer made before."""
        self.status = 200
        self.times.answered = utc.now_ms()
        self._awaits_ack_answer = self.is_late
        self._do(self._live.answer(self._line.now(), body=self._described))

    def reject(self, status: int, reasons: Iterable[str] = (), headers: HeaderLines = ()) -> None:
        """Refuse the caller and close."""
        self.status = status
        reasons = tuple(reasons)
        self.q850 = q850_of(reasons)
        session = self._live
        self.close()
        self._do(session.reject(status, self._line.now(), headers=(*_reason_lines(reasons), *headers)))

    def hang_up(self, reasons: Iterable[str] = ()) -> None:
        """End the leg whatever its state. It is closed for the call at once; the session finishes its messages by
        itself (a 200 that crosses our CANCEL is acknowledged and ended by it).
        """
        if not self.is_open:
            return
        self.close()
        if self.session is None:
            return
        reasons = tuple(reasons)
        self.q850 = self.q850 or q850_of(reasons)
        now, headers = self._line.now(), _reason_lines(reasons)
        if self.times.answered is not None:
            self._do(self.session.bye(now, headers=headers))
            return
        self.status = 487
        if self.role is Role.CALLEE:
            self._do(self.session.cancel(now, headers=headers))
        else:
            self._do(self.session.reject(487, now, headers=headers))

    def forget(self) -> None:
        """The call is over and recorded: nothing is told any more."""
        self._tell = _tell_nobody

    def close(self) -> None:
        """The call is done with it. Media is the call's to close, which waits for the final counters."""
        self.is_open = False
        self.times.ended = self.times.ended or utc.now_ms()
        if self.session is not None:
            self.session.user = None

    @property
    def is_changing(self) -> bool:
        return self._change is not None or self._asking

    def ask_change(self, codecs: tuple[Codec, ...], direction: str) -> None:
        """Re-INVITE the peer with an offer of these codecs in this direction."""
        self._asking = True
        self._standing = self._stand()
        self._do(self._live.reinvite(self._line.now(), self.offer(codecs, direction)))

    def withdraw_change(self) -> None:
        """Nobody wants our own re-INVITE any more (RFC 3261 9.1: it may be answered all the same)."""
        if self._asking:
            self._do(self._live.cancel(self._line.now()))

    def _stand(self) -> Standing:
        return Standing(self._streams, self.remote, self.direction, self._offered)

    def _go_back(self) -> None:
        self._streams, self.remote, self.direction, self._offered = self._standing

    @property
    def asks_change(self) -> bool:
        """The peer's re-INVITE waits for `accept_change` or `refuse_change`."""
        return self._change is not None

    def accept_change(self, codec: str, limit: str) -> None:
        """Answer the peer's waiting re-INVITE with the codec of this plane key, in no more directions than `limit`.

        Raises `NotAcceptable` when its offer lacks the codec; it waits on then.
        """
        agreement = negotiation.answer_with(self.peer, codec, events=self.agreed.has_events)
        self._change = None
        body = self._settle_answer(agreement, limit)
        self._do(self._live.accept_reinvite(self._line.now(), body))

    def refuse_change(self, status: int) -> None:
        """Refuse the peer's waiting re-INVITE: everything stands as before it (RFC 3261 14.1)."""
        change, self._change = self._change, None
        if change is not None:
            self._go_back()
            self._do(self._live.reject_reinvite(status, self._line.now()))

    def send_info(self, request: Request) -> str:
        """Pass an INFO on; its answer comes back as REPLIED with the key returned here."""
        lines = tuple(("Info-Package", value) for value in request.headers.all("Info-Package"))
        key, actions = self._live.send(
            "INFO",
            self._line.now(),
            headers=lines,
            body=request.body,
            content_type=request.headers.get("Content-Type") or "",
        )
        self._do(actions)
        return key

    def probe(self) -> str:
        """OPTIONS inside the dialog: is the peer still there? REPLIED says so."""
        key, actions = self._live.send("OPTIONS", self._line.now())
        self._do(actions)
        return key

    def reply(self, key: str, request: Request, status: int) -> None:
        """Answer a request of the peer's other than INVITE."""
        self._line.respond(key, make_response(request, status))

    # ---- what its session says ----

    def hear(self, event: sip.Event) -> None:
        """The session's events, in order, as happenings of the leg. What goes wrong in here ends the call."""
        try:
            self._hear(event)
        except Exception:
            self._tell(self, News.BROKEN, event)

    def _hear(self, event: sip.Event) -> None:  # noqa: PLR0912 - one row per event
        match event:
            case sip.Progress(response=response, to_tag=tag):
                self._hear_progress(response, tag)
            case sip.Answered(response=response):
                self._hear_answer(response)
            case sip.Rejected():
                self._hear_rejection(event)
            case sip.Cancelled(request=request):
                self.status = 487
                self._note_reasons(request)
                self.close()
                self._tell(self, News.CANCELLED, self.reasons)
            case sip.Ended(cause=cause, request=bye):
                self._note_reasons(bye)
                self.close()
                self._tell(self, News.ENDED, cause)
            case sip.Acknowledged(request=request) | sip.ReinviteAcknowledged(request=request):
                self._hear_ack(request)
            case sip.Reinvited():
                self._hear_reinvite(event)
            case sip.ReinviteCancelled():
                self._change = None
                self._go_back()
                self._tell(self, News.CHANGE_WITHDRAWN, None)
            case sip.ReinviteAnswered(response=response):
                self._hear_change_answered(response)
            case sip.ReinviteRejected(status=status):
                self._asking = False
                self._go_back()
                self._tell(self, News.CHANGE_REFUSED, status)
            case sip.InDialog(key=key, request=request):
                if request.method == "INFO":
                    self._tell(self, News.ASKED, (key, request))
                else:
                    self.reply(key, request, 200 if request.method == "OPTIONS" else 405)
            case sip.RequestAnswered(key=key, response=response):
                self._tell(self, News.REPLIED, (key, response.status))
            case sip.RequestFailed(key=key, status=status):
                self._tell(self, News.REPLIED, (key, status))

    def _hear_progress(self, response: Response, tag: str) -> None:
        if response.status in NOT_RINGING:
            self._tell(self, News.TRYING, None)
            return
        self.times.ringing = self.times.ringing or utc.now_ms()
        try:
            before = self.remote
            stream = self.read(response)
            if stream is not None and (stream != before or tag != self._early_tag):
                self._early_tag = tag  # the newest early dialog with a description is heard
                self._settle(negotiation.agree(self._offered, stream), is_new=True)
        except RemoteError:
            pass  # early media we cannot take is no reason to give up ringing; the final answer decides
        self._tell(self, News.RINGING, response.status if response.status in RINGING else SESSION_PROGRESS)

    def _hear_answer(self, response: Response) -> None:
        self.status = response.status
        self.times.answered = utc.now_ms()
        try:
            before = self.remote
            stream = self.read(response)
            if stream is not None and (stream != before or response.to.tag != self._early_tag or not self.agreement):
                self._settle(negotiation.agree(self._offered, stream), is_new=True)
            if self.agreement is None:
                raise NotAcceptable("answered without a description")
        except RemoteError as problem:
            self.hang_up((f"SIP;cause={problem.status}",))
            self._tell(self, News.FAILED, Failure(Fault.REFUSED, NOT_ACCEPTABLE))
            return
        self._tell(self, News.ANSWERED, None)

    def _hear_rejection(self, event: sip.Rejected) -> None:
        self.status = event.status
        rang = self.times.ringing is not None
        self._note_reasons(event.response)
        self.close()
        if event.response is not None:
            failure = Failure(Fault.REFUSED, event.status, rang, self.reasons)
        else:
            failure = Failure(Fault.UNREACHABLE if event.cause == "unreachable" else Fault.NO_TRY, 0, rang)
        self._tell(self, News.FAILED, failure)

    def _hear_ack(self, request: Request) -> None:
        """The ACK answers our offer when the INVITE or re-INVITE had none."""
        if not self._awaits_ack_answer:
            self._tell(self, News.CONFIRMED, None)
            return
        self._awaits_ack_answer = False
        try:
            stream = self.read(request)
            if stream is None:
                raise NotAcceptable("no answer in the ACK")
            self._settle(negotiation.agree(self._offered, stream))
        except RemoteError as problem:
            self.hang_up((f"SIP;cause={problem.status}",))
            self._tell(self, News.ENDED, "no_answer")
            return
        self._tell(self, News.CHANGED, None)

    def _hear_reinvite(self, event: sip.Reinvited) -> None:
        if self.agreement is None:
            self._do(self._live.reject_reinvite(REQUEST_PENDING, self._line.now()))
            return
        standing = self._stand()
        try:
            stream = self.read(event.request)
        except RemoteError as problem:
            self._do(self._live.reject_reinvite(problem.status, self._line.now()))
            return
        if stream is None:  # it asks for our offer (RFC 3261 14.2); what it makes of it comes with the ACK
            self._awaits_ack_answer = True
            self._do(self._live.accept_reinvite(self._line.now(), self.offer(self.agreement.ours)))
            return
        self._standing, self._change = standing, event
        self._tell(self, News.CHANGE_ASKED, None)

    def _hear_change_answered(self, response: Response) -> None:
        self._asking = False
        try:
            stream = self.read(response)
            if stream is None:
                raise NotAcceptable("no answer in the 2xx")
            self._settle(negotiation.agree(self._offered, stream))
        except RemoteError:
            self._go_back()
            self._tell(self, News.CHANGE_REFUSED, NOT_ACCEPTABLE)
            return
        self._tell(self, News.CHANGE_ANSWERED, None)

    def _note_reasons(self, message: Request | Response | None) -> None:
        if message is not None and "Reason" in message.headers:
            self.reasons = tuple(message.headers.values("Reason")[:MAX_REASONS])
            self.q850 = q850_of(self.reasons)

    def _do(self, actions: Iterable[sip.Action]) -> None:
        self._line.perform(actions)


def _tell_nobody(_leg: Leg, _news: News, _data: Any) -> None:
    """The inbox of a leg whose call is over."""


def sure(value: T | None) -> T:
    """The value, which has to be there by now."""
    if value is None:
        raise LocalError("a leg was used before it was ready")
    return value


def q850_of(reasons: Iterable[str]) -> int | None:
    """The Q.850 cause among Reason values (RFC 3326), if there is one."""
    for reason in reasons:
        if (match := _Q850(reason)) is not None:
            return int(match[1])
    return None


def _reason_lines(reasons: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple(("Reason", reason) for reason in reasons)
