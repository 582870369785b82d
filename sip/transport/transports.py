"""All sockets of one engine, by interface and transport: bytes up with the hop they came from, bytes down to a hop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from santral.sip.errors import LocalError, RemoteError
from santral.sip.transport.streams import StreamPort
from santral.sip.transport.tls import Keyring
from santral.sip.transport.udp import UdpPort
from santral.sip.transport.websocket import WebPort
from santral.sip.transport.wire import Listener, Upward

if TYPE_CHECKING:
    from santral.sip.events import Hop

__all__ = ["Listener", "Transports"]

_Port = UdpPort | StreamPort | WebPort
_STREAMS: Final[dict[str, type[StreamPort] | type[WebPort]]] = {
    "tcp": StreamPort,
    "tls": StreamPort,
    "ws": WebPort,
    "wss": WebPort,
}


def _ignore(*_: object) -> None:
    """Nobody asked."""


class Transports:
    """`on_bytes` gets one datagram, or one message cut from a stream; `on_failed` a hop that nothing can be sent to;
    `on_closed` the hop of a connection that is gone; `on_broken` the hop of a stream that can be cut no further, and
    why: what is sent to it at once still leaves before it is closed.

    All are plain calls from the loop, never from inside `send`. `addresses` has the real (host, port) after `start`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listeners: Sequence[Listener],
        on_bytes: Callable[[bytes, Hop], None],
        on_failed: Callable[[Hop], None],
        *,
        on_closed: Callable[[Hop], None] = _ignore,
        on_broken: Callable[[RemoteError, Hop], None] = _ignore,
        keyring: Keyring | None = None,
    ) -> None:
        self._upward = Upward(loop, on_bytes, on_failed, on_closed, on_broken)
        self.keyring = keyring or Keyring()
        self._listeners = tuple(listeners)
        self._ports: dict[tuple[str, str], _Port] = {}
        self.addresses: dict[tuple[str, str], tuple[str, int]] = {}
        self.counters = self._upward.counters
        names = [(listener.interface, listener.transport) for listener in self._listeners]
        if len(set(names)) != len(names):
            raise LocalError(f"two listeners of one interface and transport: {names}")
        if unknown := [name for name in names if name[1] != "udp" and name[1] not in _STREAMS]:
            raise LocalError(f"no such transport: {unknown}")

    async def start(self) -> None:
        """Bind everything, or nothing: raises OSError with the address that could not be bound in its text."""
        try:
            for listener in self._listeners:
                await self._open(listener)
        except OSError:
            await self.close()
            raise

    async def _open(self, listener: Listener) -> None:
        name = (listener.interface, listener.transport)
        try:
            if listener.transport == "udp":
                datagrams = UdpPort(listener, self._upward)
                self._ports[name] = datagrams
                self.addresses[name] = datagrams.open()
            else:
                streams = _STREAMS[listener.transport](listener, self._upward, self.keyring)
                self._ports[name] = streams
                self.addresses[name] = await streams.open()
        except OSError as problem:
            where = f"{listener.transport}:{listener.host}:{listener.port}"
            raise OSError(problem.errno, f"cannot listen on {where}: {problem.strerror or problem}") from problem

    @property
    def connections(self) -> int:
        """How many streams stand or are being opened."""
        return sum(len(port) for port in self._ports.values() if not isinstance(port, UdpPort))

    def figures(self) -> dict[str, int]:
        """Connections by transport, those at the door, and everything counted."""
        found = {"connections": self.connections, "handshakes": self._upward.crowd.handshakes}
        for (_, transport), port in self._ports.items():
            if not isinstance(port, UdpPort):
                found[f"{transport}_connections"] = found.get(f"{transport}_connections", 0) + len(port)
        return {**found, **self.counters}

    def send(self, hop: Hop, data: bytes) -> None:
        """Send, without waiting; what cannot be delivered is reported by `on_failed`, not by an exception."""
        port = self._ports.get((hop.interface, hop.transport))
        if port is None:
            self._upward.fail(hop)
        else:
            port.send(hop, data)

    def has_flow(self, hop: Hop) -> bool:
        """Whether the accepted connection of this hop still stands."""
        port = self._ports.get((hop.interface, hop.transport))
        return not isinstance(port, UdpPort) and port is not None and port.has_flow(hop)

    def add_alias(self, hop: Hop, port: int) -> None:
        """Requests to that port of this hop's peer may go by its own connection (RFC 5923), if it proved who it is."""
        streams = self._ports.get((hop.interface, hop.transport))
        if isinstance(streams, StreamPort):
            streams.add_alias(hop, port)

    async def close(self) -> None:
        """Give all ports back and cut all connections; nothing is reported any more."""
        for port in self._ports.values():
            if isinstance(port, UdpPort):
                port.close()
            else:
                await port.close()
        self._ports.clear()
        self.addresses.clear()
