"""The steps of one recording, in order, by name. Each can be done twice: what it finds done it leaves, or does again.

A step acts, and then the job says so on disk; a process killed anywhere begins again behind the last step that was
written down. Nothing is deleted before it was confirmed elsewhere.
"""

import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from santral.recorder.keys import DataKey
from santral.recorder.ledger import Ledger, Place
from santral.recorder.pipeline.faults import Faults
from santral.recorder.pipeline.job import Job
from santral.recorder.pipeline.layout import SEALED, Layout, stem
from santral.recorder.pipeline.making import (
    CaptureSource,
    Made,
    Open,
    PipelineError,
    Source,
    close_quietly,
    sealing,
    write_details,
)
from santral.recorder.pipeline.outbox import Outbox
from santral.recorder.pipeline.records import Record, Records
from santral.recorder.pipeline.settings import LOCAL, Settings
from santral.recorder.pipeline.stores import Stores, wait_s
from santral.recorder.storage import StorageError, Store
from santral.recorder.storage.disk import make_folders, sync_file, sync_folder
from santral.recorder.storage.folder import FolderStore
from santral.recorder.storage.store import digest_of

WORTH_ANOTHER_TRY: Final = ("unreachable", "slow", "broken", "mismatch")  # at once; others take longer to mend

PUBLIC: Final = ("started_at", "seconds", "masked_ms")  # facts that may lie unsealed beside a sealed recording


class StoppedError(Exception):
    """The process is to end; the step is left for the next one."""


class AgainError(Exception):
    """An earlier step has to be done again, behind `step`."""

    def __init__(self, step: str) -> None:
        super().__init__(step)
        self.step = step


@dataclass(frozen=True)
class Tools:
    """What the steps work with; one set for all jobs."""

    settings: Settings
    layout: Layout
    ledger: Ledger
    records: Records
    outbox: Outbox
    stores: Stores
    faults: Faults
    stopping: threading.Event
    say: Callable[..., None]  # (event, **facts): for operators
    open_source: Open = field(default=CaptureSource)


@dataclass(slots=True)
class Work:
    """One job in hand, and what of it is in memory only."""

    job: Job
    tools: Tools
    source: Source | None = None
    is_mixed: bool = False

    def opened(self) -> Source:
        if self.source is None:
            self.source = self.tools.open_source(self.job.capture, self.tools.settings.unwrap)
            self.job.tenant = self.source.tenant
        return self.source

    def close(self) -> None:
        close_quietly(self.source)
        self.source, self.is_mixed = None, False

    @property
    def wanted_store(self) -> str:
        return self.tools.settings.tenant(self.job.tenant).store

    @property
    def is_pending(self) -> bool:
        """Stored here, and wanted elsewhere."""
        return self.job.store == LOCAL != self.wanted_store

    def name_of(self, file: str) -> str:
        """The name in a store of a file of `out`."""
        return f"{stem(self.job.tenant, self.job.recording)}{file.removeprefix(self.job.recording)}"


def claim(work: Work) -> None:
    """The capture comes into the job's folder, by one rename: whoever has the lock and the file has the recording."""
    job, source = work.job, work.tools.layout.capture(work.job.recording)
    with suppress(FileNotFoundError):
        source.rename(job.capture)
        sync_folder(job.folder)
        sync_folder(source.parent)
    if not job.capture.exists():
        raise PipelineError("damaged", "there is no capture")


def mix(work: Work) -> None:
    """Nothing of it is on disk: what a process that died had mixed is mixed again."""
    work.opened().mix()
    work.is_mixed = True


def encode(work: Work) -> None:
    """Mix, encode and, where the tenant has keys, seal in one pass: the plain audio is never on the disk then."""
    source, job = work.opened(), work.job
    if not work.is_mixed:
        mix(work)
    key = _data_key(work, source)
    shutil.rmtree(job.out, ignore_errors=True)
    make_folders(job.out)
    files = source.save(job.out, job.recording, sealing(key) if key else None)
    facts = source.facts()
    if facts.get("is_cut") and "capture" not in job.recovered:
        job.recovered.append("capture")
    job.facts = facts
    details = {**facts, "recording": job.recording, "tenant": job.tenant, "recovered": job.recovered}
    files.append(write_details(job.out, job.recording, details, key))
    job.files = [_described(work, made, sealed=key is not None) for made in files]
    for each in job.out.iterdir():
        sync_file(each)
    sync_folder(job.out)
    work.close()  # sending may take long, and needs nothing of it


