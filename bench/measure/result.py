"""What a benchmark returns, and what it is told."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and how a benchmark runs."""

    folder: Path  # for its files; a benchmark uses a folder of its own name in it
    load_core: int | None
    subject_core: int | None
    quick: bool = False  # a smoke run: everything happens, nothing is long enough to mean anything

    def room(self, name: str) -> Path:
        return self.folder / name


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report."""

    what: str
    measured: str
    beside: str = ""  # the baseline in the same minutes
    limit: str = ""
    ok: bool | None = None  # None: no judgement


@dataclass(slots=True)
class Result:
    name: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Sequence[tuple[float, int]]] = field(default_factory=dict)  # latency histograms for the plot

    @property
    def is_good(self) -> bool:
        return all(row.ok is not False for row in self.rows)


def quantile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least `part` of the values do not exceed; nan of nothing."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-part * len(ordered) // 1) - 1))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else float("nan")
