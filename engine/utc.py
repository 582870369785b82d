"""UTC at the edges: milliseconds since 1970 inside records, text like `2026-11-21T10:00:00.123Z` outside.

Durations are never taken from here: they come from the monotonic clock of whoever measured them.
"""

import calendar
import re
import time
from typing import Final

TEXT: Final = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,3})\d*)?Z")

_last: tuple[int, str] = (-1, "")  # the second formatted last; swapped whole, so threads see a consistent pair


def now_ms() -> int:
    """Return the wall clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def text_of(moment_ms: int) -> str:
    """Format `moment_ms` with milliseconds; formatting the same second again costs only the last digits."""
    global _last  # noqa: PLW0603 - a cache of one entry
    second, milliseconds = divmod(moment_ms, 1000)
    cached = _last
    if cached[0] != second:
        cached = _last = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
    return f"{cached[1]}.{milliseconds:03d}Z"


def parse(text: str) -> int:
    """Read what `text_of` writes (the fraction may be shorter or absent); ValueError for anything else."""
    found = TEXT.fullmatch(text)
    if not found:
        raise ValueError(f"not a UTC time like 2026-11-21T10:00:00.123Z: {text[:40]!r}")
    seconds = calendar.timegm(time.strptime(found[1], "%Y-%m-%dT%H:%M:%S"))
    return seconds * 1000 + int((found[2] or "0").ljust(3, "0"))
