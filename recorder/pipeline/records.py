"""The recorder's own index: a file per recording, with where its files are, their hashes, its wrapped key, its hold.

Erasing takes the file away, and with it the only copy of the data key.
"""

import base64
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from santral.recorder.pipeline.layout import Layout, folder_of, is_id
from santral.recorder.storage.disk import make_folders, sync_folder, write_whole


@dataclass(frozen=True, slots=True)
class Record:
    """One stored recording."""

    recording: str
    tenant: str
    store: str  # the name of the store its files are in
    files: tuple[dict[str, Any], ...]  # name, kind, format, bytes, sha256 (of what is stored), seconds, …
    facts: dict[str, Any]  # started_at, seconds, masked_ms, recovered, …
    key: bytes = field(default=b"", repr=False)  # wrapped; none: not encrypted
    hold: dict[str, Any] | None = None  # by, reason, at

    @property
    def is_encrypted(self) -> bool:
        return bool(self.key)

    def to_json(self) -> bytes:
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        return json.dumps({**said, "key": base64.b64encode(self.key).decode()}, indent=1, sort_keys=True).encode()

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises ValueError."""
        try:
            said = json.loads(data)
            key = base64.b64decode(said.pop("key"), validate=True)
            files = tuple(dict(one) for one in said.pop("files"))
            return cls(**said, files=files, key=key)
        except (TypeError, KeyError, AttributeError) as problem:
            raise ValueError(f"not a record: {problem}") from None


class Records:
    """Files under `records/`. Changes are made one after another, whichever process makes them."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def get(self, tenant: str, recording: str) -> Record | None:
        """Raises ValueError for one that cannot be read."""
        try:
            return Record.parse(self._layout.record(tenant, recording).read_bytes())
        except FileNotFoundError:
            return None

    def put(self, record: Record) -> None:
        with self._locked():
            self._write(record)

    def change(self, tenant: str, recording: str, change: Callable[[Record], Record]) -> Record | None:
        """The record as changed, or None if there is none."""
        with self._locked():
            record = self.get(tenant, recording)
            if record is not None:
                record = change(record)
                self._write(record)
            return record

    def hold(self, tenant: str, recording: str, hold: dict[str, Any] | None) -> Record | None:
        return self.change(tenant, recording, lambda record: replace(record, hold=hold))

    def remove(self, tenant: str, recording: str) -> None:
        """The key goes first: its bytes are overwritten before the file is taken away."""
        path = self._layout.record(tenant, recording)
        with self._locked(), suppress(FileNotFoundError):
            size = path.stat().st_size
            with path.open("r+b") as file:
                file.write(b" " * size)
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
            sync_folder(path.parent)

    def tenants(self) -> list[str]:
        """The names of folders, not of tenants."""
        with suppress(FileNotFoundError):
            return sorted(each.name for each in self._layout.records.iterdir() if each.is_dir())
        return []

    def paths(self, tenant: str | None = None, before_day: str = "9999/99/99") -> Iterator[Path]:
        """Records in order of their days; of days before one."""
        for folder in self.tenants() if tenant is None else [folder_of(tenant)]:
            base = self._layout.records / folder
            for day in sorted(base.glob("*/*/*")):
                if str(day.relative_to(base)) < before_day and day.is_dir():
                    yield from sorted(path for path in day.glob("*.json") if is_id(path.stem))

    def all(self, tenant: str | None = None) -> Iterator[Record]:
        """Raises ValueError at one that cannot be read."""
        for path in self.paths(tenant):
            yield Record.parse(path.read_bytes())

    def _write(self, record: Record) -> None:
        path = self._layout.record(record.tenant, record.recording)
        make_folders(path.parent)
        write_whole(path, record.to_json())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        make_folders(self._layout.records)
        descriptor = os.open(self._layout.records / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
