"""`calls`: many bridged calls for a minute: loss, latency beside the bare relay's, cost and memory per call, CDRs."""

import asyncio
from dataclasses import asdict, dataclass
from typing import Final

from santral.bench.load.legs import Window
from santral.bench.measure import traffic
from santral.bench.measure.result import Result, Row, Setting
from santral.bench.measure.traffic import Ground
from santral.bench.process import Figures

CALLS: Final = 1500
FEW_CALLS: Final = 200
SECONDS: Final = 60.0
RELAY_SECONDS: Final = 15.0
CALLS_PER_SECOND: Final = 60.0
LATENCY_MS: Final = 5.0
TIMES_RELAY: Final = 2.0  # or so many times the bare relay's own 99.9th percentile, if that is more
IDLE_MIB: Final = 150
PER_CALL_KIB: Final = 64
CDR_S: Final = 3.0  # after the last BYE: records are written in batches


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything measured; `relay` before and after the engine's minute."""

    calls: int
    few_calls: int
    idle: Figures
    few: Window
    many: Window
    relay: tuple[Window, Window]
    records: int
    started: int
    ended: int
    failed: int  # refused, dropped or never told to end, on either side
    repeated_to_us: dict[str, int]


def run(setting: Setting) -> Result:
    return asyncio.run(_run(setting))


async def _run(setting: Setting) -> Result:
    calls, few = (20, 4) if setting.quick else (CALLS, FEW_CALLS)
    async with traffic.ground(setting, "calls", calls) as ground:
        seen = await _measure(ground, calls, few)
    return _judge(setting, seen)


async def _measure(ground: Ground, calls: int, few: int) -> Seen:
    seconds, relay_seconds = (2.0, 1.0) if ground.setting.quick else (SECONDS, RELAY_SECONDS)
    await asyncio.sleep(1.0)
    idle = ground.engine.figures()
    few_window = await ground.through_engine(few, relay_seconds, CALLS_PER_SECOND)
    before = await ground.through_relay(2 * calls, relay_seconds)
    many = await ground.through_engine(calls, seconds, CALLS_PER_SECOND)
    after = await ground.through_relay(2 * calls, relay_seconds)
    await asyncio.sleep(CDR_S)
    figures = ground.subject.load.figures
    return Seen(
        calls=calls,
        few_calls=few,
        idle=idle,
        few=few_window,
        many=many,
        relay=(before, after),
        records=ground.subject.call_records(),
        started=figures.started,
        ended=figures.ended,
        failed=figures.failed + figures.dropped + figures.callee_left,
        repeated_to_us=dict(figures.repeated_to_us),
    )


def _judge(setting: Setting, seen: Seen) -> Result:
    few, many = seen.few, seen.many
    relay_p999 = min(one.latency.p999_us for one in seen.relay)
    allowed_ms = max(LATENCY_MS, TIMES_RELAY * relay_p999 / 1000)
    cost_few, cost_many = (one.cpu_ns / 1e6 / one.seconds / n for one, n in ((few, seen.few_calls), (many, seen.calls)))
    growth_kib = (many.resident - seen.idle.resident) / 1024 / seen.calls
    relay_cost = min(one.cpu_us_per_packet for one in seen.relay)
    latency = many.latency

    def judged(ok: bool) -> bool | None:
        return None if setting.quick else ok

    rows = [
        Row(
            f"packets in {many.seconds:.0f} s of {seen.calls} calls",
            str(many.sent),
            "",
            f"in doubt: {many.doubt}" if many.doubt else "",
            judged(many.is_valid),
        ),
        Row("packets lost", str(many.lost), f"bare {sum(one.lost for one in seen.relay)}", "0", many.lost == 0),
        Row("packets misrouted, duplicate", f"{many.misrouted}, {many.duplicate}", "", "0, 0", not many.misrouted),
        Row("latency p50", f"{latency.p50_us:.0f} us", f"bare {seen.relay[0].latency.p50_us:.0f}"),
        Row("latency p99", f"{latency.p99_us:.0f} us", f"bare {seen.relay[0].latency.p99_us:.0f}"),
        Row(
            "latency p99.9",
            f"{latency.p999_us / 1000:.2f} ms",
            f"bare {relay_p999 / 1000:.2f} ms",
            f"{allowed_ms:.1f} ms",
            judged(latency.p999_us / 1000 <= allowed_ms),
        ),
        Row("CPU per packet", f"{many.cpu_us_per_packet:.2f} us", f"bare {relay_cost:.2f}"),
        Row(
            f"CPU per call and second at {seen.calls}",
            f"{cost_many:.3f} ms",
            f"{cost_few:.3f} at {seen.few_calls}",
            "no more",
            judged(cost_many <= cost_few),
        ),
        Row("idle, resident", f"{seen.idle.resident / 2**20:.0f} MiB", "", f"{IDLE_MIB} MiB", judged(_idle_ok(seen))),
        Row("growth per call", f"{growth_kib:.1f} KiB", "", f"{PER_CALL_KIB} KiB", judged(growth_kib <= PER_CALL_KIB)),
        Row("calls started, ended by us, failed", f"{seen.started}, {seen.ended}, {seen.failed}", ok=_ended_ok(seen)),
        Row("call records", str(seen.records), "", str(seen.started), seen.records == seen.started),
        Row("repeated by the engine", str(sum(seen.repeated_to_us.values())), "", "0", not seen.repeated_to_us),
    ]
    curves = {"engine": many.histogram, "bare relay": seen.relay[0].histogram}
    return Result("calls", rows, data=_data(seen), curves=curves)


def _idle_ok(seen: Seen) -> bool:
    return seen.idle.resident <= IDLE_MIB * 2**20


def _ended_ok(seen: Seen) -> bool:
    return seen.ended == seen.started and not seen.failed


def _data(seen: Seen) -> dict[str, object]:
    data = asdict(seen)
    for one in (data["few"], data["many"], *data["relay"]):
        del one["histogram"]
    return data
