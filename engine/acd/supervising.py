"""Supervisors: somebody else on a leg's call, who hears it, speaks to that leg alone, or to both, or takes its place.

What the two say goes through a room of their own while somebody listens there; their call is as it was, so that they
hold, transfer and change as always. A supervisor follows the leg, to whomever it speaks and into conferences, and is
hung up when the leg leaves its call. While a call is masked nobody listens to it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from santral.engine.calls.actions.conferring import Attending
from santral.engine.calls.actions.midcall import Listening
from santral.engine.calls.actions.moving import Joining
from santral.engine.calls.actions.originating import Originating
from santral.engine.calls.commanding import NOBODY, Unable, check
from santral.engine.calls.joins import Attendance, Bridge, bridge_of
from santral.engine.calls.leg import sure
from santral.engine.calls.onward import plan_of_tenant
from santral.engine.calls.table import Input, State
from santral.engine.conferences import Manners, RoomSettings, Sounds
from santral.engine.conferences.conferences import EVERYBODY
from santral.engine.media import MediaError
from santral.routing.plan import Confer, Plan

if TYPE_CHECKING:
    from santral.engine.acd.queues import Queues
    from santral.engine.calls.call import Call
    from santral.engine.calls.leg import Leg
    from santral.engine.conferences import Member

Place = Bridge | Attendance
Mode = Literal["monitor", "whisper", "barge", "take_over"]
SILENT: Final = RoomSettings(is_silent=True)
LISTENED_IN: Final = (State.CONNECTED, State.TRANSFERRING)


@dataclass(slots=True)
class Supervision:
    """One supervisor on one leg."""

    call: "Call"  # the supervisor's
    agent: str | None  # whose leg it is, if it is one of a queue's
    leg: "Leg"
    mode: Mode
    room: str
    by: str  # the control client that wants it so
    watched: str  # the call that the leg is in, or is lent to
    has_answered: bool = False  # the supervisor
    since: float | None = None  # when it was there, and that was told

    @property
    def listens(self) -> bool:
        return self.has_answered and self.mode != "take_over"

    @property
    def about(self) -> dict[str, Any]:
        """Which call and leg it is about, and who it is."""
        return {
            "tenant": self.call.tenant,
            "call": self.watched,
            "leg": self.leg.id,
            "agent": self.agent,
            "supervisor": self.call.id,
        }

    @property
    def manners(self) -> Manners:
        """How the supervisor takes part."""
        whisper_to = self.leg.id if self.mode == "whisper" else EVERYBODY
        return Manners(monitor=self.mode in {"monitor", "take_over"}, whisper_to=whisper_to)


class Supervising:
    """All of them, by the supervisor's call."""

    def __init__(self, queues: "Queues") -> None:
        self._queues = queues
        self._all: Final[dict[str, Supervision]] = {}

    # ---- what control clients want ----

    def leg_of(self, agent: str) -> "Leg":
        """The leg by which this agent speaks to somebody. Raises Unable."""
        queues = self._queues
        for reservation in queues.by_leg.values():
            held = queues.held.get(reservation)
            if held is not None and held.agent == agent and held.leg is not None:
                return held.leg
        raise Unable("bad_state", f"agent {agent} speaks to nobody")

    def begin(self, leg: "Leg", mode: Mode, to: str, by: str) -> "Call":
        """Ring the supervisor, found as a call of the tenant would be; the call it is in. Raises Unable."""
        queues, place = self._queues, self._place_of(leg)
        if place is None or (mode == "take_over" and not isinstance(place, Bridge)):
            raise Unable("bad_state", "the leg speaks to nobody who could be heard, or taken over")
        held = queues.held.get(queues.by_leg.get(leg.id, ""))
        agent = None if held is None else held.agent
        watched = self._call_of(leg, place)
        tenant, room = watched.tenant, f"supervise-{leg.id}"
        if mode == "take_over":
            room = f"take-over-{leg.id}"  # nobody hears anybody before the other has left
        plan = check(plan_of_tenant(queues.services, queues.world, tenant, "", to), to, dials=True)
        second = Plan(None, tenant, (Confer(room, f"{mode} of {agent or leg.id}"),), ())

        def prepare(call: "Call") -> None:
            call.parent, call.linked = watched.id, watched.linked
            self._all[call.id] = Supervision(call, agent, leg, mode, room, by, watched.id)

        return queues.callbacks.make(queues.world, tenant, Originating(plan, second, NOBODY), to, prepare)

    def change(self, leg: "Leg", mode: Mode, supervisor: str, by: str) -> "Call":
        """A supervisor who is there goes on in another mode. Raises Unable."""
        one = self._all.get(supervisor)
        if one is None or one.leg is not leg or not one.listens:
            raise Unable("not_found", "no such supervisor on this leg's call")
        one.by = by
        if mode == "take_over":
            self._take_over(one)
            return one.call
        one.mode = mode
        self._change_manners(one, one.manners)
        self._queues.events.emit("supervision.changed", **one.about, mode=mode, by=by)
        return one.call

    # ---- where the leg is ----

    def _place_of(self, leg: "Leg") -> Place | None:
        """How it hears others, if it does so that somebody may listen."""
        call = self._queues.services.owner(leg)
        if call is None:
            return None
        if isinstance(call.join, Attendance):
            return call.join if leg in call.join.legs else None
        return bridge_of(call, leg)

    def _call_of(self, leg: "Leg", place: Place) -> "Call":
        return place.owner(place.other(leg)) if isinstance(place, Bridge) else sure(self._queues.services.owner(leg))

    # ---- what supervisors' calls say ----

    def first_answered(self, call: "Call") -> None:
        """The supervisor is there: who is to be heard goes through the room, without noticing."""
        one = self._all.get(call.id)
        if one is None:
            return
        place = self._place_of(one.leg)
        if place is None:
            call.hang_up(None, "engine")  # the leg has gone meanwhile, or is alone
            return
        one.has_answered = True
        if one.listens:
            self._bring(one, place)

    def attending(self, call: "Call") -> Attending | None:
        """How a supervisor takes part; None for everybody else."""
        one = self._all.get(call.id)
        if one is None:
            return None
        place = self._place_of(one.leg)
        return Attending(one.room, SILENT, Sounds(), one.manners) if place is None else self._seat(one, place)

    def entered(self, call: "Call") -> None:
        """It hears the room now, or takes over what it came for."""
        one = self._all.get(call.id)
        if one is None:
            return
        one.since = self._queues.now
        self._queues.events.emit("supervision.started", **one.about, mode=one.mode, by=one.by)
        if one.mode == "take_over":
            try:
                self._take_over(one)
            except Unable:
                self._end(one, "not_now")
                call.hang_up(None, "engine")
        elif (place := self._place_of(one.leg)) is not None:
            self._bring(one, place)

    def _take_over(self, one: Supervision) -> None:
        """The supervisor is in the leg's place, which has left. Raises Unable."""
        place = self._place_of(one.leg)
        if not isinstance(place, Bridge):
            raise Unable("bad_state", "the leg does not speak to one other alone")
        stays = place.other(one.leg)
        call = place.owner(stays)
        if call.state is not State.CONNECTED:
            raise Unable("bad_state", "the call is being transferred")
        self._end(one, "taken_over")
        call.post(Input.JOIN, Joining(stays, one.call, one.call.caller, one.by))

    def is_shut_out(self, call: "Call") -> bool:
        """Whether it is a supervisor's whose ears are closed, as what it listens to is masked."""
        one = self._all.get(call.id)
        place = None if one is None or not one.listens else self._place_of(one.leg)
        return one is not None and place is not None and self._call_of(one.leg, place).is_masked

    def over(self, call: "Call") -> None:
        """A supervisor's call has ended."""
        one = self._all.get(call.id)
        if one is not None:
            self._end(one, "left")

    # ---- what the calls that are listened to say ----

    def gone(self, leg: "Leg") -> None:
        """This leg has left its call: whoever is here for it is here for nobody."""
        for one in [one for one in self._all.values() if one.leg is leg]:
            self._end(one, "leg_left")
            one.call.hang_up(None, "engine")

    def follow(self, call: "Call") -> None:
        """Something has happened in this call: a leg may hear others in another way now, or be masked."""
        place = call.join
        if not self._all or call.state not in LISTENED_IN or not isinstance(place, Bridge | Attendance):
            return
        for one in list(self._all.values()):
            if one.listens and one.leg in place.legs:
                self._bring(one, place)

    # ---- the room ----

    def _bring(self, one: Supervision, place: Place) -> None:
        """The supervisor where the leg is; nothing happens when it is there already."""
        watched = self._call_of(one.leg, place)
        one.watched = watched.id
        if isinstance(place, Bridge) and place.room is None:
            self._let_in(one, watched)
        self._go_to(one, self._seat(one, place))
        member = self._member(one)
        if member is not None and bool(member.manners.deaf) != watched.is_masked:
            self._change_manners(one, Manners(deaf=watched.is_masked))

    def _seat(self, one: Supervision, place: Place) -> Attending:
        """Where the leg is, as who listens; with closed ears from the first moment if the call is masked."""
        if not one.listens:
            return Attending(one.room, SILENT, Sounds(), one.manners)
        manners = Manners(deaf=self._call_of(one.leg, place).is_masked).over(one.manners)
        if isinstance(place, Attendance):
            conference = place.conference
            return Attending(conference.name, conference.settings, conference.sounds, manners)
        return Attending(one.room, SILENT, Sounds(), manners)

    def _go_to(self, one: Supervision, where: Attending) -> None:
        join = one.call.join
        if isinstance(join, Attendance) and join.conference.name != where.name and one.call.state is State.CONNECTED:
            one.call.post(Input.ATTEND, where)

    def _let_in(self, one: Supervision, watched: "Call") -> None:
        conferences, tenant = self._queues.services.conferences, one.call.tenant
        room = conferences.obtain(tenant, one.room, SILENT, Sounds())
        room.locked = True  # whoever else would listen is to be seen as a supervisor, too

        def refused(problem: str) -> None:
            self._queues.log.error("cannot be listened to", leg=one.leg.id, error=problem)
            if not room.members:
                conferences.close(room)
            self._end(one, "no_codec")
            one.call.hang_up(None, "engine")

        watched.post(Input.LISTEN, Listening(room, refused))
        for each in self._all.values():  # who has whispered to the leg before it came back is heard by it again
            member = self._member(each)
            if each.room == one.room and member is not None and member.manners.whisper_to == each.leg.id:
                self._change_manners(each, Manners(whisper_to=each.leg.id))

    def _member(self, one: Supervision) -> "Member | None":
        """The supervisor in the conference it is in."""
        join = one.call.join
        return join.conference.members.get(one.call.caller.id) if isinstance(join, Attendance) else None

    def _change_manners(self, one: Supervision, wish: Manners) -> None:
        join = one.call.join
        if not isinstance(join, Attendance):
            return
        try:
            join.conference.change(one.call.caller, wish)
        except MediaError as problem:
            self._queues.log.error("cannot supervise so", leg=one.leg.id, error=str(problem))

    def _end(self, one: Supervision, reason: str) -> None:
        """Not a supervisor any more. Without the last of them those who are left hear each other directly."""
        if self._all.pop(one.call.id, None) is None:
            return
        if one.since is not None:
            seconds = round(self._queues.now - one.since, 3)
            self._queues.events.emit("supervision.ended", **one.about, mode=one.mode, reason=reason, seconds=seconds)
        if any(each.leg is one.leg and each.listens for each in self._all.values()):
            return
        place = self._place_of(one.leg)
        if isinstance(place, Bridge) and place.room is not None and place.room.name == one.room:
            self._call_of(one.leg, place).post(Input.LISTEN, Listening(None, lambda _problem: None))
