"""What control clients see of queues and agents, and may do with them."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from santral.engine.acd.settings import Acd
from santral.engine.acd.supervising import Mode
from santral.engine.calls.commanding import Unable
from santral.engine.control.protocol import RequestError
from santral.engine.ids import new_id
from santral.routing.acd.events import TurnedAway
from santral.routing.acd.settings import CALL, CALLBACK, AgentSettings, Membership, Need, Work
from santral.routing.acd.tables import Cause, Leave

if TYPE_CHECKING:
    from santral.engine.acd.queues import Queues
    from santral.engine.acd.settings import AgentManner, QueueManner
    from santral.engine.calls.leg import Leg

MOST_SHOWN: Final = 1000  # people of one queue in one answer

Wanted = Literal["available", "break"]


class Wish(NamedTuple):
    """Who is to supervise, and how: a number or user that is rung, or the call of one who is there."""

    mode: Mode
    to: str | None
    call: str | None


def supervised(queues: "Queues", leg: "Leg", wanted: Wish, by: str) -> str:
    """Somebody listens to this leg, or more: who is rung, or is there. The id of the supervisor's call."""
    if (wanted.to is None) == (wanted.call is None):
        raise RequestError("bad_params", "to, call: one of them", {"fields": ["to", "call"]})
    try:
        if wanted.call is not None:
            return queues.supervising.change(leg, wanted.mode, wanted.call, by).id
        return queues.supervising.begin(leg, wanted.mode, str(wanted.to), by).id
    except Unable as problem:
        raise RequestError(problem.code, str(problem), {"why": list(problem.why)}) from None


