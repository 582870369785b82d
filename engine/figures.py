"""The node's figures for Prometheus, made from its status when somebody asks; and what is tallied as calls end."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from santral.engine.metrics import Histogram, Sample

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.media import LegStats

ANSWER_BOUNDS_S: Final = (0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 40, 60)
MOS_BOUNDS: Final = (1.5, 2.0, 2.6, 3.1, 3.6, 4.0, 4.3)  # G.107 Annex B: classes end at R 50, 60, 70, 80, 90
LOSS_BOUNDS: Final = (0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3)
JITTER_BOUNDS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
LEVELS: Final = {  # figures that go up and down; all others only grow
    "transport": frozenset(
        {"connections", "handshakes", "tcp_connections", "tls_connections", "ws_connections", "wss_connections"}
    ),
    "locating": frozenset({"names"}),
    "cdr": frozenset({"waiting", "open"}),
    "recording": frozenset({"running", "in_trouble", "licences", "jobs", "waiting", "pending", "unreported"}),
    "media": frozenset(
        {"legs_open", "slots_free", "ports_free", "ports_resting", "ports_used", "threads", "max_pass_ns"}
    ),
}


class Tally:
    """Ended calls by cause, and how long callers waited for an answer, how legs sounded."""

    def __init__(self) -> None:
        self.ended: Counter[str] = Counter()
        self.answer_s = Histogram("call_answer_seconds", "From INVITE to 200, of answered calls.", ANSWER_BOUNDS_S)
        self.mos = Histogram("leg_mos", "E-model scores of ended legs, each direction that was measured.", MOS_BOUNDS)
        self.loss = Histogram("leg_loss_ratio", "Share of packets lost on the way in, of ended legs.", LOSS_BOUNDS)
        self.jitter_s = Histogram(
            "leg_jitter_seconds", "RFC 3550 jitter on the way in, of ended legs.", JITTER_BOUNDS_S
        )

    def count(self, call: "Call") -> None:
        self.ended[call.outcome.cause] += 1
        times = call.origin.times
        if times.answered is not None:
            self.answer_s.observe(max(0, times.answered - times.started) / 1000)
        for leg in call.legs:
            if leg.stats is not None:
                self._rate(leg.stats)

    def _rate(self, stats: "LegStats") -> None:
        for histogram, value in ((self.mos, stats.mos), (self.mos, stats.remote_mos), (self.loss, stats.loss)):
            if value is not None:
                histogram.observe(value)
        if stats.packets_in:
            self.jitter_s.observe(stats.jitter_ms / 1000)


def samples(
    status: Mapping[str, Any], trunks: Iterable[Mapping[str, Any]], tally: Tally
) -> Iterator[Sample | Histogram]:
    """`status` and `trunks` are what the control socket shows."""
    yield Sample("calls", status["calls"], "Calls in progress.")
    yield Sample("uptime_seconds", status["uptime_s"], "Seconds since start.")
    for cause, ended in tally.ended.items():
        yield Sample("calls_ended", ended, "Calls that ended, by cause.", "counter", labels={"cause": cause})
    yield from (tally.answer_s, tally.mos, tally.loss, tally.jitter_s)
    for what, count in status["gate"].items():
        yield Sample("gate", count, "Calls taken and refused at the door.", "counter", labels={"what": what})
    for what, count in status["guard"].items():
        yield Sample("guard", count, "Messages dropped and proofs judged.", "counter", labels={"what": what})
    yield Sample("registrations", status["registrations"], "Contacts of users.")
    for what, count in status["sip"]["counters"].items():
        yield Sample("sip", count, "SIP messages and faults.", "counter", labels={"what": what})
    yield from _figures("transport", status["transport"], "Sockets of SIP.")
    yield from _figures("locating", status["locating"], "Looking for SIP servers.")
    yield from _figures("control", status["control"], "Control clients.")
    yield from _figures("cdr", status["cdrs"], "Call records.")
    yield from _figures("recording", status["recordings"], "Recordings.")
    yield from _figures("media", status["media"], "Media plane.")
    for trunk in trunks:
        labels = {"trunk": trunk["name"]}
        yield Sample("trunk_up", trunk["state"] == "up", "Whether the trunk can be called.", labels=labels)
        for target in trunk["targets"]:
            here = {**labels, "target": target["uri"]}
            yield Sample("trunk_target_up", target["state"] != "down", "Whether the target answers.", labels=here)
        yield Sample("trunk_channels_in_use", trunk["channels_in_use"], "Legs on the trunk.", labels=labels)


def _figures(part: str, counters: Mapping[str, float], text: str) -> Iterator[Sample]:
    levels = LEVELS.get(part, frozenset())
    for name, value in counters.items():
        yield Sample(f"{part}_{name}", value, text, "gauge" if name in levels else "counter")
