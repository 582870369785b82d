"""One media thread and its two rings, seen from the event loop: commands are posted, reports come back."""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from santral.engine.media.core.thread import LegTable, MediaThread, block_signals
from santral.engine.media.model import PlaneSettings, ReportKind

RETRY_S: Final = 0.002  # a full command ring is tried again this soon: two ticks of the media thread
NICENESS: Final = -10  # a media thread must not queue behind batch work; ignored without the right to ask


@dataclass(frozen=True, slots=True)
class Report:
    """One event of the media thread about one leg."""

    leg: int
    kind: ReportKind
    data: dict[str, str | int | float | bool]


class MediaWorker:
    """Owns the thread object; `post` never blocks and keeps the order of commands."""

    def __init__(
        self, table: LegTable, settings: PlaneSettings, number: int, on_report: Callable[[Report], None]
    ) -> None:
        self.legs = 0  # seats taken, for spreading new legs
        self._thread = MediaThread(
            table,
            number,
            timeout_s=settings.timeout_s,
            timeout_hold_s=settings.timeout_hold_s,
            no_audio_s=settings.no_audio_s,
            keepalive_s=settings.keepalive_s,
            rtcp_interval_s=settings.rtcp_interval_s,
            relatch_s=settings.relatch_s,
        )
        self._runner = threading.Thread(target=self._run, name=f"media-{number}", daemon=True)
        self._on_report = on_report
        self._backlog: deque[tuple[str, tuple[Any, ...]]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rings_soon = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        loop.add_reader(self._thread.event_fd, self._drain)
        self._runner.start()

    async def stop(self) -> None:
        """Command, join, then free (architecture: the media thread closes what it owns before it ends)."""
        self.post("stop")
        self._ring()
        await asyncio.to_thread(self._runner.join)
        asyncio.get_running_loop().remove_reader(self._thread.event_fd)
        self._drain()
        self._thread.close()

    def post(self, command: str, *arguments: Any) -> None:
        """Hand a command over. The thread is woken once for all that one turn of the loop has for it."""
        if not self._rings_soon and self._loop is not None:
            self._rings_soon = True
            self._loop.call_soon(self._ring)
        if self._backlog or not getattr(self._thread, command)(*arguments):
            self._backlog.append((command, arguments))
            if len(self._backlog) == 1:
                self._retry_later()

    def _ring(self) -> None:
        self._rings_soon = False
        self._thread.ring_bell()

    def counters(self) -> dict[str, int]:
        return self._thread.counters()

    def _run(self) -> None:
        block_signals()
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        self._thread.run()

    def _retry_later(self) -> None:
        if self._loop is not None:
            self._loop.call_later(RETRY_S, self._retry)

    def _retry(self) -> None:
        while self._backlog:
            command, arguments = self._backlog[0]
            if not getattr(self._thread, command)(*arguments):
                self._ring()
                self._retry_later()
                return
            self._backlog.popleft()
        self._ring()

    def _drain(self) -> None:
        for leg, kind, data in self._thread.events():
            self._on_report(Report(leg, kind, data))
