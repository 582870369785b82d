"""What all sockets share: the callbacks upward, the counters, how many peers may be connected, what an address is."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from santral.sip.errors import RemoteError
    from santral.sip.events import Hop

__all__ = ["Crowd", "Listener", "Upward", "family_of", "is_wildcard"]

MAX_HOSTS: Final = 1024  # whose family is remembered
MAX_CONNECTIONS: Final = 4096  # of the whole node, either way
MAX_PER_SOURCE: Final = 1024  # of one address (IPv6: one /64), accepted ones
MAX_HANDSHAKES: Final = 512  # accepted and not yet ready to speak SIP


@dataclass(frozen=True, slots=True)
class Listener:
    """Where to listen: by udp, tcp, tls, ws or wss; port 0 takes a free one; `interface` names the binding."""

    interface: str
    transport: str
    host: str
    port: int


class Crowd:
    """Everybody who is connected, counted so that nobody can take all the places."""

    def __init__(self) -> None:
        self._sources: Counter[str] = Counter()
        self.total = 0
        self.handshakes = 0

    def enter(self, host: str) -> bool:
        """Take a place for a connection from there, if there is one left."""
        source = source_of(host)
        if self.is_full or self.handshakes >= MAX_HANDSHAKES or self._sources[source] >= MAX_PER_SOURCE:
            return False
        self._sources[source] += 1
        self.total += 1
        return True

    def leave(self, host: str) -> None:
        """Give the place of an accepted connection back."""
        source = source_of(host)
        self.total -= 1
        self._sources[source] -= 1
        if self._sources[source] <= 0:
            del self._sources[source]

    @property
    def is_full(self) -> bool:
        """Whether nobody else may connect, or be connected to."""
        return self.total >= MAX_CONNECTIONS


@dataclass(slots=True)
class Upward:
    """Whom the sockets tell what they received and what they could not deliver; `counters` only grow."""

    loop: asyncio.AbstractEventLoop
    on_bytes: Callable[[bytes, Hop], None]
    on_failed: Callable[[Hop], None]
    on_closed: Callable[[Hop], None]
    on_broken: Callable[[RemoteError, Hop], None]
    counters: Counter[str] = field(default_factory=Counter)
    crowd: Crowd = field(default_factory=Crowd)

    def fail(self, hop: Hop) -> None:
        """Report an undeliverable hop, after whoever is sending just now has finished."""
        self.counters["undeliverable"] += 1
        self.loop.call_soon(self.on_failed, hop)


@lru_cache(MAX_HOSTS)
def family_of(host: str) -> socket.AddressFamily | None:
    """AF_INET or AF_INET6 for an address (a zone such as `%eth0` is fine), None for a name."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host.partition("%")[0])
    except (OSError, ValueError):
        return None
    return family


def source_of(host: str) -> str:
    """What one customer of a network has for himself: an IPv4 address, or the /64 of an IPv6 one."""
    if ":" not in host:
        return host
    return IPv6Address(host.partition("%")[0]).packed[:8].hex()


def is_wildcard(host: str) -> bool:
    """Whether this names all our addresses instead of one."""
    return host in ("", "0.0.0.0", "::")
