"""When agents are due: weekly hours of work, and the breaks in them. Reads no clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Final, Literal, NamedTuple

from santral.routing.hours import Hours

AWAY: Final = frozenset({"offline", "break"})
NOT_AT_WORK: Final = AWAY | {"not_answering"}
MINUTE_S: Final = 60
BLOCK_S: Final = 900  # is worked out at once
BLOCKS_KEPT: Final = 512
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Due = Literal["work", "break"]


class Shift(NamedTuple):
    """A part of a schedule, in UTC seconds."""

    begins: float
    ends: float
    due: Due

    def fits(self, state: str) -> bool:
        """Whether an agent in this state does what is due."""
        return state in AWAY if self.due == "break" else state not in NOT_AT_WORK


@dataclass(frozen=True, slots=True)
class Schedule:
    """A week: at work in `work`, but for `breaks`, which count inside of it only."""

    name: str
    work: tuple[Hours, ...]
    breaks: tuple[Hours, ...] = ()
    _blocks: dict[int, tuple[Shift, ...]] = field(default_factory=dict, repr=False, compare=False)

    def due(self, at: float) -> Due | None:
        """What is due at this moment (UTC seconds); None: nothing."""
        moment = EPOCH + timedelta(seconds=at)
        if not any(hours.is_open(moment) for hours in self.work):
            return None
        return "break" if any(hours.is_open(moment) for hours in self.breaks) else "work"

    def shifts(self, begins: float, ends: float) -> Iterator[Shift]:
        """What is due between these moments, in order; the first and the last may reach beyond them."""
        for block in range(int(begins // BLOCK_S), ceil(ends / BLOCK_S)):
            yield from self._block(block)

    def kept(self, begins: float, ends: float, state: str) -> tuple[float, float]:
        """Of the time between these moments, spent in one state: for how much of it anything was due, and was done."""
        scheduled = adhered = 0.0
        for shift in self.shifts(begins, ends):
            inside = min(ends, shift.ends) - max(begins, shift.begins)
            if inside > 0:
                scheduled += inside
                adhered += inside if shift.fits(state) else 0.0
        return scheduled, adhered

    def _block(self, block: int) -> tuple[Shift, ...]:
        """By the minute, as hours are: so summer time needs no rule of its own."""
        found = self._blocks.get(block)
        if found is None:
            if len(self._blocks) >= BLOCKS_KEPT:
                self._blocks.clear()
            found = self._blocks[block] = tuple(self._worked_out(block * BLOCK_S))
        return found

    def _worked_out(self, begins: int) -> Iterator[Shift]:
        since, now = begins, self.due(begins)
        for at in range(begins + MINUTE_S, begins + BLOCK_S + 1, MINUTE_S):
            then = self.due(at) if at < begins + BLOCK_S else None
            if then != now or at == begins + BLOCK_S:
                if now is not None:
                    yield Shift(since, at, now)
                since, now = at, then
