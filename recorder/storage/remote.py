"""Stores reached over a network, through fsspec: S3-compatible ones (s3fs) and SFTP (sshfs, which checks host keys).

fsspec's own `sftp` file system takes any host key, so it is not used. A connection is made when it is needed and given
up after any error: the next try starts afresh.
"""

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, cast
from urllib.parse import unquote, urlsplit

from fsspec.asyn import AsyncFileSystem
from fsspec.callbacks import Callback

from santral.recorder.storage.errors import StorageError, told
from santral.recorder.storage.store import StoreSettings, digest_of

PART: Final = ".part"
SLOWEST_BYTES_S: Final = 64 * 1024  # a transfer below this rate is given up as slow
PART_BYTES: Final = 16 * 1024 * 1024  # of multipart uploads; files of less than two parts go in one piece
MIN_PART_BYTES: Final = 5 * 1024 * 1024  # S3 takes no smaller ones
READ_AHEAD_BYTES: Final = 1024 * 1024


class _Halfway(Callback):  # type: ignore[misc]  # fsspec has no types
    """Tells once that at least half of the bytes have gone."""

    def __init__(self, tell: Callable[[], None]) -> None:
        super().__init__()
        self._tell: Callable[[], None] | None = tell

    def call(self, *_args: Any, **_kwargs: Any) -> None:
        if self._tell is not None and self.size and 2 * self.value >= self.size:
            tell, self._tell = self._tell, None
            tell()


class RemoteStore(ABC):
    """What the two have in common."""

    def __init__(self, name: str, settings: StoreSettings) -> None:
        self.name = name
        self._url = urlsplit(settings.url)
        self._settings = settings
        self._system: AsyncFileSystem | None = None

    def put(self, source: Path, name: str, *, halfway: Callable[[], None]) -> None:
        size = source.stat().st_size
        with self._asked() as system:
            self._upload(system, source, self._key(name), _Halfway(halfway), self._patience_s(size))

    def confirm(self, source: Path, name: str, sha256: str) -> None:
        """By reading it back."""
        size, found = self.digest(name)
        if (size, found) != (source.stat().st_size, sha256):
            raise StorageError("mismatch", f"{self.name}: {name} is not what was stored")

    def digest(self, name: str) -> tuple[int, str]:
        with self.open(name) as file, told(self.name):
            return digest_of(file)

    def open(self, name: str) -> BinaryIO:
        with self._asked() as system:
            return cast(BinaryIO, system.open(self._key(name), "rb", block_size=READ_AHEAD_BYTES))

    def delete(self, name: str) -> None:
        with self._asked() as system:
            self._remove(system, self._key(name))

    def close(self) -> None:
        self._system = None

    @abstractmethod
    def _make(self) -> AsyncFileSystem: ...

    @abstractmethod
    def _upload(self, system: AsyncFileSystem, source: Path, key: str, tell: Callback, patience_s: float) -> None: ...

    @abstractmethod
    def _remove(self, system: AsyncFileSystem, key: str) -> None: ...

    @abstractmethod
    def _key(self, name: str) -> str: ...

    def _patience_s(self, size: int) -> float:
        return self._settings.timeout_s + size / SLOWEST_BYTES_S

    @contextmanager
    def _asked(self) -> Iterator[AsyncFileSystem]:
        try:
            with told(self.name):
                self._system = self._system or self._make()
                yield self._system
        except StorageError:
            self._system = None
            raise


