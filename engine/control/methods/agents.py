"""Methods for agents: who is there, what they do, what they take."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from santral.engine.acd.counting import AGENT
from santral.engine.acd.desk import Wish
from santral.engine.acd.settings import AgentManner
from santral.engine.acd.supervising import Mode
from santral.engine.control.access import tenant_for
from santral.engine.control.caller import Caller
from santral.engine.control.methods.pages import DEFAULT_LIMIT, MAX_LIST, cut
from santral.engine.control.methods.queues import levels, span, stored
from santral.engine.control.protocol import RequestError
from santral.engine.control.shapes import about

NAME: Final = "of the agent"
MOST_EXTENDED_S: Final = 3600.0


def found(caller: Caller, name: str) -> AgentManner:
    """The agent of this name; RequestError when there is none, or it is another tenant's."""
    agent = caller.engine.queues.desk.agent(name)
    if not caller.who.sees(agent.tenant):
        raise RequestError("not_found", "no such agent", {"agent": name})
    return agent


@dataclass(frozen=True, slots=True)
class ListAgents:
    """Agents with their state and what they have in hand, by name."""

    limit: int = about(f"agents in one answer, 1 to {MAX_LIST}", DEFAULT_LIMIT)
    after: str | None = about("`next` of the answer before", None)
    tenant: str | None = about("only those of this tenant", None)
    queue: str | None = about("only those of this queue", None)


async def on_list(caller: Caller, command: ListAgents) -> dict[str, Any]:
    tenant, desk = tenant_for(caller.who, command.tenant), caller.engine.queues.desk
    names = [one.name for one in caller.engine.queues.acd.agents.values() if tenant in {None, one.tenant}]
    if command.queue is not None:
        names = [name for name in names if desk.answers(name, command.queue)]
    chosen, following = cut(names, command.limit, command.after)
    return {"items": [desk.show_agent(name) for name in chosen], "next": following}


@dataclass(frozen=True, slots=True)
class GetAgent:
    """One agent with state, reservations and, if asked for, figures."""

    name: str = about(NAME)
    stats: bool = about("with figures since `since`", False)
    since: str | None = about("UTC time; left out: two days ago", None)
    intervals: bool = about("each quarter of an hour by itself, too", False)


async def on_get(caller: Caller, command: GetAgent) -> dict[str, Any]:
    agent = found(caller, command.name)
    shown = caller.engine.queues.desk.show_agent(agent.name)
    since, _ = span(command.since, None)
    if command.stats:
        shown["stats"] = caller.engine.queues.counting.agent(agent.name, since, None)
    if command.intervals:
        shown["intervals"] = await stored(caller, AGENT, agent.name, (since, None))
    return shown


@dataclass(frozen=True, slots=True)
class Login:
    """The agent is there from now on."""

    name: str = about(NAME)


async def on_login(caller: Caller, command: Login) -> dict[str, Any]:
    agent = found(caller, command.name)
    caller.engine.queues.desk.login(agent.name)
    return caller.engine.queues.desk.show_agent(agent.name)


@dataclass(frozen=True, slots=True)
class Logout:
    """The agent is gone: what rings goes to others, who is spoken to is spoken to."""

    name: str = about(NAME)
    reason: str = about("shown in `agent.changed`", "")


async def on_logout(caller: Caller, command: Logout) -> dict[str, Any]:
    agent = found(caller, command.name)
    caller.engine.queues.desk.logout(agent.name, command.reason)
    return caller.engine.queues.desk.show_agent(agent.name)


@dataclass(frozen=True, slots=True)
class SetState:
    """A break, or its end; `available` also ends `not_answering`."""

    name: str = about(NAME)
    state: Literal["available", "break"] = about("from now on; a talk goes on to its end")
    reason: str = about("of the break: lunch, training …", "")


async def on_state(caller: Caller, command: SetState) -> dict[str, Any]:
    agent = found(caller, command.name)
    caller.engine.queues.desk.state(agent.name, command.state, command.reason[:64])
    return caller.engine.queues.desk.show_agent(agent.name)


@dataclass(frozen=True, slots=True)
class SetAgent:
    """Other skills or queues of an agent, until the configuration is read again."""

    name: str = about(NAME)
    skills: dict[str, int] | None = about("all of them, with levels 1 to 10", None)  # noqa: RUF009
    queues: tuple[str, ...] | None = about("all of them; their tiers stay as they are configured", None)


