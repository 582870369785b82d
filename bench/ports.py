"""Free ports on loopback, below the range from which the kernel gives ports away: nobody takes one in passing."""

import random
import socket
from contextlib import ExitStack
from typing import Final

HOST: Final = "127.0.0.1"
SINGLE: Final = range(10_000, 12_998, 2)  # single ports are looked for here
BLOCKS: Final = range(13_000, 20_000)  # and blocks here; above lie the RTP ports of engines under load


def is_free(ports: range, *kinds: socket.SocketKind) -> bool:
    """Whether all these ports can be bound."""
    with ExitStack() as stack:
        try:
            for kind in kinds:
                for port in ports:
                    stack.enter_context(socket.socket(socket.AF_INET, kind)).bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """So many ports that are free now for UDP and TCP, each with a free one above it: some phones take both for TLS.

    Raises OSError when there are not enough.
    """
    found: list[int] = []
    for port in random.sample(SINGLE, len(SINGLE)):
        if len(found) == count:
            return found
        if is_free(range(port, port + 2), socket.SOCK_DGRAM, socket.SOCK_STREAM):
            found.append(port)
    raise OSError(f"no {count} free ports on {HOST}")


class _Blocks:
    """Gives blocks one behind the other, from a random place on: none twice, as long as nobody has bound the first."""

    def __init__(self) -> None:
        self._next = random.randrange(BLOCKS.start, BLOCKS.stop, 2)

    def find(self, count: int) -> int:
        size = count + count % 2
        for _ in range(len(BLOCKS) // size):
            first = self._next if self._next + size <= BLOCKS.stop else BLOCKS.start
            self._next = first + size
            if is_free(range(first, first + count), socket.SOCK_DGRAM):
                return first
        raise OSError(f"no {count} free UDP ports in a row on {HOST}")


_BLOCKS: Final = _Blocks()


def free_block(count: int) -> int:
    """The first of so many UDP ports in a row that are free now; it is even. Raises OSError when there are none."""
    return _BLOCKS.find(count)
