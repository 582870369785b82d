"""Opening hours: `mon-fri 09:00-18:00 Europe/Istanbul`. Wall-clock time of a named zone; reads no clock."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self
from zoneinfo import ZoneInfo

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES: Final = 24 * 60
WEEK_MINUTES: Final = 7 * DAY_MINUTES

_SPAN: Final = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)", re.ASCII)


class HoursError(ValueError):
    """Opening hours that cannot be read."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Weekly hours in one time zone, as half-open spans of minutes since Monday 00:00 on the zone's wall clock.

    A span that ends before it begins runs over midnight and belongs to the day it begins on. The clock on the wall
    decides when summer time begins or ends: a skipped hour is never, a repeated one twice.
    """

    source: str
    zone: ZoneInfo
    spans: tuple[tuple[int, int], ...] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Days (`mon-fri`, `sat,sun`, `daily`), times (`09:00-12:00,13:00-18:00`, `22:00-06:00`), IANA time zone."""
        match text.split():
            case [days, times, zone]:
                return cls(text, _zone(zone), _join(sorted(_spans(_days(days), _times(times)))))
        raise HoursError("expected days, times and a time zone, as in: mon-fri 09:00-18:00 Europe/Istanbul")

    def is_open(self, at: datetime) -> bool:
        """Whether `at` (aware) falls into these hours."""
        local = at.astimezone(self.zone)
        minute = local.weekday() * DAY_MINUTES + local.hour * 60 + local.minute
        return any(start <= minute < end for start, end in self.spans)

    def clock(self, at: datetime) -> str:
        """`at` as the zone's wall clock shows it, for explanations: `Mon 20:00 Europe/Istanbul`."""
        local = at.astimezone(self.zone)
        return f"{DAYS[local.weekday()].capitalize()} {local.hour:02}:{local.minute:02} {self.zone.key}"

    def __str__(self) -> str:
        return self.source


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not found; not a plain name; the name of a folder
        raise HoursError(f"unknown time zone {name}") from None


def _day(name: str) -> int:
    try:
        return DAYS.index(name.lower())
    except ValueError:
        raise HoursError(f"unknown day {name}: one of {', '.join(DAYS)}, or daily") from None


def _days(text: str) -> set[int]:
    if text.lower() == "daily":
        return set(range(7))
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        start = _day(first)
        length = (_day(last) - start) % 7 if dash else 0
        found |= {(start + step) % 7 for step in range(length + 1)}
    return found


def _times(text: str) -> list[tuple[int, int]]:
    found = []
    for part in text.split(","):
        span = _SPAN.fullmatch(part)
        if span is None:
            raise HoursError(f"unknown time {part}: expected as in 09:00-18:00")
        h1, m1, h2, m2 = map(int, span.groups())
        start, end = h1 * 60 + m1, h2 * 60 + m2
        if m1 > 59 or m2 > 59 or start >= DAY_MINUTES or end > DAY_MINUTES:
            raise HoursError(f"no such time in {part}: 00:00 to 24:00")
        if start == end:
            raise HoursError(f"{part} is empty: 00:00-24:00 is the whole day")
        found.append((start, end if end > start else end + DAY_MINUTES))
    return found


def _spans(days: set[int], times: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found = []
    for day in days:
        for start, end in times:
            first, last = day * DAY_MINUTES + start, day * DAY_MINUTES + end
            found.append((first, min(last, WEEK_MINUTES)))
            if last > WEEK_MINUTES:  # Sunday night runs into Monday
                found.append((0, last - WEEK_MINUTES))
    return found


def _join(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Sorted spans, with those that touch or overlap made one."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)
