"""Two legs that hear each other. Carries changes and INFO from one to the other.

A re-INVITE is answered here when the other side would hear nothing new (RFC 3264 8: a refresh changes nothing);
otherwise the other leg is asked first and its answer decides. Two changes at once are glare: 491 (RFC 3261 14.2).
"""

from typing import Any, Final

from santral.engine.calls import negotiation
from santral.engine.calls.joins.join import Tell, announce_change
from santral.engine.calls.leg import NOT_ACCEPTABLE, REQUEST_PENDING, Leg, News
from santral.engine.media import MediaPlane
from santral.sip.errors import NotAcceptable
from santral.sip.message import Request

REFUSED_FOR_A_CHANGE: Final = frozenset({REQUEST_PENDING, NOT_ACCEPTABLE})  # other refusals are told as 488


class Bridge:
    """Two legs that hear each other."""

    def __init__(self, plane: MediaPlane, a: Leg, b: Leg, emit: Tell) -> None:
        self._plane, self._a, self._b, self._emit = plane, a, b, emit
        self._questions: dict[str, tuple[Leg, str, Request]] = {}  # key of the passed INFO -> who asked, its key
        self._is_announced = False
        plane.bridge(a.rtp, b.rtp)

    @property
    def legs(self) -> tuple[Leg, ...]:
        return self._a, self._b

    def announce(self) -> None:
        """Both have answered; before that the bridge only carried early media."""
        self._is_announced = True
        self._emit("bridge.started", legs=[self._a.id, self._b.id])

    def end(self) -> None:
        if self._is_announced:
            self._emit("bridge.ended", legs=[self._a.id, self._b.id])
        if self._a.media is not None and self._a.media.final is None:
            self._plane.unbridge(self._a.media)

    def hear(self, leg: Leg, news: News, data: Any) -> None:
        other = self._b if leg is self._a else self._a
        match news:
            case News.CHANGE_ASKED:
                self._ask(leg, other)
            case News.CHANGE_ANSWERED:
                announce_change(self._emit, leg)
                self._settle(other, leg)
            case News.CHANGE_WITHDRAWN:
                other.withdraw_change()
            case News.CHANGE_REFUSED:
                if other.asks_change:
                    other.refuse_change(data if data in REFUSED_FOR_A_CHANGE else NOT_ACCEPTABLE)
            case News.CHANGED:
                announce_change(self._emit, leg)
                self._follow(leg, other)
            case News.CONFIRMED:
                self._align(leg, other)
            case News.ASKED:
                key, request = data
                self._questions[other.send_info(request)] = (leg, key, request)
            case News.REPLIED:
                key, status = data
                if (question := self._questions.pop(key, None)) is not None:
                    asker, asked_key, request = question
                    asker.reply(asked_key, request, status)

    def _ask(self, leg: Leg, other: Leg) -> None:
        """The peer of `leg` wants a change: settle it alone, or after the other side has agreed."""
        if other.is_changing or other.agreement is None:
            leg.refuse_change(REQUEST_PENDING)
            return
        try:
            codecs = negotiation.codecs_after_change(leg.peer, other.agreed, other.party.codecs)
        except NotAcceptable as problem:
            leg.refuse_change(problem.status)
            return
        if other.direction == leg.peer.direction and codecs == other.agreed.ours:
            self._settle(leg, other)
        else:
            other.ask_change(codecs, leg.peer.direction)

    def _settle(self, waiting: Leg, other: Leg) -> None:
        """Answer the waiting re-INVITE as the other side's last description allows."""
        if not waiting.asks_change:
            return
        try:
            waiting.accept_change(other.agreed.audio.key, other.peer.direction)
        except NotAcceptable as problem:
            waiting.refuse_change(problem.status)
            return
        announce_change(self._emit, waiting)

    def _align(self, leg: Leg, other: Leg) -> None:
        """A caller answered with one fork's codec while another fork won: it is asked to change, once it may be."""
        if leg.agreement is None or other.agreement is None or leg.remote is None or leg.is_changing:
            return
        codec = other.agreement.audio.key
        if leg.agreement.audio.key != codec:
            wanted = negotiation.answer_with(leg.remote, codec, events=other.agreement.has_events)
            leg.ask_change(wanted.ours, leg.direction)

    def _follow(self, leg: Leg, other: Leg) -> None:
        """`leg` settled a change by its ACK: the other side is told, unless it knows or is busy with another change."""
        if other.agreement is not None and other.direction != leg.peer.direction and not other.is_changing:
            other.ask_change(other.agreement.ours, leg.peer.direction)