def _data_key(work: Work, source: Source) -> DataKey | None:
    """The key of the files: the capture's, or a new one if the tenant got keys only in the meantime."""
    job, ring = work.job, work.tools.settings.keyring
    wrapped = job.key or source.wrapped_key
    if wrapped:
        key = ring.unwrap(job.tenant, job.recording, wrapped)
        job.key = wrapped if ring.is_current(job.tenant, wrapped) else ring.wrap(job.tenant, job.recording, key)
    elif ring.encrypts(job.tenant):
        key, job.key = ring.new(job.tenant, job.recording)
    else:
        return None
    job.save()
    return key


def _described(work: Work, made: Made, *, sealed: bool) -> dict[str, Any]:
    return {
        "name": work.name_of(made.path.name) + (SEALED if sealed else ""),
        "kind": made.kind,
        "format": made.format,
        "seconds": made.seconds,
        "channels": made.channels,
        "rate_hz": made.rate_hz,
        "track": made.track,
    }


def seal(work: Work) -> None:
    """From here on it is known what must be stored: length and SHA-256 of each file as it is, sealed where it is."""
    for file in work.job.files:
        with _made_path(work, file).open("rb") as reading:
            file["bytes"], file["sha256"] = digest_of(reading)


def _made_path(work: Work, file: dict[str, Any]) -> Path:
    return work.job.out / Path(file["name"]).name


def store(work: Work) -> None:
    """Into the tenant's store; where that does not work, into the local one, to be moved later."""
    first: StorageError | None = None
    for name in dict.fromkeys((work.wanted_store, LOCAL)):
        if name != LOCAL and work.tools.stores.rests_s(name):
            text = f"{name}: is left alone for a while after failures"
            work.job.refusal = {"store": name, "reason": "unreachable", "text": text}
            continue
        try:
            _put_all(work, name, lambda file: _made_path(work, file), "stored.half")
        except StorageError as problem:
            first = first or problem
            work.job.refusal = {"store": name, "reason": problem.reason, "text": problem.text}
            work.tools.say("a store does not take a recording", recording=work.job.recording, **work.job.refusal)
            continue
        work.job.store = name
        return
    if first is not None:
        raise first


def _put_all(work: Work, name: str, source: Callable[[dict[str, Any]], Path], half: str) -> None:
    """All files, each tried some times. Raises `StorageError`."""
    tools, tries = work.tools, 0
    target = _store(work, name)
    for file in work.job.files:
        while True:
            try:
                target.put(source(file), file["name"], halfway=lambda: tools.faults.at(half))
                break
            except StorageError as problem:
                tries += 1
                if problem.reason not in WORTH_ANOTHER_TRY or tries >= tools.settings.retry.attempts:
                    tools.stores.failed(name)
                    raise
                if tools.stopping.wait(wait_s(tools.settings.retry, tries - 1)):
                    raise StoppedError from None
    tools.stores.worked(name)


def _store(work: Work, name: str) -> Store:
    try:
        return work.tools.stores.get(name)
    except KeyError:
        raise StorageError("gone", f"{name}: there is no such store in the settings") from None
    except ValueError as problem:
        raise StorageError("broken", f"{name}: {problem}") from None


def confirm(work: Work) -> None:
    """What is stored is what was made; else it is stored again. Copies elsewhere, of an earlier try, go."""
    job, tools = work.job, work.tools
    try:
        for file in job.files:
            _store(work, job.store).confirm(_made_path(work, file), file["name"], file["sha256"])
    except StorageError as problem:
        tools.stores.failed(job.store)
        if job.store == LOCAL or tools.stopping.is_set():
            job.step = "sealed"  # and it is tried again from there, later
            raise
        raise AgainError("sealed") from problem
    if job.store != LOCAL:
        for file in job.files:
            _store(work, LOCAL).delete(file["name"])


def enter(work: Work) -> None:
    """A line of the ledger, once; and the record by which the recording is found."""
    job, tools = work.job, work.tools
    if not job.place:
        job.place = str(tools.ledger.place())
        job.save()
    tools.ledger.append("stored", _proof(work), since=Place.parse(job.place))
    facts = {"recovered": job.recovered, **{k: v for k, v in job.facts.items() if k in PUBLIC}}
    key = _kept_key(work) or job.key
    tools.records.put(Record(job.recording, job.tenant, job.store, tuple(job.files), facts, key, job.hold))


