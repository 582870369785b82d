"""What agents do by their phones: feature codes, and staying on the line between calls."""

from typing import TYPE_CHECKING

from santral.engine.acd.phones import PERSISTENT
from santral.engine.calls.actions.connecting import STAYS
from santral.routing.acd.settings import CALL, CALLBACK
from santral.routing.acd.tables import Cause

if TYPE_CHECKING:
    from santral.engine.acd.queues import Queues
    from santral.engine.acd.settings import AgentManner
    from santral.engine.calls.call import Call
    from santral.engine.calls.leg import Leg


class ByPhone:
    """Agents are known by the user whose phone calls: its password has proved who it is."""

    def __init__(self, queues: "Queues") -> None:
        self._queues = queues

    def agent_of(self, user: str) -> "AgentManner | None":
        """The agent whose phone this user is."""
        names = self._queues.agents_at(user) if user else ()
        return self._queues.acd.agents[names[0]] if names else None

    def act(self, call: "Call", what: str) -> str | None:
        """A feature code: what was done, as the sound that says so; None when it cannot be."""
        queues, agent = self._queues, self.agent_of(call.facts.user)
        if agent is None or queues.owner.lease is None:
            return None
        now, d = queues.now, queues.distributor
        if what == "toggle":
            what = "login" if d.agent(agent.name, now).state == "offline" else "logout"
        if what == "stay":
            return STAYS if agent.connection == PERSISTENT else None
        match what:
            case "login":
                queues.apply(d.login(agent.name, now))
            case "logout":
                queues.apply(d.logout(agent.name, now, "phone"))
            case "pause":
                queues.apply(d.pause(agent.name, "phone", now))
            case _:
                queues.apply(d.resume(agent.name, now))
        return what

    def stays(self, call: "Call") -> None:
        """This agent's leg stands from now on; it is logged in by that."""
        queues, agent = self._queues, self.agent_of(call.facts.user)
        if agent is not None:
            queues.occupancy.gone(call.caller.id)
            queues.standing[agent.name] = (call, call.caller)
            queues.apply(queues.distributor.login(agent.name, queues.now))
            queues.apply(queues.distributor.reach(agent.name, True, queues.now))

    def gone(self, leg: "Leg") -> None:
        """A leg is over: was it one that stood?"""
        for agent, (_, standing) in list(self._queues.standing.items()):
            if standing is leg:
                del self._queues.standing[agent]
                self._hung_up(agent)

    def _hung_up(self, agent: str) -> None:
        """What it is offered, or was about to be connected with, is somebody else's."""
        queues = self._queues
        queues.apply(queues.distributor.reach(agent, False, queues.now))
        for held in list(queues.held.values()):
            if held.agent == agent and held.kind in {CALL, CALLBACK} and held.leg is None:
                queues.apply(queues.distributor.failed(held.id, queues.now))
                queues.refuse(held.id, Cause.UNREACHABLE)
