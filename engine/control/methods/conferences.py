"""Methods for conferences."""

from dataclasses import dataclass
from typing import Any

from santral.engine.conferences import Conference
from santral.engine.control.caller import Caller
from santral.engine.control.methods.audio import wrong
from santral.engine.control.protocol import RequestError
from santral.engine.control.shapes import about

TENANT = "whose it is; may be left out by clients of one tenant"


def found(caller: Caller, name: str, tenant: str | None) -> Conference:
    """The conference of this name; RequestError when there is none."""
    conference = caller.engine.conferences.find(caller.owner(tenant), name)
    if conference is None:
        raise RequestError("not_found", "no such conference", {"name": name})
    return conference


@dataclass(frozen=True, slots=True)
class ListConferences:
    """Conferences with their members, by name."""

    tenant: str | None = about("only those of this tenant", None)


async def on_list(caller: Caller, command: ListConferences) -> dict[str, Any]:
    if command.tenant is not None:
        caller.owner(command.tenant)
    wanted = caller.who.tenant or command.tenant
    shown = [one.shown() for one in caller.engine.conferences if wanted in {None, one.tenant}]
    return {"items": sorted(shown, key=lambda one: (one["tenant"], one["name"])), "next": None}


@dataclass(frozen=True, slots=True)
class Create:
    """Open a conference before anybody is in it; it ends by `conference.end`, or with its last member."""

    name: str = about("of the conference")
    tenant: str | None = about(TENANT, None)


async def on_create(caller: Caller, command: Create) -> dict[str, Any]:
    if not 0 < len(command.name) <= 64:
        raise wrong("name", "must be 1 to 64 characters")
    return await caller.engine.open_conference(caller.owner(command.tenant), command.name)


@dataclass(frozen=True, slots=True)
class Join:
    """Everybody in an answered call takes part in a conference of its tenant; one of a new name is opened."""

    name: str = about("of the conference")
    call: str = about("id of the call")
    muted: bool | None = about("heard only after `conference.unmute`; left out: as the conference has it", None)


async def on_join(caller: Caller, command: Join) -> dict[str, Any]:
    if not 0 < len(command.name) <= 64:
        raise wrong("name", "must be 1 to 64 characters")
    await caller.call(command.call).verbs.join(command.name, muted=command.muted)
    return {"name": command.name, "call": command.call}


@dataclass(frozen=True, slots=True)
class Leave:
    """A call leaves the conference it is in: two legs hear each other again, one waits."""

    call: str = about("id of the call")


async def on_leave(caller: Caller, command: Leave) -> dict[str, Any]:
    return {"name": caller.call(command.call).verbs.leave("left")}


@dataclass(frozen=True, slots=True)
class Kick:
    """Put a call out of the conference it is in, and hang it up."""

    call: str = about("id of the call")


async def on_kick(caller: Caller, command: Kick) -> dict[str, Any]:
    call = caller.call(command.call)
    name = call.verbs.leave("kicked")
    call.hang_up(None, caller.who.name)
    return {"name": name}


@dataclass(frozen=True, slots=True)
class MuteMember:
    """What a call's legs say is not heard in their conference from now on."""

    call: str = about("id of the call")
    leg: str | None = about("id of a leg, `originating` or `connected`; all if left out", None)


async def on_mute(caller: Caller, command: MuteMember) -> dict[str, Any]:
    return {"legs": caller.call(command.call).verbs.mute_member(command.leg, on=True)}


@dataclass(frozen=True, slots=True)
class UnmuteMember:
    """What a call's legs say is heard in their conference again."""

    call: str = about("id of the call")
    leg: str | None = about("id of a leg, `originating` or `connected`; all if left out", None)


async def on_unmute(caller: Caller, command: UnmuteMember) -> dict[str, Any]:
    return {"legs": caller.call(command.call).verbs.mute_member(command.leg, on=False)}


@dataclass(frozen=True, slots=True)
class Lock:
    """Nobody else may join, or everybody may again. Who is in stays."""

    name: str = about("of the conference")
    locked: bool = about("false: everybody may join again", True)
    tenant: str | None = about(TENANT, None)


async def on_lock(caller: Caller, command: Lock) -> dict[str, Any]:
    conference = found(caller, command.name, command.tenant)
    conference.locked = command.locked
    return conference.shown()


@dataclass(frozen=True, slots=True)
class End:
    """End a conference and hang up every call in it."""

    name: str = about("of the conference")
    tenant: str | None = about(TENANT, None)


async def on_end(caller: Caller, command: End) -> dict[str, Any]:
    conference = found(caller, command.name, command.tenant)
    calls = {one.call.id: one.call for one in conference.members.values()}
    for call in calls.values():
        call.verbs.leave("ended")
        call.hang_up(None, caller.who.name)
    caller.engine.conferences.close(conference)
    return {"name": command.name, "calls": list(calls)}
