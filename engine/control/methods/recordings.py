"""Methods for recordings, and for what is billed of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from santral.engine import utc
from santral.engine.cdr import recordings as rows
from santral.engine.cdr.recordings import DAY_MS, RecordingFilter
from santral.engine.cdr.store import MAX_LIST, StoreError
from santral.engine.control.access import tenant_for
from santral.engine.control.caller import Caller
from santral.engine.control.methods.audio import wrong
from santral.engine.control.methods.conferences import found
from santral.engine.control.protocol import RequestError
from santral.engine.control.shapes import about
from santral.engine.recordings.policy import Demander
from santral.engine.recordings.recording import Recording
from santral.engine.recordings.serving.files import AUDIO, NotThereError, base_name

ID: Final = "of the recording"
MAX_READ: Final = 128 * 1024  # octets of one answer
MAX_CUSTOM: Final = 32
LONGEST_MS: Final = 400 * DAY_MS  # of one `usage.get`


def running(caller: Caller, identifier: str) -> Recording:
    """A recording under way that this client may see."""
    one = caller.engine.studio.recordings.active.get(identifier)
    if one is None or not caller.who.sees(one.wish.tenant):
        raise RequestError("not_found", "no such recording is under way", {"id": identifier})
    return one


async def known(caller: Caller, identifier: str) -> dict[str, Any]:
    """What the index has of a recording that this client may see."""
    try:
        row = await caller.engine.cdrs.ask(lambda engine: rows.find(engine, identifier))
    except StoreError as problem:
        raise RequestError("unavailable", str(problem)) from None
    if row is None or not caller.who.sees(str(row["tenant"])):
        raise RequestError("not_found", "no such recording", {"id": identifier})
    return row


def as_it_stands(caller: Caller, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row, and how the recording stands if it is under way."""
    one = caller.engine.studio.recordings.active.get(str(row["id"]))
    return dict(row) if one is None else {**row, **caller.engine.studio.recordings.shown(one)}


@dataclass(frozen=True, slots=True)
class Start:
    """Record a call or a conference from now on. `recording.started` tells of it; the rest of the call belongs to it,
    whoever comes and goes.
    """

    call: str | None = about("id of the call; or else", None)
    conference: str | None = about("name of the conference", None)
    tenant: str | None = about("with `conference`: whose it is; may be left out by clients of one tenant", None)
    channels: Literal["mono", "stereo"] | None = about("left out: as configured; a conference is always mono", None)
    custom: dict[str, str] | None = about("written into the file", None)  # noqa: RUF009
    beside: bool = about("a call that is recorded already is recorded once more, apart from that", False)


async def on_start(caller: Caller, command: Start) -> dict[str, Any]:
    if (command.call is None) == (command.conference is None):
        raise RequestError("bad_params", "call, conference: exactly one of them", {"fields": ["call", "conference"]})
    custom = command.custom or {}
    if len(custom) > MAX_CUSTOM:
        raise wrong("custom", f"must be at most {MAX_CUSTOM} texts")
    if command.call is not None:
        return {"id": caller.call(command.call).verbs.record(command.channels, custom, beside=command.beside).id}
    conference = found(caller, command.conference or "", command.tenant)
    manner = caller.engine.studio.manner_of(conference.tenant)
    return {"id": caller.engine.studio.recordings.start_conference(conference, manner, custom).id}


@dataclass(frozen=True, slots=True)
class Stop:
    """End a recording; the call goes on, and is not recorded again by itself. `recording.ready` follows."""

    id: str = about(ID)


async def on_stop(caller: Caller, command: Stop) -> dict[str, Any]:
    caller.engine.studio.recordings.stop(running(caller, command.id))
    return {"id": command.id}


@dataclass(frozen=True, slots=True)
class Pause:
    """Record nothing for now. Pausing again changes the mode."""

    id: str = about(ID)
    mode: Literal["silence", "skip"] = about("keep the time, as silence, or leave it out", "silence")


async def on_pause(caller: Caller, command: Pause) -> dict[str, Any]:
    caller.engine.studio.recordings.pause(running(caller, command.id), command.mode)
    return {"id": command.id}


@dataclass(frozen=True, slots=True)
class Resume:
    """Record again."""

    id: str = about(ID)


async def on_resume(caller: Caller, command: Resume) -> dict[str, Any]:
    caller.engine.studio.recordings.resume(running(caller, command.id))
    return {"id": command.id}


