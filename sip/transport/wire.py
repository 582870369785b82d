"""What UDP and TCP share: the callbacks upward, the counters, the addresses a socket takes without resolving."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from santral.sip.events import Hop

__all__ = ["Listener", "Upward", "family_of", "is_wildcard"]


@dataclass(frozen=True, slots=True)
class Listener:
    """Where to listen: `transport` is "udp" or "tcp", port 0 takes a free one, `interface` names the binding."""

    interface: str
    transport: str
    host: str
    port: int


@dataclass(slots=True)
class Upward:
    """Whom the sockets tell what they received and what they could not deliver; `counters` only grow."""

    loop: asyncio.AbstractEventLoop
    on_bytes: Callable[[bytes, Hop], None]
    on_failed: Callable[[Hop], None]
    counters: Counter[str] = field(default_factory=Counter)

    def fail(self, hop: Hop) -> None:
        """Report an undeliverable hop, after whoever is sending just now has finished."""
        self.counters["undeliverable"] += 1
        self.loop.call_soon(self.on_failed, hop)


def family_of(host: str) -> socket.AddressFamily | None:
    """AF_INET or AF_INET6 for an address (a zone such as `%eth0` is fine), None for a name."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host.partition("%")[0])
    except (OSError, ValueError):
        return None
    return family


def is_wildcard(host: str) -> bool:
    """Whether this names all our addresses instead of one."""
    return host in ("", "0.0.0.0", "::")