class S3Store(RemoteStore):
    """`s3://bucket/prefix`. An object appears when its upload is complete, never before."""

    def __init__(self, name: str, settings: StoreSettings) -> None:
        super().__init__(name, settings)
        options = dict(settings.options)
        self._part_bytes = max(MIN_PART_BYTES, int(options.pop("part_bytes", PART_BYTES)))
        self._options: Mapping[str, Any] = options

    def confirm(self, source: Path, name: str, sha256: str) -> None:
        """By length and ETag where the store makes it of MD5 sums; else by reading it back."""
        with self._asked() as system:
            facts = system.info(self._key(name), refresh=True, timeout=self._settings.timeout_s)
        etag = str(facts.get("ETag", "")).strip('"')
        size = source.stat().st_size
        if facts.get("size") != size:
            raise StorageError("mismatch", f"{self.name}: {name} has {facts.get('size')} bytes, not {size}")
        if etag != etag_of(source, self._part_bytes):
            super().confirm(source, name, sha256)

    def _make(self) -> AsyncFileSystem:
        from s3fs import S3FileSystem  # noqa: PLC0415 - takes half a second, and is optional

        waits = {"connect_timeout": self._settings.timeout_s, "read_timeout": self._settings.timeout_s}
        config = {"retries": {"total_max_attempts": 1}, **waits, **self._options.get("config_kwargs", {})}
        options = {**self._options, "config_kwargs": config}
        system = S3FileSystem(skip_instance_cache=True, use_listings_cache=False, **options)
        system.retries = 1  # how often, and when, is the pipeline's affair
        return system

    def _upload(self, system: AsyncFileSystem, source: Path, key: str, tell: Callback, patience_s: float) -> None:
        self._give_up_halves(system, key)
        system.put_file(str(source), key, callback=tell, chunksize=self._part_bytes, timeout=patience_s)

    def _remove(self, system: AsyncFileSystem, key: str) -> None:
        self._give_up_halves(system, key)
        with suppress(FileNotFoundError):
            system.rm_file(key, timeout=self._settings.timeout_s)

    def _give_up_halves(self, system: AsyncFileSystem, key: str) -> None:
        """Uploads of this object that were never completed: nobody sees them, but they are paid for."""
        bucket, inside = key.split("/", 1)
        try:
            found = system.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=inside)
        except (NotImplementedError, OSError) as problem:
            if isinstance(problem, PermissionError | FileNotFoundError | ConnectionError | TimeoutError):
                raise
            return  # a store without such a list
        for upload in found.get("Uploads") or ():
            if upload["Key"] == inside:
                system.call_s3("abort_multipart_upload", Bucket=bucket, Key=inside, UploadId=upload["UploadId"])

    def _key(self, name: str) -> str:
        prefix = self._url.path.strip("/")
        return "/".join(filter(None, (self._url.netloc, prefix, name)))


class SftpStore(RemoteStore):
    """`sftp://user@host:port/folder`. Written beside, then renamed; the host key must be known."""

    def _make(self) -> AsyncFileSystem:
        from sshfs import SSHFileSystem  # noqa: PLC0415 - optional

        options: dict[str, Any] = {
            "known_hosts": os.fspath(Path.home() / ".ssh/known_hosts"),
            "keepalive_interval": max(1, round(self._settings.timeout_s / 3)),
            "login_timeout": self._settings.timeout_s,
            "connect_timeout": self._settings.timeout_s,
            **self._settings.options,
        }
        if self._url.username:
            options["username"] = unquote(self._url.username)
        if self._url.port:
            options["port"] = self._url.port
        return SSHFileSystem(self._url.hostname, skip_instance_cache=True, timeout=self._settings.timeout_s, **options)

    def _upload(self, system: AsyncFileSystem, source: Path, key: str, tell: Callback, patience_s: float) -> None:
        part = key + PART
        system.put_file(str(source), part, callback=tell, timeout=patience_s)
        system.mv(part, key, timeout=self._settings.timeout_s)

    def _remove(self, system: AsyncFileSystem, key: str) -> None:
        for each in (key, key + PART):
            with suppress(FileNotFoundError):
                system.rm_file(each, timeout=self._settings.timeout_s)

    def _key(self, name: str) -> str:
        return f"{unquote(self._url.path).rstrip('/')}/{name}"


def etag_of(source: Path, part_bytes: int) -> str:
    """The ETag that S3 gives to an upload of this file without server-side keys."""
    if source.stat().st_size < 2 * part_bytes:
        with source.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    sums = []
    with source.open("rb") as file:
        while part := file.read(part_bytes):
            sums.append(hashlib.md5(part, usedforsecurity=False).digest())
    return f"{hashlib.md5(b''.join(sums), usedforsecurity=False).hexdigest()}-{len(sums)}"
