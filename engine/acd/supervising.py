"""Supervisors: somebody else on an agent's call, who hears it, speaks to the agent alone, or to both, or takes it over.

Caller and agent are brought into a room of their own when the supervisor has answered, and out of it when it has gone;
nothing of it is heard: the room has no sounds. A supervisor is changed by `conference.change`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from santral.engine.calls import commanding
from santral.engine.calls.actions.conferring import Attending
from santral.engine.calls.actions.originating import Originating
from santral.engine.calls.commanding import NOBODY, Unable, check
from santral.engine.calls.joins import Attendance, Bridge
from santral.engine.calls.onward import plan_of_tenant
from santral.engine.calls.table import Input
from santral.engine.conferences import Manners, RoomSettings, Sounds
from santral.routing.plan import Confer, Plan

if TYPE_CHECKING:
    from santral.engine.acd.queues import Queues
    from santral.engine.calls.call import Call
    from santral.engine.calls.leg import Leg

Mode = Literal["monitor", "whisper", "barge", "take_over"]
SILENT: Final = RoomSettings(is_silent=True)


@dataclass(slots=True)
class Supervision:
    """One supervisor on one call."""

    call: "Call"  # the supervisor's
    watched: "Call"
    agents_leg: str
    mode: Mode
    room: str


class Supervising:
    """All of them, by the supervisor's call."""

    def __init__(self, queues: "Queues") -> None:
        self._queues = queues
        self._all: Final[dict[str, Supervision]] = {}

    def begin(self, agent: str, mode: Mode, to: str, by: str) -> "Call":
        """Ring the supervisor, found as a call of the tenant would be; the call it is in. Raises Unable."""
        queues = self._queues
        watched, leg = self._talk_of(agent)
        if mode == "take_over":
            commanding.transfer(watched, to, "caller" if watched.callee is leg else "callee", by)
            return watched
        tenant, room = watched.tenant, f"supervise-{watched.id}"
        plan = check(plan_of_tenant(queues.services, queues.world, tenant, "", to), to, dials=True)
        second = Plan(None, tenant, (Confer(room, f"{mode} of agent {agent}"),), ())

        def prepare(call: "Call") -> None:
            self._all[call.id] = Supervision(call, watched, leg.id, mode, room)

        return queues.callbacks.make(queues.world, tenant, Originating(plan, second, NOBODY), to, prepare)

    def _talk_of(self, agent: str) -> tuple["Call", "Leg"]:
        """The call in which this agent speaks to somebody, and its leg."""
        queues = self._queues
        for leg_id, reservation in queues.by_leg.items():
            held = queues.held.get(reservation)
            if held is None or held.agent != agent or held.call is None:
                continue
            for leg in held.call.roles.values():
                if leg.id == leg_id and isinstance(held.call.join, Bridge | Attendance):
                    return held.call, leg
        raise Unable("bad_state", f"agent {agent} speaks to nobody who could be heard")

    def first_answered(self, call: "Call") -> None:
        """The supervisor is there: caller and agent go into the room, without noticing."""
        one = self._all.get(call.id)
        if one is None:
            return
        if one.watched.is_finished:
            call.hang_up(None, "engine")
        elif isinstance(one.watched.join, Bridge):
            one.watched.post(Input.ATTEND, Attending(one.room, SILENT, Sounds(), Manners()))

    def attending(self, call: "Call") -> Attending | None:
        """How a supervisor takes part; None for everybody else."""
        one = self._all.get(call.id)
        if one is None:
            return None
        manners = Manners()
        if one.mode == "monitor":
            manners = Manners(monitor=True)
        elif one.mode == "whisper":
            manners = Manners(whisper_to=one.agents_leg)
        return Attending(one.room, SILENT, Sounds(), manners)

    def over(self, call: "Call") -> None:
        """A call has ended: a supervisor's, or one that was listened to."""
        gone = self._all.pop(call.id, None)
        if gone is not None:
            join, others = gone.watched.join, [one for one in self._all.values() if one.room == gone.room]
            if not others and isinstance(join, Attendance) and join.conference.name == gone.room:
                gone.watched.post(Input.DEPART)
            return
        for one in list(self._all.values()):
            if one.watched is call:
                one.call.hang_up(None, "engine")
