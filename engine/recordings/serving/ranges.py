"""Byte ranges of HTTP (RFC 9110 section 14): one range is served, several are answered with the whole."""

import re
from typing import Final, NamedTuple

_RANGE: Final = re.compile(r"bytes=[ \t]*([0-9]{0,18})[ \t]*-[ \t]*([0-9]{0,18})[ \t]*", re.ASCII | re.IGNORECASE)


class Span(NamedTuple):
    """Octets from `start` up to but not including `end`."""

    start: int
    end: int


class UnsatisfiableError(Exception):
    """Nothing of the file lies in the range that was asked for (416)."""


def wanted(header: str | None, size: int, *, is_growing: bool = False) -> Span | None:
    """The part of `size` octets that a Range header asks for; None: all of it, as without one or with one that makes no
    sense. Raises UnsatisfiableError.

    Players of browsers ask for `bytes=0-` first. A part must say where it ends, and they would stop there: of what
    `is_growing` they get all as it comes.
    """
    found = None if header is None else _RANGE.fullmatch(header.strip())
    if found is None or found[1] == found[2] == "":
        return None
    if not found[1]:
        last = int(found[2])
        if last == 0 or size == 0:
            raise UnsatisfiableError
        return Span(max(0, size - last), size)
    start, end = int(found[1]), int(found[2]) + 1 if found[2] else size
    if is_growing and start == 0 and not found[2]:
        return None
    if end <= start and found[2]:
        return None  # backwards: no range at all
    if start >= size:
        raise UnsatisfiableError
    return Span(start, min(end, size))
