"""The files of recordings as bytes: finished ones from their store, and one that still grows while its call runs.

All of it blocks, so it happens in threads; one file is read by one thread at a time.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from santral.engine.cdr import recordings as rows
from santral.engine.cdr.store import CdrStore

AUDIO: Final = "audio"
MEMORY: Final = Path("/dev/shm")  # noqa: S108 - what is encrypted at rest is spooled in memory, not on a disk
LINGER_S: Final = 30.0  # how long a growing file is kept open behind its last reader
MAX_LIVE: Final = 32  # growing files open at once
ADVANCE_S: Final = 0.5  # how often a growing file is looked at anew
TYPES: Final = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "opus": "audio/ogg",
    "mp3": "audio/mpeg",
    "json": "application/json",
    "png": "image/png",
}
KINDS: Final = {"peaks": "json", "details": "json", "picture": "png"}  # where the report names no format


class NotThereError(Exception):
    """There is no such file; `why`: "unknown", "not_yet" (come again), "erased", "busy"."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Growing(Protocol):
    """A file that grows (`santral.recorder.mixdown.live.LiveFile`)."""

    @property
    def size(self) -> int: ...
    @property
    def is_finished(self) -> bool: ...
    def advance(self) -> bool: ...
    def read(self, offset: int, length: int) -> bytes: ...
    def close(self) -> None: ...


class Opened(ABC):
    """One file for one reader. `size` grows while `is_growing`."""

    def __init__(self, kind: str, size: int, *, is_growing: bool = False) -> None:
        self.type: Final = TYPES.get(kind, "application/octet-stream")
        self.format: Final = kind
        self.size, self.is_growing = size, is_growing

    @abstractmethod
    async def read(self, offset: int, length: int) -> bytes: ...

    async def advance(self) -> None:  # noqa: B027 - a finished file has all there is
        """See whether there is more."""

    @abstractmethod
    async def close(self) -> None: ...


class Stored(Opened):
    """A finished file."""

    def __init__(self, file: BinaryIO, kind: str, size: int) -> None:
        super().__init__(kind, size)
        self._file = file
        self._lock = asyncio.Lock()

    def _read(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(length)

    async def read(self, offset: int, length: int) -> bytes:
        async with self._lock:
            return await asyncio.to_thread(self._read, offset, length)

    async def close(self) -> None:
        await asyncio.to_thread(self._file.close)


class Following:
    """A growing file, shared by whoever reads it."""

    def __init__(self, file: Growing) -> None:
        self.file = file
        self.lock = asyncio.Lock()
        self.readers = 0
        self.advanced_at = 0.0


class Live(Opened):
    """One reader of a growing file."""

    def __init__(self, following: Following, leave: Callable[[], None]) -> None:
        super().__init__("wav", following.file.size, is_growing=not following.file.is_finished)
        self._following, self._leave = following, leave

    async def read(self, offset: int, length: int) -> bytes:
        async with self._following.lock:
            return await asyncio.to_thread(self._following.file.read, offset, length)

    async def advance(self) -> None:
        following, now = self._following, asyncio.get_running_loop().time()
        async with following.lock:
            if now - following.advanced_at >= ADVANCE_S:
                following.advanced_at = now
                await asyncio.to_thread(following.file.advance)
            self.size, self.is_growing = following.file.size, not following.file.is_finished

    async def close(self) -> None:
        self._leave()


class Files:
    """Opens the files of recordings. `open_stored(tenant, recording, name)`, `open_live(tenant, recording)` block."""

    def __init__(
        self,
        cdrs: CdrStore,
        is_running: Callable[[str], bool],
        open_stored: Callable[[str, str, str], BinaryIO],
        open_live: Callable[[str, str], Growing],
    ) -> None:
        self._cdrs, self._is_running = cdrs, is_running
        self._open_stored, self._open_live = open_stored, open_live
        self._live: dict[str, Following] = {}
        self._opening = asyncio.Lock()

    async def row(self, recording: str) -> Mapping[str, Any] | None:
        """What the index knows. Raises StoreError."""
        return await self._cdrs.ask(lambda engine: rows.find(engine, recording))

    async def open(self, row: Mapping[str, Any], name: str) -> Opened:
        """Raises NotThereError, and OSError when the store does not give it."""
        identifier = str(row["id"])
        if row["state"] == "erased":
            raise NotThereError("erased")
        if row["state"] == "failed":
            raise NotThereError("unknown")
        if row["state"] != "ready":
            is_followed = self._is_running(identifier) or identifier in self._live
            if name != AUDIO or not is_followed:
                raise NotThereError("not_yet")
            return await self._follow(identifier, str(row["tenant"]))
        chosen = next((one for one in row["files"] if name in (base_name(one), one.get("kind"))), None)
        if chosen is None:
            raise NotThereError("unknown")
        try:
            file = await asyncio.to_thread(self._open_stored, str(row["tenant"]), identifier, str(chosen["name"]))
        except FileNotFoundError:
            raise NotThereError("unknown") from None
        size = await asyncio.to_thread(_size_of, file)
        return Stored(file, KINDS.get(str(chosen.get("kind")), str(chosen.get("format"))), size)

    async def _follow(self, identifier: str, tenant: str) -> Live:
        async with self._opening:
            following = self._live.get(identifier)
            if following is None:
                if len(self._live) >= MAX_LIVE:
                    raise NotThereError("busy")
                file = await asyncio.to_thread(self._open_live, tenant, identifier)
                following = self._live[identifier] = Following(file)
        following.readers += 1
        live = Live(following, lambda: self._left(identifier, following))
        await live.advance()
        return live

    def _left(self, identifier: str, following: Following) -> None:
        following.readers -= 1
        if following.readers == 0:
            asyncio.get_running_loop().call_later(LINGER_S, self._forget, identifier, following)

    def _forget(self, identifier: str, following: Following) -> None:
        if following.readers == 0 and self._live.get(identifier) is following:
            del self._live[identifier]
            following.file.close()

    def close(self) -> None:
        for one in self._live.values():
            one.file.close()
        self._live.clear()


def base_name(file: Mapping[str, Any]) -> str:
    """What a file of a recording is called outside: its name in the store, without the folders."""
    return str(file.get("name")).rpartition("/")[2]


def _size_of(file: BinaryIO) -> int:
    size = getattr(file, "size", None)
    return int(size) if size is not None else file.seek(0, 2)
