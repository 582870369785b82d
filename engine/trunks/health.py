"""Whether one target of a trunk is there, by what comes of OPTIONS. Pure: told what happened, says what changed."""

from dataclasses import dataclass
from typing import Final

DOWN_AFTER: Final = 3  # questions in a row without a good answer
RECHECK_MOST_S: Final = 15.0  # a target that failed is asked again sooner than one that is well
ABSENT: Final = frozenset({408, 503})  # any other final answer comes from somebody who is there
FIRST_SPREAD: Final = 0.2  # of the interval, so that the questions of many trunks do not come at once


@dataclass(slots=True)
class Target:
    """One target of one trunk. Times in monotonic seconds but `since`, which is UTC milliseconds."""

    trunk: str
    uri: str
    interval_s: float
    next_at: float
    since: int
    is_up: bool = True  # until the contrary is known: nobody waits for an answer before the first call
    failures: int = 0
    last_status: int = 0
    is_pending: bool = False

    def due(self, now: float) -> bool:
        """Whether it has to be asked now."""
        return self.interval_s > 0 and not self.is_pending and now >= self.next_at

    def heard(self, status: int, now: float, wall_ms: int) -> bool | None:
        """A final answer, or 408 and 503 for none. True: it is back; False: it is down now; None: nothing changed."""
        self.is_pending, self.last_status = False, status
        if status not in ABSENT:
            self.failures = 0
            self.next_at = now + self.interval_s
            if self.is_up:
                return None
            self.is_up, self.since = True, wall_ms
            return True
        self.failures += 1
        self.next_at = now + min(self.interval_s, RECHECK_MOST_S)
        if not self.is_up or self.failures < DOWN_AFTER:
            return None
        self.is_up, self.since = False, wall_ms
        return False
