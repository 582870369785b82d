"""Two legs that hear each other. Carries changes and requests from one to the other.

A change is answered here when the other side would hear nothing new (RFC 3264 8: a refresh changes nothing);
otherwise the other leg is asked first and its answer decides. Two changes at once are glare: 491 (RFC 3261 14.2).
Whatever happens, each leg is brought to what its counterpart's last word means for it (`_align`).

Somebody may listen: then the audio of both goes through a conference (`let_in`), and nothing else is different.
"""

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from santral.engine.calls import negotiation
from santral.engine.calls.joins.join import HELD, announce_change
from santral.engine.calls.leg import NOT_ACCEPTABLE, REQUEST_PENDING, Leg, News
from santral.engine.calls.waiting import entertain
from santral.engine.media import MediaError
from santral.sip.errors import NotAcceptable
from santral.sip.message import Request
from santral.sip.offer_answer import Codec, answer_direction

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.conferences import Conference

REFUSED_FOR_A_CHANGE: Final = frozenset({REQUEST_PENDING, NOT_ACCEPTABLE})  # other refusals are told as 488

Wanted = tuple[tuple[Codec, ...], str]  # codecs and direction of an offer


class Bridge:
    """Two legs that hear each other."""

    aligns_codecs = True  # legs are asked for the codec of their counterparts

    def __init__(self, call: "Call", a: Leg, b: Leg) -> None:
        self._call, self._a, self._b = call, a, b
        self._questions: dict[str, tuple[Leg, str, Request]] = {}  # key of what was passed on -> who asked, its key
        self._asked: dict[str, Wanted] = {}  # leg -> what its peer was last asked for
        self._pointless: dict[str, Wanted | None] = {}  # … and what there is no use in asking it again
        self._waiting: set[str] = set()  # legs whose peer was busy: asked again when their time has come
        self._withdrawn: set[str] = set()  # legs whose change was taken back while it was under way
        self._is_announced = False
        self.room: Conference | None = None  # through which they hear each other, while somebody listens there
        for leg in self.legs:
            entertain(self.owner(leg), leg, None)
        call.services.plane.bridge(a.rtp, b.rtp)

    @property
    def legs(self) -> tuple[Leg, ...]:
        return self._a, self._b

    def announce(self) -> None:
        """Both have answered; before that the bridge only carried early media."""
        self._is_announced = True
        self._call.emit("bridge.started", legs=[self._a.id, self._b.id])

    def end(self) -> None:
        for leg in self.legs:
            entertain(self.owner(leg), leg, None)
            if leg.is_open:
                self._release(leg, "engine")
            if leg.asks_change and leg.is_open:
                leg.refuse_change(REQUEST_PENDING)
        if self._is_announced:
            self._call.emit("bridge.ended", legs=[self._a.id, self._b.id])
        if self.room is not None:
            self._leave_room()
            return
        for leg in self.legs:
            if leg.media is not None and leg.media.final is None:
                self._call.services.plane.unbridge(leg.media)
                return

    def other(self, leg: Leg) -> Leg:
        return self._b if leg is self._a else self._a

    # ---- who else hears them ----

    def owner(self, _leg: Leg) -> "Call":
        """The call that this leg belongs to."""
        return self._call

    @property
    def carries_digits(self) -> bool:
        """The media plane passes digits on; a conference of more than two does not."""
        return self.room is None or len(self.room.members) <= len(self.legs)

    def let_in(self, room: "Conference") -> None:
        """From now on both hear each other in this room, where others may listen.

        Raises `MediaError` when a leg's codec cannot be mixed: everything stands as before then.
        """
        try:
            for leg in self.legs:
                room.enter(self.owner(leg), leg, is_overheard=True)
        except MediaError:
            self.room = room
            self.let_out()
            raise
        self.room = room

    def let_out(self) -> None:
        """Nobody else hears them any more."""
        if self.room is not None:
            self._call.services.plane.bridge(self._a.rtp, self._b.rtp)
            self._leave_room()

    def _leave_room(self) -> None:
        room, self.room = self.room, None
        if room is not None:
            for leg in self.legs:
                room.leave(leg, "left")

    def hear(self, leg: Leg, news: News, data: Any) -> None:
        match news:
            case News.ASKED:
                key, request = data
                self._questions[self.other(leg).pass_on(request)] = (leg, key, request)
            case News.REPLIED:
                key, status = data
                if (question := self._questions.pop(key, None)) is not None:
                    asker, asked_key, request = question
                    asker.reply(asked_key, request, status)
            case _:
                self._hear_change(leg, news, data)
                self._update_music()

    # ---- changes ----

    def _hear_change(self, leg: Leg, news: News, data: Any) -> None:
        other = self.other(leg)
        match news:
            case News.CHANGE_ASKED:
                self._ask(leg, other)
            case News.CHANGE_ANSWERED:
                self._heard_of(leg)
                self._pointless[leg.id] = self._asked.get(leg.id)  # it has all it will give to that
                announce_change(self._call.emit, leg)
                if other.asks_change:
                    self._settle(other, leg)
            case News.CHANGE_WITHDRAWN:
                if other.is_asking:
                    self._withdrawn.add(other.id)
                    other.withdraw_change()
            case News.CHANGE_REFUSED:
                self._hear_refusal(leg, other, data)
            case News.CHANGED:
                announce_change(self._call.emit, leg)
            case News.CONFIRMED:
                self._waiting.discard(leg.id)
            case News.CHANGE_DUE:
                self._waiting.discard(leg.id)
                self._pointless.pop(leg.id, None)
        for one in self.legs:  # what was put off, or has become wrong
            self._align(one)

    def _hear_refusal(self, leg: Leg, other: Leg, status: int) -> None:
        """Our change was refused: for now, since it was taken back, or for good."""
        was_withdrawn = self._heard_of(leg)
        if status == REQUEST_PENDING:
            self._waiting.add(leg.id)
        elif not was_withdrawn:
            self._pointless[leg.id] = self._asked.get(leg.id)
        if other.asks_change:
            other.refuse_change(status if status in REFUSED_FOR_A_CHANGE else NOT_ACCEPTABLE)

    def _heard_of(self, leg: Leg) -> bool:
        """The change we asked of this leg has come to its end: had it been taken back?"""
        was_withdrawn = leg.id in self._withdrawn
        self._withdrawn.discard(leg.id)
        return was_withdrawn

    def _ask(self, leg: Leg, other: Leg) -> None:
        """The peer of `leg` wants a change: settle it alone, or after the other side has agreed."""
        if other.is_changing or other.agreement is None:
            leg.refuse_change(REQUEST_PENDING)
            return
        try:
            codecs = negotiation.codecs_after_change(leg.peer, leg.party, leg.agreed, other.agreed, other.party)
        except NotAcceptable as problem:
            leg.refuse_change(problem.status)
            return
        is_the_same = codecs == other.agreed.ours and other.effective == target(other, leg)
        if is_the_same or not other.may_be_asked:  # who cannot be asked now is, as soon as that is possible
            self._settle(leg, other)
        else:
            wanted = self._asked[other.id] = codecs, offered(other, leg)
            other.ask_change(*wanted, leg.change_method)

    def _settle(self, waiting: Leg, other: Leg) -> None:
        """Answer the waiting change as the other side's last description allows."""
        try:
            waiting.accept_change(other.agreed, limit(waiting, other))
        except NotAcceptable as problem:
            waiting.refuse_change(problem.status)
            return
        self._pointless.clear()
        announce_change(self._call.emit, waiting)

    def align(self) -> None:
        """Bring both legs to what the other's peer wishes: they may come from different calls."""
        for leg in self.legs:
            self._align(leg)
        self._update_music()

    def _align(self, leg: Leg) -> None:
        """Ask the peer of `leg` for what its counterpart stands at, unless it knows, or a change is under way anyway.

        So a change that was taken back and answered all the same leaves nobody on hold, and a caller answered with one
        fork's codec gets that of the fork that won.
        """
        other = self.other(leg)
        if leg.is_changing or other.is_changing or leg.id in self._waiting or not leg.is_open:
            return
        if leg.agreement is None or other.agreement is None or not leg.may_be_asked:
            return
        wanted = self._wanted(leg)
        standing = None if leg.sdp.needs_new_key else (leg.agreed.ours, leg.direction)
        if wanted not in (standing, self._pointless.get(leg.id)):
            self._asked[leg.id] = wanted
            leg.ask_change(*wanted)

    def _wanted(self, leg: Leg) -> Wanted:
        """The offer that would bring `leg` to its counterpart's last word: what stands, where nothing is amiss."""
        other = self.other(leg)
        codecs = leg.agreed.ours
        direction = leg.direction if leg.effective == target(leg, other) else offered(leg, other)
        codec = other.agreed.audio.key if self.aligns_codecs else leg.agreed.audio.key
        if leg.agreed.audio.key != codec:
            with suppress(NotAcceptable):  # its peer never offered it: the media plane converts
                codecs = negotiation.answer_with(leg.peer, codec, events=self._events_for(leg)).ours
        return codecs, direction

    def _events_for(self, leg: Leg) -> bool:
        other = self.other(leg)
        return negotiation.says_events(leg.party, other.party, far_has=other.agreed.has_events)

    # ---- hold ----

    def hold(self, leg: Leg, by: str) -> None:
        """By command: from now on the peer of this leg waits, with music, and is heard by nobody."""
        if leg.waits:
            return
        leg.waits = True
        self._hush()
        self._call.emit("leg.held", leg=leg.id, by=by)
        self.align()

    def resume(self, leg: Leg, by: str) -> None:
        """What `hold` did is over."""
        if self._release(leg, by):
            self.align()

    def _release(self, leg: Leg, by: str) -> bool:
        was_waiting, leg.waits = leg.waits, False
        if was_waiting and not self._call.is_finished:
            self._hush()
            self._call.emit("leg.resumed", leg=leg.id, by=by)
        return was_waiting

    def _hush(self) -> None:
        """Nobody hears the other while one of them waits: at once, whenever its phone agrees and its music begins."""
        is_hushed = any(leg.waits for leg in self.legs)
        for leg in self.legs:
            leg.is_hushed = is_hushed
            if leg.is_open:
                leg.hush()

    def _update_music(self) -> None:
        """Music for each leg that waits by command or as its counterpart holds, and which does not hold itself."""
        for leg in self.legs:
            other = self.other(leg)
            waits = (
                leg.agreement is not None
                and other.remote is not None
                and (leg.waits or plays_music(other))
                and leg.wish in negotiation.HEARING
            )
            music = self._call.world.hold_music[self._call.tenant] if waits else None
            entertain(self.owner(leg), leg, music)


def plays_music(leg: Leg) -> bool:
    """Its peer holds, and its trunk has us entertain the other side."""
    return leg.party.hold == "music" and leg.wish in HELD


def shown(leg: Leg) -> str:
    """What its peer wishes as the other side is to see it: hold with music is our own affair."""
    return "sendrecv" if plays_music(leg) else leg.wish


def offered(leg: Leg, other: Leg) -> str:
    """The direction to offer the peer of `leg`: as its counterpart wishes, unless a command has it wait."""
    return "sendonly" if leg.waits else shown(other)


def target(leg: Leg, other: Leg) -> str:
    """The direction `leg` should have, seen from us, so that both peers' wishes hold."""
    return negotiation.meet(offered(leg, other), answer_direction(leg.wish))


def limit(leg: Leg, other: Leg) -> str:
    """What an answer to the peer of `leg` may allow: what its counterpart sends and hears now, seen from there."""
    if leg.waits:
        return "sendonly"
    return "sendrecv" if other.waits or plays_music(other) else answer_direction(other.effective)
