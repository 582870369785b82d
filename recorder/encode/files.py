"""Where files are written: under another name until they are whole, or wherever the caller makes them (sealed, say)."""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol

UNFINISHED: Final = ".part"
DRAFT: Final = ".draft"  # a first version, of which the file proper is made


class NewFile(Protocol):
    """Seekable and readable while it is written. Left by an exception, or discarded, it has never been."""

    def write(self, data: bytes | bytearray | memoryview, /) -> int: ...
    def read(self, size: int = -1, /) -> bytes | None: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...
    def discard(self) -> None: ...


Create = Callable[[Path], AbstractContextManager[NewFile, bool | None]]


class PartFile(io.FileIO):
    """A file that gets its name when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(path.name + UNFINISHED)
        super().__init__(self._part, "w+")

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        """All of it: the system may take less at a time."""
        view = memoryview(data).cast("B")
        rest = view
        while rest:
            rest = rest[super().write(rest) or 0 :]
        return len(view)

    def discard(self) -> None:
        if not self.closed:
            super().close()
            self._part.unlink(missing_ok=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.discard()
        elif not self.closed:
            super().close()
            self._part.replace(self._path)
