"""One capture on the capture thread: its file, what is noted, and how it fares, which the event loop is told."""

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from santral.engine.media.capturing.model import CaptureReason, CaptureSummary, reason_of
from santral.engine.media.core.capture.sinks import Sink
from santral.engine.media.core.stage.tap import TapRing
from santral.recorder.capture.opening import create, note_fields
from santral.recorder.capture.seal import Seal

RETRY_NS: Final = 1_000_000_000
GIVE_UP_NS: Final = 5_000_000_000  # at the end of a recording whose disk takes nothing
OVERRUN_OVER_NS: Final = 2_000_000_000  # without another one


class Tell(Protocol):
    """How the event loop is told; called on the capture thread."""

    def __call__(self, what: str, reason: CaptureReason, detail: str) -> None: ...


Done = Callable[[CaptureSummary], None]


class Filing:
    """Every method belongs to the capture thread. Times are CLOCK_MONOTONIC."""

    def __init__(self, path: Path, opening: bytes, seal: Seal | None, tell: Tell, done: Done) -> None:
        self.path: Final = path
        self.seal: Final = seal
        self.sink: Final = Sink(seal is not None)
        self.is_over = False
        self._opening = opening
        self._tell = tell
        self._done = done
        self._notes: deque[tuple[int, bytes]] = deque()
        self._leaving: dict[int, tuple[int, str]] = {}
        self._ending: tuple[int, str] | None = None
        self._end_is_written = False
        self._failing: CaptureReason = ""  # what keeps it from being written
        self._failed_ns = 0
        self._retry_ns = 0
        self._is_lost = False  # nothing can come of it any more
        self._overrun_ns = 0  # the last one, 0: none, or long ago

    # ---- orders ----

    def note(self, at_ns: int, fields: bytes) -> None:
        self._notes.append((at_ns, fields))
        self._put_notes()

    def add(self, at_ns: int, stream: int, ring: TapRing, fields: bytes) -> None:
        self.note(at_ns, fields)
        self.sink.add(stream, ring)

    def leave(self, at_ns: int, stream: int, reason: str) -> None:
        """The media thread has given back the ring."""
        self._leaving[stream] = (at_ns, reason)
        self.sink.returned(stream)

    def pause(self, at_ns: int, mode: str) -> None:
        self.sink.pause(at_ns, bool(mode))
        self.note(at_ns, note_fields("paused", {"mode": mode}) if mode else note_fields("resumed", {}))

    def mask(self, at_ns: int, on: bool) -> None:
        self.sink.mask(at_ns, on)
        self.note(at_ns, note_fields("masked" if on else "unmasked", {}))

    def end(self, at_ns: int, reason: str) -> None:
        """Once all streams have been given back."""
        self._ending = (at_ns, reason)
        self.sink.press()

    # ---- every pass ----

    def open(self, now_ns: int) -> bool:
        """Make the file, unless it is there, or that has failed just now. Whether it was made."""
        if self.sink.fd >= 0 or self._is_lost or now_ns < self._retry_ns:
            return False
        try:
            fd = create(self.path, self._opening)
        except OSError as problem:
            self._retry_ns = now_ns + RETRY_NS
            self._is_lost = isinstance(problem, FileExistsError)
            self.fail(now_ns, reason_of(problem.errno or 0), str(problem.strerror))
            return False
        self.sink.begin(fd, len(self._opening), 1)
        self._recover()
        return True

    def care(self, now_ns: int) -> None:
        """What a pass has left to be looked after. `is_over` afterwards: the file can be flushed and closed."""
        self._put_notes()
        self._count_overruns(now_ns)
        for stream in self.sink.remove_drained():
            at_ns, reason = self._leaving.pop(stream, (now_ns, ""))
            self.note(at_ns, note_fields("stream_end", {"stream": stream, "reason": reason}))
        if self.sink.is_gone:
            self._is_lost = True
            close_quietly(self.sink.leave())
            self.fail(now_ns, "gone", "the file was deleted")
        elif self.sink.fd >= 0 and self.sink.error:
            self.fail(now_ns, reason_of(self.sink.error), os.strerror(self.sink.error))
        elif self._failing and not self._is_lost and self.sink.wrote_ns >= self._failed_ns:
            self._recover()
        if self._ending is not None:
            self._come_to_an_end(now_ns, *self._ending)

    def finish(self, flush_problem: CaptureReason) -> None:
        """The file was flushed, or could not be, and is closed. Called by the flusher; nobody else calls any more."""
        if flush_problem:
            self._failing = flush_problem
        self._done(self.summary(is_flushed=not flush_problem))

    def fail(self, now_ns: int, reason: CaptureReason, detail: str) -> None:
        """Something keeps it from being written."""
        self._failed_ns = now_ns
        if reason != self._failing:
            self._recover()
            self._failing = reason
            self._tell("failed", reason, detail)

    @property
    def is_troubled(self) -> bool:
        return bool(self._failing or self._overrun_ns or self._ending or self._notes)

    def summary(self, *, is_flushed: bool = False) -> CaptureSummary:
        sink = self.sink
        complete = is_flushed and self._end_is_written
        return CaptureSummary(
            self.path, sink.packets, sink.masked_packets, sink.dropped, sink.offset, complete, self._failing
        )

    # ---- inside ----

    def _put_notes(self) -> None:
        while self._notes and self.sink.note(*self._notes[0]):
            self._notes.popleft()

    def _count_overruns(self, now_ns: int) -> None:
        for stream, packets in self.sink.overruns():
            self.note(now_ns, note_fields("dropped", {"stream": stream, "packets": packets}))
            if not self._overrun_ns:
                self._tell("failed", "overrun", f"{packets} packets found no room")
            self._overrun_ns = now_ns
        if self._overrun_ns and now_ns - self._overrun_ns > OVERRUN_OVER_NS:
            self._overrun_ns = 0
            self._tell("recovered", "overrun", "")

    def _recover(self) -> None:
        if self._failing:
            self._tell("recovered", self._failing, "")
            self._failing = ""

    def _come_to_an_end(self, now_ns: int, at_ns: int, reason: str) -> None:
        if not self.sink.has_sources and not self._notes and not self._end_is_written:
            self._end_is_written = self.sink.note(at_ns, note_fields("end", {"reason": reason}))
        if self._end_is_written and self.sink.is_empty:
            self.is_over = True
        elif now_ns - at_ns > GIVE_UP_NS or self._is_lost:
            self._end_is_written = False
            self.sink.abandon()
            self.sink.overruns()
            self.is_over = True


def close_quietly(fd: int) -> None:
    """What closing could complain of, a flush has said, or says soon."""
    with suppress(OSError):
        os.close(fd)
