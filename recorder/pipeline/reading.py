"""Reading what was stored: where it is, whether it is sealed, and any byte range of what it holds."""

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from santral.recorder.keys import SealedReader
from santral.recorder.pipeline.layout import Layout
from santral.recorder.pipeline.records import Record, Records
from santral.recorder.pipeline.settings import Settings
from santral.recorder.pipeline.stores import Stores

BUFFER_BYTES = 1 << 16


class NotFoundError(LookupError):
    """No such recording, or no such file of it."""


class Library:
    """Stored recordings. Blocks; one thread at a time. Raises `StorageError`, `DamagedError`, `KeysError`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._records = Records(Layout(settings.data_dir))
        self._stores = Stores(settings.stores, settings.retry)

    def record(self, tenant: str, recording: str) -> Record | None:
        return self._records.get(tenant, recording)

    def all(self, tenant: str | None = None) -> Iterator[Record]:
        """In order of the days they were made, tenant by tenant."""
        return self._records.all(tenant)

    def file(self, record: Record, which: str = "audio") -> dict[str, Any]:
        """A file of it by kind or by name. Raises `NotFoundError`."""
        for file in record.files:
            if which in {file["kind"], file["name"], file["name"].rpartition("/")[2]}:
                return file
        raise NotFoundError(f"{record.recording} has no {which}")

    def open(self, tenant: str, recording: str, which: str = "audio") -> BinaryIO:
        """The plain bytes, seekable: a range costs no more than the chunks it touches. Raises `NotFoundError`."""
        record = self.record(tenant, recording)
        if record is None:
            raise NotFoundError(f"there is no recording {recording}")
        return self.open_file(record, self.file(record, which))

    def open_file(self, record: Record, file: dict[str, Any]) -> BinaryIO:
        try:
            stored = self._stores.get(record.store).open(file["name"])
        except KeyError:
            raise NotFoundError(f"the store {record.store} of {record.recording} is not in the settings") from None
        if not record.key:
            return stored
        try:
            key = self._settings.keyring.unwrap(record.tenant, record.recording, record.key)
            sealed = SealedReader(stored, key)
        except BaseException:
            stored.close()
            raise
        return cast(BinaryIO, io.BufferedReader(sealed, BUFFER_BYTES))

    def close(self) -> None:
        self._stores.close()
