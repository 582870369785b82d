"""The way to a HEP collector: datagrams or one stream, never waited for. What it does not take is counted."""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Final

MAX_BUFFERED: Final = 1024 * 1024  # octets that wait for a slow stream
FIRST_PAUSE_S: Final = 1.0  # before a stream is tried again; doubled each time
LONGEST_PAUSE_S: Final = 60.0


class Collector:
    """`transport` is udp or tcp. `send` may be called at any time; before `start` and after `close` it drops."""

    def __init__(self, transport: str, host: str, port: int) -> None:
        self.counters: Counter[str] = Counter()
        self._is_stream = transport == "tcp"
        self._address = (host, port)
        self._datagrams: asyncio.DatagramTransport | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Open the socket; a stream is connected in the background, again and again."""
        if self._is_stream:
            self._task = loop.create_task(self._keep_connected())
            return
        transport, _ = await loop.create_datagram_endpoint(lambda: _Deaf(self.counters), remote_addr=self._address)
        self._datagrams = transport

    def send(self, frame: bytes) -> None:
        """Hand one frame over."""
        if self._datagrams is not None:
            self._datagrams.sendto(frame)
        elif self._writer is not None and self._writer.transport.get_write_buffer_size() < MAX_BUFFERED:
            self._writer.write(frame)
        else:
            self.counters["dropped"] += 1
            return
        self.counters["sent"] += 1

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._datagrams is not None:
            self._datagrams.close()
            self._datagrams = None

    async def _keep_connected(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                reader, writer = await asyncio.open_connection(*self._address)
            except OSError:
                self.counters["refused"] += 1
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            pause_s, self._writer = FIRST_PAUSE_S, writer
            try:
                while await reader.read(4096):  # it has nothing to say; its end is what we wait for
                    pass
            except OSError:
                pass
            finally:
                self._writer = None
                writer.close()
            self.counters["lost"] += 1


class _Deaf(asyncio.DatagramProtocol):
    """Nobody answers HEP; ICMP errors are counted."""

    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters

    def error_received(self, exc: Exception) -> None:  # noqa: ARG002 - asyncio's name
        self._counters["refused"] += 1