@dataclass(frozen=True, slots=True)
class Mask:
    """What is said and pressed from now on is silence in recordings of the call, and its digits reach nobody.

    Given a call, it holds whether the call is recorded or not; given a recording of a conference, for that one alone.
    """

    id: str | None = about("of a recording; or else", None)
    call: str | None = about("id of the call", None)


@dataclass(frozen=True, slots=True)
class Unmask:
    """What is said and pressed is recorded and told again."""

    id: str | None = about("of a recording; or else", None)
    call: str | None = about("id of the call", None)


def masked(caller: Caller, command: Mask | Unmask, *, on: bool) -> dict[str, Any]:
    if (command.id is None) == (command.call is None):
        raise RequestError("bad_params", "id, call: exactly one of them", {"fields": ["id", "call"]})
    identifier = command.call
    if command.id is not None:
        one = running(caller, command.id)
        if one.call is None:
            caller.engine.studio.recordings.mask_conference(one, on=on)
            return {"id": one.id, "call": None}
        identifier = one.call
    call = caller.call(str(identifier))
    call.verbs.mask(on=on)
    return {"id": command.id, "call": call.id}


async def on_mask(caller: Caller, command: Mask) -> dict[str, Any]:
    return masked(caller, command, on=True)


async def on_unmask(caller: Caller, command: Unmask) -> dict[str, Any]:
    return masked(caller, command, on=False)


@dataclass(frozen=True, slots=True)
class ListRecordings:
    """Recordings, newest first, those under way among them. All filters given must hold."""

    limit: int = about(f"recordings in one answer, 1 to {MAX_LIST}", 100)
    after: str | None = about("`next` of the answer before", None)
    tenant: str | None = about("name of the tenant", None)
    call: str | None = about("id of the call", None)
    conference: str | None = about("name of the conference", None)
    queue: str | None = about("name of the queue their calls waited in", None)
    by: Demander | None = about("by whose word; `message`: left by callers", None)  # noqa: RUF009
    party: str | None = about("a number or name of anybody who is heard", None)
    state: Literal["recording", "processing", "ready", "failed", "erased"] | None = about("how it stands", None)
    since: str | None = about("started at or after this UTC time, as 2026-11-21T10:00:00Z", None)
    until: str | None = about("started before this UTC time", None)


async def on_list(caller: Caller, command: ListRecordings) -> dict[str, Any]:
    if not 1 <= command.limit <= MAX_LIST:
        raise wrong("limit", f"must be 1 to {MAX_LIST}")
    wanted = RecordingFilter(
        tenant=tenant_for(caller.who, command.tenant),
        call=command.call,
        conference=command.conference,
        queue=command.queue,
        demanded_by=command.by,
        party=command.party,
        state=command.state,
        since=moment("since", command.since),
        until=moment("until", command.until),
    )
    try:
        page = await caller.engine.cdrs.ask(lambda engine: rows.page(engine, command.limit, command.after, wanted))
    except StoreError as problem:
        raise RequestError("unavailable", str(problem)) from None
    return {"items": [as_it_stands(caller, row) for row in page["items"]], "next": page["next"]}


@dataclass(frozen=True, slots=True)
class GetRecording:
    """One recording: whose, of which call, from when to when, its files with their SHA-256."""

    id: str = about(ID)


async def on_get(caller: Caller, command: GetRecording) -> dict[str, Any]:
    return as_it_stands(caller, await known(caller, command.id))


@dataclass(frozen=True, slots=True)
class ReadRecording:
    """Octets of a file of a recording, also while its call runs (`growing`: more will come, some seconds behind what is
    said).
    """

    id: str = about(ID)
    file: str = about("`audio`, another kind (`peaks`, `picture`, `details`) or the name of a file", AUDIO)
    offset: int = about("where to begin", 0)
    length: int = about(f"octets, 1 to {MAX_READ}", MAX_READ)


async def on_read(caller: Caller, command: ReadRecording) -> dict[str, Any]:
    if command.offset < 0 or not 1 <= command.length <= MAX_READ:
        raise wrong("offset", f"must be 0 or more, and length 1 to {MAX_READ}")
    row = await known(caller, command.id)
    try:
        file = await caller.engine.studio.files.open(row, command.file)
        try:
            data = await file.read(command.offset, command.length)
        finally:
            await file.close()
    except NotThereError as problem:
        code = "unavailable" if problem.why in {"not_yet", "busy"} else "not_found"
        raise RequestError(code, f"the file is not there: {problem.why}", {"why": problem.why}) from None
    except OSError as problem:
        raise RequestError("unavailable", f"the store does not give it: {problem}") from None
    return {
        "id": command.id,
        file.format: data,
        "offset": command.offset,
        "size": file.size,
        "growing": file.is_growing,
    }