async def on_set(caller: Caller, command: SetAgent) -> dict[str, Any]:
    agent = found(caller, command.name)
    skills = None if command.skills is None else levels(command.skills)
    caller.engine.queues.desk.set_agent(agent.name, skills, command.queues)
    return caller.engine.queues.desk.show_agent(agent.name)


def _holder(caller: Caller, reservation: str) -> None:
    """RequestError unless this client may see who has the reservation."""
    if not caller.who.sees(caller.engine.queues.desk.agent_holding(reservation).tenant):
        raise RequestError("not_found", "no such reservation, or it is over", {"reservation": reservation})


@dataclass(frozen=True, slots=True)
class Accept:
    """The agent takes what it is offered. How its audio is opened then is its `connection`. Twice is once."""

    reservation: str = about("id, from `reservation.created`")


async def on_accept(caller: Caller, command: Accept) -> dict[str, Any]:
    _holder(caller, command.reservation)
    caller.engine.queues.desk.accept(command.reservation)
    return {"reservation": command.reservation}


@dataclass(frozen=True, slots=True)
class Refuse:
    """The agent does not take it: somebody else is asked. Twice is once."""

    reservation: str = about("id, from `reservation.created`")


async def on_refuse(caller: Caller, command: Refuse) -> dict[str, Any]:
    _holder(caller, command.reservation)
    caller.engine.queues.desk.refuse(command.reservation)
    return {"reservation": command.reservation}


@dataclass(frozen=True, slots=True)
class Finish:
    """The agent is done: with work that is no call, or with the wrap-up; or needs more time for that."""

    name: str = about(NAME)
    reservation: str | None = about("of work that is no call; left out: the wrap-up", None)
    extend: float = about("seconds more for the wrap-up, instead of its end", 0.0)


async def on_finish(caller: Caller, command: Finish) -> dict[str, Any]:
    agent = found(caller, command.name)
    if not 0 <= command.extend <= MOST_EXTENDED_S:
        raise RequestError("bad_params", f"extend: must be 0 to {MOST_EXTENDED_S:g}", {"fields": ["extend"]})
    caller.engine.queues.desk.finish(agent.name, command.reservation, command.extend)
    return caller.engine.queues.desk.show_agent(agent.name)


SUPERVISOR: Final = "number or user to ring: the supervisor, as in a call of the tenant"
STANDING_SUPERVISOR: Final = "of a supervisor who is there, as answered before"
MODE: Final = "hears both; is heard by the leg alone, too; by both; or is in the leg's place"


@dataclass(frozen=True, slots=True)
class Supervise:
    """Somebody else on the call of an agent: rings a number or user of the tenant, and brings it in when it answers.

    `take_over`: it speaks to who the agent spoke to, and the agent has left. With `call` instead of `to` a supervisor
    who is there goes on in another mode.
    """

    name: str = about(NAME)
    to: str | None = about(SUPERVISOR, None)
    call: str | None = about(STANDING_SUPERVISOR, None)
    mode: Mode = about(MODE, "monitor")  # noqa: RUF009


async def on_supervise(caller: Caller, command: Supervise) -> dict[str, Any]:
    agent, wanted = found(caller, command.name), wish_of(caller, command)
    call = caller.engine.queues.desk.supervise(agent.name, wanted, caller.who.name)
    return {"name": agent.name, "mode": command.mode, "call": call}


@dataclass(frozen=True, slots=True)
class SuperviseLeg:
    """The same for a leg of any answered call: its call is heard, it is whispered to, or another takes its place."""

    id: str = about("of the call")
    leg: str | None = about("id of the leg, `originating` or `connected`; left out: the connected one", None)
    to: str | None = about(SUPERVISOR, None)
    call: str | None = about(STANDING_SUPERVISOR, None)
    mode: Mode = about(MODE, "monitor")  # noqa: RUF009


async def on_supervise_leg(caller: Caller, command: SuperviseLeg) -> dict[str, Any]:
    watched, wanted = caller.call(command.id), wish_of(caller, command)
    call = watched.verbs.supervise(command.leg, wanted, caller.who.name)
    return {"id": watched.id, "mode": command.mode, "call": call}


def wish_of(caller: Caller, command: Supervise | SuperviseLeg) -> Wish:
    """Who is to supervise: a call that is named must be one that this client may see."""
    if command.call is not None:
        caller.call(command.call)
    return Wish(command.mode, command.to, command.call)
