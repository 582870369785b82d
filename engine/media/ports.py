"""Which UDP port pair a leg gets. Decides only: binding and the clock belong to the caller.

A pair rests after use, so that late packets of the last call cannot reach the next one, and is drawn at random among
the least recently freed, so that an attacker cannot guess where the next call will listen.
"""

from collections import deque
from random import Random
from typing import Final

DRAW_WIDTH: Final = 64  # how many of the least recently freed pairs a draw chooses from
LOW_SHARE: Final = 0.1  # below this share of free pairs the shortage is announced; above twice of it, it is over


class PortPool:
    """Even ports of an inclusive range; the odd one above each belongs to it (RTCP)."""

    def __init__(self, first: int, last: int, rest_s: float, random: Random) -> None:
        evens = [port for port in range(first + first % 2, last, 2) if 0 < port < 65535]
        random.shuffle(evens)
        self.total: Final = len(evens)
        self.shortages = 0  # times the pool ran low
        self.refused = 0  # times nothing was left
        self._rest_s = rest_s
        self._random = random
        self._rested = deque(evens)
        self._resting: deque[tuple[float, int]] = deque()
        self._is_low = False

    def take(self, now: float) -> int | None:
        """A rested even port, or `None` when there is none."""
        self._wake(now)
        if not self._rested:
            self.refused += 1
            return None
        place = self._random.randrange(min(DRAW_WIDTH, len(self._rested)))
        self._rested.rotate(-place)
        port = self._rested.popleft()
        self._rested.rotate(place)
        return port

    def give_back(self, port: int, now: float) -> None:
        self._resting.append((now + self._rest_s, port))

    def free(self, now: float) -> int:
        self._wake(now)
        return len(self._rested)

    @property
    def resting(self) -> int:
        return len(self._resting)

    @property
    def used(self) -> int:
        return self.total - len(self._rested) - len(self._resting)

    def has_become_low(self) -> bool:
        """True once each time the rested pairs fall under `LOW_SHARE`, for the announcement that precedes refusals."""
        was_low, share = self._is_low, len(self._rested) / max(self.total, 1)
        self._is_low = share < (2 * LOW_SHARE if was_low else LOW_SHARE)
        if self._is_low and not was_low:
            self.shortages += 1
            return True
        return False

    def _wake(self, now: float) -> None:
        while self._resting and self._resting[0][0] <= now:
            self._rested.append(self._resting.popleft()[1])