class Desk:
    """Everything wrong is said at once, as the `RequestError` a control client gets."""

    def __init__(self, queues: "Queues") -> None:
        self._queues = queues

    # ---- whom it is about ----

    def _decides(self) -> None:
        if self._queues.owner.lease is None:
            raise RequestError("unavailable", "somebody else decides for the queues now")

    def queue(self, name: str) -> "QueueManner":
        self._decides()
        found = self._queues.acd.queues.get(name)
        if found is None:
            raise RequestError("not_found", "no such queue", {"queue": name})
        return found

    def agent(self, name: str) -> "AgentManner":
        self._decides()
        found = self._queues.acd.agents.get(name)
        if found is None:
            raise RequestError("not_found", "no such agent", {"agent": name})
        return found

    def agent_holding(self, reservation: str) -> "AgentManner":
        """Whose reservation this is."""
        held = self._queues.held.get(reservation)
        if held is None:
            raise RequestError("not_found", "no such reservation, or it is over", {"reservation": reservation})
        return self.agent(held.agent)

    # ---- queues ----

    def show_queue(self, name: str) -> dict[str, Any]:
        self._decides()
        view = self._queues.distributor.queue(name, self._queues.now)
        forced = self._queues.forced.get(name)
        return _rounded(asdict(view)) | {"open": "hours" if forced is None else "yes" if forced else "no"}

    def show_waiting(self, name: str, limit: int) -> list[dict[str, Any]]:
        queues = self._queues
        return [_rounded(asdict(one)) for one in queues.distributor.waiting(name, queues.now, min(limit, MOST_SHOWN))]

    def join(self, queue: str, work: dict[str, Any]) -> dict[str, Any]:
        """Other work than calls waits from now on; answers how it stands."""
        queues = self._queues
        kind = str(work["kind"])
        if kind in {CALL, CALLBACK} or not 0 < len(kind) <= 64:
            raise RequestError("bad_params", "kind: calls join by their routes", {"fields": ["kind"]})
        identifier = str(work["id"] or new_id())
        if queues.distributor.work(identifier, queues.now) is not None or identifier in queues.works():
            raise RequestError("bad_state", "this work is queued already", {"work": identifier})
        made = Work(
            id=identifier,
            queue=queue,
            kind=kind,
            priority=int(work["priority"]),
            needs=tuple(Need(skill, level) for skill, level in work["skills"].items()),
            number=str(work["number"]),
        )
        said = queues.distributor.join(made, queues.now)
        queues.apply(said)
        for event in said:
            if isinstance(event, TurnedAway):
                raise RequestError("bad_state", f"the queue takes nothing now: {event.reason}", {"queue": queue})
        view = queues.distributor.work(identifier, queues.now)
        return {"work": identifier, "position": None if view is None else view.position}

    def leave(self, work: str) -> None:
        """It waits no more. A caller goes on to the next destination of its route."""
        queues = self._queues
        call = queues.calls.get(work)
        if call is not None:
            queues.send_on(call)
        else:
            queues.apply(queues.distributor.leave(work, Leave.REQUEST, queues.now))

    def work_tenant(self, work: str) -> str | None:
        view = self._queues.distributor.work(work, self._queues.now)
        return None if view is None else self.queue(view.queue).tenant

    # ---- agents ----

    def show_agent(self, name: str) -> dict[str, Any]:
        queues, agent = self._queues, self.agent(name)
        view, settings = queues.distributor.agent(name, queues.now), queues.settings_of(name)
        schedule = queues.acd.schedules.get(name)
        return _rounded(asdict(view)) | {
            "endpoint": str(agent.endpoint),
            "connection": agent.connection,
            "skills": dict(settings.skills),
            "stays": name in queues.standing,
            "schedule": None if schedule is None else schedule.name,
            "due": None if schedule is None else schedule.due(queues.counting.now_s),
            "reservations": [_rounded(asdict(one)) for one in queues.distributor.reservations_of(name)],
        }

    def answers(self, name: str, queue: str) -> bool:
        """Whether the agent is one of this queue."""
        return queue in self._queues.distributor.agent(name, self._queues.now).queues

    def login(self, name: str) -> None:
        self._queues.apply(self._queues.distributor.login(name, self._queues.now))

    def logout(self, name: str, reason: str) -> None:
        self._queues.apply(self._queues.distributor.logout(name, self._queues.now, reason))

    def state(self, name: str, wanted: Wanted, reason: str) -> None:
        queues = self._queues
        if queues.distributor.agent(name, queues.now).state == "offline":
            raise RequestError("bad_state", "the agent is not logged in", {"agent": name})
        if wanted == "break":
            queues.apply(queues.distributor.pause(name, reason, queues.now))
        else:
            queues.apply(queues.distributor.resume(name, queues.now))

    def set_agent(self, name: str, skills: dict[str, int] | None, seats: tuple[str, ...] | None) -> None:
        """Other skills or queues, until the next reload of the configuration."""
        queues, agent = self._queues, self.agent(name)
        settings = queues.settings_of(name)
        if seats is not None:
            for seat in seats:
                if self.queue(seat).tenant != agent.tenant:
                    raise RequestError("not_found", "no such queue", {"queue": seat})
            known = {one.queue: one for one in settings.memberships}
            settings = replace(settings, memberships=tuple(known.get(one) or Membership(one) for one in seats))
        if skills is not None:
            try:
                settings = replace(settings, skills=skills)
            except ValueError as problem:
                raise RequestError("bad_params", str(problem), {"fields": ["skills"]}) from None
        queues.reconfigure_agents(_with(queues.acd, settings))

    def supervise(self, name: str, wanted: Wish, by: str) -> str:
        """Somebody listens to this agent's call, or more. The id of the supervisor's call."""
        try:
            leg = self._queues.supervising.leg_of(name)
        except Unable as problem:
            raise RequestError(problem.code, str(problem), {"agent": name}) from None
        return supervised(self._queues, leg, wanted, by)

    # ---- reservations ----

    def accept(self, reservation: str) -> None:
        """The agent takes it, though its phone has not been answered; a second time changes nothing."""
        queues = self._queues
        view = queues.distributor.reservation(reservation)
        if view is not None and view.phase in {"accepted", "connected"}:
            return
        if not queues.accept_for(reservation):
            raise RequestError("bad_state", "somebody else has it, or it is over", {"reservation": reservation})

    def refuse(self, reservation: str) -> None:
        self._queues.refuse(reservation, Cause.REFUSED)

    def finish(self, name: str, reservation: str | None, extend: float) -> None:
        """Done with other work than calls; or ready before the wrap-up is over; or more time for it."""
        queues = self._queues
        if extend:
            queues.apply(queues.distributor.extend_wrap(name, extend, queues.now))
        elif reservation is not None:
            view = queues.distributor.reservation(reservation)
            if view is None or view.agent != name:
                raise RequestError("not_found", "no such reservation, or it is over", {"reservation": reservation})
            if view.phase == "connected":
                if view.kind in {CALL, CALLBACK}:
                    raise RequestError("bad_state", "a call ends by hanging up", {"reservation": reservation})
                queues.apply(queues.distributor.finished(reservation, queues.now))
            queues.apply(queues.distributor.end_wrap(name, queues.now))
        else:
            queues.apply(queues.distributor.end_wrap(name, queues.now))


def _with(acd: Acd, agent: AgentSettings) -> Acd:
    agents = tuple(agent if one.name == agent.name else one for one in acd.settings.agents)
    return replace(acd, settings=replace(acd.settings, agents=agents))


def _rounded(found: dict[str, Any]) -> dict[str, Any]:
    return {
        name: round(value, 3) if isinstance(value, float) else list(value) if isinstance(value, tuple) else value
        for name, value in found.items()
    }
