"""Agents coming, going, pausing, and what else they do with their phones."""

from __future__ import annotations

from santral.routing.acd import matching, offers
from santral.routing.acd.records import Agent, Floor
from santral.routing.acd.tables import NEVER, Cue, Phase, State


def login(floor: Floor, agent: Agent, now: float) -> None:
    """There from now on; calls, talk time and idle time begin anew."""
    if agent.is_removed or not offers.move(floor, agent, Cue.LOGIN):
        return
    agent.idle_since = now
    agent.misses, agent.calls, agent.talk = 0, 0, 0.0
    agent.reason = ""
    matching.show(floor, agent, now)
    matching.refresh(floor, agent, now)


def logout(floor: Floor, agent: Agent, now: float, reason: str = "") -> None:
    """Gone: what rings goes back to its place, wrap-up ends, talk goes on to its end."""
    if offers.move(floor, agent, Cue.LOGOUT):
        agent.reason = reason
        _put_down(floor, agent, now, with_wrap_up=True)
        matching.refresh(floor, agent, now)
        matching.show(floor, agent, now, reason)


def pause(floor: Floor, agent: Agent, reason: str, now: float) -> None:
    """On a break: what rings goes back to its place; talk and wrap-up go on to their end."""
    if offers.move(floor, agent, Cue.PAUSE):
        agent.reason = reason
        _put_down(floor, agent, now, with_wrap_up=False)
        matching.refresh(floor, agent, now)
        matching.show(floor, agent, now, reason or "break")


def resume(floor: Floor, agent: Agent, now: float) -> None:
    """Back from a break, or from not answering."""
    if offers.move(floor, agent, Cue.RESUME):
        agent.reason = ""
        agent.misses = 0
        matching.show(floor, agent, now)
        matching.refresh(floor, agent, now)


def _put_down(floor: Floor, agent: Agent, now: float, *, with_wrap_up: bool) -> None:
    for one in agent.engaged:
        if one.phase is Phase.PENDING:
            offers.rescind(floor, one, "agent_gone", now)
        elif one.phase is Phase.WRAPPING and with_wrap_up:
            offers.complete(floor, one, now)


def occupy(floor: Floor, agent: Agent, legs: int, now: float) -> None:
    """So many legs of the agent's endpoint are outside the queue. The last one to end starts the idle time anew."""
    if legs == agent.outside:
        return
    if agent.outside and not legs:
        agent.idle_since = now
    agent.outside = legs
    matching.show(floor, agent, now)
    matching.refresh(floor, agent, now)


def reach(floor: Floor, agent: Agent, now: float, *, is_reachable: bool) -> None:
    """Whether the agent's endpoint can be rung at all. The state stays as it is."""
    agent.is_reachable = is_reachable
    matching.refresh(floor, agent, now)


def end_wrap(floor: Floor, agent: Agent, now: float) -> None:
    """Ready before the time."""
    for one in agent.engaged:
        if one.phase is Phase.WRAPPING:
            offers.complete(floor, one, now)


def extend_wrap(floor: Floor, agent: Agent, seconds: float) -> None:
    """More time for what is being wrapped up."""
    for one in agent.engaged:
        if one.phase is Phase.WRAPPING and one.due != NEVER:
            floor.arm(one, one.due + seconds)


def on_due(floor: Floor, agent: Agent, now: float) -> None:
    """The rest after an offer that was not taken is over."""
    matching.refresh(floor, agent, now)


def is_idle(agent: Agent) -> bool:
    """Nothing in hand and ready."""
    return agent.state is State.AVAILABLE and not agent.held and not agent.outside
