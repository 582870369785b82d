"""TCP of one interface: a listening socket, and the connections to and from peers (RFC 3261 section 18).

A connection is known by the peer's address: an answer goes out where its request came in, a request to a listening port
opens a connection there, and the next message opens a new one where the last has broken.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from santral.sip.errors import RemoteError
from santral.sip.events import Hop
from santral.sip.framing import Framer, KeepAlive
from santral.sip.transport.wire import Listener, Upward, family_of, is_wildcard

__all__ = ["TcpPort"]

if TYPE_CHECKING:
    Key = tuple[str, int]

MAX_CONNECTIONS: Final = 4096
MAX_UNSENT: Final = 2**20  # octets of one connection: while connecting, or while the peer does not read
CONNECT_TIMEOUT_S: Final = 4.0
IDLE_S: Final = 600.0  # nothing received and nothing sent: far more than a transaction needs (RFC 3261 18: 64*T1)
STALL_S: Final = 32.0  # for the rest of a message that has begun
BACKLOG: Final = 1024


class Connection(asyncio.Protocol):
    """One stream, either way. It belongs to its port, which forgets it when it is lost."""

    def __init__(self, port: TcpPort, hop: Hop | None) -> None:
        self.hop = hop
        self.touched = 0.0
        self._port = port
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []
        self._unsent = 0
        self._has_overflowed = False

    @property
    def is_closing(self) -> bool:
        """Whether nothing more can be sent over it."""
        return self._transport is not None and self._transport.is_closing()

    @property
    def is_stalled(self) -> bool:
        """Whether it waits for the rest of a message."""
        return self._framer.pending > 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)
        if self.hop is None:
            host, port = transport.get_extra_info("peername")[:2]
            self.hop = Hop("tcp", host, port, self._port.interface)
            if not self._port.admit(self):
                self._transport.abort()
                return
        waiting, self._waiting, self._unsent = self._waiting, [], 0
        if waiting:
            self._transport.write(b"".join(waiting))

    def data_received(self, data: bytes) -> None:
        """Part of `asyncio.Protocol`."""
        upward = self._port.upward
        if self.hop is None or self._transport is None:
            return
        self.touched = upward.loop.time()
        try:
            for item in self._framer.receive(data):
                if self._transport.is_closing():
                    return
                if isinstance(item, KeepAlive):
                    if item is KeepAlive.PING:
                        self._transport.write(KeepAlive.PONG.value)
                else:
                    upward.on_bytes(item, self.hop)
        except RemoteError:
            upward.counters["broken_streams"] += 1
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Part of `asyncio.Protocol`."""
        if self.hop is not None:
            self._port.forget(self)
            if error is not None or self._has_overflowed:
                self._port.upward.fail(self.hop)

    def send(self, data: bytes) -> None:
        """Write, or keep for the moment the connection stands; too much unsent breaks it."""
        self.touched = self._port.upward.loop.time()
        if self._transport is not None:
            if self._transport.get_write_buffer_size() + len(data) > MAX_UNSENT:
                self._port.upward.counters["streams_overflowed"] += 1
                self._has_overflowed = True
                self._transport.abort()
            else:
                self._transport.write(data)
        elif self._unsent + len(data) > MAX_UNSENT and self.hop is not None:
            self._port.upward.counters["streams_overflowed"] += 1
            self._port.upward.fail(self.hop)
        else:
            self._waiting.append(data)
            self._unsent += len(data)

    def close(self, *, at_once: bool = False) -> None:
        """End the stream, after what is still to be written unless `at_once`."""
        if self._transport is not None:
            if at_once:
                self._transport.abort()
            else:
                self._transport.close()


class TcpPort:
    """One listening socket of one interface, and all connections of that interface."""

    def __init__(self, listener: Listener, upward: Upward) -> None:
        self.interface = listener.interface
        self.upward = upward
        self._listener = listener
        self._family = family_of(listener.host)
        self._connections: dict[Key, Connection] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._sweep: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._connections)

    async def open(self) -> tuple[str, int]:
        """Listen; returns the real address. Raises OSError."""
        self._server = await self.upward.loop.create_server(
            lambda: Connection(self, None), self._listener.host, self._listener.port, backlog=BACKLOG
        )
        self._sweep = self.upward.loop.call_later(STALL_S / 2, self._close_idle)
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._sweep is not None:
            self._sweep.cancel()
        if self._server is not None:
            self._server.close()
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for connection in tuple(self._connections.values()):
            connection.close(at_once=True)
        self._connections.clear()
        await asyncio.sleep(0)  # connection_lost of each

    def send(self, hop: Hop, data: bytes) -> None:
        """Send over the connection to that address; opens one when there is none. Failures come by `on_failed`."""
        connection = self._connections.get((hop.host, hop.port))
        if connection is None or connection.is_closing:
            if family_of(hop.host) is None or self._family not in (None, family_of(hop.host)) or self._is_full():
                self.upward.fail(hop)
                return
            connection = Connection(self, hop)
            self._connections[hop.host, hop.port] = connection
            task = self.upward.loop.create_task(self._connect(connection, hop))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)
        connection.send(data)

    def admit(self, connection: Connection) -> bool:
        """Take in a connection that a peer has opened, while there is room."""
        hop = connection.hop
        if hop is None or self._is_full():
            return False
        self._connections[hop.host, hop.port] = connection
        connection.touched = self.upward.loop.time()
        return True

    def forget(self, connection: Connection) -> None:
        """The connection is gone; a newer one to the same address stays."""
        hop = connection.hop
        if hop is not None and self._connections.get((hop.host, hop.port)) is connection:
            del self._connections[hop.host, hop.port]

    def _is_full(self) -> bool:
        if len(self._connections) < MAX_CONNECTIONS:
            return False
        self.upward.counters["connections_refused"] += 1
        return True

    async def _connect(self, connection: Connection, hop: Hop) -> None:
        own = None if is_wildcard(self._listener.host) else (self._listener.host, 0)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self.upward.loop.create_connection(lambda: connection, hop.host, hop.port, local_addr=own)
        except (OSError, OverflowError, TimeoutError):
            self.upward.counters["connects_failed"] += 1
            self.forget(connection)
            self.upward.fail(hop)

    def _close_idle(self) -> None:
        now = self.upward.loop.time()
        for connection in tuple(self._connections.values()):
            quiet = now - connection.touched
            if quiet > IDLE_S or (quiet > STALL_S and connection.is_stalled):
                connection.close()
        self._sweep = self.upward.loop.call_later(STALL_S / 2, self._close_idle)
