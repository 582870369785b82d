"""What the name system is asked and what it answers (RFC 1035, RFC 2782, RFC 3403), as values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

__all__ = ["Answers", "Naptr", "Question", "Records", "Srv", "order_services"]


class Question(NamedTuple):
    """`kind` is "NAPTR", "SRV", "A" or "AAAA"; `name` is in lower case, without the last dot."""

    kind: str
    name: str


class Naptr(NamedTuple):
    """RFC 3403 section 4; the regular expression is left out, SIP uses none (RFC 3263 section 4.1)."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """RFC 2782; `target` is "" where the record says that there is no such service."""

    priority: int
    weight: int
    port: int
    target: str


Records = tuple[Naptr, ...] | tuple[Srv, ...] | tuple[str, ...]
Answers = Mapping[Question, Records]  # what is unknown, or could not be asked, has no records


def order_services(records: Iterable[Srv], draw: Callable[[], float]) -> list[Srv]:
    """RFC 2782: lower priorities first; among equals each place is drawn by weight. `draw()` is in [0, 1)."""
    ordered: list[Srv] = []
    groups: dict[int, list[Srv]] = {}
    for record in records:
        groups.setdefault(record.priority, []).append(record)
    for priority in sorted(groups):
        left = sorted(groups[priority], key=lambda record: record.weight)  # weight 0 has a small chance: it comes first
        while left:
            mark = int(draw() * (sum(record.weight for record in left) + 1))
            place = 0
            while place < len(left) - 1 and mark > left[place].weight:
                mark -= left[place].weight
                place += 1
            ordered.append(left.pop(place))
    return ordered
