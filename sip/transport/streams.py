"""TCP and TLS of one interface: a listening socket, and the connections to and from peers (RFC 3261 section 18).

An answer goes out by the connection its request came by. A request goes by the connection to that address, or opens
one: for TLS that is one with the same server name and certificate of ours (RFC 5922), or one that a peer with a
certificate opened and calls an alias of its own address (RFC 5923).
"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from santral.sip.errors import RemoteError
from santral.sip.events import Hop
from santral.sip.framing import Framer, KeepAlive
from santral.sip.transport.doorway import HANDSHAKE_S, Doorway
from santral.sip.transport.tls import is_named, names_of
from santral.sip.transport.wire import Listener, Upward, family_of, is_wildcard

if TYPE_CHECKING:
    from santral.sip.transport.tls import Client, Keyring

__all__ = ["StreamPort"]

MAX_UNSENT: Final = 2**20  # octets of one connection: while connecting, or while the peer does not read
CONNECT_S: Final = 2.0  # one lost SYN; what is too long for UDP still has time to go back to it
IDLE_S: Final = 600.0  # nothing received and nothing sent: far more than a transaction needs (RFC 3261 18: 64*T1)
STALL_S: Final = 32.0  # for the rest of a message that has begun
PING_S: Final = (95.0, 120.0)  # RFC 5626 section 3.5.1, drawn for each ping
PONG_S: Final = 10.0  # RFC 5626 section 4.4.1
UNACKNOWLEDGED_MS: Final = 20_000  # the kernel gives up octets that nobody acknowledges (TCP_USER_TIMEOUT)
NEVER: Final = float("inf")
SWEEP_S: Final = 4.0
ALIASES: Final = 4  # ports that one connection may stand for


class Key(NamedTuple):
    """What two requests must have in common to share a connection."""

    host: str
    port: int
    server_name: str
    profile: str

    @classmethod
    def of(cls, hop: Hop) -> Key:
        return cls(hop.host, hop.port, hop.server_name, hop.profile)


class Stream(asyncio.Protocol):
    """One stream, either way. It belongs to its port, which forgets it when it is lost."""

    def __init__(self, port: StreamPort, hop: Hop, judge: Client | None = None) -> None:
        self.hop = hop  # as whoever sends names it
        self.source = hop  # as what it receives is marked
        self.keys: list[Key] = []
        self._port = port
        self._judge = judge
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []
        self._unsent = 0
        self._touched = port.upward.loop.time()
        self._is_lost = False
        self._has_overflowed = False
        self._ping_at = self._touched + random.uniform(*PING_S)  # noqa: S311 - spreads load, hides nothing
        self._pong_by = NEVER
        self._awaits_pong = self._has_ponged = False

    @property
    def is_closing(self) -> bool:
        """Whether nothing more can be sent over it."""
        return self._is_lost or (self._transport is not None and self._transport.is_closing())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of `asyncio.Protocol`; over TLS, once the handshake is done."""
        self._transport = cast("asyncio.Transport", transport)
        names = names_of(transport.get_extra_info("peercert"))
        wanted = self.hop.server_name
        if self._judge is not None and not is_named(wanted, names, wildcards=self._judge.wildcards):
            self._port.upward.counters["certificates_refused"] += 1
            self._has_overflowed = True  # whoever waits has to hear of it
            self._transport.abort()
            return
        verified = (wanted,) if self._judge is not None else tuple(name for name in names if "*" not in name)
        self.source = self.hop._replace(verified=verified)
        if not self._port.take(self):
            self._transport.abort()
            return
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        waiting, self._waiting, self._unsent = self._waiting, [], 0
        if waiting:
            self._transport.write(b"".join(waiting))

    def data_received(self, data: bytes) -> None:
        """Part of `asyncio.Protocol`."""
        upward, transport = self._port.upward, self._transport
        if transport is None or transport.is_closing():
            return
        self._touched = upward.loop.time()
        if self._awaits_pong:
            data = self._take_pong(data)
        try:
            for item in self._framer.receive(data):
                if transport.is_closing():
                    return
                if isinstance(item, KeepAlive):
                    if item is KeepAlive.PING:
                        transport.write(KeepAlive.PONG.value)
                else:
                    upward.on_bytes(item, self.source)
        except RemoteError as error:
            upward.counters["broken_streams"] += 1
            upward.on_broken(error, self.source)
            transport.close()

    def _take_pong(self, data: bytes) -> bytes:
        """Whatever comes shows that the flow stands; the answer to our ping is no business of the framer's."""
        self._awaits_pong, self._pong_by = False, NEVER
        if self._framer.pending or not data.startswith(KeepAlive.PONG.value):
            return data
        self._has_ponged = True
        return data[len(KeepAlive.PONG.value) :]

    def connection_lost(self, error: Exception | None) -> None:
        """Part of `asyncio.Protocol`."""
        self.lose(has_failed=error is not None or self._has_overflowed)

    def lose(self, *, has_failed: bool) -> None:
        """It is gone: out of the books, and who has to know is told, once."""
        if self._is_lost:
            return
        self._is_lost = True
        self._port.forget(self)
        if has_failed:
            for hop in dict.fromkeys((self.hop, self.source)):
                self._port.upward.fail(hop)
        self._port.upward.on_closed(self.source)

    def send(self, data: bytes) -> None:
        """Write, or keep for the moment the connection stands; too much unsent breaks it."""
        self._touched = self._port.upward.loop.time()
        if self._transport is not None:
            if self._transport.get_write_buffer_size() + len(data) > MAX_UNSENT:
                self._port.upward.counters["streams_overflowed"] += 1
                self._has_overflowed = True
                self._transport.abort()
            else:
                self._transport.write(data)
        elif self._unsent + len(data) > MAX_UNSENT:
            self._port.upward.counters["streams_overflowed"] += 1
            self._port.upward.fail(self.hop)
        else:
            self._waiting.append(data)
            self._unsent += len(data)

    def check(self, now: float) -> None:
        """Close what is idle or stalled; ping what we opened, and give up a flow that no longer answers pings.

        A peer that has never answered a ping may not know of them (RFC 5626 is an extension): the kernel notices there.
        """
        if self._transport is None or self._transport.is_closing():
            return
        quiet = now - self._touched
        if now > self._pong_by:
            self._port.upward.counters["flows_failed"] += 1
            self._has_overflowed = True
            self._transport.abort()
        elif quiet > IDLE_S or (quiet > STALL_S and self._framer.pending):
            self._transport.close()
        elif not self.hop.flow and now >= self._ping_at and self._pong_by == NEVER:
            self._ping_at = now + random.uniform(*PING_S)  # noqa: S311
            self._pong_by = now + PONG_S if self._has_ponged else NEVER
            self._awaits_pong = True
            self._transport.write(KeepAlive.PING.value)

    def close(self, *, at_once: bool = False) -> None:
        """End the stream, after what is still to be written unless `at_once`."""
        if self._transport is not None:
            if at_once:
                self._transport.abort()
            else:
                self._transport.close()


