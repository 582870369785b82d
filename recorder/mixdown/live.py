"""A WAV that grows with the call: for players that ask for ranges of bytes while the recording is still being made."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

from santral.recorder.capture import CaptureFile, Unwrap, is_being_written
from santral.recorder.encode.wav import header
from santral.recorder.mixdown.mixing import Mixdown
from santral.recorder.mixdown.model import Options, Piece
from santral.recorder.mixdown.spool import Spool


class LiveFile:
    """The mix of one growing capture. Blocks while it reads and mixes; one thread at a time.

    Audio lies in a `Spool` in `folder`. It is six seconds behind the call, since what comes later
    shows where earlier packets belong; more while a side sends nothing.
    """

    def __init__(
        self, path: Path | str, unwrap: Unwrap | None = None, options: Options | None = None, folder: Path | None = None
    ) -> None:
        self.capture: Final = CaptureFile(path, unwrap)
        options = options or Options.of(self.capture.header.meta)
        self.mix: Final = Mixdown([self.capture], replace(options, tracks=False))
        self._spool: Final = Spool(folder)
        self._header = b""

    @property
    def size(self) -> int:
        """Bytes that can be read."""
        return len(self._header) + self._spool.size

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
            self._header = header(self.mix.rate_hz, self.mix.tracks[0].channels, data_bytes=self._spool.size)
        return self.size > before

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from there on; fewer at the end of what there is."""
        start = self._header[offset : offset + max(0, length)]
        return start + self._spool.read(max(0, offset - len(self._header)), length - len(start))

    def close(self) -> None:
        self.capture.close()
        self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, pieces: Iterator[Piece]) -> None:
        for piece in pieces:
            if not self._header:  # without lengths until the end is known
                self._header = header(self.mix.rate_hz, piece.track.channels)
            self._spool.add(piece.samples.astype("<i2", order="C", copy=False).tobytes())
