"""One leg of a call: an INVITE session and its audio, told to the call as a handful of abstract happenings.

A leg speaks SIP and SDP so that calls never see either. It arms no timer and decides nothing about the call.
What its session says is in `hearing.py`, its descriptions in `description.py`.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from santral.engine import utc
from santral.engine.calls import crossing, negotiation
from santral.engine.calls.crossing import Presented
from santral.engine.calls.leg import hearing
from santral.engine.calls.leg.description import Description, Stream
from santral.engine.calls.leg.model import METHOD_NOT_ALLOWED, HeaderLines, Line, News, Party, Role, Times, sure
from santral.engine.calls.negotiation import Agreement
from santral.engine.ids import new_id
from santral.engine.media import LegStats, MediaLeg
from santral.sip import events as sip
from santral.sip.message import Request, Response, make_response, sdp_body
from santral.sip.offer_answer import Codec, RemoteStream, answer_direction
from santral.sip.session import Session

DTMF_RELAY: Final = "application/dtmf-relay"
PASSED_HEADERS: Final = ("Info-Package", "Content-Disposition", "Content-Language")  # of an INFO or MESSAGE
UNKNOWN: Final = Presented()
_Q850: Final = re.compile(r"Q\.850\s*;(?:.*;)?\s*cause\s*=\s*([0-9]{1,3})(?![0-9])", re.IGNORECASE | re.ASCII).match


class Leg:
    """Made without a session: an incoming one or a dialled one is attached. `tell` is the call's inbox.

    `role` is what it is to its call, `is_incoming` whether the peer called us: the two go apart when legs move.
    """

    def __init__(
        self,
        role: Role,
        party: Party,
        line: Line,
        tell: Callable[["Leg", News, Any], None],
        *,
        is_incoming: bool | None = None,
    ) -> None:
        self.id = new_id()
        self.role = role
        self.is_incoming = role is Role.CALLER if is_incoming is None else is_incoming
        self.party = party
        self.session: Session | None = None
        self.sdp = Description(party, is_incoming=self.is_incoming)
        self.times = Times(utc.now_ms())
        self.status: int | None = None  # the final answer to its INVITE
        self.q850: int | None = None  # as a Reason of either side said it
        self.reasons: tuple[str, ...] = ()  # what the peer said when it hung up
        self.target = ""
        self.sip_call_id = ""
        self.presented = UNKNOWN  # the caller, on the leg that calls
        self.response: Response | None = None  # the latest 18x or 2xx to our INVITE, where something of it may cross
        self.last_words: HeaderLines = ()  # headers of the request that ended it, for the other side
        self.max_forwards = 70  # RFC 3261 8.1.1.6, as the INVITE came
        self.is_open = True
        self.is_held = False  # by its peer, as last announced
        self.waits = False  # a command keeps its peer waiting
        self.is_muted = False  # … or has nobody hear it
        self.is_hushed = False  # it waits, or who would hear it does
        self.tell = tell
        self.line = line
        self.change: sip.Reinvited | None = None  # the peer's re-INVITE that waits for the other leg
        self.is_asking = False  # our own re-INVITE is under way
        self.takes_update = True  # until its peer says that its Allow was wrong
        self.awaits_ack_answer = False  # our last 2xx, or reliable 18x, carried an offer
        self._is_settled_early = False  # our answer, or our offer, went in a reliable 18x: the 200 has none

    # ---- its audio, as the call and its records see it ----

    @property
    def streams(self) -> list[Stream]:
        return self.sdp.streams

    @property
    def media(self) -> MediaLeg | None:
        return self.sdp.audio.media

    @property
    def stats(self) -> LegStats | None:
        return self.sdp.audio.stats

    @property
    def remote(self) -> RemoteStream | None:
        return self.sdp.audio.remote

    @property
    def agreement(self) -> Agreement | None:
        return self.sdp.audio.agreement

    @property
    def direction(self) -> str:
        """As our last description states it."""
        return self.sdp.audio.direction

    @property
    def wish(self) -> str:
        """What its peer would send and hear if we let it; a change it asks for counts already."""
        return self.peer.direction if self.change is not None else self.sdp.audio.wish

    @property
    def effective(self) -> str:
        """The direction that is in force, seen from us."""
        return negotiation.meet(self.direction, answer_direction(self.peer.direction))

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
    def live(self) -> Session:
        return sure(self.session)

    @property
    def is_answered(self) -> bool:
        return self.times.answered is not None

    @property
    def rang(self) -> bool:
        """Its peer has said 18x."""
        return self.times.ringing is not None

    @property
    def is_late(self) -> bool:
        """The caller sent no offer: we offer in the 2xx, the ACK answers."""
        return self.is_incoming and self.remote is None

    def read(self, message: Request | Response) -> RemoteStream | None:
        """The peer's audio in this message, remembered as its latest description; None without a description.

        Raises `RemoteError` and keeps the old description then.
        """
        return self.sdp.read(sdp_body(message))

    def offer(self, codecs: tuple[Codec, ...], direction: str = "sendrecv") -> bytes:
        """Our description as an offer of these codecs; the peer's answer is matched against it."""
        return self.sdp.offer(codecs, direction)

    def prepare_answer(self, agreement: Agreement, limit: str) -> None:
        """Settle our answer to the caller's offer, for early media or the 200, in no more directions than `limit`.

        Once: the caller sees one answer, whichever early dialog is heard (RFC 3261 13.2.1).
        """
        self.sdp.answer(agreement, limit)

    def expect_media(self) -> None:
        """The peer says that it is there: arm the media plane's time-out anew."""
        if self.media is not None and self.media.remote is not None:
            self.media.set_direction(self.media.remote.direction)

    def hush(self) -> None:
        """Have the media plane know whether what the peer says is heard."""
        self.rtp.mute(self.is_muted or self.is_hushed)

    def begin_closing_media(self) -> None:
        """Ask for what `close_media` waits for."""
        for stream in self.streams:
            if stream.media is not None and stream.stats is None:
                stream.media.begin_closing()

    async def close_media(self) -> None:
        """Close every stream's port and keep its final counters; what is closed already stays as it is."""
        for stream in self.streams:
            if stream.media is not None and stream.stats is None:
                stream.stats = await stream.media.close()

    # ---- what the call asks of it ----

    def face(self, host: str) -> None:
        """The peer is at this address: before media is opened, so that its SDP names ours as that peer reaches it."""
        self.party = self.sdp.party = self.party.facing(host)

    @property
    def options(self) -> HeaderLines:
        """Supported and Require of our INVITE, 18x and 200, where they are not the node's own (rule 18)."""
        if self.party.reliable == "off":
            return (("Supported", ", ".join(one for one in self.line.supported if one != "100rel")),)
        if self.party.reliable == "required" and not self.is_incoming:
            return (("Require", "100rel"),)
        return ()

    def attach(self, session: Session, target: str = "") -> None:
        self.session = session
        self.sip_call_id = session.call_id
        self.target = target
        session.user = self
        source = session.last_source
        # Over TLS a phone is where its connection is: it has no certificate to be a server with at its Contact.
        is_phone_on_tls = bool(self.party.user and source.flow and source.transport == "tls")
        session.follow_source = self.party.nat or is_phone_on_tls
        session.session_timer = self.party.session_timer
        self.sdp.heard_from = session.last_source.host

    @property
    def progresses_reliably(self) -> bool:
        """Our 18x to this caller may carry what must arrive (RFC 3262): it can, and wants to or may."""
        live = self.live
        return live.requires("100rel") or (self.party.reliable != "off" and live.peer_supports("100rel"))

    def progress(self, status: int, headers: HeaderLines = ()) -> None:
        """Pass a 18x on to the caller, with our answer in it once there is one, or our offer if it sent none.

        What is described reliably is described once.
        """
        body = self.sdp.body if self.agreement is not None or self.awaits_ack_answer else b""
        is_reliable = self.progresses_reliably
        if self._is_settled_early:
            body = b""
        self._is_settled_early = self._is_settled_early or (is_reliable and bool(body))
        lines = (*self.options, *headers)
        now = self.line.now()
        self.do(self.live.progress(status, now, headers=lines, body=body, reliable=is_reliable and bool(body)))

    def offer_once(self, codecs: tuple[Codec, ...], direction: str) -> None:
        """Our offer to a caller that sent none, for the next 18x or the 200. One that went reliably stands."""
        if not self._is_settled_early:
            self.offer(codecs, direction)
            self.awaits_ack_answer = True

    def answer(self, headers: HeaderLines = ()) -> None:
        """200 to the caller with the settled answer; to a late offer, with the offer made before. What went reliably in
        a 18x is not said again; the session holds the 200 back until it is acknowledged (RFC 3262 3).
        """
        self.status = 200
        self.times.answered = utc.now_ms()
        self.awaits_ack_answer = self.is_late
        body = b"" if self._is_settled_early else self.sdp.body
        self.do(self.live.answer(self.line.now(), headers=(*self.options, *headers), body=body))

    def reject(self, status: int, reasons: Iterable[str] = (), headers: HeaderLines = ()) -> None:
        """Refuse the caller and close."""
        self.status = status
        reasons = tuple(reasons)
        self.q850 = q850_of(reasons)
        session = self.live
        self.close()
        self.do(session.reject(status, self.line.now(), headers=(*_reason_lines(reasons), *headers)))

    def hang_up(self, reasons: Iterable[str] = (), headers: HeaderLines = ()) -> None:
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
        now, headers = self.line.now(), (*_reason_lines(reasons), *headers)
        if self.is_answered:
            self.do(self.session.bye(now, headers=headers))
            return
        self.status = 487
        if self.is_incoming:
            self.do(self.session.reject(487, now, headers=headers))
        else:
            self.do(self.session.cancel(now, headers=headers))

    def forget(self) -> None:
        """The call is over and recorded: nothing is told any more."""
        self.tell = _tell_nobody

    def close(self) -> None:
        """The call is done with it. Media is the call's to close, which waits for the final counters."""
        self.is_open = False
        self.times.ended = self.times.ended or utc.now_ms()
        if self.session is not None:
            self.session.user = None

    # ---- changes in mid-call ----

    @property
    def is_changing(self) -> bool:
        return self.change is not None or self.is_asking

    @property
    def asks_change(self) -> bool:
        """The peer's re-INVITE, UPDATE or offer in a PRACK waits for `accept_change` or `refuse_change`."""
        return self.change is not None

    @property
    def may_be_asked(self) -> bool:
        """A change may be proposed to its peer now: in its session, or before that by UPDATE (RFC 3311 5.1)."""
        return self.is_answered or (self.takes_update and self.live.may_update(self.sdp.heard_tag))

    def ask_change(self, codecs: tuple[Codec, ...], direction: str, by: str = "INVITE") -> None:
        """Offer the peer these codecs in this direction: by UPDATE before the answer, else by the method named, if its
        peer allows it.
        """
        self.is_asking = True
        self.sdp.hold_on_to()
        now, body = self.line.now(), self.offer(codecs, direction)
        if not self.is_answered or (by == "UPDATE" and self.takes_update and self.live.peer_allows("UPDATE")):
            self.do(self.live.update(now, body, to_tag="" if self.is_answered else self.sdp.heard_tag))
        else:
            self.do(self.live.reinvite(now, body))

    @property
    def change_method(self) -> str:
        """How its peer asks for the change that waits: INVITE, UPDATE or PRACK."""
        return "INVITE" if self.change is None else self.change.method

    def withdraw_change(self) -> None:
        """Nobody wants our own re-INVITE any more (RFC 3261 9.1: it may be answered all the same)."""
        if self.is_asking:
            self.do(self.live.cancel(self.line.now()))

    def accept_change(self, far: Agreement, limit: str) -> None:
        """Answer the peer's waiting change to fit what the other side has, in no more directions than `limit`.

        Raises `NotAcceptable` when its offer has nothing that goes with that; it waits on then.
        """
        agreement = negotiation.answer_for(self.peer, self.party, far, events=self.agreed.has_events, now=self.agreed)
        self.change = None
        body = self.sdp.answer(agreement, limit)
        self.sdp.note_change()
        self.do(self.live.accept_reinvite(self.line.now(), body))

    def refuse_change(self, status: int) -> None:
        """Refuse the peer's waiting change: everything stands as before it (RFC 3261 14.1)."""
        change, self.change = self.change, None
        if change is not None:
            self.sdp.go_back()
            self.do(self.live.reject_reinvite(status, self.line.now()))

    # ---- other requests ----

    def pass_on(self, request: Request) -> str:
        """Send the other side's INFO or MESSAGE to this peer; its answer comes as REPLIED with this key."""
        lines = tuple((name, value) for name in PASSED_HEADERS for value in request.headers.all(name))
        key, actions = self.live.send(
            request.method,
            self.line.now(),
            headers=lines,
            body=request.body,
            content_type=request.headers.get("Content-Type") or "",
        )
        self.do(actions)
        return key

    def press(self, digit: str, ms: int) -> None:
        """Tell the peer a digit by INFO; what it answers to that matters to nobody."""
        body = f"Signal={digit}\r\nDuration={ms}\r\n".encode()
        _, actions = self.live.send("INFO", self.line.now(), body=body, content_type=DTMF_RELAY)
        self.do(actions)

    def probe(self) -> str:
        """OPTIONS inside the dialog: is the peer still there? REPLIED says so."""
        key, actions = self.live.send("OPTIONS", self.line.now())
        self.do(actions)
        return key

    def reply(self, key: str, request: Request, status: int) -> None:
        """Answer a request of the peer's other than INVITE; with what we take, where that is asked (RFC 3261 11.2)."""
        response = make_response(request, status)
        if request.method == "OPTIONS" or status == METHOD_NOT_ALLOWED:
            response.headers.set("Allow", ", ".join(self.line.allow))
        if request.method == "OPTIONS":
            response.headers.set("Accept", "application/sdp")
        self.line.respond(key, response)

    # ---- what its session says ----

    def hear(self, event: sip.Event) -> None:
        """The session's events, in order, as happenings of the leg. What goes wrong in here ends the call."""
        try:
            if self.session is not None:
                self.sdp.heard_from = self.session.last_source.host
            hearing.hear(self, event)
        except Exception:
            self.tell(self, News.BROKEN, event)

    def note_reasons(self, message: Request | Response | None) -> None:
        """What the message that ends the leg says why, and what the other side is to be told beside that."""
        if message is None:
            return
        if "Reason" in message.headers:
            self.reasons = crossing.reasons(message)
            self.q850 = q850_of(self.reasons)
        if self.party.policy.user_to_user:
            self.last_words = crossing.user_to_user(message, self.party.policy)

    def note_response(self, response: Response) -> None:
        """Keep this 18x or 2xx for the other side, if this one is believed in anything."""
        policy = self.party.policy
        if policy.trust or policy.user_to_user or policy.session_id == "pass":
            self.response = response

    def do(self, actions: Iterable[sip.Action]) -> None:
        self.line.perform(actions)


def _tell_nobody(_leg: Leg, _news: News, _data: Any) -> None:
    """The inbox of a leg whose call is over."""


def q850_of(reasons: Iterable[str]) -> int | None:
    """The Q.850 cause among Reason values (RFC 3326), if there is one."""
    for reason in reasons:
        if (match := _Q850(reason)) is not None:
            return int(match[1])
    return None


def _reason_lines(reasons: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple(("Reason", reason) for reason in reasons)