class StreamPort:
    """One listening socket of one interface, and all connections of that interface and transport ("tcp" or "tls")."""

    def __init__(self, listener: Listener, upward: Upward, keyring: Keyring) -> None:
        self.upward = upward
        self._listener = listener
        self._keyring = keyring
        self._is_secure = listener.transport == "tls"
        self._family = family_of(listener.host)
        self._doorway = Doorway(listener, upward, self._welcome)
        self._pool: dict[Key, Stream] = {}
        self._flows: dict[int, Stream] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._sweep: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._streams())

    def _streams(self) -> set[Stream]:
        return {*self._pool.values(), *self._flows.values()}

    async def open(self) -> tuple[str, int]:
        """Listen; returns the real address. Raises OSError."""
        address = self._doorway.open()
        self._sweep = self.upward.loop.call_later(SWEEP_S, self._check)
        return address

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._sweep is not None:
            self._sweep.cancel()
        await self._doorway.close()
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for stream in self._streams():
            stream.close(at_once=True)
        self._pool.clear()
        self._flows.clear()
        await asyncio.sleep(0)  # connection_lost of each

    def has_flow(self, hop: Hop) -> bool:
        """Whether the connection this came by still stands."""
        stream = self._flows.get(hop.flow)
        return stream is not None and not stream.is_closing

    def send(self, hop: Hop, data: bytes) -> None:
        """Send over the connection of that flow, or over the one to that address: opens one when there is none.

        Failures come by `on_failed`.
        """
        stream = self._flows.get(hop.flow) if hop.flow else self._pool.get(Key.of(hop))
        if stream is None or stream.is_closing:
            if hop.flow or self._family not in (None, family_of(hop.host)) or family_of(hop.host) is None:
                self.upward.fail(hop)
                return
            stream = self._connect(hop)
            if stream is None:
                self.upward.fail(hop)
                return
        stream.send(data)

    def add_alias(self, hop: Hop, port: int) -> None:
        """Requests to this `port` of the flow's peer, whose certificate was verified, go by the flow (RFC 5923 8)."""
        stream = self._flows.get(hop.flow)
        if stream is None or not self._is_secure or len(stream.keys) >= ALIASES:
            return
        for name in stream.source.verified:
            key = Key(hop.host, port, name, "")
            if key not in self._pool:
                self._pool[key] = stream
                stream.keys.append(key)

    def take(self, stream: Stream) -> bool:
        """A connection stands: an accepted one gets its place here, one of ours must not have been given up."""
        if not stream.hop.flow:
            return self._pool.get(Key.of(stream.hop)) is stream
        self._flows[stream.hop.flow] = stream
        if not self._is_secure:  # the peer's port may be where its Contact says it is
            key = Key.of(stream.hop)
            stream.keys.append(key)
            self._pool[key] = stream
        return True

    def forget(self, stream: Stream) -> None:
        """The connection is gone; a newer one to the same address stays."""
        for key in stream.keys:
            if self._pool.get(key) is stream:
                del self._pool[key]
        if stream.hop.flow:
            self._flows.pop(stream.hop.flow, None)
            self.upward.crowd.leave(stream.hop.host)
        else:
            self.upward.crowd.total -= 1

    # -- accepted ones ---------------------------------------------------------------------------------------------

    async def _welcome(self, sock: socket.socket, hop: Hop) -> None:
        """Part of `Doorway`: the handshake of a connection that a peer has opened."""
        stream = Stream(self, hop)
        try:
            context = self._keyring.server(self._listener.interface) if self._is_secure else None
            if self._is_secure and context is None:
                raise OSError("no certificate")
            async with asyncio.timeout(HANDSHAKE_S):
                await self.upward.loop.connect_accepted_socket(lambda: stream, sock, ssl=context)
        except (OSError, TimeoutError, asyncio.CancelledError):
            stream.lose(has_failed=False)
            raise

    # -- our own ---------------------------------------------------------------------------------------------------

    def _connect(self, hop: Hop) -> Stream | None:
        """A connection that is being opened; None when there may be no more, or no way to judge the server."""
        if self.upward.crowd.is_full:
            self.upward.counters["connections_refused"] += 1
            return None
        client = self._keyring.client(hop.interface, hop.profile) if self._is_secure else None
        if self._is_secure and client is None:
            return None
        self.upward.crowd.total += 1
        stream = Stream(self, hop._replace(verified=()), client)
        stream.keys.append(Key.of(hop))
        self._pool[Key.of(hop)] = stream
        task = self.upward.loop.create_task(self._open(stream, client))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return stream

    async def _open(self, stream: Stream, client: Client | None) -> None:
        hop, loop = stream.hop, self.upward.loop
        own = None if is_wildcard(self._listener.host) else (self._listener.host, 0)
        context = None if client is None else client.context
        name = None if client is None else hop.server_name
        try:
            async with asyncio.timeout(CONNECT_S + (0.0 if client is None else HANDSHAKE_S)):
                await loop.create_connection(
                    lambda: stream, hop.host, hop.port, local_addr=own, ssl=context, server_hostname=name
                )
        except (OSError, OverflowError, TimeoutError, ValueError) as problem:
            failed = "handshakes_failed" if isinstance(problem, ssl.SSLError) else "connects_failed"
            self.upward.counters[failed] += 1
            stream.lose(has_failed=True)

    def _check(self) -> None:
        now = self.upward.loop.time()
        for stream in self._streams():
            stream.check(now)
        self._sweep = self.upward.loop.call_later(SWEEP_S, self._check)
