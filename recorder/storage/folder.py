"""A folder as a store: this machine's disk, or a mounted share.

A file gets its name by a rename when its bytes are on the disk; so a crash leaves a whole file or none.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import unquote, urlsplit

from santral.recorder.storage.disk import make_folders, sync_folder
from santral.recorder.storage.errors import StorageError, told
from santral.recorder.storage.store import StoreSettings, digest_of

PART: Final = ".part"  # the suffix of what is not whole


class FolderStore:
    """Files of one folder. The folder itself is made only where the settings say so."""

    def __init__(self, name: str, settings: StoreSettings) -> None:
        self.name = name
        self.folder = Path(unquote(urlsplit(settings.url).path))
        self._create = settings.create

    def path(self, name: str) -> Path:
        """Where a file is. Raises `ValueError` for a name that leads out of the folder."""
        path = self.folder / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise ValueError(f"not a name inside a store: {name!r}")
        return path

    def put(self, source: Path, name: str, *, halfway: Callable[[], None]) -> None:
        with told(self.name):
            self._check()
            target = self.path(name)
            make_folders(target.parent)
            part = target.with_name(target.name + PART)
            part.unlink(missing_ok=True)
            try:
                copy(source, part, halfway)
                part.replace(target)
                part.unlink(missing_ok=True)  # rename(2) does nothing between two names of one file
                sync_folder(target.parent)
            except BaseException:
                with suppress(OSError):
                    part.unlink(missing_ok=True)
                raise

    def confirm(self, source: Path, name: str, sha256: str) -> None:
        size, found = self.digest(name)
        if (size, found) != (source.stat().st_size, sha256):
            raise StorageError("mismatch", f"{self.name}: {name} is not what was stored")

    def digest(self, name: str) -> tuple[int, str]:
        with self.open(name) as file, told(self.name):
            return digest_of(file)

    def open(self, name: str) -> BinaryIO:
        with told(self.name):
            return self.path(name).open("rb")

    def delete(self, name: str) -> None:
        with told(self.name):
            self._check()
            target = self.path(name)
            target.unlink(missing_ok=True)
            target.with_name(target.name + PART).unlink(missing_ok=True)
            if target.parent.is_dir():
                sync_folder(target.parent)

    def close(self) -> None:
        pass

    def _check(self) -> None:
        """A share that is not mounted must not be taken for an empty folder."""
        if self._create:
            self.folder.mkdir(parents=True, exist_ok=True)
        elif not self.folder.is_dir():
            raise StorageError("gone", f"{self.name}: the folder is not there")


def copy(source: Path, target: Path, halfway: Callable[[], None]) -> None:
    """Have the bytes of `source` at `target`, on the disk; on the same file system without copying them."""
    try:
        os.link(source, target)
    except OSError:
        _copy_bytes(source, target, halfway)
    else:
        halfway()


def _copy_bytes(source: Path, target: Path, halfway: Callable[[], None]) -> None:
    size, done = source.stat().st_size, 0
    with source.open("rb") as reading, target.open("wb") as writing:
        while piece := reading.read(max(1, min(1 << 20, -(-size // 2)))):
            writing.write(piece)
            if done < size / 2 <= done + len(piece):
                writing.flush()
                halfway()
            done += len(piece)
        writing.flush()
        os.fsync(writing.fileno())
