"""A WAV that grows with the call: for players that ask for ranges of bytes while the recording is still being made."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Final, Self

from santral.recorder.capture import CaptureFile, Unwrap, is_being_written
from santral.recorder.encode.wav import header
from santral.recorder.mixdown.mixing import Mixdown
from santral.recorder.mixdown.model import Options, Piece


class LiveFile:
    """The mix of one growing capture. Blocks while it reads and mixes; one thread at a time.

    Audio lies in an unlinked temporary file of `folder`. It is six seconds behind the call, since what comes later
    shows where earlier packets belong; more while a side sends nothing.
    """

    def __init__(
        self, path: Path | str, unwrap: Unwrap | None = None, options: Options | None = None, folder: Path | None = None
    ) -> None:
        self.capture: Final = CaptureFile(path, unwrap)
        self.mix: Final = Mixdown([self.capture], replace(options or Options(), tracks=False))
        self.spool: Final[IO[bytes]] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with this object
        self.size = 0  # bytes that can be read

    @property
    def is_finished(self) -> bool:
        return self.mix.is_finished

    def advance(self) -> bool:
        """Mix what was captured since; False when there was nothing new. Ends with the capture, or with its writer."""
        if self.is_finished:
            return False
        before = self.size
        was_open = is_being_written(self.capture.path)
        self._append(self.mix.advance())
        if self.mix.is_complete or not was_open:
            self._append(self.mix.finish())
            self._begin()
        return self.size > before

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from there on; fewer at the end of what there is."""
        self.spool.seek(offset)
        return self.spool.read(max(0, min(length, self.size - offset)))

    def close(self) -> None:
        self.capture.close()
        self.spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, pieces: Iterator[Piece]) -> None:
        for piece in pieces:
            if not self.size:
                self._begin()
            self.spool.seek(self.size)
            self.spool.write(piece.samples.astype("<i2", order="C", copy=False).data.cast("B"))
            self.size += 2 * piece.samples.size
        self.spool.flush()

    def _begin(self) -> None:
        """The header: without lengths until the end is known."""
        channels, hz = self.mix.tracks[0].channels, self.mix.rate_hz
        empty = header(hz, channels)
        length = self.size - len(empty) if self.size else 0
        self.spool.seek(0)
        self.spool.write(header(hz, channels, data_bytes=length) if self.is_finished else empty)
        self.size = max(self.size, len(empty))
