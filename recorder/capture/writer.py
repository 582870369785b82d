"""A capture written from Python: by tests and tools. The media plane writes the same chunks by itself."""

import os
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from santral.recorder.capture.chunk import Chunk, chunk_of
from santral.recorder.capture.model import MARKER, MASKED, CaptureHeader, CaptureKey
from santral.recorder.capture.opening import create, note_fields, opening_bytes, write_all

CHUNK_BYTES: Final = 1 << 16
BIGGEST_RECORD: Final = 32 + 0xFFFF


class CaptureWriter:
    """Makes a new file and holds its lock until closed. Closed without `end`, the file is one that was cut."""

    def __init__(self, path: Path | str, header: CaptureHeader, key: CaptureKey | None = None) -> None:
        self.path: Final = Path(path)
        opening, self._seal = opening_bytes(header, key)
        self._fd = create(self.path, opening)
        self._chunk = Chunk(CHUNK_BYTES + BIGGEST_RECORD)
        self._number = 1

    def codec(self, number: int, key: str, at_ns: int = 0) -> None:
        """Comes before the first packet of that codec."""
        self.note(at_ns, "codec", number=number, key=key)

    def stream(self, number: int, at_ns: int, **fields: Any) -> None:
        self.note(at_ns, "stream", stream=number, **fields)

    def note(self, at_ns: int, kind: str, **fields: Any) -> None:
        self._chunk.note(at_ns, note_fields(kind, fields))
        self._cut_if_full()

    def packet(  # noqa: PLR0917 - as they stand in the record
        self,
        stream: int,
        arrival_ns: int,
        timestamp: int,
        ssrc: int,
        sequence: int,
        codec: int,
        payload: bytes,
        *,
        marker: bool = False,
        masked: bool = False,
        payload_type: int = 0,
    ) -> None:
        """Of a masked one only the length of `payload` gets into the file."""
        flags = (MARKER if marker else 0) | (MASKED if masked else 0)
        self._chunk.packet(stream, arrival_ns, timestamp, ssrc, sequence, codec, payload_type, flags, payload)
        self._cut_if_full()

    def cut(self) -> None:
        """End the chunk under work, so that it is in the file."""
        if not len(self._chunk):
            return
        body = self._chunk.body
        self._write(chunk_of(self._number, body if self._seal is None else self._seal.seal(self._number, body)))
        self._number += 1
        self._chunk.clear()

    def end(self, at_ns: int, reason: str = "") -> None:
        self.note(at_ns, "end", reason=reason)
        self.close()

    def close(self) -> None:
        if self._fd >= 0:
            self.cut()
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _cut_if_full(self) -> None:
        if len(self._chunk) >= CHUNK_BYTES:
            self.cut()

    def _write(self, data: bytes) -> None:
        write_all(self._fd, data)
