"""Every method of the control socket: one frozen dataclass, one function and one row of `COMMANDS` each.

`perform` is the only way in: it finds the row, checks the scope, then the parameters, and only then acts. What another
tenant owns looks as if it did not exist.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, Literal

from santral.engine import utc
from santral.engine.cdr.store import CdrFilter, StoreError
from santral.engine.control.access import Scope, require, tenant_for
from santral.engine.control.answers import Answers
from santral.engine.control.caller import Caller, Session
from santral.engine.control.methods import agents, audio, conferences, connecting, queues, recordings
from santral.engine.control.methods.pages import DEFAULT_LIMIT, MAX_LIST, check_limit, cut
from santral.engine.control.protocol import Request, RequestError
from santral.engine.control.shapes import Parameter, about, build, parameters
from santral.engine.events import SinceAheadError
from santral.engine.trace import pcap

MAX_GLOBS: Final = 32  # in one subscription


# engine.*


@dataclass(frozen=True, slots=True)
class Status:
    """Name, version, uptime, real listening addresses, limits and counts of this node."""


async def on_status(caller: Caller, _command: Status) -> dict[str, Any]:
    return caller.engine.status()


@dataclass(frozen=True, slots=True)
class Methods:
    """Every method with its parameters, their types and defaults, and the scope it needs."""


async def on_methods(_caller: Caller, _command: Methods) -> dict[str, Any]:
    return {"items": describe(), "next": None}


@dataclass(frozen=True, slots=True)
class Reload:
    """Read the configuration again. A wrong one changes nothing: error `invalid_configuration` lists what is wrong."""


async def on_reload(caller: Caller, _command: Reload) -> dict[str, Any]:
    return {"changes": await caller.engine.reload()}


@dataclass(frozen=True, slots=True)
class Drain:
    """Take no new calls; stop when the last call ends or `drain_timeout` has passed. Answers at once."""


async def on_drain(caller: Caller, _command: Drain) -> dict[str, Any]:
    caller.engine.drain()
    return {"draining": True, "calls": sum(1 for _ in caller.engine.calls())}


@dataclass(frozen=True, slots=True)
class Doctor:
    """Examine the machine: what is wrong, and how to mend it."""


async def on_doctor(caller: Caller, _command: Doctor) -> dict[str, Any]:
    return {"items": await caller.engine.doctor(), "next": None}


@dataclass(frozen=True, slots=True)
class Login:
    """Say who you are, by the name and secret of a `[[control.token]]`. The first request of every TCP connection."""

    name: str = about("name of the token")
    secret: str = about("its secret")


async def on_login(session: Session, command: Login) -> dict[str, Any]:
    who = await session.login(command.name, command.secret)
    return {"name": who.name, "tenant": who.tenant, "scopes": sorted(who.scopes)}


# call.*


@dataclass(frozen=True, slots=True)
class ListCalls:
    """Calls in progress, oldest first."""

    limit: int = about(f"calls in one answer, 1 to {MAX_LIST}", DEFAULT_LIMIT)
    after: str | None = about("`next` of the answer before", None)
    tenant: str | None = about("only calls of this tenant", None)


async def on_list_calls(caller: Caller, command: ListCalls) -> dict[str, Any]:
    tenant = tenant_for(caller.who, command.tenant)
    calls = {call.id: call for call in caller.engine.calls() if tenant in {None, call.tenant}}
    chosen, following = cut(calls, command.limit, command.after)
    return {"items": [calls[identifier].snapshot() for identifier in chosen], "next": following}


@dataclass(frozen=True, slots=True)
class GetCall:
    """One call in progress, with its legs and the ladder of its SIP messages (masked as by `call.trace`)."""

    id: str = about("of the call")


async def on_get_call(caller: Caller, command: GetCall) -> dict[str, Any]:
    shown = caller.call(command.id).snapshot()
    ladder = caller.engine.ladder(command.id)
    return {**shown, "ladder": [] if ladder is None else ladder.shown(hides=not caller.who.may_unmask)}


@dataclass(frozen=True, slots=True)
class TraceCall:
    """The SIP messages of a call in progress, or of one that ended lately: as a ladder, as text, or as a pcap file.

    Credentials, keys and digits are masked for everybody, names and numbers of callers who hide for all but `admin`
    without a tenant.
    `santral ctl` writes the pcap beside you.
    """

    id: str = about("of the call")
    format: Literal["ladder", "text", "pcap"] = about("first lines only, whole messages, or octets of a file", "ladder")


async def on_trace_call(caller: Caller, command: TraceCall) -> dict[str, Any]:
    ladder = caller.engine.ladder(command.id)
    if ladder is None or not caller.who.sees(ladder.tenant):
        raise RequestError("not_found", "no messages are kept of such a call", {"id": command.id})
    hides = not caller.who.may_unmask
    shown: dict[str, Any] = {"id": command.id, "messages": len(ladder), "dropped": ladder.dropped}
    if command.format == "pcap":
        return {**shown, "pcap": pcap(ladder.messages(hides=hides))}
    return {**shown, "items": ladder.shown(hides=hides, whole=command.format == "text"), "next": None}


@dataclass(frozen=True, slots=True)
class Hangup:
    """End a call: a caller not yet answered is told `status`, answered legs get BYE. The event `call.ended` follows."""

    id: str = about("of the call")
    status: int | None = about("SIP status 400 to 699 for a caller not yet answered; the usual one if left out", None)


async def on_hangup(caller: Caller, command: Hangup) -> dict[str, Any]:
    if command.status is not None and not 400 <= command.status <= 699:
        raise RequestError("bad_params", "status: must be 400 to 699", {"fields": ["status"]})
    caller.call(command.id).hang_up(command.status, caller.who.name)
    return {"id": command.id}


@dataclass(frozen=True, slots=True)
class TransferCall:
    """Connect one leg of an answered call elsewhere: to a number, or to a leg of another answered call, which ends.

    A number is dialled first, with the rights of the tenant; the leg that leaves is hung up when it answers, and stays
    if nobody does. Events: `call.transferred` or `call.transfer_failed`.
    """

    id: str = about("of the call, which goes on")
    to: str | None = about("number or user to dial, as in a call of the tenant; or else", None)
    other: str | None = about("id of the other call", None)
    keep: Literal["caller", "callee"] = about("which leg of this call goes on", "caller")
    take: Literal["caller", "callee"] = about("with `other`: which leg of that call it hears then", "callee")


async def on_transfer(caller: Caller, command: TransferCall) -> dict[str, Any]:
    if (command.to is None) == (command.other is None):
        raise RequestError("bad_params", "to, other: exactly one of them", {"fields": ["to", "other"]})
    call = caller.call(command.id)
    if command.to is not None:
        caller.engine.transfer(call.id, command.to, command.keep, caller.who.name)
    elif command.other is not None:
        connecting.join(caller, call.id, command.keep, command.other, command.take)
    return {"id": call.id}


@dataclass(frozen=True, slots=True)
class OriginateCall:
    """Call two numbers: the first is rung, and hears the second being called when it has answered.

    Both are found by the routes of the tenant and with its rights: abroad and premium only where `[[tenant]]` says so.
    """

    to: str = about("number or user to ring first")
    then: str = about("number or user to call when that has answered")
    tenant: str | None = about("whose call it is; that of the client if left out", None)
    caller: str = about("number shown to both: one of the tenant's; none if left out", "")
    custom: dict[str, str] | None = about("put on the call, its events and its record", None)  # noqa: RUF009


async def on_originate(caller: Caller, command: OriginateCall) -> dict[str, Any]:
    tenant = tenant_for(caller.who, command.tenant)
    if tenant is None:
        raise RequestError("bad_params", "tenant: whose call is it?", {"fields": ["tenant"]})
    numbers = (command.to, command.then)
    call = caller.engine.originate(tenant, numbers, command.caller, command.custom or {})
    return {"id": call.id}


# cdr.*, trunk.*


@dataclass(frozen=True, slots=True)
class ListCdrs:
    """Finished calls, newest first, each with its legs. All filters given must hold."""

    limit: int = about(f"records in one answer, 1 to {MAX_LIST}", DEFAULT_LIMIT)
    after: str | None = about("`next` of the answer before", None)
    id: str | None = about("of the call", None)
    tenant: str | None = about("name of the tenant", None)
    trunk: str | None = about("name of the trunk the call came in or left on", None)
    caller: str | None = about("the caller, as in the record", None)
    called: str | None = about("the called number, as in the record", None)
    cause: str | None = about("why it ended", None)
    linked: str | None = about("id shared by calls that belong together", None)
    since: str | None = about("started at or after this UTC time, as 2026-11-21T10:00:00Z", None)
    until: str | None = about("started before this UTC time", None)


async def on_list_cdrs(caller: Caller, command: ListCdrs) -> dict[str, Any]:
    check_limit(command.limit)
    wanted = CdrFilter(
        tenant=tenant_for(caller.who, command.tenant),
        id=command.id,
        caller=command.caller,
        called=command.called,
        trunk=command.trunk,
        cause=command.cause,
        linked=command.linked,
        since=moment("since", command.since),
        until=moment("until", command.until),
    )
    try:
        return await caller.engine.cdrs.page(command.limit, command.after, wanted)
    except StoreError as problem:
        raise RequestError("unavailable", str(problem)) from None


@dataclass(frozen=True, slots=True)
class ListTrunks:
    """Trunks with their state and the channels in use, by name."""

    limit: int = about(f"trunks in one answer, 1 to {MAX_LIST}", DEFAULT_LIMIT)
    after: str | None = about("`next` of the answer before", None)
    tenant: str | None = about("only trunks of this tenant, and shared ones", None)


async def on_list_trunks(caller: Caller, command: ListTrunks) -> dict[str, Any]:
    tenant = tenant_for(caller.who, command.tenant)
    trunks = {
        each["name"]: each for each in caller.engine.trunks() if tenant in {None, each["tenant"]} or each["shared"]
    }
    chosen, following = cut(trunks, command.limit, command.after)
    return {"items": [trunks[name] for name in chosen], "next": following}


@dataclass(frozen=True, slots=True)
class GetTrunk:
    """One trunk with the state of its targets and of our registration."""

    name: str = about("of the trunk")


async def on_get_trunk(caller: Caller, command: GetTrunk) -> dict[str, Any]:
    for each in caller.engine.trunks():
        if each["name"] == command.name and (caller.who.sees(each["tenant"]) or each["shared"]):
            return each
    raise RequestError("not_found", "no such trunk", {"name": command.name})


# user.*, security.*


@dataclass(frozen=True, slots=True)
class ListUsers:
    """Users with their registered contacts and the channels in use, by address."""

    limit: int = about(f"users in one answer, 1 to {MAX_LIST}", DEFAULT_LIMIT)
    after: str | None = about("`next` of the answer before", None)
    tenant: str | None = about("only users of this tenant", None)


async def on_list_users(caller: Caller, command: ListUsers) -> dict[str, Any]:
    tenant = tenant_for(caller.who, command.tenant)
    users = {each["address"]: each for each in caller.engine.users() if tenant in {None, each["tenant"]}}
    chosen, following = cut(users, command.limit, command.after)
    return {"items": [users[name] for name in chosen], "next": following}


@dataclass(frozen=True, slots=True)
class ListBans:
    """Addresses that failed to prove who they are too often, and how long they are not listened to yet."""


async def on_list_bans(caller: Caller, _command: ListBans) -> dict[str, Any]:
    return {"items": caller.engine.bans(), "next": None}


@dataclass(frozen=True, slots=True)
class Forgive:
    """Listen to an address again at once, and forget its failures and earlier bans."""

    address: str = about("IP address, as `security.bans` shows it")


async def on_forgive(caller: Caller, command: Forgive) -> dict[str, Any]:
    return {"address": command.address, "forgiven": caller.engine.forgive(command.address)}


# events.*


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Follow events as notifications on this connection, instead of any followed before.

    With `since`, what is kept after that number comes first; what is not kept any more is announced by `events.gap`.
    """

    since: int | None = about("number of the last event seen; 0 for everything kept; left out: from now on", None)
    types: tuple[str, ...] = about("only types that match one of these, as `call.*`", ("*",))


