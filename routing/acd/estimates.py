"""How long somebody will wait, and how well a queue does just now: estimates for announcements and overflow.

Expected wait = position times the mean time between two people taken from the queue while somebody waited. The mean is
exponential (SMOOTHING), so it follows the number of agents and the length of calls, in queues that share agents too.
People who give up or overflow make it shorter than said: the estimate is never too optimistic because of them.
"""

from typing import Final

SMOOTHING: Final = 0.1  # weight of the newest interval
SHARE_SMOOTHING: Final = 0.02  # weight of the newest person in the recent service level: about the last 50 count


class Pace:
    """Intervals between people taken from one queue, while it was not empty."""

    def __init__(self) -> None:
        self.mean: float | None = None
        self.last: float | None = None  # when the present interval began; `None`: nobody waits

    def begin(self, now: float) -> None:
        """Somebody waits, and nobody did."""
        self.last = now

    def taken(self, now: float, *, somebody_waits: bool) -> None:
        """An agent has accepted somebody."""
        if self.last is not None:
            interval = now - self.last
            self.mean = interval if self.mean is None else self.mean + SMOOTHING * (interval - self.mean)
        self.last = now if somebody_waits else None

    def empty(self) -> None:
        """Nobody waits any more."""
        self.last = None

    def expected(self, position: int) -> float | None:
        """Seconds until the person at `position` (1 is next) is taken; `None` before the first was."""
        return None if self.mean is None else self.mean * position


class RecentLevel:
    """The share answered in time of those whose waiting ended lately, short abandons left out."""

    def __init__(self) -> None:
        self.share: float | None = None

    def add(self, *, is_within: bool) -> None:
        hit = 1.0 if is_within else 0.0
        self.share = hit if self.share is None else self.share + SHARE_SMOOTHING * (hit - self.share)
