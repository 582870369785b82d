"""Methods for conferences."""

from dataclasses import dataclass
from typing import Any, Final

from santral.engine.conferences import Conference, Manners
from santral.engine.control.access import tenant_for
from santral.engine.control.caller import Caller
from santral.engine.control.methods.audio import wrong
from santral.engine.control.methods.pages import DEFAULT_LIMIT, MAX_LIST, cut
from santral.engine.control.protocol import RequestError
from santral.engine.control.shapes import about
from santral.engine.media.room import GAIN_DB

MEMBERS: Final = "id of a leg, `originating` or `connected`; all if left out"
TENANT: Final = "whose it is; may be left out by clients of one tenant"


def found(caller: Caller, name: str, tenant: str | None) -> Conference:
    """The conference of this name; RequestError when there is none."""
    conference = caller.engine.conferences.find(caller.owner(tenant), name)
    if conference is None:
        raise RequestError("not_found", "no such conference", {"name": name})
    return conference


@dataclass(frozen=True, slots=True)
class ListConferences:
    """Conferences with their members, by tenant and name."""

    limit: int = about(f"conferences in one answer, 1 to {MAX_LIST}", DEFAULT_LIMIT)
    after: str | None = about("`next` of the answer before", None)
    tenant: str | None = about("only those of this tenant", None)


async def on_list(caller: Caller, command: ListConferences) -> dict[str, Any]:
    tenant = tenant_for(caller.who, command.tenant)
    rooms = {f"{one.tenant}/{one.name}": one for one in caller.engine.conferences if tenant in {None, one.tenant}}
    chosen, following = cut(rooms, command.limit, command.after)
    return {"items": [rooms[key].shown() for key in chosen], "next": following}


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
    """Everybody in an answered call takes part in a conference of its tenant; one of a new name is opened.

    What is left out is as the conference has it. A supervisor who only listens joins with `monitor`, one who coaches
    with `whisper_to`.
    """

    name: str = about("of the conference")
    call: str = about("id of the call")
    muted: bool | None = about("heard only after `conference.unmute`", None)
    deaf: bool | None = about("hears silence", None)
    monitor: bool | None = about("hears all and is heard by nobody", None)
    gain_db: float | None = about(f"what it says louder or softer, {GAIN_DB[0]:g} to {GAIN_DB[1]:g}", None)
    agc: bool | None = about("bring what it says to one loudness", None)
    whisper_to: str | None = about("id of a leg in the conference that alone hears it", None)


async def on_join(caller: Caller, command: Join) -> dict[str, Any]:
    if not 0 < len(command.name) <= 64:
        raise wrong("name", "must be 1 to 64 characters")
    await caller.call(command.call).verbs.join(command.name, wish_of(command))
    return {"name": command.name, "call": command.call}


@dataclass(frozen=True, slots=True)
class Change:
    """A call's legs take part in their conference in another manner from now on; what is left out stays.

    `conference.changed` follows. Who whispers to somebody who has left is heard by nobody until this is asked again.
    """

    call: str = about("id of the call")
    leg: str | None = about(MEMBERS, None)
    muted: bool | None = about("not heard", None)
    deaf: bool | None = about("hears silence", None)
    monitor: bool | None = about("hears all and is heard by nobody", None)
    gain_db: float | None = about(f"what it says louder or softer, {GAIN_DB[0]:g} to {GAIN_DB[1]:g}", None)
    agc: bool | None = about("bring what it says to one loudness", None)
    whisper_to: str | None = about('id of a leg in the conference that alone hears it; "": everybody again', None)


async def on_change(caller: Caller, command: Change) -> dict[str, Any]:
    wish = wish_of(command)
    if wish == Manners():
        raise RequestError("bad_params", "nothing to change", {"fields": []})
    return {"legs": caller.call(command.call).verbs.change_member(command.leg, wish)}


def wish_of(command: Join | Change) -> Manners:
    """The manner a request asks for; RequestError when it cannot be."""
    gain = command.gain_db
    if gain is not None and not GAIN_DB[0] <= gain <= GAIN_DB[1]:
        raise wrong("gain_db", f"must be {GAIN_DB[0]:g} to {GAIN_DB[1]:g}")
    return Manners(command.muted, command.deaf, command.monitor, gain, command.agc, command.whisper_to)


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
    leg: str | None = about(MEMBERS, None)


async def on_mute(caller: Caller, command: MuteMember) -> dict[str, Any]:
    return {"legs": caller.call(command.call).verbs.change_member(command.leg, Manners(muted=True))}


@dataclass(frozen=True, slots=True)
class UnmuteMember:
    """What a call's legs say is heard in their conference again."""

    call: str = about("id of the call")
    leg: str | None = about(MEMBERS, None)


async def on_unmute(caller: Caller, command: UnmuteMember) -> dict[str, Any]:
    return {"legs": caller.call(command.call).verbs.change_member(command.leg, Manners(muted=False))}


@dataclass(frozen=True, slots=True)
class Lock:
    """Nobody else may join, or everybody may again. Who is in stays."""

    name: str = about("of the conference")
    locked: bool = about("false: everybody may join again", True)
    tenant: str | None = about(TENANT, None)


async def on_lock(caller: Caller, command: Lock) -> dict[str, Any]:
    conference = found(caller, command.name, command.tenant)
    if conference.overhears and not command.locked:
        raise RequestError("bad_state", "calls are listened to there: it stays locked", {"name": command.name})
    conference.locked = command.locked
    return conference.shown()


@dataclass(frozen=True, slots=True)
class End:
    """End a conference and hang up every call in it; calls that are only listened to there go on."""

    name: str = about("of the conference")
    tenant: str | None = about(TENANT, None)


async def on_end(caller: Caller, command: End) -> dict[str, Any]:
    conference = found(caller, command.name, command.tenant)
    calls = {one.call.id: one.call for one in conference.members.values() if not one.is_overheard}
    for call in calls.values():
        call.verbs.leave("ended")
        call.hang_up(None, caller.who.name)
    caller.engine.conferences.close(conference)
    return {"name": command.name, "calls": list(calls)}
