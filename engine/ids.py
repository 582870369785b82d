"""Identifiers: UUIDv7 text (RFC 9562 section 5.7), unique between nodes and sortable by creation. Made here only.

And chance: the kernel's random octets, which everything in the engine that must not be guessed is made of.
"""

import os
import random
import threading
from collections.abc import Callable
from typing import Final

from santral.engine import utc

POOL_OCTETS: Final = 4096  # fetched from the kernel at a time; a call takes some 150 in two dozen draws

COUNTER_BITS: Final = 12  # rand_a, RFC 9562 section 6.2 method 1: a counter inside one millisecond
COUNTER_SEED_BITS: Final = 11  # the counter of a new millisecond starts in its lower half, leaving room to grow


class Chance(random.SystemRandom):
    """`SystemRandom` that asks the kernel once for many draws. Octets are handed out once, and are then gone.

    Belongs to one thread: two that draw at the same time could get the same octets.
    """

    def __init__(self, entropy: Callable[[int], bytes] = os.urandom) -> None:
        super().__init__()
        self._entropy = entropy
        self._pool = b""
        self._at = 0

    def randbytes(self, n: int) -> bytes:
        at = self._at
        if at + n > len(self._pool):
            if n > POOL_OCTETS:
                return self._entropy(n)
            self._pool, at = self._entropy(POOL_OCTETS), 0
        self._at = at + n
        return self._pool[at : at + n]

    def getrandbits(self, k: int) -> int:
        octets = (k + 7) // 8
        return int.from_bytes(self.randbytes(octets), "big") >> (8 * octets - k)

    def random(self) -> float:
        return self.getrandbits(53) / (1 << 53)


class IdSource:
    """Makes identifiers that grow strictly within one process, even when the wall clock steps back. Thread-safe."""

    def __init__(self, clock_ms: Callable[[], int] = utc.now_ms, entropy: Callable[[int], bytes] | None = None) -> None:
        self._clock_ms = clock_ms
        self._entropy = entropy or Chance().randbytes
        self._lock = threading.Lock()
        self._moment_ms = -1
        self._counter = 0

    def new(self) -> str:
        """Return a new identifier, greater as text than every earlier one of this source."""
        with self._lock:
            chance = int.from_bytes(self._entropy(10), "big")
            tail, seed = chance & ((1 << 62) - 1), (chance >> 62) & ((1 << COUNTER_SEED_BITS) - 1)
            moment_ms, counter = self._next_slot(seed)
        number = (moment_ms << 80) | (0x7 << 76) | (counter << 64) | (0b10 << 62) | tail
        text = f"{number:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def _next_slot(self, seed: int) -> tuple[int, int]:
        now = self._clock_ms()
        if now > self._moment_ms:
            self._moment_ms, self._counter = now, seed
        else:
            self._counter += 1
            if self._counter >> COUNTER_BITS:  # more than 2048 in one millisecond: borrow from the next
                self._moment_ms, self._counter = self._moment_ms + 1, seed
        return self._moment_ms, self._counter


new_id: Final = IdSource().new
CHANCE: Final = Chance()  # the event loop's


def created_ms(identifier: str) -> int:
    """Read back when `identifier` was made, in UTC milliseconds; ValueError if it is not one of ours."""
    digits = identifier.replace("-", "")
    if len(digits) != 32 or digits[12] != "7":
        raise ValueError(f"not a UUIDv7: {identifier[:40]!r}")
    return int(digits[:12], 16)
