"""`santral demo`: real calls with real speech through a real engine, judged by ear and by the wire."""

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from rich.console import Console
from rich.table import Table

from santral.bench.report import wide_console
from santral.bench.scene.observation import Observation
from santral.bench.scene.stage import SceneError, Stage, set_up

FOLDER: Final = Path("demo-output")


def main(out: Path = FOLDER) -> int:
    """Play every step and print what was observed. Returns 0 only if each was observed as it should be."""
    console, began = wide_console(), time.monotonic()
    signal.signal(signal.SIGTERM, _stop)
    try:
        with set_up(out) as stage:
            observed = _play(stage, console)
    except SceneError as problem:
        sys.stderr.write(f"demo: {problem}\n")
        return 1
    console.print(table(observed))
    good = bool(observed) and all(one.ok for one in observed)
    verdict = "[green]Every step was observed[/]" if good else "[red]Not every step was observed[/]"
    console.print(f"{verdict} in {time.monotonic() - began:.0f} s. What each side heard, with pictures: {out}/")
    return 0 if good else 1


def _play(stage: Stage, console: Console) -> list[Observation]:
    try:
        from santral.bench.scene.steps import STEPS  # noqa: PLC0415  (draws with matplotlib, an extra and slow to load)
    except ImportError as problem:
        raise SceneError(f"no module {problem.name}; pip install 'santral[demo]'") from problem
    observed: list[Observation] = []
    for step in STEPS:
        console.print(f"[dim]{(step.__doc__ or '').strip()}[/]")
        try:
            observed += step(stage)
        except SceneError as problem:
            observed.append(Observation(step.__name__, "the step could be played", str(problem), False))
    alive = stage.engine.is_alive
    return [*observed, Observation("engine", "still runs", "yes" if alive else "no, see engine.log", alive)]


def _stop(signal_number: int, _frame: FrameType | None) -> None:
    """End by unwinding, so that every process of ours is ended on the way."""
    raise SystemExit(128 + signal_number)


def table(observed: Sequence[Observation]) -> Table:
    drawn = Table(title="What was observed", title_justify="left")
    for column in ("step", "what", "observed", ""):
        drawn.add_column(column)
    last = ""
    for one in observed:
        mark = "[green]yes[/]" if one.ok else "[red]NO[/]"
        drawn.add_row(one.step if one.step != last else "", one.what, one.seen, mark, end_section=False)
        last = one.step
    return drawn


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