def _kept_key(work: Work) -> bytes:
    """Of a record from an earlier try: the same key, and wrapped anew if wrapping keys have changed since."""
    with suppress(ValueError):
        known = work.tools.records.get(work.job.tenant, work.job.recording)
        return known.key if known else b""
    return b""


def _proof(work: Work) -> dict[str, Any]:
    """No numbers, no names: what is written in the ledger stays."""
    job = work.job
    files = [{name: file[name] for name in ("name", "kind", "bytes", "sha256")} for file in job.files]
    return {
        "recording": job.recording,
        "tenant": job.tenant,
        "store": job.store,
        "files": files,
        "encrypted": bool(job.key),
        "recovered": job.recovered,
    }


def delete_capture(work: Work) -> None:
    work.close()
    work.job.capture.unlink(missing_ok=True)
    shutil.rmtree(work.job.out, ignore_errors=True)
    sync_folder(work.job.folder)


def report(work: Work) -> None:
    job, tools = work.job, work.tools
    tools.outbox.drop(f"{job.recording}.failed")
    tools.outbox.put(
        job.recording,
        "ready",
        recording=job.recording,
        tenant=job.tenant,
        files=job.files,
        store=job.store,
        pending=work.is_pending,
        refusal=job.refusal if work.is_pending else None,
        recovered=bool(job.recovered),
        recovered_from=job.recovered,
        started_at=job.facts.get("started_at", 0),
        seconds=job.facts.get("seconds", 0.0),
        masked_ms=job.facts.get("masked_ms", 0),
        encrypted=bool(job.key),
    )


def move(work: Work) -> None:
    """From the local store, which took it in the meantime, to where it belongs."""
    job, tools, wanted = work.job, work.tools, work.wanted_store
    if not work.is_pending:
        return
    rests = tools.stores.rests_s(wanted)
    if rests:
        raise StorageError("unreachable", f"{wanted}: is left alone for {rests:.0f} s after failures")
    local = _store(work, LOCAL)
    if not isinstance(local, FolderStore):
        raise StorageError("broken", f"{LOCAL}: is not a folder")
    if any(not local.path(file["name"]).exists() for file in job.files):
        _confirm_moved(work, wanted)  # a process died between deleting here and saying so
    else:
        _put_all(work, wanted, lambda file: local.path(file["name"]), "moved.half")
        for file in job.files:
            _store(work, wanted).confirm(local.path(file["name"]), file["name"], file["sha256"])
    if not job.facts.get("moving"):
        job.facts["moving"] = str(tools.ledger.place())
        job.save()
    tools.ledger.append("moved", {**_proof(work), "store": wanted}, since=Place.parse(job.facts["moving"]))
    tools.records.change(job.tenant, job.recording, lambda record: _moved_to(record, wanted))
    for file in job.files:
        local.delete(file["name"])
    tools.outbox.put(job.recording, "moved", recording=job.recording, tenant=job.tenant, store=wanted)
    job.store = wanted


def _confirm_moved(work: Work, wanted: str) -> None:
    for file in work.job.files:
        if _store(work, wanted).digest(file["name"]) != (file["bytes"], file["sha256"]):
            raise StorageError("mismatch", f"{wanted}: {file['name']} is not what was stored")


def _moved_to(record: Record, name: str) -> Record:
    return Record(record.recording, record.tenant, name, record.files, record.facts, record.key, record.hold)


@dataclass(frozen=True, slots=True)
class Step:
    """`is_sending`: it waits for stores, and so has threads of its own."""

    name: str
    act: Callable[[Work], None]
    is_sending: bool = False


STEPS: Final = (
    Step("claimed", claim),
    Step("mixed", mix),
    Step("encoded", encode),
    Step("sealed", seal),
    Step("stored", store, is_sending=True),
    Step("confirmed", confirm, is_sending=True),
    Step("entered", enter, is_sending=True),
    Step("deleted", delete_capture, is_sending=True),
    Step("reported", report, is_sending=True),
    Step("moved", move, is_sending=True),
)
NAMES: Final = tuple(step.name for step in STEPS)


def next_step(job: Job) -> Step | None:
    """What comes behind the last one done."""
    done = NAMES.index(job.step) + 1 if job.step in NAMES else 0
    return STEPS[done] if done < len(STEPS) else None
