"""Supervisors: somebody else on an agent's call, who hears it, speaks to the agent alone, or to both, or takes it over.

What caller and agent say goes through a room of their own while somebody listens there; their call is as it was, so
that they hold, transfer and change as always. A supervisor follows the agent's leg, whoever it speaks to, and is hung
up when that leg leaves its call.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from santral.engine.calls.actions.conferring import Attending
from santral.engine.calls.actions.midcall import Listening
from santral.engine.calls.actions.moving import Joining
from santral.engine.calls.actions.originating import Originating
from santral.engine.calls.commanding import NOBODY, Unable, check
from santral.engine.calls.joins import Bridge, bridge_of
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
    from santral.engine.conferences import Conference

Mode = Literal["monitor", "whisper", "barge", "take_over"]
SILENT: Final = RoomSettings(is_silent=True)
LISTENED_IN: Final = (State.CONNECTED, State.TRANSFERRING)
SPEAKS_TO_NOBODY: Final = "agent {} speaks to nobody who could be heard"


@dataclass(slots=True)
class Supervision:
    """One supervisor on one agent's leg."""

    call: "Call"  # the supervisor's
    agent: str
    leg: "Leg"  # the agent's
    mode: Mode
    room: str
    by: str  # the control client that wants it so
    watched: str  # the call that the agent's leg is in, or is lent to
    since: float = 0.0  # when the supervisor was there; 0: not yet

    @property
    def listens(self) -> bool:
        return bool(self.since) and self.mode != "take_over"

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

    def begin(self, agent: str, mode: Mode, to: str, by: str) -> "Call":
        """Ring the supervisor, found as a call of the tenant would be; the call it is in. Raises Unable."""
        queues = self._queues
        leg, bridge = self._talk_of(agent)
        watched = bridge.owner(bridge.other(leg))
        tenant, room = watched.tenant, f"supervise-{leg.id}"
        if mode == "take_over":
            room = f"take-over-{leg.id}"  # nobody hears anybody before the agent has left
        plan = check(plan_of_tenant(queues.services, queues.world, tenant, "", to), to, dials=True)
        second = Plan(None, tenant, (Confer(room, f"{mode} of agent {agent}"),), ())

        def prepare(call: "Call") -> None:
            call.parent, call.linked = watched.id, watched.linked
            self._all[call.id] = Supervision(call, agent, leg, mode, room, by, watched.id)

        return queues.callbacks.make(queues.world, tenant, Originating(plan, second, NOBODY), to, prepare)

    def change(self, agent: str, mode: Mode, supervisor: str, by: str) -> "Call":
        """A supervisor who is there goes on in another mode. Raises Unable."""
        one = self._all.get(supervisor)
        if one is None or one.agent != agent or not one.listens:
            raise Unable("not_found", "no such supervisor on this agent's call")
        one.by = by
        if mode == "take_over":
            self._take_over(one)
            return one.call
        one.mode = mode
        self._apply_manners(one)
        self._queues.events.emit("supervision.changed", **one.about, mode=mode, by=by)
        return one.call

    def _talk_of(self, agent: str) -> tuple["Leg", Bridge]:
        """The leg by which this agent speaks to somebody, and how. Raises Unable."""
        queues = self._queues
        for reservation in queues.by_leg.values():
            held = queues.held.get(reservation)
            if held is None or held.agent != agent or held.leg is None:
                continue
            bridge = self._bridge_of(held.leg)
            if bridge is not None:
                return held.leg, bridge
        raise Unable("bad_state", SPEAKS_TO_NOBODY.format(agent))

    def _bridge_of(self, leg: "Leg") -> Bridge | None:
        call = self._queues.services.owner(leg)
        return None if call is None else bridge_of(call, leg)

    # ---- what supervisors' calls say ----

    def first_answered(self, call: "Call") -> None:
        """The supervisor is there: who is to be heard goes through the room, without noticing."""
        one = self._all.get(call.id)
        if one is None:
            return
        if self._bridge_of(one.leg) is None:
            call.hang_up(None, "engine")  # the agent has left meanwhile
            return
        one.since = self._queues.now
        if one.listens:
            self._let_in(one)

    def attending(self, call: "Call") -> Attending | None:
        """How a supervisor takes part; None for everybody else."""
        one = self._all.get(call.id)
        return None if one is None else Attending(one.room, SILENT, Sounds(), one.manners)

    def entered(self, call: "Call") -> None:
        """It hears the room now, or takes over what it came for."""
        one = self._all.get(call.id)
        if one is None:
            return
        self._queues.events.emit("supervision.started", **one.about, mode=one.mode, by=one.by)
        if one.mode == "take_over":
            try:
                self._take_over(one)
            except Unable:
                self._end(one, "not_now")
                call.hang_up(None, "engine")

    def _take_over(self, one: Supervision) -> None:
        """The supervisor is in the agent's place, who has left. Raises Unable."""
        bridge = self._bridge_of(one.leg)
        if bridge is None:
            raise Unable("bad_state", SPEAKS_TO_NOBODY.format(one.agent))
        stays = bridge.other(one.leg)
        call = bridge.owner(stays)
        if call.state is not State.CONNECTED:
            raise Unable("bad_state", "the call is being transferred")
        self._end(one, "taken_over")
        call.post(Input.JOIN, Joining(stays, one.call, one.call.caller, one.by))

    def over(self, call: "Call") -> None:
        """A supervisor's call has ended."""
        one = self._all.get(call.id)
        if one is not None:
            self._end(one, "left")

    # ---- what the agents' calls say ----

    def gone(self, leg: "Leg") -> None:
        """An agent's leg has left its call: nobody is left to be supervised."""
        for one in [one for one in self._all.values() if one.leg is leg]:
            self._end(one, "agent_left")
            one.call.hang_up(None, "engine")

    def follow(self, call: "Call") -> None:
        """Something has happened in this call: who is listened to may speak to somebody else now."""
        if not self._all or call.state not in LISTENED_IN or not isinstance(call.join, Bridge):
            return
        if call.join.room is not None:
            return
        for one in list(self._all.values()):
            if one.listens and one.leg in call.join.legs:
                self._let_in(one)
                return

    # ---- the room ----

    def _let_in(self, one: Supervision) -> None:
        bridge = self._bridge_of(one.leg)
        if bridge is None:
            return
        conferences, tenant = self._queues.services.conferences, one.call.tenant
        room = conferences.obtain(tenant, one.room, SILENT, Sounds())

        def refused(problem: str) -> None:
            self._queues.log.error("cannot be listened to", agent=one.agent, error=problem)
            if not room.members:
                conferences.close(room)
            self._end(one, "no_codec")
            one.call.hang_up(None, "engine")

        watched = bridge.owner(bridge.other(one.leg))
        one.watched = watched.id
        watched.post(Input.LISTEN, Listening(room, refused))
        for each in self._all.values():
            if each.room == one.room:
                self._apply_manners(each)

    def _apply_manners(self, one: Supervision) -> None:
        """Whom a supervisor in the room is heard by: anew when the agent has come (back) to it, as well."""
        room: Conference | None = self._queues.services.conferences.find(one.call.tenant, one.room)
        leg = one.call.caller
        if room is None or leg.id not in room.members or one.leg.id not in room.members:
            return
        try:
            room.change(leg, one.manners)
        except MediaError as problem:
            self._queues.log.error("cannot supervise so", agent=one.agent, error=str(problem))

    def _end(self, one: Supervision, reason: str) -> None:
        """Not a supervisor any more. Without the last of them those who are left hear each other directly."""
        if self._all.pop(one.call.id, None) is None:
            return
        if one.since:
            seconds = round(self._queues.now - one.since, 3)
            self._queues.events.emit("supervision.ended", **one.about, mode=one.mode, reason=reason, seconds=seconds)
        if any(each.leg is one.leg and each.listens for each in self._all.values()):
            return
        bridge = self._bridge_of(one.leg)
        if bridge is not None and bridge.room is not None and bridge.room.name == one.room:
            bridge.owner(bridge.other(one.leg)).post(Input.LISTEN, Listening(None, lambda _problem: None))
