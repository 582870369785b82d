"""Garbage on live ports, bursts of legs, and what is left afterwards."""

import asyncio
import os
import random

from santral.engine.media import PortsExhausted

EXAMPLES = int(os.environ.get("SANTRAL_FUZZ_EXAMPLES", "3000"))


def garbage(chance: random.Random, like: bytes) -> bytes:
    """Random bytes, or a good packet with a few of its bytes changed, cut or drawn out."""
    match chance.randrange(4):
        case 0:
            return chance.randbytes(chance.choice([0, 1, 2, 11, 12, 13, 64, 200, 1500, 1501, 9000]))
        case 1:
            return like[: chance.randrange(len(like))]
        case 2:
            return like + chance.randbytes(chance.randrange(2000))
        case _:
            wire = bytearray(like)
            for _ in range(chance.randrange(1, 6)):
                wire[chance.randrange(min(len(wire), 40))] = chance.randrange(256)
            return bytes(wire)


def refused(leg) -> int:
    stats = leg.stats()
    return stats.dropped_source + stats.malformed + stats.stun + stats.dtls + stats.rtcp_malformed


async def test_fuzz_datagrams_do_not_disturb_a_call_in_progress(stager) -> None:
    stage = stager(rtcp_interval_s=0.1)
    a, leg_a, b, leg_b = stage.bridged()
    bad, bad_leg, sink, _ = stage.bridged(rtcp_mux=True)
    stranger = stage.peer("127.0.0.66")
    chance = random.Random(20261121)
    rtcp = bytes.fromhex("81c90007 00000005 00000005 00000000 00000000 00000000 00000000 00000000")
    heard = []
    for n in range(EXAMPLES):
        like = chance.choice([bad.packet(b"q" * 160), bad.packet(b"\x05\x8a\x03\x20", 101), rtcp, bad.packet(b"", 20)])
        wire = garbage(chance, like)
        bad.raw(bad_leg, wire)
        bad.rtcp.sendto(wire, (bad_leg.address, bad_leg.rtcp_port))
        stranger.raw(leg_a, wire)
        if n % 10 == 0:
            a.send(leg_a, bytes([n // 10 % 256]) * 160)
            await asyncio.sleep(0)
            heard += b.heard()
        if n % 20 == 0:
            sink.wires()
            while refused(leg_a) <= n:  # noqa: ASYNC110 - what waits long in a socket's buffer may be dropped there
                await asyncio.sleep(0.001)
    heard += await b.hears(EXAMPLES // 10 - len(heard))
    assert [p.payload[0] for p in heard] == [n % 256 for n in range(EXAMPLES // 10)]
    stats = leg_a.stats()
    assert (stats.packets_in, stats.lost) == (EXAMPLES // 10, 0)
    await stage.until(lambda: refused(leg_a) >= EXAMPLES)  # the last ones came behind the last of the audio
    assert refused(leg_a) == EXAMPLES
    assert bad_leg.stats().malformed > 0
    assert leg_b.stats().send_errors == 0


async def test_every_leg_gives_back_its_descriptors_ports_and_slot(stager) -> None:
    stage = stager(max_legs=128, rest_s=0.0, ports=(31000, 31511))
    await asyncio.sleep(0.05)
    before = len(os.listdir("/proc/self/fd")), stage.plane.snapshot()
    for _ in range(40):
        legs = []
        while len(legs) < 50:
            legs.append(stage.plane.open_leg("127.0.0.1"))
            legs[-1].set_remote(stage.remote(PEER))
        for x, y in zip(legs[::2], legs[1::2], strict=True):
            stage.plane.bridge(x, y)
        await asyncio.gather(*(leg.close() for leg in legs))
    after = len(os.listdir("/proc/self/fd")), stage.plane.snapshot()
    assert after[0] == before[0]
    for name in ("legs_open", "slots_free", "ports_free", "ports_used", "ports_resting"):
        assert after[1][name] == before[1][name]
    assert after[1]["commands"] - before[1]["commands"] == 40 * (50 * 3 + 25)
    assert after[1]["events_dropped"] == 0


class PEER:
    """Where nobody listens: what is sent there comes back as ICMP errors, which must not matter."""

    host, port = "127.0.0.1", 9


async def test_closing_is_idempotent_and_keeps_the_final_counters(stage) -> None:
    a, leg_a, b, leg_b = stage.bridged()
    a.send(leg_a)
    await b.hears(1)
    first, second = await asyncio.gather(leg_a.close(), leg_a.close())
    assert first is second
    assert (first.packets_in, leg_a.stats()) == (1, first)
    b.send(leg_b)  # the peer's leg stands alone now
    await stage.expect_counts(leg_b, packets_in=1)
    assert (await leg_b.close()).packets_out == 1


async def test_stopping_closes_what_is_open(stager) -> None:
    stage = stager(threads=2)
    before = len(os.listdir("/proc/self/fd"))
    legs = [stage.plane.open_leg("127.0.0.1") for _ in range(10)]
    stage.plane.bridge(legs[0], legs[1])  # one of them is on its way to the other thread
    waiting = asyncio.ensure_future(legs[5].close())
    await asyncio.sleep(0)
    await stage.plane.stop()
    assert (await waiting).packets_in == 0
    assert len(os.listdir("/proc/self/fd")) < before
    assert stage.plane.legs == {}
    await stage.plane.stop()  # again: nothing left to do


async def test_an_idle_plane_sleeps(stager) -> None:
    stage = stager(threads=2, max_legs=8192)
    await asyncio.sleep(0.1)
    before = stage.plane.snapshot()["passes"]
    used = os.times()
    await asyncio.sleep(0.5)
    assert stage.plane.snapshot()["passes"] == before
    assert os.times().system + os.times().user - used.system - used.user < 0.2  # one that spins takes 0.5


async def test_a_burst_of_commands_beyond_the_ring_is_carried_out_in_order(stager, lacking) -> None:
    stage = stager(max_legs=1500)
    try:
        legs = [stage.plane.open_leg("127.0.0.1") for _ in range(400)]
    except (OSError, PortsExhausted):
        lacking("not enough descriptors or ports here")
    for leg in legs:
        for direction in ("sendonly", "recvonly", "sendrecv"):
            leg.set_remote(stage.remote(PEER, direction=direction))
    for x, y in zip(legs[::2], legs[1::2], strict=True):
        stage.plane.bridge(x, y)
    finals = await asyncio.gather(*(leg.close() for leg in legs))
    assert len(finals) == 400
    assert stage.plane.snapshot()["commands"] == 400 * 5 + 200
