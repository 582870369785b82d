"""What `recorder` and `recordings` do."""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from santral.engine import log
from santral.engine.cli.failure import Failure
from santral.engine.cli.planning import read
from santral.engine.recordings.supply import recorder_settings
from santral.recorder.keys import DamagedError, KeysError
from santral.recorder.ledger import LedgerError, public_key
from santral.recorder.pipeline import Settings, SettingsError
from santral.recorder.pipeline.layout import is_id
from santral.recorder.pipeline.reading import Library, NotFoundError
from santral.recorder.pipeline.recorder import Recorder, Says
from santral.recorder.pipeline.records import Record
from santral.recorder.storage import StorageError


def settings_of(path: Path | None) -> Settings:
    try:
        return recorder_settings(read(path))
    except (SettingsError, KeysError) as problem:
        raise Failure(str(problem)) from None


def run_once(path: Path | None, say: Says) -> None:
    finish(Recorder(settings_of(path), say=say))


def recover(path: Path | None) -> None:
    log.configure("warning")
    recorder = Recorder(settings_of(path))
    recorder.forgive()
    finish(recorder)


def finish(recorder: Recorder) -> None:
    """Do what there is to do, and print what became of it; reports stay for the engine."""
    os.umask(0o077)  # as the engine's recorder does
    before = set(recorder.tools.outbox.names())
    try:
        failed = recorder.run_once()
    finally:
        recorder.stop()
    fresh = recorder.tools.outbox.fresh()
    for name in fresh + [name for name in sorted(before) if name not in fresh and name.split(".")[0] in failed]:
        report = recorder.tools.outbox.get(name)
        if report is not None:
            typer.echo(json.dumps(report, ensure_ascii=False))
    if failed:
        raise Failure(f"{len(failed)} recordings could not be finished; their captures are kept")
    if waiting := recorder.orders.recordings():
        raise Failure(f"orders about {len(waiting)} recordings could not be carried out, and are kept")


def list_stored(path: Path | None, tenant: str | None) -> None:
    library = Library(settings_of(path))
    try:
        for record in library.all(tenant):
            typer.echo(json.dumps(shown(record), ensure_ascii=False))
    except ValueError as problem:
        raise Failure(f"{problem}: `santral recordings verify` says which") from None


def shown(record: Record) -> dict[str, Any]:
    """No key, not even wrapped."""
    return {
        "recording": record.recording,
        "tenant": record.tenant,
        "store": record.store,
        **record.facts,
        "encrypted": record.is_encrypted,
        "hold": record.hold,
        "files": list(record.files),
    }


def export(path: Path | None, ids: Sequence[str], folder: Path) -> None:
    library = Library(settings_of(path))
    wanted = set(ids)
    folder.mkdir(parents=True, exist_ok=True)
    found = {record.recording: record for record in library.all() if record.recording in wanted}
    for recording in ids:
        if recording not in found:
            raise Failure(f"there is no recording {recording}")
        for file in found[recording].files:
            target = folder / Path(file["name"]).name.removesuffix(".sealed")
            try:
                with library.open_file(found[recording], file) as reading, target.open("wb") as writing:
                    shutil.copyfileobj(reading, writing)
            except (StorageError, DamagedError, KeysError, NotFoundError) as problem:
                target.unlink(missing_ok=True)
                raise Failure(f"{file['name']}: {problem}") from None
            typer.echo(str(target))


def verify_stored(path: Path | None, ids: Sequence[str], key_file: Path | None, anchor: str | None) -> None:
    from santral.recorder.pipeline.verify import verify  # noqa: PLC0415

    for each in ids:
        if not is_id(each):
            raise Failure(f"{each} is not the id of a recording", 2)
    try:
        key = public_key(key_file.read_bytes()) if key_file else None
        done = verify(settings_of(path), key=key, anchor=head_of(anchor), recordings=frozenset(ids))
    except (OSError, LedgerError) as problem:
        raise Failure(str(problem)) from None
    for finding in done.findings:
        typer.echo(json.dumps(finding.to_map(), ensure_ascii=False))
    sys.stderr.write(
        f"{done.recordings} recordings, {done.files} files, {done.bytes} bytes, {done.entries} ledger lines, "
        f"head {done.head or 'none'}\n"
    )
    if done.findings:
        raise Failure(f"{len(done.findings)} findings")


def head_of(text: str | None) -> tuple[int, str] | None:
    """`ENTRY:HASH` as values."""
    if text is None:
        return None
    number, _, digest = text.partition(":")
    if not number.isdigit() or not digest:
        raise Failure(f"{text} is not ENTRY:HASH", 2)
    return int(number), digest
