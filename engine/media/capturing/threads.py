"""Two threads for all recordings: one takes packets out of the rings and writes them, the other has the disks flushed.

Apart, since a flush may take long while writing into memory goes on. Neither ever makes the media threads wait.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic_ns
from typing import Any, Final

from santral.engine.media.capturing.filing import Filing, close_quietly
from santral.engine.media.capturing.model import CaptureReason, reason_of
from santral.engine.media.core.capture.sinks import Sink, Sinks, flush
from santral.engine.media.core.thread import block_signals
from santral.engine.media.remote import CodecKeys
from santral.recorder.capture.opening import note_fields

PASS_S: Final = 0.1
FLUSH_NS: Final = 1_000_000_000
STOP_S: Final = 10.0  # a disk that never answers is left to the end of the process
LONGEST_KEY: Final = 200  # characters of a codec's name in a capture

Order = tuple[Callable[..., None], int, tuple[Any, ...]]


class Flusher:
    """Has everything flushed that was written, once a second at most, and closes files behind that."""

    def __init__(self) -> None:
        self.since_ns = 0  # when the flush under way began, 0: none is
        self.problem: CaptureReason = ""  # of the last one
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        self._folders: dict[int, int] = {}  # device -> a descriptor on it
        self._is_dirty = False
        self._closing: list[tuple[int, Callable[[CaptureReason], None]]] = []
        self._open = 0  # captures
        self._is_running = False
        self._flushed_ns = 0

    def start(self) -> None:
        self._is_running = True
        self._thread = threading.Thread(target=self._run, name="capture-flush", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._is_running = False
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(STOP_S)
            if not self._thread.is_alive():
                self._let_go_of_folders()

    def expect(self) -> None:
        """One more capture, until it is closed."""
        with self._changed:
            self._open += 1

    def learn(self, folder: str) -> None:
        """Captures are written there."""
        with suppress(OSError):
            device = os.stat(folder).st_dev
            with self._changed:
                if device not in self._folders:
                    self._folders[device] = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def written(self) -> None:
        with self._changed:
            self._is_dirty = True
            self._changed.notify()

    def close(self, fd: int, done: Callable[[CaptureReason], None]) -> None:
        """After the next flush; `done` is told what was wrong with that, on the thread of the flusher."""
        with self._changed:
            self._closing.append((fd, done))
            self._changed.notify()

    def _let_go_of_folders(self) -> None:
        for fd in self._folders.values():
            os.close(fd)
        self._folders.clear()

    def _run(self) -> None:
        block_signals()
        while True:
            with self._changed:
                while self._is_running and not self._is_due():
                    self._changed.wait(self._wait_s())
                if not self._is_running and not self._is_dirty and not self._closing:
                    return
                folders, closing = list(self._folders.values()), self._closing
                self._closing, self._is_dirty = [], False
                self.since_ns = monotonic_ns()
            problem = max((flush(fd) for fd in folders), default=0)
            self._flushed_ns, self.since_ns = monotonic_ns(), 0
            self.problem = reason_of(problem) if problem else ""
            for fd, done in closing:
                if fd >= 0:
                    close_quietly(fd)
                done(self.problem)
            with self._changed:
                self._open -= len(closing)
                if not self._open:  # nothing of ours may keep a disk from being unmounted
                    self._let_go_of_folders()

    def _is_due(self) -> bool:
        return (self._is_dirty or bool(self._closing)) and monotonic_ns() >= self._flushed_ns + FLUSH_NS

    def _wait_s(self) -> float | None:
        if not self._is_dirty and not self._closing:
            return None
        return max(0.0, (self._flushed_ns + FLUSH_NS - monotonic_ns()) / 1e9)


class CaptureThread:
    """Runs while anything is captured; `order` is how the event loop speaks to it."""

    def __init__(self, codec_keys: CodecKeys) -> None:
        self.flusher: Final = Flusher()
        self.sinks: Final = Sinks()
        self.passes = 0
        self.since_ns = 0  # when the pass under way began, 0: none is
        self._codec_keys = codec_keys
        self._codecs_named = 0
        self._filings: dict[Sink, Filing] = {}
        self._sealed: list[Filing] = []
        self._troubled: set[Filing] = set()
        self._orders: list[Order] = []
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_running = False

    def start(self) -> None:
        self._is_running = True
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()
        self.flusher.start()

    def stop(self) -> None:
        """After all captures have come to their end."""
        self._is_running = False
        self._woken.set()
        if self._thread is not None:
            self._thread.join(STOP_S)
            self.flusher.stop()

    def order(self, act: Callable[..., None], *arguments: Any) -> int:
        """Have it done in the next pass, before anything that arrives from now on is taken. Returns when that is."""
        with self._lock:  # the time and the order belong together: see `_take_orders`
            at_ns = monotonic_ns()
            self._orders.append((act, at_ns, arguments))
        return at_ns

    def hurry(self) -> None:
        """Have the next pass at once."""
        self._woken.set()

    def before_writing(self) -> None:
        """The place where a disk may be slow."""

    # ---- orders about captures as such ----

    def begin(self, at_ns: int, filing: Filing) -> None:
        self.flusher.expect()
        self._open(filing, at_ns)
        self.sinks.add(filing.sink)
        self._filings[filing.sink] = filing
        if filing.seal is not None:
            self._sealed.append(filing)

    # ---- the thread ----

    def _run(self) -> None:
        block_signals()
        while self._is_running or self._orders or self._filings:
            self._woken.wait(PASS_S if self._filings else None)
            self._woken.clear()
            try:
                self._pass()
            except Exception as problem:  # a mistake of ours must be told too, and end nobody else's recording
                for filing in self._filings.values():
                    filing.fail(monotonic_ns(), "io", repr(problem))
                self._troubled.update(self._filings.values())
            self.since_ns = 0

    def _take_orders(self) -> tuple[int, list[Order]]:
        """What has been ordered, and up to when: an order that comes later concerns what arrives later only."""
        with self._lock:
            orders, self._orders = self._orders, []
            return monotonic_ns(), orders

    def _pass(self) -> None:
        now_ns, orders = self._take_orders()
        self.since_ns = now_ns
        for act, at_ns, arguments in orders:
            act(at_ns, *arguments)
        self._name_codecs()
        self.sinks.drain(now_ns)
        self._take_care(now_ns)
        for filing in self._sealed:
            self.sinks.seal(filing.sink, filing.seal, now_ns)  # type: ignore[arg-type]  # those that have one
        self.before_writing()
        before = self.sinks.written
        self.sinks.write(now_ns)
        if self.sinks.written != before:
            self.flusher.written()
        self._take_care(now_ns)
        self.passes += 1

    def _name_codecs(self) -> None:
        if len(self._codec_keys) == self._codecs_named:
            return
        for number, key in self._codec_keys.all():
            self.sinks.name_codec(number, note_fields("codec", {"number": number, "key": key[:LONGEST_KEY]}))
            self._codecs_named = max(self._codecs_named, number)

    def _open(self, filing: Filing, now_ns: int) -> None:
        if filing.open(now_ns):
            self.flusher.learn(str(filing.path.parent))

    def _take_care(self, now_ns: int) -> None:
        for filing in {*self._troubled, *(self._filings[sink] for sink in self.sinks.told())}:
            try:
                self._open(filing, now_ns)
                filing.care(now_ns)
            except Exception as problem:  # as in `_run`
                filing.fail(now_ns, "io", repr(problem))
            if filing.is_over:
                self._finish(filing)
            elif filing.is_troubled:
                self._troubled.add(filing)
            else:
                self._troubled.discard(filing)

    def _finish(self, filing: Filing) -> None:
        del self._filings[filing.sink]
        self._troubled.discard(filing)
        if filing.seal is not None:
            self._sealed.remove(filing)
        self.sinks.remove(filing.sink)
        self.flusher.close(filing.sink.leave(), filing.finish)
