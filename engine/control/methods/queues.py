"""Methods for queues, and for whatever waits in them."""

import time
from dataclasses import dataclass
from typing import Any, Final, Literal

from santral.engine import utc
from santral.engine.acd.counting import KEPT_S, QUEUE, TENANT
from santral.engine.acd.settings import QueueManner
from santral.engine.cdr.store import StoreError
from santral.engine.control.access import tenant_for
from santral.engine.control.caller import Caller
from santral.engine.control.methods.pages import DEFAULT_LIMIT, MAX_LIST, cut
from santral.engine.control.protocol import RequestError
from santral.engine.control.shapes import about

NAME: Final = "of the queue"
OPEN: Final = {"yes": True, "no": False, "hours": None}


def found(caller: Caller, name: str) -> QueueManner:
    """The queue of this name; RequestError when there is none, or it is another tenant's."""
    queue = caller.engine.queues.desk.queue(name)
    if not caller.who.sees(queue.tenant):
        raise RequestError("not_found", "no such queue", {"queue": name})
    return queue


@dataclass(frozen=True, slots=True)
class ListQueues:
    """Queues as they stand, by name: who waits, who is there, how long it will take."""

    limit: int = about(f"queues in one answer, 1 to {MAX_LIST}", DEFAULT_LIMIT)
    after: str | None = about("`next` of the answer before", None)
    tenant: str | None = about("only those of this tenant", None)


async def on_list(caller: Caller, command: ListQueues) -> dict[str, Any]:
    tenant, queues = tenant_for(caller.who, command.tenant), caller.engine.queues
    names = [one.name for one in queues.acd.queues.values() if tenant in {None, one.tenant}]
    chosen, following = cut(names, command.limit, command.after)
    return {"items": [queues.desk.show_queue(name) for name in chosen], "next": following}


@dataclass(frozen=True, slots=True)
class GetQueue:
    """One queue as it stands, with who waits in it, in order."""

    name: str = about(NAME)
    limit: int = about("people shown at most", DEFAULT_LIMIT)


async def on_get(caller: Caller, command: GetQueue) -> dict[str, Any]:
    found(caller, command.name)
    desk = caller.engine.queues.desk
    return desk.show_queue(command.name) | {"people": desk.show_waiting(command.name, max(0, command.limit))}


@dataclass(frozen=True, slots=True)
class Join:
    """Queue other work than calls: a chat, an e-mail, a task.

    Agents are offered it by `reservation.created`, accept it by `agent.accept`, are done with it by `agent.finish`.
    """

    queue: str = about(NAME)
    kind: str = about("of work: `chat`, `task` …, as in the agents' `capacity`")
    id: str | None = about("of the work; made by us if left out", None)
    priority: int = about("points", 0)
    skills: dict[str, int] | None = about("that the agent must have, with their least levels", None)  # noqa: RUF009
    number: str = about("whatever the agent is to know it by", "")


async def on_join(caller: Caller, command: Join) -> dict[str, Any]:
    found(caller, command.queue)
    work = {
        "id": command.id,
        "kind": command.kind,
        "priority": command.priority,
        "skills": levels(command.skills or {}),
        "number": command.number,
    }
    return caller.engine.queues.desk.join(command.queue, work)


def levels(skills: dict[str, int]) -> dict[str, int]:
    """Skills with levels 1 to 10; RequestError for others."""
    if any(not 1 <= level <= 10 for level in skills.values()):
        raise RequestError("bad_params", "skills: levels are 1 to 10", {"fields": ["skills"]})
    return skills


@dataclass(frozen=True, slots=True)
class Leave:
    """Somebody waits no more: a caller goes on to the next destination of its route, other work is given up."""

    work: str = about("id of the call, or of the work")


async def on_leave(caller: Caller, command: Leave) -> dict[str, Any]:
    desk = caller.engine.queues.desk
    tenant = desk.work_tenant(command.work)
    if tenant is None or not caller.who.sees(tenant):
        raise RequestError("not_found", "nobody waits under this id", {"work": command.work})
    desk.leave(command.work)
    return {"work": command.work}


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures of one queue, or of all queues and agents of a tenant.

    Sums reach back two days; intervals are kept in the database.
    """

    name: str | None = about(NAME, None)
    tenant: str | None = about("instead of a queue: all of this tenant", None)
    kind: str | None = about("with `name`: only work of this kind", None)
    since: str | None = about("intervals that began at or after this UTC time; left out: two days ago", None)
    until: str | None = about("intervals that began before this UTC time", None)
    intervals: bool = about("each quarter of an hour by itself, too", False)


async def on_stats(caller: Caller, command: Stats) -> dict[str, Any]:
    counting = caller.engine.queues.counting
    since, until = span(command.since, command.until)
    if command.name is None:
        tenant = caller.owner(command.tenant)
        queues, agents = counting.tenant(tenant, since, until)
        shown: dict[str, Any] = {"tenant": tenant, "queues": queues, "agents": agents}
        if command.intervals:
            shown["intervals"] = await stored(caller, TENANT, tenant, (since, until))
        return shown
    queue = found(caller, command.name)
    shown = {"name": queue.name, "tenant": queue.tenant, **counting.queue(queue.name, command.kind, since, until)}
    if command.intervals:
        shown["intervals"] = await stored(caller, QUEUE, queue.name, (since, until), command.kind)
    return shown


def span(since: str | None, until: str | None) -> tuple[float | None, float | None]:
    """Times as UTC seconds; RequestError for what is none."""
    try:
        return tuple(None if one is None else utc.parse(one) / 1000 for one in (since, until))  # type: ignore[return-value]
    except ValueError as problem:
        raise RequestError("bad_params", f"since, until: {problem}", {"fields": ["since", "until"]}) from None


async def stored(
    caller: Caller, kind: str, name: str, times: tuple[float | None, float | None], of: str | None = None
) -> list[dict[str, Any]]:
    now, (since, until) = time.time(), times
    try:
        return await caller.engine.queues.counting.intervals(
            kind, name, now - KEPT_S if since is None else since, now + 1 if until is None else until, of
        )
    except StoreError as problem:
        raise RequestError("unavailable", str(problem)) from None


@dataclass(frozen=True, slots=True)
class SetQueue:
    """Open or close a queue whatever its hours say, until it is set again or the engine starts anew."""

    name: str = about(NAME)
    open: Literal["yes", "no", "hours"] = about("`hours`: as its hours say")


async def on_set(caller: Caller, command: SetQueue) -> dict[str, Any]:
    found(caller, command.name)
    caller.engine.queues.force(command.name, OPEN[command.open])
    return caller.engine.queues.desk.show_queue(command.name)
