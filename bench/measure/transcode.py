"""`transcode`: CPU per packet of µ-law to A-law and back against plain relay, in interleaved pairs of the same load."""

from typing import Final

from santral.bench.load.legs import Legs
from santral.bench.measure.plane import Taken, running, take
from santral.bench.measure.result import Result, Row, Setting, median

LEGS: Final = 600
PAIRS: Final = 5
SECONDS: Final = 4.0
MOST_TIMES_RELAY: Final = 1.3


def run(setting: Setting) -> Result:
    legs, pairs, seconds = (20, 1, 1.0) if setting.quick else (LEGS, PAIRS, SECONDS)
    taken = [
        (_through(setting, "relay", legs, seconds), _through(setting, "transcode", legs, seconds)) for _ in range(pairs)
    ]
    result = Result("transcode")
    ratios = []
    for number, (relayed, transcoded) in enumerate(taken, 1):
        ratio = transcoded.us_per_packet / relayed.us_per_packet
        ratios.append(ratio)
        doubt = relayed.window.doubt or transcoded.window.doubt
        result.rows.append(
            Row(
                f"pair {number}, {legs} legs",
                f"{transcoded.us_per_packet:.2f} us/packet",
                f"relay {relayed.us_per_packet:.2f}, ratio {ratio:.2f}",
                f"in doubt: {doubt}" if doubt else "",
            )
        )
    middle = median(ratios)
    ok = None if setting.quick else middle <= MOST_TIMES_RELAY
    result.rows.append(Row("median ratio to relay", f"{middle:.3f}", "", f"at most {MOST_TIMES_RELAY}", ok))
    through = min(one.grown["packets_out"] / max(1, one.grown["packets_in"]) for _, one in taken)
    result.rows.append(Row("of the packets taken, sent on", f"{through:.4f}", "", "all", through > 0.999))
    result.data = {"legs": legs, "ratio_median": middle, "ratios": ratios}
    return result


def _through(setting: Setting, mode: str, count: int, seconds: float) -> Taken:
    with Legs(count, core=setting.load_core) as legs, running(setting, mode, legs.ports) as plane:
        return take(plane, legs, seconds)
