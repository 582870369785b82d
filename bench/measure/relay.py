"""`relay`: CPU per relayed packet of the engine against the bare relay in C, in interleaved pairs of the same load."""

import asyncio
from typing import Final

from santral.bench.load.legs import Window
from santral.bench.measure import traffic
from santral.bench.measure.result import Result, Row, Setting, median
from santral.bench.measure.traffic import Ground

CALLS: Final = 400  # two legs each
PAIRS: Final = 7
SECONDS: Final = 8.0
CALLS_PER_SECOND: Final = 100.0
MOST_TIMES_BARE: Final = 1.25


def run(setting: Setting) -> Result:
    return asyncio.run(_run(setting))


async def _run(setting: Setting) -> Result:
    calls, pairs, seconds = (10, 1, 1.0) if setting.quick else (CALLS, PAIRS, SECONDS)
    async with traffic.ground(setting, "relay", calls) as ground:
        measured = [await _pair(ground, calls, seconds) for _ in range(pairs)]
    return _judge(setting, measured, calls)


async def _pair(ground: Ground, calls: int, seconds: float) -> tuple[Window, Window]:
    bare = await ground.through_relay(2 * calls, seconds)
    return bare, await ground.through_engine(calls, seconds, CALLS_PER_SECOND)


def _judge(setting: Setting, measured: list[tuple[Window, Window]], calls: int) -> Result:
    result = Result("relay")
    ratios = []
    sure = 0
    for number, (bare, ours) in enumerate(measured, 1):
        ratio = ours.cpu_us_per_packet / bare.cpu_us_per_packet
        ratios.append(ratio)
        doubt = bare.doubt or ours.doubt
        sure += not doubt
        result.rows.append(
            Row(
                f"pair {number}, {2 * calls} legs",
                f"{ours.cpu_us_per_packet:.2f} us/packet, lost {ours.lost}",
                f"bare {bare.cpu_us_per_packet:.2f}, ratio {ratio:.2f}",
                f"in doubt: {doubt}" if doubt else "",
            )
        )
    middle = median(ratios)
    ok = None if setting.quick else middle <= MOST_TIMES_BARE
    result.rows.append(Row("median ratio to the bare relay", f"{middle:.3f}", "", f"at most {MOST_TIMES_BARE}", ok))
    enough = None if setting.quick else 2 * sure > len(measured)
    result.rows.append(Row("pairs beyond doubt", f"{sure} of {len(measured)}", "", "most", enough))
    lost = sum(ours.lost for _, ours in measured)
    result.rows.append(Row("packets lost by the engine", str(lost), "", "0", lost == 0))
    result.data = {
        "calls": calls,
        "bare_us": [bare.cpu_us_per_packet for bare, _ in measured],
        "engine_us": [ours.cpu_us_per_packet for _, ours in measured],
        "ratio_median": middle,
        "lost": lost,
    }
    return result
