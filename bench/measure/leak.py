"""`leak`: after thousands of short calls and a quiet time, everything is back where it began."""

import asyncio
import math
from dataclasses import dataclass
from typing import Final

from santral.bench.measure import traffic
from santral.bench.measure.result import Result, Row, Setting
from santral.bench.process import Child, Figures
from santral.bench.subject import Subject, numbers_in

FIRST_CALLS: Final = 10_000
SECOND_CALLS: Final = 20_000
CALLS_PER_SECOND: Final = 200.0
HOLD_S: Final = 0.2
QUIET_S: Final = 40.0  # UDP transactions live 32 s after the last BYE
MOST_GROWTH: Final = 2 * 2**20
WARM_UP_CALLS: Final = 20  # before the first look: what is made once has been made
LIVE: Final = (  # in engine.status: what is in use at this moment
    "calls",
    "limits.calls",
    "limits.holders",
    "media.legs_open",
    "media.ports_used",
    "sip.client_transactions",
    "sip.server_transactions",
    "sip.sessions",
    "sip.timers",
)


@dataclass(frozen=True, slots=True)
class Point:
    """One quiet moment."""

    figures: Figures
    live: dict[str, float]
    records: int


def run(setting: Setting) -> Result:
    return asyncio.run(_run(setting))


async def _run(setting: Setting) -> Result:
    first, second, quiet_s = (20, 40, 1.0) if setting.quick else (FIRST_CALLS, SECOND_CALLS, QUIET_S)
    async with traffic.serving(setting, "leak", None) as (subject, engine):
        points = []
        for calls in (WARM_UP_CALLS, first, second):
            await subject.load.run_short(calls, CALLS_PER_SECOND if not setting.quick else 20.0, HOLD_S)
            await asyncio.sleep(quiet_s)
            points.append(await asyncio.to_thread(_look, subject, engine))
    return _judge(setting, subject, points)


def _look(subject: Subject, engine: Child) -> Point:
    return Point(engine.figures(), live_counts(subject.status()), subject.call_records())


def live_counts(status: object) -> dict[str, float]:
    """The counts in `LIVE`; one that the engine does not tell is not a number, and so never back where it began."""
    numbers = numbers_in(status)
    return {path: numbers.get(path, math.nan) for path in LIVE}


def _judge(setting: Setting, subject: Subject, points: list[Point]) -> Result:
    start, first, second = points
    growth = second.figures.resident - first.figures.resident
    load = subject.load.figures
    rows = [
        Row(
            "calls started, ended, failed",
            f"{load.started}, {load.ended}, {load.failed}",
            ok=load.started == load.ended,
        ),
        Row("call records", str(second.records), "", str(load.started), second.records == load.started),
        *(_descriptors(start, one, label) for one, label in ((first, "first"), (second, "second"))),
        *_live_rows(setting, start, second),
        Row(
            "memory between the quiet points",
            f"{growth / 2**20:+.2f} MiB",
            f"{first.figures.resident / 2**20:.1f} to {second.figures.resident / 2**20:.1f} MiB",
            f"at most {MOST_GROWTH / 2**20:.0f} MiB",
            None if setting.quick else growth <= MOST_GROWTH,
        ),
    ]
    data = {
        "resident": [one.figures.resident for one in points],
        "files": [one.figures.files for one in points],
        "live": [one.live for one in points],
        "started": load.started,
        "failed": load.failed,
    }
    return Result("leak", rows, data=data)


def _descriptors(start: Point, later: Point, label: str) -> Row:
    ok = later.figures.files <= start.figures.files
    return Row(f"open descriptors, {label} quiet point", str(later.figures.files), "", str(start.figures.files), ok)


def _live_rows(setting: Setting, start: Point, end: Point) -> list[Row]:
    rows = []
    for path, number in end.live.items():
        begun = start.live[path]
        told = not math.isnan(number)
        back = number <= begun
        ok = told and (back or setting.quick)
        rows.append(Row(path, f"{number:.0f}", "", f"{begun:.0f}", ok))
    return rows
