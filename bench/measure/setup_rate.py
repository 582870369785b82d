"""`setup`: calls of 14 messages set up and torn down at a steady rate. How long from INVITE to 200, who repeats what,
what a call costs; then twice as many for a minute: nothing may fail.
"""

import asyncio
from typing import Final

from santral.bench.load.calls import CallLoad, Figures
from santral.bench.load.legs import MOST_OTHERS
from santral.bench.measure import traffic
from santral.bench.measure.result import Result, Row, Setting, quantile
from santral.bench.process import Bystanders, Child

CALLS_PER_SECOND: Final = 200.0
SECONDS: Final = 30.0
HOLD_S: Final = 0.2
P95_MS: Final = 20.0
CPU_MS: Final = 1.3  # a call through Asterisk with PJSIP, measured in the same way on the same machine
RUSH_PER_SECOND: Final = 400.0
RUSH_S: Final = 60.0


def run(setting: Setting) -> Result:
    return asyncio.run(_run(setting))


async def _run(setting: Setting) -> Result:
    rate, seconds = (20.0, 2.0) if setting.quick else (CALLS_PER_SECOND, SECONDS)
    calls = round(rate * seconds)
    alone = await _alone(calls, rate)
    async with traffic.serving(setting, "setup", None) as (subject, engine):
        cpu_ms, others = await _with_engine(subject.load, engine, calls, rate)
    result = _judge(setting, subject.load.figures, alone, (cpu_ms, others))
    rate, seconds = (40.0, 1.0) if setting.quick else (RUSH_PER_SECOND, RUSH_S)
    async with traffic.serving(setting, "rush", None) as (subject, engine):
        cpu_ms, others = await _with_engine(subject.load, engine, round(rate * seconds), rate)
    _judge_rush(result, subject.load.figures, (cpu_ms, others))
    return result


def _judge_rush(result: Result, figures: Figures, cost: tuple[float, float]) -> None:
    failed = figures.failed + figures.dropped + figures.callee_left
    repeated = sum(figures.repeated_to_us.values())
    name = f"{RUSH_PER_SECOND:.0f} calls/s for {RUSH_S:.0f} s"
    result.rows += [
        Row(f"{name}: answered, failed", f"{figures.answered}, {failed}", "", "none", not failed),
        Row(f"{name}: INVITE to 200, p95", f"{quantile(figures.setup_ms, 0.95):.1f} ms"),
        Row(f"{name}: repeated by the engine, by us", f"{repeated}, {sum(figures.repeated_by_us.values())}"),
        Row(f"{name}: CPU per call, others' cores", f"{cost[0]:.2f} ms, {cost[1]:.2f}"),
    ]
    result.data["rush"] = {"answered": figures.answered, "failed": failed, "cpu_ms_per_call": cost[0]}


async def _alone(calls: int, rate: float) -> Figures:
    """The same load with its caller talking straight to its callee: the floor."""
    load = CallLoad(("", 0), None)
    load.server = "127.0.0.1", load.callee_port
    load.open()
    await load.run_short(min(calls, round(5 * rate)), rate, HOLD_S)
    load.close()
    return load.figures


async def _with_engine(load: CallLoad, engine: Child, calls: int, rate: float) -> tuple[float, float]:
    """CPU milliseconds per call, and the cores that others kept busy meanwhile."""
    before, bystanders = engine.figures(), Bystanders(engine)
    await load.run_short(calls, rate, HOLD_S)
    return (engine.figures().cpu_ns - before.cpu_ns) / 1e6 / calls, bystanders.cores()


def _judge(setting: Setting, figures: Figures, alone: Figures, cost: tuple[float, float]) -> Result:
    cpu_ms, others = cost
    p95, floor = quantile(figures.setup_ms, 0.95), quantile(alone.setup_ms, 0.95)
    repeated = dict(figures.repeated_to_us)
    failed = figures.failed + figures.dropped + figures.callee_left
    rows = [
        Row("calls started, answered, ended", f"{figures.started}, {figures.answered}, {figures.ended}"),
        Row("failed", str(failed), "", "0", failed == 0),
        Row(
            "INVITE to 200, p95",
            f"{p95:.1f} ms",
            f"load alone {floor:.2f}",
            f"under {P95_MS:.0f} ms",
            None if setting.quick else p95 < P95_MS,
        ),
        Row("INVITE to 200, p50", f"{quantile(figures.setup_ms, 0.5):.1f} ms"),
        Row("INVITE to 200, worst", f"{quantile(figures.setup_ms, 1.0):.1f} ms"),
        Row("repeated by the engine", str(sum(repeated.values())), str(repeated or ""), "0", not repeated),
        Row("repeated by us (engine silent for T1)", str(sum(figures.repeated_by_us.values())), "", "0"),
        Row(
            "CPU per call, both legs",
            f"{cpu_ms:.2f} ms",
            "",
            f"{CPU_MS} ms",
            None if setting.quick or others > MOST_OTHERS else cpu_ms <= CPU_MS,
        ),
        Row("CPU used by others", f"{others:.2f} cores", "", f"at most {MOST_OTHERS}, else in doubt"),
    ]
    data = {
        "started": figures.started,
        "answered": figures.answered,
        "ended": figures.ended,
        "failed": failed,
        "statuses": dict(figures.statuses),
        "setup_p95_ms": p95,
        "cpu_ms_per_call": cpu_ms,
        "others_cores": others,
        "repeated_to_us": repeated,
        "repeated_by_us": dict(figures.repeated_by_us),
    }
    return Result("setup", rows, data=data)
