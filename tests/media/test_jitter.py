"""The jitter buffer on a made-up network with a made-up clock: delay, late loss, spikes, drift, and everything odd."""

from collections.abc import Callable
from heapq import heappop, heappush

import numpy as np
import pytest

from santral.codecs import CODECS
from santral.engine.media.core.mix.intake import Intake

MS = 1_000_000
FRAME = 20 * MS
CODEC = CODECS["L16/16000"]
HZ = 431.0


def frame(n: int, samples: int = 320) -> bytes:
    at = np.arange(n * samples, (n + 1) * samples) / 16000
    return CODEC.encode((6000 * np.sin(2 * np.pi * HZ * at)).astype(np.int16).tobytes())


class Network:
    """Packets sent every 20 ms of the sender's clock, each on its way for as long as `delay` says."""

    def __init__(
        self, delay: Callable[[int], float], *, drift: float = 0.0, lost: frozenset[int] = frozenset()
    ) -> None:
        self.intake = Intake(CODEC)
        self.delay, self.drift, self.lost = delay, drift, lost
        self.now, self.sent = 0, 0
        self.under_way: list[tuple[int, int]] = []
        self.heard: list[bytes | None] = []
        self.delays: list[float] = []
        self.payloads: Callable[[int], bytes] = frame

    def numbers(self, n: int) -> dict[str, int]:
        return {"sequence": (65_500 + n) & 0xFFFF, "timestamp": (2**32 - 1000 + 320 * n) & 0xFFFFFFFF}

    def put(self, n: int, at: int) -> None:
        self.intake.put(self.payloads(n), now_ns=at, **self.numbers(n))

    def run(self, seconds: float) -> None:
        until = self.now + int(seconds * 1e9)
        while self.now < until:
            self.now += FRAME
            while self.sent * FRAME * (1 + self.drift) < self.now:
                if self.sent not in self.lost:
                    leaves = int(self.sent * FRAME * (1 + self.drift))
                    heappush(self.under_way, (leaves + int(self.delay(self.sent) * MS), self.sent))
                self.sent += 1
            while self.under_way and self.under_way[0][0] <= self.now:
                at, n = heappop(self.under_way)
                self.put(n, at)
            self.heard.append(self.intake.take(self.now))
            self.delays.append(self.intake.delay_ms(self.now))

    def line(self, last: int = 0) -> np.ndarray:
        return np.concatenate(
            [np.frombuffer(one, np.int16) if one else np.zeros(320, np.int16) for one in self.heard[-last:]]
        ).astype(float)


def clicks(line: np.ndarray, least: float = 1500.0) -> int:
    """Samples that do not follow from the two before, as those of a tone do."""
    follows = 2 * np.cos(2 * np.pi * HZ / 16000) * line[1:-1] - line[:-2]
    return int(np.sum(np.abs(line[2:] - follows) > least))


def test_a_steady_stream_comes_out_as_it_was_said() -> None:
    network = Network(lambda n: 30)
    network.run(10)
    heard = [one for one in network.heard if one is not None]
    assert heard == [np.frombuffer(CODEC.decode(frame(n)), np.int16).tobytes() for n in range(len(heard))] or (
        network.intake.counts["shortened"] <= 2
    )
    assert network.intake.counts["late"] == network.intake.counts["concealed"] == 0
    assert max(network.delays[50:]) <= 45
    assert clicks(network.line(400)) == 0


@pytest.mark.parametrize("seed", range(3))
def test_thirty_milliseconds_of_jitter(seed: int) -> None:
    """Up to 30 ms early or late: late loss at most 1 %, added delay at most 80 ms."""
    chance = np.random.default_rng(seed)
    jitter = chance.uniform(0, 60, 4000)
    network = Network(lambda n: 40 + jitter[n])
    network.run(60)
    counts = network.intake.counts
    assert counts["late"] <= 0.01 * network.sent
    assert np.mean(network.delays[150:]) <= 80
    assert max(network.delays[500:]) <= 110
    assert sum(one is None for one in network.heard[20:]) == 0


def test_a_spike_of_200_ms_is_over_in_two_seconds() -> None:
    chance = np.random.default_rng(7)
    jitter = chance.uniform(0, 10, 4000)

    def delay(n: int) -> float:
        return 30 + jitter[n] + (max(0, 200 - 20 * (n - 500)) if n >= 500 else 0)

    network = Network(delay)
    network.run(9.9)
    before = np.mean(network.delays[-100:])
    network.run(0.5)
    assert max(network.delays[-25:]) > before + 100  # the stall itself
    network.run(1.7)
    network.run(1.0)
    assert np.mean(network.delays[-50:]) < before + 20
    assert network.intake.counts["late"] == 0  # nothing said was thrown away
    assert clicks(network.line(45)) == 0


