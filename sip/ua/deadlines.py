"""Time as data: the timer values of RFC 3261 and the heap of what is due when. Nothing here reads a clock.

A timer is armed, cancelled or fired in O(log n) or better; a cancelled one costs an entry of two numbers until its hour
comes or until the dead outnumber the living, whichever is first, so hundreds of thousands of them stay cheap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any, Final

__all__ = ["Deadlines", "Timers"]

SWEEP_FLOOR: Final = 1024  # below this many dead entries, sweeping costs more than it frees


@dataclass(frozen=True, slots=True)
class Timers:
    """RFC 3261 table 4, in seconds. The defaults are the RFC's; tests and satellite links change them."""

    t1: float = 0.5  # round-trip estimate
    t2: float = 4.0  # longest interval between retransmissions of non-INVITE requests and of INVITE responses
    t4: float = 5.0  # how long a message may stay in the network
    d: float = 32.0  # at least 32 s: how long an INVITE client absorbs repeated failures on UDP

    @property
    def timeout(self) -> float:
        """Timers B, F, H, J, L and M, and the patience for an ACK: 64*T1."""
        return 64 * self.t1

    @property
    def trying(self) -> float:
        """When an unanswered request other than INVITE gets 100: the peer's Timer E has reached T2 (RFC 4320 4.1)."""
        elapsed, interval = self.t1, self.t1
        while interval * 2 < self.t2:
            interval *= 2
            elapsed += interval
        return elapsed


class Deadlines:
    """What has to happen when. `arm` gives a ticket (never 0), `cancel` takes it back, `due` hands out what is due."""

    __slots__ = ("_armed", "_heap", "_last")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._armed: dict[int, Any] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._armed)

    def arm(self, at: float, what: Any) -> int:
        """Remember `what` for the time `at`; returns the ticket that cancels it."""
        self._last = ticket = self._last + 1
        self._armed[ticket] = what
        heappush(self._heap, (at, ticket))
        return ticket

    def cancel(self, ticket: int) -> None:
        """Forget a ticket. One that has fired, was cancelled or is 0 is nothing to forget."""
        if self._armed.pop(ticket, None) is not None:
            dead = len(self._heap) - len(self._armed)
            if dead > SWEEP_FLOOR and dead > len(self._armed):
                self._heap = [entry for entry in self._heap if entry[1] in self._armed]
                heapify(self._heap)

    def due(self, now: float) -> Iterator[Any]:
        """Hand out, in order of time, everything armed for `now` or earlier, including what is armed meanwhile."""
        while self._heap and self._heap[0][0] <= now:
            what = self._armed.pop(heappop(self._heap)[1], None)
            if what is not None:
                yield what

    def next(self) -> float | None:
        """The time of the earliest armed timer; None when there is none."""
        heap, armed = self._heap, self._armed
        while heap and heap[0][1] not in armed:
            heappop(heap)
        return heap[0][0] if heap else None
