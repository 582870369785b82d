"""The figures Prometheus is shown, from a status as the control socket shows it."""

from types import SimpleNamespace
from typing import Any, cast

from santral.engine.figures import Tally, samples
from santral.engine.metrics import Histogram, Sample

STATUS: dict[str, Any] = {
    "calls": 3,
    "uptime_s": 12.5,
    "gate": {"calls": 7, "refused_unknown_source": 2},
    "guard": {"dropped_scanner": 5},
    "registrations": 4,
    "sip": {"counters": {"malformed": 1}},
    "transport": {"connections": 5, "handshakes_failed": 2},
    "locating": {"names": 3, "asked": 9},
    "control": {"requests": 4},
    "recordings": {"running": 2, "recorder_starts": 1},
    "cdrs": {"written": 6, "waiting": 1},
    "media": {"packets_in": 1000, "legs_open": 6},
}


TARGETS = [{"uri": "sip:a", "state": "up"}, {"uri": "sip:b", "state": "down"}]
TRUNK = {"name": "carrier", "channels_in_use": 2, "state": "up", "targets": TARGETS}


HEARD = SimpleNamespace(mos=3.9, remote_mos=None, loss=0.02, jitter_ms=4.0, packets_in=500)


def ended(cause: str, answered: int | None) -> Any:
    return SimpleNamespace(
        outcome=SimpleNamespace(cause=cause),
        origin=SimpleNamespace(times=SimpleNamespace(started=1_000, answered=answered)),
        legs=[SimpleNamespace(stats=HEARD), SimpleNamespace(stats=None)],
    )


def test_what_grows_is_a_counter_and_what_moves_is_a_gauge() -> None:
    tally = Tally()
    for call in (ended("normal", 1_250), ended("normal", 4_000), ended("busy", None)):
        tally.count(cast(Any, call))
    shown = list(samples(STATUS, [TRUNK], tally))
    figures = {(one.name, *one.labels.values()): (one.value, one.kind) for one in shown if isinstance(one, Sample)}
    assert figures["calls",] == (3, "gauge")
    assert figures["calls_ended", "normal"] == (2, "counter")
    assert figures["calls_ended", "busy"] == (1, "counter")
    assert figures["gate", "refused_unknown_source"] == (2, "counter")
    assert figures["transport_connections",] == (5, "gauge")
    assert figures["transport_handshakes_failed",] == (2, "counter")
    assert (figures["locating_names",], figures["locating_asked",]) == ((3, "gauge"), (9, "counter"))
    assert figures["guard", "dropped_scanner"] == (5, "counter")
    assert figures["registrations",] == (4, "gauge")
    assert figures["trunk_up", "carrier"] == (True, "gauge")
    assert [figures["trunk_target_up", "carrier", one][0] for one in ("sip:a", "sip:b")] == [True, False]
    assert figures["cdr_written",] == (6, "counter")
    assert figures["cdr_waiting",] == (1, "gauge")
    assert figures["media_packets_in",] == (1000, "counter")
    assert figures["media_legs_open",] == (6, "gauge")
    assert figures["trunk_channels_in_use", "carrier"] == (2, "gauge")
    waited, mos, loss, jitter = [one for one in shown if isinstance(one, Histogram)]
    at_most = dict(waited.buckets())
    assert [at_most[bound] for bound in ("0.1", "0.5", "5.0", "+Inf")] == [0, 1, 2, 2]
    assert waited.total == 3.25
    assert dict(mos.buckets())["4.0"] == 3  # one direction of three legs was measured
    assert (dict(loss.buckets())["0.02"], dict(jitter.buckets())["0.005"]) == (3, 3)
