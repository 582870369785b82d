"""The port pool: drawn at random, rested, and short only after saying so."""

import socket
from random import Random

import pytest

from santral.engine.media import PortsExhausted
from santral.engine.media.ports import PortPool


def pool(first: int, last: int, *, rest_s: float = 3.0) -> PortPool:
    return PortPool(first, last, rest_s, Random(1))


@pytest.mark.parametrize(("first", "last", "evens"), [
    (20000, 20003, [20000, 20002]), (20001, 20004, [20002]), (20001, 20005, [20002, 20004]), (20000, 20000, []),
])  # fmt: skip
def test_only_whole_pairs_of_the_range(first: int, last: int, evens: list[int]) -> None:
    ports = pool(first, last)
    drawn = [ports.take(0) for _ in range(len(evens) + 1)]
    assert sorted(filter(None, drawn)) == evens
    assert drawn[-1] is None
    assert ports.refused == 1


def test_a_pair_rests_before_it_serves_again() -> None:
    ports = pool(20000, 20001)
    assert ports.take(0) == 20000
    ports.give_back(20000, 10.0)
    assert ports.take(12.9) is None
    assert (ports.free(12.9), ports.resting, ports.used) == (0, 1, 0)
    assert ports.take(13.0) == 20000


def test_draws_are_spread_but_favour_the_longest_rested() -> None:
    ports = pool(20000, 20999)
    first = [ports.take(0) for _ in range(400)]
    assert first != sorted(filter(None, first))
    for n, port in enumerate(filter(None, first)):
        ports.give_back(port, n)
    again = {ports.take(1000) for _ in range(36)}
    assert not again & set(first)  # a hundred that never served come before those just rested


def test_shortage_is_announced_once_until_it_is_over() -> None:
    ports = pool(20000, 20039)
    taken = []
    announced = []
    for _ in range(20):
        taken.append(ports.take(0))
        announced.append(ports.has_become_low())
    assert announced == [False] * 18 + [True, False]
    for port in taken[:10]:
        assert port is not None
        ports.give_back(port, 0)
    ports.take(4)
    assert not ports.has_become_low()
    for _ in range(8):
        ports.take(4)
    assert ports.has_become_low()
    assert ports.shortages == 2


def free_range(pairs: int) -> tuple[int, int]:
    """A range of ports nobody holds now."""
    for first in range(30000, 60000, 64):
        try:
            for port in range(first, first + 2 * pairs):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first, first + 2 * pairs - 1
    raise AssertionError("no free ports")


async def test_the_plane_uses_its_range_and_nothing_else(stager) -> None:
    first, last = free_range(4)
    stage = stager(ports=(first, last), rest_s=0.05)
    legs = [stage.plane.open_leg("127.0.0.1") for _ in range(4)]
    assert sorted(leg.port for leg in legs) == list(range(first, last, 2))
    assert all(leg.rtcp_port == leg.port + 1 for leg in legs)
    with pytest.raises(PortsExhausted):
        stage.plane.open_leg("127.0.0.1")
    counters = stage.plane.snapshot()
    assert (counters["ports_used"], counters["port_shortages"], counters["legs_refused"]) == (4, 1, 1)
    assert len(stage.of("ports_low")) == 1
    await legs[0].close()
    assert stage.plane.snapshot()["ports_resting"] == 1
    await stage.until(lambda: stage.plane.snapshot()["ports_free"] == 1)
    assert stage.plane.open_leg("127.0.0.1").port == legs[0].port


async def test_ports_held_by_others_are_laid_aside(stager) -> None:
    first, last = free_range(3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", first + 1))
        stage = stager(ports=(first, last))
        ports = [stage.plane.open_leg("127.0.0.1").port for _ in range(2)]
        assert sorted(ports) == [first + 2, first + 4]
        with pytest.raises(PortsExhausted):
            stage.plane.open_leg("127.0.0.1")


async def test_an_address_that_is_not_ours_is_no_shortage(stager) -> None:
    stage = stager(ports=free_range(2))
    with pytest.raises(OSError, match="assign"):
        stage.plane.open_leg("192.0.2.1")
    assert stage.plane.snapshot()["ports_used"] == 0


async def test_slots_can_run_out_too(stager) -> None:
    stage = stager(max_legs=2)
    leg = stage.plane.open_leg("127.0.0.1")
    stage.plane.open_leg("127.0.0.1")
    with pytest.raises(PortsExhausted, match="slots"):
        stage.plane.open_leg("127.0.0.1")
    await leg.close()
    stage.plane.open_leg("127.0.0.1")
