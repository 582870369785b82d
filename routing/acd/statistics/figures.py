"""What is counted, and what is said of it: the definitions of every figure. All times are seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import ceil, log
from typing import Any, Final, Self

RESOLUTION: Final = 1.01  # waits in one step of the histogram differ by this factor at most
FINEST: Final = 0.01  # shorter waits are one step
_STEP: Final = log(RESOLUTION)


@dataclass(slots=True)
class Waits:
    """A histogram of waits, exact to RESOLUTION."""

    steps: dict[int, int] = field(default_factory=dict)

    def add(self, wait: float) -> None:
        step = 0 if wait <= FINEST else ceil(log(wait / FINEST) / _STEP - 1e-9)
        self.steps[step] = self.steps.get(step, 0) + 1

    def merge(self, other: Waits) -> None:
        for step, count in other.steps.items():
            self.steps[step] = self.steps.get(step, 0) + count

    def percentile(self, part: float) -> float | None:
        """A wait that `part` of them do not exceed, at most one step too long; `None` without any."""
        left = part * sum(self.steps.values())
        for step in sorted(self.steps):
            left -= self.steps[step]
            if left <= 1e-9:
                return 0.0 if step == 0 else FINEST * RESOLUTION**step
        return None


class Counts:
    """Fields that add up."""

    __slots__ = ()

    def as_kept(self) -> dict[str, Any]:
        """What is counted, without what follows from it, as plain values."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}  # type: ignore[arg-type]
        return {
            name: {str(step): count for step, count in value.steps.items()} if isinstance(value, Waits) else value
            for name, value in found.items()
        }

    @classmethod
    def of_kept(cls, kept: Mapping[str, Any]) -> Self:
        """The same, back; what is not there is 0."""
        made = cls()
        for one in fields(made):  # type: ignore[arg-type]
            value = kept.get(one.name)
            if value is None:
                continue
            if isinstance(getattr(made, one.name), Waits):
                value = Waits({int(step): count for step, count in value.items()})
            setattr(made, one.name, dict(value) if isinstance(value, dict) else value)
        return made

    def merge(self, other: Self) -> None:
        """Add another's."""
        for one in fields(self):  # type: ignore[arg-type]
            mine, theirs = getattr(self, one.name), getattr(other, one.name)
            if isinstance(mine, Waits):
                mine.merge(theirs)
            elif isinstance(mine, dict):
                for key, value in theirs.items():
                    mine[key] = mine.get(key, 0) + value
            else:
                setattr(self, one.name, mine + theirs)


@dataclass(slots=True)
class QueueFigures(Counts):
    """One queue, one kind of work, one interval; or a sum of such.

    Those above the line count in the interval in which somebody joined, so that they balance; those below when they
    happen.
    """

    offered: int = 0
    answered: int = 0
    answered_within: int = 0
    abandoned: int = 0  # short ones too
    abandoned_short: int = 0
    abandoned_connecting: int = 0  # after an agent's answer, before the connection
    overflowed: int = 0
    left_by_key: int = 0
    left_by_request: int = 0
    called_back: int = 0
    closed: int = 0
    lost: int = 0
    unreached: int = 0  # callbacks given up
    wait_answered: float = 0.0
    wait_abandoned: float = 0.0
    longest_wait: float = 0.0  # of the answered; a sum of figures has the longest of all
    waits: Waits = field(default_factory=Waits)  # of the answered
    # ----
    turned_away: int = 0  # never joined
    offers: int = 0  # reservations made
    offers_refused: int = 0
    offers_timed_out: int = 0
    offers_rescinded: int = 0
    handled: int = 0  # talks that ended
    talk: float = 0.0
    hold: float = 0.0
    wrapped: int = 0
    wrap: float = 0.0

    def merge(self, other: Self) -> None:
        longest = max(self.longest_wait, other.longest_wait)
        Counts.merge(self, other)
        self.longest_wait = longest

    @property
    def waiting(self) -> int:
        """Offered and not gone: offered = answered + abandoned + overflowed + left + called back + closed + lost."""
        gone = self.answered + self.abandoned + self.overflowed + self.left_by_key + self.left_by_request
        return self.offered - gone - self.called_back - self.closed - self.lost - self.unreached

    @property
    def answered_after(self) -> int:
        """Later than the service level says."""
        return self.answered - self.answered_within

    @property
    def service_level(self) -> float | None:
        """Answered within T / (offered - abandoned within `short_abandon`); who waits still is offered."""
        base = self.offered - self.abandoned_short
        return self.answered_within / base if base > 0 else None

    @property
    def average_speed_of_answer(self) -> float | None:
        """Over the answered only."""
        return self.wait_answered / self.answered if self.answered else None

    @property
    def abandon_rate(self) -> float | None:
        """Abandoned after `short_abandon` / (offered - abandoned within it)."""
        base = self.offered - self.abandoned_short
        return (self.abandoned - self.abandoned_short) / base if base > 0 else None

    @property
    def average_handle_time(self) -> float | None:
        """Talk, hold and wrap-up of one."""
        if not self.handled:
            return None
        return (self.talk + self.hold) / self.handled + (self.wrap / self.wrapped if self.wrapped else 0.0)

    def percentile(self, part: float) -> float | None:
        """A wait that `part` of the answered did not exceed, to 1 %."""
        return self.waits.percentile(part)

    def as_map(self) -> dict[str, Any]:
        """Every figure, as plain values."""
        found = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "waits"}
        return found | {
            "waiting": self.waiting,
            "answered_after": self.answered_after,
            "service_level": self.service_level,
            "average_speed_of_answer": self.average_speed_of_answer,
            "abandon_rate": self.abandon_rate,
            "average_handle_time": self.average_handle_time,
            "wait_p50": self.percentile(0.5),
            "wait_p90": self.percentile(0.9),
            "wait_p95": self.percentile(0.95),
        }


@dataclass(slots=True)
class AgentFigures(Counts):
    """One agent and one interval, or a sum of such. What lasts is shared out among the intervals it lies in."""

    states: dict[str, float] = field(default_factory=dict)  # time in each state
    scheduled: float = 0.0  # time for which something was due
    adhered: float = 0.0  # of it: at work when work was due, away when a break was
    offers: int = 0
    accepted: int = 0
    refused: int = 0
    timed_out: int = 0
    rescinded: int = 0
    handled: int = 0
    talk: float = 0.0
    hold: float = 0.0
    wrap: float = 0.0

    @property
    def logged_in(self) -> float:
        return sum(seconds for state, seconds in self.states.items() if state != "offline")

    @property
    def occupancy(self) -> float | None:
        """(Talk + hold + wrap-up) / (login - break), all of it time in states: two chats at once count once."""
        present = self.logged_in - self.states.get("break", 0.0)
        busy = self.states.get("talking", 0.0) + self.states.get("wrapping", 0.0)
        return busy / present if present > 0 else None

    @property
    def adherence(self) -> float | None:
        """The share of the scheduled time spent as scheduled."""
        return self.adhered / self.scheduled if self.scheduled > 0 else None

    def as_map(self) -> dict[str, Any]:
        """Every figure, as plain values."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        found["states"] = dict(self.states)
        return found | {"logged_in": self.logged_in, "occupancy": self.occupancy, "adherence": self.adherence}
