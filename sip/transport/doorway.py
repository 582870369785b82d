"""A listening stream socket: takes connections in while there is room, before anything is spent on them."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from santral.sip.events import Hop
from santral.sip.transport.wire import Listener, Upward, family_of

__all__ = ["HANDSHAKE_S", "Doorway"]

HANDSHAKE_S: Final = 4.0  # TLS, and the upgrade to a web socket
BACKLOG: Final = 1024
ACCEPTS: Final = 64  # per wake-up, so that others get their turn
REST_S: Final = 1.0  # when no descriptor is left

_flows = itertools.count(1)


class Doorway:
    """`welcome(sock, hop)` makes a peer's connection ready to speak; it owns the socket and the place in the crowd from
    its first moment, and raises OSError or TimeoutError, having given both back, when it comes to nothing.
    """

    def __init__(
        self, listener: Listener, upward: Upward, welcome: Callable[[socket.socket, Hop], Awaitable[None]]
    ) -> None:
        self._listener = listener
        self._upward = upward
        self._welcome = welcome
        self._socket: socket.socket | None = None
        self._guests: set[asyncio.Task[None]] = set()
        self._rest: asyncio.TimerHandle | None = None

    def open(self) -> tuple[str, int]:
        """Listen; returns the real address. Raises OSError."""
        family = family_of(self._listener.host) or socket.AF_INET
        sock = self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((self._listener.host, self._listener.port))
        sock.listen(BACKLOG)
        self._upward.loop.add_reader(sock.fileno(), self._accept)
        host, port = sock.getsockname()[:2]
        return host, port

    async def close(self) -> None:
        """Stop listening; who is still at the door is sent away."""
        if self._rest is not None:
            self._rest.cancel()
        if self._socket is not None:
            self._upward.loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
        for task in self._guests:
            task.cancel()
        await asyncio.gather(*self._guests, return_exceptions=True)

    def _accept(self) -> None:
        upward = self._upward
        for _ in range(ACCEPTS):
            if self._socket is None:
                return
            try:
                sock, address = self._socket.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            except OSError:  # out of descriptors: the socket stays readable, so look away for a moment
                upward.counters["accepts_failed"] += 1
                upward.loop.remove_reader(self._socket.fileno())
                self._rest = upward.loop.call_later(REST_S, self._resume)
                return
            if not upward.crowd.enter(address[0]):
                upward.counters["connections_refused"] += 1
                sock.close()
                continue
            sock.setblocking(False)
            hop = Hop(self._listener.transport, address[0], address[1], self._listener.interface, flow=next(_flows))
            task = upward.loop.create_task(self._lead_in(sock, hop))
            self._guests.add(task)
            task.add_done_callback(self._guests.discard)

    def _resume(self) -> None:
        if self._socket is not None:
            self._upward.loop.add_reader(self._socket.fileno(), self._accept)

    async def _lead_in(self, sock: socket.socket, hop: Hop) -> None:
        upward = self._upward
        upward.crowd.handshakes += 1
        upward.counters["connections_accepted"] += 1
        try:
            await self._welcome(sock, hop)
        except (OSError, TimeoutError):
            upward.counters["handshakes_failed"] += 1
            sock.close()
        finally:
            upward.crowd.handshakes -= 1
