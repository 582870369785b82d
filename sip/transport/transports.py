"""All sockets of one engine, by interface and transport: bytes up with the hop they came from, bytes down to a hop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from santral.sip.errors import LocalError
from santral.sip.transport.tcp import TcpPort
from santral.sip.transport.udp import UdpPort
from santral.sip.transport.wire import Listener, Upward

if TYPE_CHECKING:
    from santral.sip.events import Hop

__all__ = ["Listener", "Transports"]


class Transports:
    """`on_bytes` gets one datagram, or one message cut from a stream; `on_failed` a hop that nothing can be sent to.

    Both are plain calls from the loop, never from inside `send`. `addresses` has the real (host, port) after `start`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listeners: Sequence[Listener],
        on_bytes: Callable[[bytes, Hop], None],
        on_failed: Callable[[Hop], None],
    ) -> None:
        self._upward = Upward(loop, on_bytes, on_failed)
        self._listeners = tuple(listeners)
        self._ports: dict[tuple[str, str], UdpPort | TcpPort] = {}
        self.addresses: dict[tuple[str, str], tuple[str, int]] = {}
        self.counters = self._upward.counters
        names = [(listener.interface, listener.transport) for listener in self._listeners]
        if len(set(names)) != len(names):
            raise LocalError(f"two listeners of one interface and transport: {names}")
        if unknown := [name for name in names if name[1] not in ("udp", "tcp")]:
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
        port = UdpPort(listener, self._upward) if listener.transport == "udp" else TcpPort(listener, self._upward)
        self._ports[name] = port
        try:
            self.addresses[name] = port.open() if isinstance(port, UdpPort) else await port.open()
        except OSError as problem:
            where = f"{listener.transport}:{listener.host}:{listener.port}"
            raise OSError(problem.errno, f"cannot listen on {where}: {problem.strerror or problem}") from problem

    @property
    def connections(self) -> int:
        """How many streams stand or are being opened."""
        return sum(len(port) for port in self._ports.values() if isinstance(port, TcpPort))

    def send(self, hop: Hop, data: bytes) -> None:
        """Send, without waiting; what cannot be delivered is reported by `on_failed`, not by an exception."""
        port = self._ports.get((hop.interface, hop.transport))
        if port is None:
            self._upward.fail(hop)
        else:
            port.send(hop, data)

    async def close(self) -> None:
        """Give all ports back and cut all connections; nothing is reported any more."""
        for port in self._ports.values():
            if isinstance(port, UdpPort):
                port.close()
            else:
                await port.close()
        self._ports.clear()
        self.addresses.clear()
