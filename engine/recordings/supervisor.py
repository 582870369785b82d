"""The recorder process: started when there is something for it to do, spoken to over a socket pair, started again when
it dies or hangs.

What it is told are nudges and orders, what it tells are reports, which come at least once; neither is kept here.
Captures and reports lie on disk, so that whichever of the two processes dies, the next start goes on.
"""

import asyncio
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgpack

from santral.engine import log

COMMAND: Final = (sys.executable, "-m", "santral.engine.cli", "recorder", "--fd")
MAX_FRAME: Final = 1024 * 1024
READ_BYTES: Final = 256 * 1024
FIRST_PAUSE_S: Final = 0.2  # before it is started again; doubles
LONGEST_PAUSE_S: Final = 30.0
GOOD_RUN_S: Final = 60.0  # after such a run the pauses begin anew
HUNG_S: Final = 30.0  # without a sign of life
STOP_S: Final = 10.0  # for the step under way when the engine stops
MAX_ORDERS: Final = 10_000  # waiting for a process that does not come up

Frame = Mapping[str, Any]


class RecorderProcess:
    """Ours. `settings` makes its first frame at each start, `standing` those behind it; `hear` is given everything but
    signs of life.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        settings: Callable[[], Frame],
        hear: Callable[[Frame], None],
        standing: Callable[[], Sequence[Frame]] = tuple,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._standing = standing
        self._loop, self._settings, self._hear, self._command = loop, settings, hear, tuple(command)
        self._task: asyncio.Task[None] | None = None
        self._process: Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._orders: list[Frame] = []  # until it can be told
        self._heard_at = 0.0
        self._stopping = False
        self.alive: dict[str, Any] = {}  # its last sign of life
        self.counters = {"starts": 0, "deaths": 0, "hung": 0}
        self._log = log.get("recorder")

    @property
    def pid(self) -> int | None:
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    def need(self) -> None:
        """There is something for it to do."""
        if self._task is None and not self._stopping:
            self._task = self._loop.create_task(self._keep())

    def tell(self, frame: Frame, *, stands: bool = False) -> None:
        """Say this to it, now or as soon as it runs; what `stands` it is told then anyway."""
        self.need()
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(msgpack.packb(frame))
        elif not stands and len(self._orders) < MAX_ORDERS:
            self._orders.append(frame)

    def reconfigure(self) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(msgpack.packb(self._settings()))

    async def close(self) -> None:
        """Let it finish the step under way, then end it."""
        self._stopping = True
        task, self._task = self._task, None
        if task is None:
            return
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(msgpack.packb({"kind": "stop"}))
        else:
            task.cancel()
        with suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(STOP_S):
                await asyncio.shield(asyncio.gather(task, return_exceptions=True))
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    # ---- its life ----

    async def _keep(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            try:
                await self._run()
            except OSError as problem:
                self._log.error("the recorder process cannot be started", error=str(problem))
            if self._stopping:
                return
            pause_s = FIRST_PAUSE_S if time.monotonic() - began > GOOD_RUN_S else min(2 * pause_s, LONGEST_PAUSE_S)
            self.counters["deaths"] += 1
            self._log.error("the recorder process has ended; it is started again", after_s=round(pause_s, 1))
            await asyncio.sleep(pause_s)

    async def _run(self) -> None:
        """One life of it, from its start to its end."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            reader, writer = await asyncio.open_connection(sock=ours)
            try:
                words = (*self._command, str(theirs.fileno()))
                process = await asyncio.create_subprocess_exec(*words, stdin=DEVNULL, pass_fds=[theirs.fileno()])
            except BaseException:
                writer.close()
                raise
        self._process = process
        self.counters["starts"] += 1
        try:
            self._greet(writer)
            await self._listen(reader)
        finally:
            self._writer = None
            writer.close()
            await self._end(process)

    def _greet(self, writer: asyncio.StreamWriter) -> None:
        self._heard_at = time.monotonic()
        orders, self._orders = self._orders, []
        for frame in (self._settings(), *self._standing(), *orders):
            writer.write(msgpack.packb(frame))
        self._writer = writer

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Until it closes its end, or says nothing for too long."""
        frames = msgpack.Unpacker(max_buffer_size=MAX_FRAME)
        while True:
            try:
                async with asyncio.timeout(HUNG_S):
                    data = await reader.read(READ_BYTES)
            except TimeoutError:
                self.counters["hung"] += 1
                self._log.error("the recorder process gives no sign of life", seconds=HUNG_S)
                return
            except ConnectionError:
                return
            if not data:
                return
            frames.feed(data)
            for frame in frames:
                self._take(frame)

    def _take(self, frame: Any) -> None:
        if frame.get("kind") == "alive":
            self.alive = dict(frame)
            return
        try:
            self._hear(frame)
        except Exception:
            self._log.exception("a report of the recorder was not understood", report=frame.get("kind"))

    async def _end(self, process: Process) -> None:
        """It closed its socket, or has to go: it is given a moment, then killed."""
        try:
            async with asyncio.timeout(STOP_S if self._stopping else FIRST_PAUSE_S):
                await process.wait()
        except (TimeoutError, asyncio.CancelledError):
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