@dataclass(frozen=True, slots=True)
class ExportRecording:
    """Signed URLs of the files of a recording: whoever has one may fetch that file until it expires."""

    id: str = about(ID)


async def on_export(caller: Caller, command: ExportRecording) -> dict[str, Any]:
    row = await known(caller, command.id)
    signer = caller.engine.studio.signer
    if signer is None:
        raise RequestError("unavailable", "recording.listen is not configured: nothing is served by HTTP")
    now_ms = utc.now_ms()
    names = [(base_name(one), one["kind"]) for one in row["files"]] if row["state"] == "ready" else [(AUDIO, AUDIO)]
    urls = [{"file": name, "kind": kind, "url": signer.url(command.id, name, now_ms // 1000)} for name, kind in names]
    until = utc.text_of(now_ms // 1000 * 1000 + signer.ttl_s * 1000)
    return {"id": command.id, "state": row["state"], "files": urls, "expires": until}


@dataclass(frozen=True, slots=True)
class DeleteRecording:
    """Erase a recording for good: its files and their key; what the ledger says of it stays. Not while it is held."""

    id: str = about(ID)
    reason: str = about("told in the ledger", "request")


@dataclass(frozen=True, slots=True)
class HoldRecording:
    """Keep a recording whatever retention and `recording.delete` say (legal hold)."""

    id: str = about(ID)
    reason: str = about("told in the ledger", "")


@dataclass(frozen=True, slots=True)
class ReleaseRecording:
    """A recording is held no longer."""

    id: str = about(ID)
    reason: str = about("told in the ledger", "")


async def ordered(
    caller: Caller, what: str, command: DeleteRecording | HoldRecording | ReleaseRecording
) -> dict[str, Any]:
    row = await known(caller, command.id)
    report = await caller.engine.studio.archive.order(what, row, caller.who.name, command.reason)
    return {"id": command.id, "entry": report.get("entry")}


async def on_delete(caller: Caller, command: DeleteRecording) -> dict[str, Any]:
    return await ordered(caller, "erase", command)


async def on_hold(caller: Caller, command: HoldRecording) -> dict[str, Any]:
    return await ordered(caller, "hold", command)


async def on_release(caller: Caller, command: ReleaseRecording) -> dict[str, Any]:
    return await ordered(caller, "release", command)


@dataclass(frozen=True, slots=True)
class RewrapRecordings:
    """Wrap the data keys of a tenant's recordings by its present key, the first that is configured: no audio is
    written anew. Afterwards older keys are needed no more.
    """

    tenant: str | None = about("whose; may be left out by clients of one tenant", None)


async def on_rewrap(caller: Caller, command: RewrapRecordings) -> dict[str, Any]:
    tenant = caller.owner(command.tenant)
    report = await caller.engine.studio.archive.rewrap(tenant)
    return {
        "tenant": tenant,
        "count": report.get("count"),
        "failed": report.get("failed"),
        "entry": report.get("entry"),
    }


@dataclass(frozen=True, slots=True)
class GetUsage:
    """What tenants have used: minutes recorded, room taken by files times days, the most recordings at once."""

    since: str = about("from this UTC time on, as 2026-11-01T00:00:00Z")
    until: str | None = about("before this UTC time; now if left out", None)
    tenant: str | None = about("only this tenant", None)


async def on_usage(caller: Caller, command: GetUsage) -> dict[str, Any]:
    tenant = tenant_for(caller.who, command.tenant)
    since, until = moment("since", command.since) or 0, moment("until", command.until) or utc.now_ms()
    if not 0 < until - since <= LONGEST_MS:
        raise wrong("until", "must be after since, by 400 days at most")
    try:
        used = await caller.engine.cdrs.ask(lambda engine: rows.used(engine, tenant, since, until))
    except StoreError as problem:
        raise RequestError("unavailable", str(problem)) from None
    return {"since": utc.text_of(since), "until": utc.text_of(until), "tenants": used}


def moment(name: str, value: str | None) -> int | None:
    """A time parameter as UTC milliseconds."""
    try:
        return None if value is None else utc.parse(value)
    except ValueError as problem:
        raise wrong(name, str(problem)) from None
