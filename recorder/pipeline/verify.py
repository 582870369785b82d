"""Everything stored against everything proved: the ledger's chain, the records, every byte of every file.

Changes nothing and repairs nothing; each finding is one line with a kind that programs can tell apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from santral.recorder.keys import KeysError
from santral.recorder.ledger import Entry, examine, missing_anchor
from santral.recorder.ledger.anchor import anchors
from santral.recorder.pipeline.layout import Layout, is_id
from santral.recorder.pipeline.records import Record
from santral.recorder.pipeline.settings import LOCAL, Settings
from santral.recorder.pipeline.stores import Stores
from santral.recorder.storage import StorageError
from santral.recorder.storage.folder import FolderStore


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind`: ledger | missing | changed | unlisted | record | key | unreachable."""

    kind: str
    text: str
    recording: str = ""
    tenant: str = ""
    file: str = ""

    def to_map(self) -> dict[str, str]:
        said = {"kind": self.kind, "recording": self.recording, "tenant": self.tenant, "file": self.file}
        return {name: value for name, value in {**said, "text": self.text}.items() if value}


@dataclass(slots=True)
class _Proof:
    """What the ledger says of a recording in the end."""

    tenant: str
    store: str
    files: dict[str, tuple[int, str]]  # name to length and SHA-256
    encrypted: bool
    is_erased: bool = False
    is_held: bool = False


@dataclass(slots=True)
class Verified:
    """What was looked at."""

    entries: int = 0
    recordings: int = 0
    files: int = 0
    bytes: int = 0
    head: str = ""
    findings: list[Finding] = field(default_factory=list)


def verify(
    settings: Settings,
    *,
    key: Ed25519PublicKey | None = None,
    anchor: tuple[int, str] | None = None,
    recordings: frozenset[str] = frozenset(),
) -> Verified:
    """Look at everything, or at these recordings' files. `key`, `anchor`: as somebody outside has kept them."""
    layout = Layout(settings.data_dir)
    entries, wrong = examine(layout.ledger, key)
    done = Verified(entries=len(entries), head=entries[-1].hash if entries else "")
    for each in anchors(layout.ledger):
        wrong += missing_anchor(entries, each["entry"], each["hash"], "an anchor")
    if anchor is not None:
        wrong += missing_anchor(entries, anchor[0], anchor[1], "the given anchor")
    done.findings += [Finding("ledger", text) for text in wrong]
    proofs = _proofs(entries)
    stores = Stores(settings.stores, settings.retry)
    try:
        done.findings += _unlisted(layout, proofs, stores)
        for recording, proof in proofs.items():
            if not recordings or recording in recordings:
                done.recordings += 1
                done.findings += _judge(recording, proof, _Eyes(layout, settings, stores, done))
    finally:
        stores.close()
    return done


@dataclass(frozen=True, slots=True)
class _Eyes:
    layout: Layout
    settings: Settings
    stores: Stores
    done: Verified


def _proofs(entries: list[Entry]) -> dict[str, _Proof]:
    proofs: dict[str, _Proof] = {}
    for entry in entries:
        said = entry.facts
        recording = str(said.get("recording", ""))
        if entry.kind in {"stored", "moved"}:
            files = {str(one["name"]): (int(one["bytes"]), str(one["sha256"])) for one in said.get("files", ())}
            held = recording in proofs and proofs[recording].is_held
            where = str(said.get("tenant", "")), str(said.get("store", ""))
            proofs[recording] = _Proof(*where, files, bool(said.get("encrypted")), is_held=held)
        elif recording:
            proof = proofs.setdefault(recording, _Proof(str(said.get("tenant", "")), "", {}, encrypted=False))
            if entry.kind == "erased":
                proof.is_erased = True
            elif entry.kind in {"hold", "released"}:
                proof.is_held = entry.kind == "hold"
    return proofs


def _judge(recording: str, proof: _Proof, eyes: _Eyes) -> Iterator[Finding]:
    def found(kind: str, text: str, file: str = "") -> Finding:
        return Finding(kind, text, recording, proof.tenant, file)

    if not is_id(recording):
        yield found("ledger", "is named in the ledger, but is no id of a recording")
        return
    path = eyes.layout.record(proof.tenant, recording)
    if proof.is_erased:
        if path.exists():
            yield found("record", "was erased, and has a record still")
        return
    if not proof.files:
        return  # held before it was stored
    try:
        record = Record.parse(path.read_bytes())
    except FileNotFoundError:
        yield found("missing", "its record is gone, and with it the data key of its files")
        record = None
    except ValueError:
        yield found("record", "its record cannot be read")
        record = None
    if record is not None:
        yield from _judge_record(record, proof, eyes, found)
    for name in proof.files:
        yield from _judge_file(name, proof, eyes, found)


def _judge_record(record: Record, proof: _Proof, eyes: _Eyes, found: Any) -> Iterator[Finding]:
    listed = {file.get("name"): (file.get("bytes"), file.get("sha256")) for file in record.files}
    if listed != proof.files or record.tenant != proof.tenant:
        yield found("record", "its record names other files than the ledger")
    if record.store != proof.store:
        yield found("record", f"its record says store {record.store}, the ledger {proof.store}")
    if bool(record.hold) != proof.is_held:
        yield found("record", "its hold is not the one of the ledger")
    if proof.encrypted:
        try:
            eyes.settings.keyring.unwrap(record.tenant, record.recording, record.key)
        except KeysError as problem:
            yield found("key", str(problem))


def _judge_file(name: str, proof: _Proof, eyes: _Eyes, found: Any) -> Iterator[Finding]:
    size, sha256 = proof.files[name]
    eyes.done.files += 1
    eyes.done.bytes += size
    try:
        length, digest = eyes.stores.get(proof.store).digest(name)
    except KeyError:
        yield found("unreachable", f"the store {proof.store} is not in the settings", name)
    except StorageError as problem:
        if problem.reason == "gone":
            yield found("missing", "the file is not in its store", name)
        else:
            yield found("unreachable", problem.text, name)
    else:
        if length != size:
            yield found("changed", f"the file has {length} bytes, the ledger says {size}", name)
        elif digest != sha256:
            yield found("changed", "the file is not the one that was stored", name)


def _unlisted(layout: Layout, proofs: dict[str, _Proof], stores: Stores) -> Iterator[Finding]:
    """Records and files of this machine that the ledger does not know; jobs under way may have some."""
    busy = {path.name for path in layout.jobs.iterdir()} if layout.jobs.is_dir() else set()
    for path in sorted(layout.records.rglob("*.json")) if layout.records.is_dir() else ():
        if path.stem not in proofs and path.stem not in busy:
            yield Finding("unlisted", "a record that the ledger does not know", path.stem)
        elif path.stem in proofs and layout.record(proofs[path.stem].tenant, path.stem) != path:
            place = str(path.relative_to(layout.records))
            yield Finding("unlisted", "a record in another's place", path.stem, file=place)
    local = stores.get(LOCAL)
    if not isinstance(local, FolderStore) or not local.folder.is_dir():
        return
    names = {name for proof in proofs.values() if proof.store == LOCAL and not proof.is_erased for name in proof.files}
    for path in sorted(each for each in local.folder.rglob("*") if each.is_file()):
        name = str(path.relative_to(local.folder))
        if name not in names and _recording_of(path) not in busy:
            yield Finding("unlisted", "a file that the ledger does not know", file=name)


def _recording_of(path: Path) -> str:
    return path.name[:36]
