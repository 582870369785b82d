"""Identifiers: UUIDv7 text (RFC 9562 section 5.7), unique between nodes and sortable by creation. Made here only."""

import os
import threading
from collections.abc import Callable
from typing import Final

from santral.engine import utc

COUNTER_BITS: Final = 12  # rand_a, RFC 9562 section 6.2 method 1: a counter inside one millisecond
COUNTER_SEED_BITS: Final = 11  # the counter of a new millisecond starts in its lower half, leaving room to grow


class IdSource:
    """Makes identifiers that grow strictly within one process, even when the wall clock steps back. Thread-safe."""

    def __init__(self, clock_ms: Callable[[], int] = utc.now_ms, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._clock_ms = clock_ms
        self._entropy = entropy
        self._lock = threading.Lock()
        self._moment_ms = -1
        self._counter = 0

    def new(self) -> str:
        """Return a new identifier, greater as text than every earlier one of this source."""
        random = int.from_bytes(self._entropy(10), "big")
        tail, seed = random & ((1 << 62) - 1), (random >> 62) & ((1 << COUNTER_SEED_BITS) - 1)
        moment_ms, counter = self._next_slot(seed)
        number = (moment_ms << 80) | (0x7 << 76) | (counter << 64) | (0b10 << 62) | tail
        text = f"{number:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def _next_slot(self, seed: int) -> tuple[int, int]:
        with self._lock:
            now = self._clock_ms()
            if now > self._moment_ms:
                self._moment_ms, self._counter = now, seed
            else:
                self._counter += 1
                if self._counter >> COUNTER_BITS:  # more than 2048 in one millisecond: borrow from the next
                    self._moment_ms, self._counter = self._moment_ms + 1, seed
            return self._moment_ms, self._counter


new_id: Final = IdSource().new


def created_ms(identifier: str) -> int:
    """Read back when `identifier` was made, in UTC milliseconds; ValueError if it is not one of ours."""
    digits = identifier.replace("-", "")
    if len(digits) != 32 or digits[12] != "7":
        raise ValueError(f"not a UUIDv7: {identifier[:40]!r}")
    return int(digits[:12], 16)
