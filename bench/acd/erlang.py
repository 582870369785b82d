"""`erlang`: does the distributor wait as long as theory says? On a fake clock, against Erlang C and Erlang A.

Every cell in which enough calls are to wait is simulated with each seed. A check is one figure of one run, which should
lie within its own 99 % interval from batch means; one in a hundred lies outside by rights.
"""

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from math import inf
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from santral.bench.acd.simulate import (
    ABANDONS,
    BATCHES,
    FEWEST_OBSERVATIONS,
    MISSED,
    RELAXATIONS,
    SHORT,
    SPEED,
    WAITS,
    WITHIN,
    Estimate,
    compare,
    relaxation_calls,
    waits_to_expect,
)
from santral.bench.acd.theory import Case, expect
from santral.bench.measure.result import Result, Row, Setting

SIZES: Final = (5, 50, 500)
OCCUPANCIES: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
PATIENCE: Final = 120.0  # of Erlang A, beside 180 s of handling
SEEDS: Final = (1, 2, 3, 4, 5)
FEWEST_CALLS: Final = 20_000
LONGER: Final = 4.0  # than needed, where that is cheap: intervals from ten batches want each to be near normal
MOST_CALLS: Final = 400_000  # to which a run is made longer where waits are rare, and come in few bursts
OUTSIDE_LIMIT: Final = 0.02
WORKERS: Final = 2


@dataclass(frozen=True, slots=True)
class Cell:
    """One simulation to make."""

    case: Case
    calls: int
    seed: int


@dataclass(frozen=True, slots=True)
class Checked:
    cell: Cell
    estimates: tuple[Estimate, ...]


def run(setting: Setting) -> Result:
    if setting.quick:
        cells = [Cell(Case(5, 0.8, patience=patience), 3_000, 1) for patience in (inf, PATIENCE)]
        found = [check(cell) for cell in cells]
    else:
        cells = list(all_cells())
        with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
            found = list(pool.map(check, sorted(cells, key=lambda cell: -cell.calls)))
    checks = [one for each in found for one in each.estimates]
    outside = [one for one in checks if not one.is_inside]
    share = len(outside) / len(checks)
    result = Result("erlang", [row_of(found, agents, patience) for agents in SIZES for patience in (inf, PATIENCE)])
    result.rows = [row for row in result.rows if row.measured]
    result.rows.append(
        Row(
            "checks outside their 99 % intervals",
            f"{len(outside)} of {len(checks)} ({share:.1%})",
            f"{calls_of(found):,} calls, {BATCHES} batches of {RELAXATIONS:.0f} relaxation times or more",
            f"{OUTSIDE_LIMIT:.0%}",
            None if setting.quick else share <= OUTSIDE_LIMIT,
        )
    )
    result.data["checks"] = [as_map(each) for each in found]
    picture = setting.room("erlang").with_suffix(".png")
    draw(found, picture)
    result.notes.append(str(picture))
    return result


def all_cells() -> Iterable[Cell]:
    """Every size, occupancy and patience in which enough callers are to wait."""
    for patience in (inf, PATIENCE):
        for agents in SIZES:
            for occupancy in OCCUPANCIES:
                case = Case(agents, occupancy, patience=patience)
                calls = horizon(case)
                if waits_to_expect(case, calls) >= FEWEST_OBSERVATIONS:
                    yield from (Cell(case, calls, seed) for seed in SEEDS)


def horizon(case: Case) -> int:
    """How many calls a run has: batches that forget each other, and longer ones where few wait."""
    relaxations = BATCHES * relaxation_calls(case)
    rare = LONGER * relaxations * RELAXATIONS / max(1e-9, waits_to_expect(case, 1))
    return int(max(FEWEST_CALLS, relaxations * RELAXATIONS, min(MOST_CALLS, rare)))


def check(cell: Cell) -> Checked:
    """One run, and every figure of it."""
    return Checked(cell, tuple(compare(cell.case, cell.calls, cell.seed, expect(cell.case, WITHIN, SHORT))))


def calls_of(found: list[Checked]) -> int:
    return sum(each.cell.calls for each in found)


def row_of(found: list[Checked], agents: int, patience: float) -> Row:
    mine = [each for each in found if each.cell.case.agents == agents and each.cell.case.patience == patience]
    checks = [one for each in mine for one in each.estimates]
    if not checks:
        return Row("", "")
    occupancies = sorted({each.cell.case.occupancy for each in mine})
    outside = sum(not one.is_inside for one in checks)
    return Row(
        f"Erlang {'C' if patience == inf else 'A'}, {agents} agents",
        f"{outside} of {len(checks)} checks outside",
        f"occupancies {', '.join(f'{each:g}' for each in occupancies)}; {calls_of(mine):,} calls",
    )


def as_map(each: Checked) -> dict[str, Any]:
    case = each.cell.case
    return {
        "agents": case.agents,
        "occupancy": case.occupancy,
        "patience": None if case.patience == inf else case.patience,
        "calls": each.cell.calls,
        "seed": each.cell.seed,
        "figures": [[one.name, one.measured, one.spread, one.expected, one.is_inside] for one in each.estimates],
    }


def draw(found: list[Checked], path: Path) -> None:
    """Theory as lines, simulations as points with their intervals, by occupancy."""
    from santral.bench.judge import pictures  # noqa: PLC0415  (matplotlib is an extra and slow to load)

    panels = []
    for patience, names in ((inf, (WAITS, SPEED, MISSED)), (PATIENCE, (WAITS, SPEED, MISSED, ABANDONS))):
        mine = [each for each in found if each.cell.case.patience == patience]
        for name in names:
            points: dict[str, list[tuple[float, float, float]]] = {}
            for each in mine:
                points.setdefault(f"{each.cell.case.agents} agents", []).extend(
                    (each.cell.case.occupancy, one.measured, one.spread) for one in each.estimates if one.name == name
                )
            lines = {label: theory_line(int(label.split()[0]), patience, name) for label in points}
            panels.append((f"Erlang {'C' if patience == inf else 'A'}: {name}", lines, points))
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures.theory(panels, path)


def theory_line(agents: int, patience: float, name: str) -> list[tuple[float, float]]:
    """A figure by occupancy."""
    found = []
    for step in range(100):
        occupancy = 0.5 + 0.485 * step / 99
        expected = expect(Case(agents, occupancy, patience=patience), WITHIN, SHORT)
        values = {
            WAITS: expected.waits,
            SPEED: expected.speed_of_answer,
            MISSED: 1.0 - expected.service_level,
            ABANDONS: expected.abandons,
        }
        found.append((occupancy, values[name]))
    return found
