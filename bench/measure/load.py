"""`load`: the load with no engine in between. What it cannot do itself, no benchmark can ask of the engine."""

from typing import Final

from santral.bench.load import direct
from santral.bench.measure.result import Result, Row, Setting

LEGS: Final = (800, 3000)
SECONDS: Final = 10.0


def run(setting: Setting) -> Result:
    result = Result("load")
    for legs in (20,) if setting.quick else LEGS:
        window = direct.measure(legs, 1.0 if setting.quick else SECONDS, setting.load_core)
        latency = window.latency
        result.rows += [
            Row(f"{legs} legs, packets sent, lost", f"{window.sent}, {window.lost}", "", "0 lost", window.lost == 0),
            Row(f"{legs} legs, latency p50, p99.9", f"{latency.p50_us:.0f}, {latency.p999_us:.0f} us"),
            Row(
                f"{legs} legs, late against the schedule, p99.9",
                f"{latency.lag_p999_us:.0f} us",
                ok=None if setting.quick else window.is_valid,
            ),
        ]
        result.data[str(legs)] = {"sent": window.sent, "lost": window.lost, "p999_us": latency.p999_us}
    return result
