"""`santral bench`: runs benchmarks by name, prints their rows, writes JSON and a plot."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from santral.bench.acd import erlang, speed
from santral.bench.measure import (
    calls,
    codecs,
    detect,
    leak,
    load,
    mix,
    parse,
    quality,
    relay,
    setup_rate,
    transcode,
)  # fmt: skip
from santral.bench.measure.media import mixdown, record, srtp
from santral.bench.measure.result import Result, Setting
from santral.bench.process import cores
from santral.bench.report import wide_console
from santral.bench.subject import machine

BENCHMARKS: Final[dict[str, Callable[[Setting], Result]]] = {
    "load": load.run,
    "relay": relay.run,
    "transcode": transcode.run,
    "mix": mix.run,
    "calls": calls.run,
    "parse": parse.run,
    "setup": setup_rate.run,
    "leak": leak.run,
    "codecs": codecs.run,
    "detect": detect.run,
    "quality": quality.run,
    "srtp": srtp.run,
    "acd": speed.run,
    "erlang": erlang.run,
    "mixdown": mixdown.run,
    "record": record.run,
}
FOLDER: Final = Path("bench-output")
MARKS: Final = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}


def main(
    names: Sequence[str] = (), *, json_file: Path | None = None, plot: Path | None = None, quick: bool = False
) -> int:
    """Run these benchmarks, or all. Returns 0 if every limit was kept, 1 if one was not, 2 for an unknown name."""
    console = wide_console()
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}\n")
        return 2
    load_core, subject_core = cores()
    setting = Setting(FOLDER.resolve(), load_core, subject_core, quick)
    setting.folder.mkdir(parents=True, exist_ok=True)
    facts = machine() | {"load_core": load_core, "subject_core": subject_core, "quick": quick}
    console.print(" · ".join(f"{name} {value}" for name, value in facts.items()))
    results = []
    for name in names or BENCHMARKS:
        began = time.monotonic()
        result = BENCHMARKS[name](setting)
        results.append(result)
        console.print(table(result, time.monotonic() - began))
    if json_file is not None:
        json_file.write_text(json.dumps(report(results, facts), indent=1, default=str))
    if plot is not None:
        draw(results, plot)
    return 0 if all(result.is_good for result in results) else 1


def table(result: Result, seconds: float) -> Table:
    drawn = Table(title=f"{result.name} ({seconds:.0f} s)", title_justify="left")
    for column in ("what", "measured", "beside", "limit", "kept"):
        drawn.add_column(column)
    for row in result.rows:
        drawn.add_row(row.what, row.measured, row.beside, row.limit, MARKS[row.ok])
    return drawn


def report(results: Sequence[Result], facts: dict[str, Any]) -> dict[str, Any]:
    return {
        "machine": facts,
        "results": {
            one.name: {
                "good": one.is_good,
                "rows": [[row.what, row.measured, row.beside, row.limit, row.ok] for row in one.rows],
                "data": one.data,
            }
            for one in results
        },
    }


def draw(results: Sequence[Result], path: Path) -> None:
    """Latency of every benchmark that has any: the share of packets slower than so many microseconds."""
    from santral.bench.judge import pictures  # noqa: PLC0415  (matplotlib is an extra and slow to load)

    pictures.latency({f"{one.name}: {name}": curve for one in results for name, curve in one.curves.items()}, path)
