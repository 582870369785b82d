"""What a store does for the pipeline, whatever it is; and which kind a URL asks for.

A name is a relative path like `acme/2026/11/22/<id>.wav`. A file is there under its name only when it is there whole.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol
from urllib.parse import urlsplit

from santral.recorder.storage.errors import StorageError

READ_BYTES: Final = 1 << 20
MISSING: Final = "the libraries of its kind are not installed: pip install santral[storage]"
SCHEMES: Final = ("file", "s3", "sftp")


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where files go. `options` are those of the file system behind it, and may hold secrets."""

    url: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    timeout_s: float = 30.0  # for one answer; transfers get more by their size
    create: bool = False  # make the folder of a file URL; without, a missing one is a share that is not mounted


class Store(Protocol):
    """Every call may block, and raises `StorageError`."""

    name: str

    def put(self, source: Path, name: str, *, halfway: Callable[[], None]) -> None:
        """Store a file, replacing one of that name; `halfway` is called once in between, where that can be told."""

    def confirm(self, source: Path, name: str, sha256: str) -> None:
        """Make sure that what is stored is what `source` holds. Raises `StorageError` `mismatch` or `gone`."""

    def digest(self, name: str) -> tuple[int, str]:
        """Length and SHA-256 of what is stored, by reading it."""

    def open(self, name: str) -> BinaryIO:
        """For reading, seekable."""

    def delete(self, name: str) -> None:
        """And what is left of half uploads; a file that is not there is no error."""

    def close(self) -> None: ...


def open_store(name: str, settings: StoreSettings) -> Store:
    """Raises `ValueError` for a URL of another kind, `StorageError` where its library is not installed."""
    scheme = urlsplit(settings.url).scheme
    if scheme == "file":
        from santral.recorder.storage.folder import FolderStore  # noqa: PLC0415

        return FolderStore(name, settings)
    if scheme not in SCHEMES:
        raise ValueError(f"no such kind of store: {scheme}: (one of {', '.join(SCHEMES)})")
    try:
        from santral.recorder.storage.remote import S3Store, SftpStore  # noqa: PLC0415 - an extra of the package
    except ImportError:
        raise StorageError("broken", f"{name}: {MISSING}") from None
    return S3Store(name, settings) if scheme == "s3" else SftpStore(name, settings)


def digest_of(file: BinaryIO) -> tuple[int, str]:
    """Length and SHA-256 of what is still to be read."""
    total, sha256 = 0, hashlib.sha256()
    while piece := file.read(READ_BYTES):
        total += len(piece)
        sha256.update(piece)
    return total, sha256.hexdigest()