@pytest.mark.parametrize("drift", [200e-6, -200e-6])
def test_clocks_that_drift_apart_for_two_hours(drift: float) -> None:
    network = Network(lambda n: 30, drift=drift)
    silence = CODEC.encode(np.zeros(320, np.int16).tobytes())
    network.payloads = lambda n: silence
    network.run(7200)
    counts = network.intake.counts
    changed = counts["shortened"] if drift < 0 else counts["lengthened"]
    assert 60 <= changed <= 600  # 1.44 s in pieces of 2.5 to 15 ms
    assert max(network.delays[500:]) < 60
    assert counts["late"] == 0
    assert counts["concealed"] <= 5


def test_a_change_of_length_is_not_heard() -> None:
    network = Network(lambda n: 30, drift=-2000e-6)
    network.run(20)
    assert network.intake.counts["shortened"] >= 3
    assert clicks(network.line(900)) == 0


def test_a_lost_packet_is_concealed_in_its_place() -> None:
    network = Network(lambda n: 30, lost=frozenset({100, 200, 201}))
    network.run(8)
    assert network.intake.counts["concealed"] == 3
    assert network.intake.counts["late"] == 0
    line = network.line(390)
    assert np.sqrt(np.mean(line**2)) > 0.97 * 6000 / 2**0.5
    assert max(network.delays[-50:]) <= 45


def test_reordered_and_doubled_packets() -> None:
    network = Network(lambda n: 30 + (25 if n % 10 == 5 else 0))
    network.run(5)
    counts = network.intake.counts
    network.put(network.sent - 3, network.now)  # played long ago
    assert network.intake.counts["late"] == counts["late"] + 1
    network.run(5)
    assert network.intake.counts["concealed"] <= 4
    assert clicks(network.line(200)) == 0


def test_a_pause_is_silence_and_what_follows_is_on_time() -> None:
    network = Network(lambda n: 30, lost=frozenset())
    network.numbers = lambda n: {  # type: ignore[method-assign]
        "sequence": n & 0xFFFF if n < 200 else (n - 100) & 0xFFFF, "timestamp": 320 * n,
    }  # fmt: skip
    network.lost = frozenset(range(200, 300))  # not sent at all: the sequence goes on behind it
    network.run(8)
    quiet = network.line(400)[320 * 210 : 320 * 298]
    assert np.max(np.abs(quiet)) < 50
    assert network.intake.counts["late"] == 0
    assert max(network.delays[320:]) <= 60
    assert sum(one is None for one in network.heard[330:]) == 0


def test_a_new_source_goes_on_where_the_last_one_ended() -> None:
    network = Network(lambda n: 30)
    network.run(2)
    epoch = network.intake

    def put(n: int, at: int) -> None:
        epoch.put(frame(n), (7 + n) & 0xFFFF, (123 + 320 * n) & 0xFFFFFFFF, at, epoch=2)

    network.put = put  # type: ignore[method-assign]
    network.run(3)
    assert network.intake.counts["late"] == 0
    assert network.intake.counts["concealed"] <= 1
    assert clicks(network.line(200)) == 0


def test_events_take_sequence_numbers_and_no_time() -> None:
    network = Network(lambda n: 30)
    send = network.put

    def put(n: int, at: int) -> None:
        if 100 <= n < 108:
            network.intake.put(
                b"\x05\x0a\x00\xa0", network.numbers(n)["sequence"], network.numbers(100)["timestamp"], at, event=True
            )
        else:
            send(n, at)

    network.put = put  # type: ignore[method-assign]
    network.run(5)
    assert network.intake.counts["late"] == 0
    assert network.intake.counts["concealed"] <= 8
    line = network.line(250)
    assert np.max(np.abs(line[320 * 107 : 320 * 108])) < 300
    assert clicks(line[320 * 120 :]) == 0
    assert max(network.delays[130:]) <= 60


def test_a_sender_whose_clock_steps_is_followed() -> None:
    network = Network(lambda n: 30)
    network.numbers = lambda n: {  # type: ignore[method-assign]
        "sequence": n & 0xFFFF, "timestamp": (320 * n + (10_000_000 if n >= 150 else 0)) & 0xFFFFFFFF,
    }  # fmt: skip
    network.run(6)
    assert network.intake.counts["late"] == 0
    assert sum(one is None for one in network.heard[20:]) == 0
    assert max(network.delays[60:]) <= 60


def test_what_does_not_fit_is_left_out_and_the_newest_is_played() -> None:
    intake = Intake(CODEC)
    for n in range(100):
        intake.put(frame(n), n, 320 * n, 0)  # two seconds in one moment
    assert intake.counts["overflowed"] >= 1
    heard = [intake.take(t * FRAME) for t in range(1, 60)]
    assert sum(one is not None for one in heard) >= 3