async def on_subscribe(caller: Caller, command: Subscribe) -> dict[str, Any]:
    if command.since is not None and command.since < 0:
        raise RequestError("bad_params", "since: must be 0 or more", {"fields": ["since"]})
    if not 0 < len(command.types) <= MAX_GLOBS:
        raise RequestError("bad_params", f"types: must be 1 to {MAX_GLOBS} texts", {"fields": ["types"]})
    events = caller.engine.events
    try:
        subscription = events.subscribe(since=command.since, types=command.types, tenant=caller.who.tenant)
    except SinceAheadError as problem:
        raise RequestError("since_ahead", str(problem), {"last": problem.last}) from None
    caller.session.follow(subscription)
    return {"last": events.last}


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Follow events no more; those on their way may still come."""


async def on_unsubscribe(caller: Caller, _command: Unsubscribe) -> dict[str, Any]:
    return {"followed": caller.session.unfollow()}


@dataclass(frozen=True, slots=True)
class Verb:
    """One row: the shape of a request, what it does, and the scope it needs (None: not even a login).

    `changes` says that doing it twice is not the same as doing it once, so that a request's `key` is remembered.
    `waits`: its answer may take long; other requests of the connection are answered meanwhile.
    """

    shape: type[Any]
    act: Callable[[Any, Any], Awaitable[dict[str, Any]]]
    scope: Scope | None
    changes: bool
    known: tuple[Parameter, ...]
    waits: bool = False


def verb(
    shape: type[Any],
    act: Callable[[Any, Any], Awaitable[dict[str, Any]]],
    scope: Scope | None,
    *,
    changes: bool,
    waits: bool = False,
) -> Verb:
    """Make a row; TypeError at import when a parameter has a type that cannot be checked."""
    return Verb(shape, act, scope, changes, parameters(shape), waits)


COMMANDS: Final[Mapping[str, Verb]] = {
    "engine.status": verb(Status, on_status, "read", changes=False),
    "engine.methods": verb(Methods, on_methods, "read", changes=False),
    "engine.reload": verb(Reload, on_reload, "admin", changes=True),
    "engine.drain": verb(Drain, on_drain, "admin", changes=True),
    "engine.doctor": verb(Doctor, on_doctor, "admin", changes=False),
    "engine.login": verb(Login, on_login, None, changes=False),
    "call.list": verb(ListCalls, on_list_calls, "read", changes=False),
    "call.get": verb(GetCall, on_get_call, "read", changes=False),
    "call.trace": verb(TraceCall, on_trace_call, "calls", changes=False),
    "call.hangup": verb(Hangup, on_hangup, "calls", changes=True),
    "call.ring": verb(connecting.Ring, connecting.on_ring, "calls", changes=True),
    "call.answer": verb(connecting.Answer, connecting.on_answer, "calls", changes=True),
    "call.reject": verb(connecting.Reject, connecting.on_reject, "calls", changes=True),
    "call.hold": verb(connecting.Hold, connecting.on_hold, "calls", changes=True),
    "call.resume": verb(connecting.Resume, connecting.on_resume, "calls", changes=True),
    "call.bridge": verb(connecting.BridgeLegs, connecting.on_bridge, "calls", changes=True),
    "call.unbridge": verb(connecting.Unbridge, connecting.on_unbridge, "calls", changes=True),
    "call.play": verb(audio.Play, audio.on_play, "calls", changes=True),
    "call.stop": verb(audio.Stop, audio.on_stop, "calls", changes=True),
    "call.collect": verb(audio.Collect, audio.on_collect, "calls", changes=True, waits=True),
    "call.send_dtmf": verb(audio.SendDtmf, audio.on_send_dtmf, "calls", changes=True),
    "call.detect": verb(audio.Detect, audio.on_detect, "calls", changes=True),
    "call.mute": verb(audio.Mute, audio.on_mute, "calls", changes=True),
    "call.unmute": verb(audio.Unmute, audio.on_unmute, "calls", changes=True),
    "call.supervise": verb(agents.SuperviseLeg, agents.on_supervise_leg, "calls", changes=True),
    "call.transfer": verb(TransferCall, on_transfer, "calls", changes=True),
    "call.originate": verb(OriginateCall, on_originate, "calls", changes=True),
    "conference.list": verb(conferences.ListConferences, conferences.on_list, "read", changes=False),
    "conference.create": verb(conferences.Create, conferences.on_create, "calls", changes=True),
    "conference.join": verb(conferences.Join, conferences.on_join, "calls", changes=True),
    "conference.leave": verb(conferences.Leave, conferences.on_leave, "calls", changes=True),
    "conference.kick": verb(conferences.Kick, conferences.on_kick, "calls", changes=True),
    "conference.change": verb(conferences.Change, conferences.on_change, "calls", changes=True),
    "conference.mute": verb(conferences.MuteMember, conferences.on_mute, "calls", changes=True),
    "conference.unmute": verb(conferences.UnmuteMember, conferences.on_unmute, "calls", changes=True),
    "conference.lock": verb(conferences.Lock, conferences.on_lock, "calls", changes=True),
    "conference.end": verb(conferences.End, conferences.on_end, "calls", changes=True),
    "recording.start": verb(recordings.Start, recordings.on_start, "calls", changes=True),
    "recording.stop": verb(recordings.Stop, recordings.on_stop, "calls", changes=True),
    "recording.pause": verb(recordings.Pause, recordings.on_pause, "calls", changes=True),
    "recording.resume": verb(recordings.Resume, recordings.on_resume, "calls", changes=True),
    "recording.mask": verb(recordings.Mask, recordings.on_mask, "calls", changes=True),
    "recording.unmask": verb(recordings.Unmask, recordings.on_unmask, "calls", changes=True),
    "recording.list": verb(recordings.ListRecordings, recordings.on_list, "read", changes=False),
    "recording.get": verb(recordings.GetRecording, recordings.on_get, "read", changes=False),
    "recording.read": verb(recordings.ReadRecording, recordings.on_read, "calls", changes=False, waits=True),
    "recording.export": verb(recordings.ExportRecording, recordings.on_export, "calls", changes=False),
    "recording.delete": verb(recordings.DeleteRecording, recordings.on_delete, "admin", changes=True, waits=True),
    "recording.hold": verb(recordings.HoldRecording, recordings.on_hold, "admin", changes=True, waits=True),
    "recording.release": verb(recordings.ReleaseRecording, recordings.on_release, "admin", changes=True, waits=True),
    "recording.rewrap": verb(recordings.RewrapRecordings, recordings.on_rewrap, "admin", changes=True, waits=True),
    "usage.get": verb(recordings.GetUsage, recordings.on_usage, "read", changes=False),
    "queue.list": verb(queues.ListQueues, queues.on_list, "read", changes=False),
    "queue.get": verb(queues.GetQueue, queues.on_get, "read", changes=False),
    "queue.join": verb(queues.Join, queues.on_join, "calls", changes=True),
    "queue.leave": verb(queues.Leave, queues.on_leave, "calls", changes=True),
    "queue.stats": verb(queues.Stats, queues.on_stats, "read", changes=False),
    "queue.set": verb(queues.SetQueue, queues.on_set, "calls", changes=True),
    "agent.list": verb(agents.ListAgents, agents.on_list, "read", changes=False),
    "agent.get": verb(agents.GetAgent, agents.on_get, "read", changes=False),
    "agent.login": verb(agents.Login, agents.on_login, "calls", changes=True),
    "agent.logout": verb(agents.Logout, agents.on_logout, "calls", changes=True),
    "agent.state": verb(agents.SetState, agents.on_state, "calls", changes=True),
    "agent.set": verb(agents.SetAgent, agents.on_set, "calls", changes=True),
    "agent.accept": verb(agents.Accept, agents.on_accept, "calls", changes=True),
    "agent.refuse": verb(agents.Refuse, agents.on_refuse, "calls", changes=True),
    "agent.supervise": verb(agents.Supervise, agents.on_supervise, "calls", changes=True),
    "agent.finish": verb(agents.Finish, agents.on_finish, "calls", changes=True),
    "cdr.list": verb(ListCdrs, on_list_cdrs, "read", changes=False),
    "trunk.list": verb(ListTrunks, on_list_trunks, "read", changes=False),
    "trunk.get": verb(GetTrunk, on_get_trunk, "read", changes=False),
    "user.list": verb(ListUsers, on_list_users, "read", changes=False),
    "security.bans": verb(ListBans, on_list_bans, "admin", changes=False),
    "security.forgive": verb(Forgive, on_forgive, "admin", changes=True),
    "events.subscribe": verb(Subscribe, on_subscribe, "events", changes=False),
    "events.unsubscribe": verb(Unsubscribe, on_unsubscribe, "events", changes=False),
}


async def perform(session: Session, answers: Answers, request: Request) -> dict[str, Any]:
    """Do what a request asks and return its result; RequestError is the answer to everything that is refused."""
    row = COMMANDS.get(request.method)
    if row is None:
        require(session.who, None if session.who else "read")  # strangers learn no names of methods
        raise RequestError("unknown_method", f"no method {request.method}; see engine.methods")
    require(session.who, row.scope)
    params = {name: value for name, value in request.params.items() if name != "key"}
    command = build(row.shape, row.known, params)
    who = session.who
    if who is None or row.scope is None:
        return await row.act(session, command)
    caller = Caller(session, who)
    if not row.changes or "key" not in request.params:
        return await row.act(caller, command)
    if getattr(command, "secure", False):
        raise RequestError("bad_params", "key: an answer with secure digits is not kept", {"fields": ["key"]})
    result: dict[str, Any] = await answers.once(
        who, request.params["key"], request.method, params, lambda: row.act(caller, command)
    )
    return result


def may_wait(method: str) -> bool:
    """Whether the answer to this method may take long."""
    row = COMMANDS.get(method)
    return row is not None and row.waits


def describe() -> list[dict[str, Any]]:
    """Describe every method from the table that dispatches them."""
    return [
        {
            "name": name,
            "about": " ".join((row.shape.__doc__ or "").split()),
            "scope": row.scope,
            "key": row.changes,
            "params": [each.as_map() for each in row.known],
        }
        for name, row in sorted(COMMANDS.items(), key=itemgetter(0))
    ]


def moment(name: str, value: str | None) -> int | None:
    """Read a time parameter as UTC milliseconds."""
    try:
        return None if value is None else utc.parse(value)
    except ValueError as problem:
        raise RequestError("bad_params", f"{name}: {problem}", {"fields": [name]}) from None
