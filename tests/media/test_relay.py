"""The relay on a live plane: what goes in on one side comes out on the other, renumbered but untouched."""

import asyncio
import random
from itertools import pairwise

import pytest

from santral.engine.media import LegClosed, MediaError, RemoteMedia


async def test_payload_is_exact_and_numbering_is_continuous(stage) -> None:
    a, leg_a, b, leg_b = stage.bridged()
    sent = [random.Random(n).randbytes(160) for n in range(50)]
    for payload in sent:
        a.send(leg_a, payload)
        await asyncio.sleep(0.001)
    heard = await b.hears(50)
    assert [p.payload for p in heard] == sent
    assert {p.ssrc for p in heard} == {leg_b.stats().ssrc}
    assert all(y.sequence == (x.sequence + 1) & 0xFFFF for x, y in pairwise(heard))
    assert all(y.timestamp - x.timestamp in {160, 160 - 2**32} for x, y in pairwise(heard))
    assert [p.marker for p in heard] == [True] + [False] * 49
    assert heard[0].sequence < 2**15
    await stage.expect_counts(leg_a, packets_in=50, octets_in=8000, lost=0, late=0, duplicate=0)
    await stage.expect_counts(leg_b, packets_out=50, octets_out=8000)


async def test_both_directions_at_once(stage) -> None:
    a, leg_a, b, leg_b = stage.bridged()
    for n in range(20):
        a.send(leg_a, bytes([n]) * 160)
        b.send(leg_b, bytes([128 + n]) * 160)
        await asyncio.sleep(0.001)
    assert [p.payload[0] for p in await b.hears(20)] == list(range(20))
    assert [p.payload[0] for p in await a.hears(20)] == list(range(128, 148))


async def test_loss_order_and_duplicates_pass_through(stage) -> None:
    a, leg_a, b, _ = stage.bridged()
    order = [0, 1, 2, 5, 4, 6, 6, 9, 8, 10]  # 3 and 7 lost, 5/4 and 9/8 exchanged, 6 twice
    for n in order:
        a.send(leg_a, bytes([n]) * 160, sequence=(65530 + n) & 0xFFFF, timestamp=(2**32 - 800 + 160 * n) & 0xFFFFFFFF)
    heard = await b.hears(len(order))
    base = heard[0]
    assert [p.payload[0] for p in heard] == order
    assert [(p.sequence - base.sequence) & 0xFFFF for p in heard] == order
    assert [(p.timestamp - base.timestamp) & 0xFFFFFFFF for p in heard] == [160 * n for n in order]
    await stage.expect_counts(leg_a, packets_in=10, lost=2, late=2, duplicate=1)


async def test_a_new_ssrc_goes_on_where_the_last_one_ended(stage) -> None:
    a, leg_a, b, leg_b = stage.bridged()
    for _ in range(5):
        a.send(leg_a, b"1" * 160)
    first = await b.hears(5)
    await asyncio.sleep(0.1)
    a.ssrc, a.sequence, a.timestamp = 77, 9, 4_000_000_000
    straggler = a.packet(b"0" * 160, sequence=1004, ssrc=0x1234_0000 + a.port)
    for n in range(5):
        a.send(leg_a, b"2" * 160)
        if n == 1:
            a.raw(leg_a, straggler)  # of the source that was left: must not come through
    second = await b.hears(5)
    heard = first + second
    assert [p.payload[:1] for p in heard] == [b"1"] * 5 + [b"2"] * 5
    assert {p.ssrc for p in heard} == {leg_b.stats().ssrc}
    assert all(y.sequence == x.sequence + 1 for x, y in pairwise(heard))
    assert [p.marker for p in heard] == [True, *[False] * 4, True, *[False] * 4]
    step = (second[0].timestamp - first[-1].timestamp) & 0xFFFFFFFF
    assert 0.1 * 8000 <= step <= 0.5 * 8000  # the time that really passed
    stats = await stage.expect_counts(leg_a, packets_in=10, dropped_old=1, source_switches=1)
    assert stats.remote_ssrc == 77


async def test_a_former_source_that_insists_comes_back(stage) -> None:
    a, leg_a, b, _ = stage.bridged()
    original = a.ssrc
    a.send(leg_a)
    a.send(leg_a, ssrc=5, sequence=1, timestamp=1)
    await b.hears(2)
    for _ in range(4):
        a.send(leg_a)  # the first two only prove that it is back
    assert a.ssrc == original
    heard = await b.hears(2)
    assert len(heard) == 2
    assert heard[1].sequence == heard[0].sequence + 1
    await stage.expect_counts(leg_a, dropped_old=2, source_switches=2)


async def test_dynamic_payload_types_are_mapped_per_direction(stage) -> None:
    a, b = stage.peer(), stage.peer()
    leg_a = stage.leg(
        a, receives={8: "PCMA/8000", 96: "telephone-event/8000"}, sends={"PCMA/8000": 8, "telephone-event/8000": 97}
    )
    leg_b = stage.leg(
        b, receives={8: "PCMA/8000", 101: "telephone-event/8000"}, sends={"PCMA/8000": 8, "telephone-event/8000": 102}
    )
    stage.plane.bridge(leg_a, leg_b)
    event = b"\x05\x0a\x00\xa0"
    a.send(leg_a)
    a.send(leg_a, event, 96)
    a.send(leg_a, event, 97)  # ours towards a, not a's towards us
    b.send(leg_b, event, 101)
    assert [p.payload_type for p in await b.hears(2)] == [8, 102]
    assert [p.payload_type for p in await a.hears(1)] == [97]
    await stage.expect_counts(leg_a, dropped_payload=1)


async def test_what_the_other_leg_did_not_take_is_dropped_and_counted(stage) -> None:
    a, b = stage.peer(), stage.peer()
    leg_a = stage.leg(a)
    leg_a.set_remote(stage.remote(a, receives={8: "PCMA/8000", 18: "G729/8000", 101: "telephone-event/8000"}))
    leg_b = stage.leg(b, receives={8: "PCMA/8000"}, sends={"PCMA/8000": 8})
    stage.plane.bridge(leg_a, leg_b)
    a.send(leg_a, payload_type=8)
    a.send(leg_a, payload_type=18)  # cannot be decoded here
    a.send(leg_a, b"\x01\x0a\x00\xa0", 101)
    a.send(leg_a, payload_type=8)
    heard = await b.hears(2)
    assert [p.payload_type for p in heard] == [8, 8]
    assert heard[1].sequence == heard[0].sequence + 3  # a gap, not a renumbering
    await stage.expect_counts(leg_a, packets_in=4, dropped_payload=2)


async def test_extension_csrc_and_padding_survive(stage) -> None:
    a, leg_a, b, _ = stage.bridged()
    body = a.packet(b"")[1:12] + b"\0\0\0\1" + b"\xbe\xde\0\1abcd" + b"q" * 160 + b"\0\0\0\4"
    a.raw(leg_a, b"\xb1" + body)
    await stage.until(lambda: leg_a.stats().packets_in == 1)
    await asyncio.sleep(0.02)
    wire = b.wires()[-1]  # behind the keep-alive
    assert wire[0] == 0xB1
    assert wire[12:] == body[11:]
    await stage.expect_counts(leg_a, octets_in=160)


@pytest.mark.parametrize(
    ("direction", "towards_b", "from_b"),
    [("sendrecv", True, True), ("sendonly", False, True), ("recvonly", True, False), ("inactive", False, False)],
)
async def test_direction_gates_each_way(stage, direction: str, towards_b: bool, from_b: bool) -> None:
    a, leg_a, b, leg_b = stage.bridged()
    leg_b.set_remote(stage.remote(b, direction=direction))
    for _ in range(3):
        a.send(leg_a)
        b.send(leg_b)
    await asyncio.sleep(0.1)
    assert len(b.heard()) == (3 if towards_b else 0)
    assert len(a.heard()) == (3 if from_b else 0)
    await stage.expect_counts(leg_a, dropped_direction=0 if towards_b else 3)
    await stage.expect_counts(leg_b, dropped_direction=0 if from_b else 3)


async def test_hold_and_resume_keep_the_learnt_source(stage) -> None:
    a, leg_a, b, leg_b = stage.bridged()
    for _ in range(4):
        b.send(leg_b)
    await stage.until(lambda: leg_b.stats().locked)
    leg_b.set_direction("inactive")
    a.send(leg_a)
    await stage.expect_counts(leg_a, dropped_direction=1)
    leg_b.set_direction("sendrecv")
    a.send(leg_a)
    assert len(await b.hears(1)) == 1
    assert leg_b.stats().locked


async def test_an_unspecified_address_holds(stage) -> None:
    a, leg_a, b, leg_b = stage.bridged()
    leg_b.set_remote(stage.remote(b, address="0.0.0.0"))
    a.send(leg_a)
    await stage.expect_counts(leg_a, packets_in=1)
    assert await b.hears(1, within_s=0.1) == []
    assert leg_b.stats().packets_out == 0


async def test_echo_returns_audio_and_events_on_our_own_stream(stage) -> None:
    a = stage.peer()
    leg = stage.leg(a, sends={"PCMA/8000": 8, "telephone-event/8000": 96})
    stage.plane.echo(leg)
    a.send(leg, b"x" * 160)
    a.send(leg, b"\x05\x8a\x03\x20", 101)
    heard = await a.hears(2)
    assert [(p.payload_type, p.payload) for p in heard] == [(8, b"x" * 160), (96, b"\x05\x8a\x03\x20")]
    assert {p.ssrc for p in heard} == {leg.stats().ssrc} != {a.ssrc}


async def test_bridges_can_be_undone_and_made_anew(stage) -> None:
    a, leg_a, b, leg_b = stage.bridged()
    c = stage.peer()
    leg_c = stage.leg(c)
    a.send(leg_a)
    assert len(await b.hears(1)) == 1
    stage.plane.bridge(leg_a, leg_c)  # ends the former one
    a.send(leg_a)
    b.send(leg_b)
    assert len(await c.hears(1)) == 1
    assert b.heard() == a.heard() == []
    stage.plane.unbridge(leg_c)
    a.send(leg_a)
    await stage.expect_counts(leg_a, packets_in=3)
    assert c.heard() == []
    with pytest.raises(MediaError):
        stage.plane.bridge(leg_a, leg_a)


async def test_ipv6_legs(stage) -> None:
    a, b = stage.peer("::1"), stage.peer("::1")
    leg_a, leg_b = stage.leg(a), stage.leg(b)
    stage.plane.bridge(leg_a, leg_b)
    for _ in range(4):
        a.send(leg_a)
    assert len(await b.hears(4)) == 4
    assert leg_a.stats().remote == ("::1", a.port)
    assert leg_a.stats().locked
    with pytest.raises(MediaError, match="family"):
        leg_a.set_remote(stage.remote(a, address="127.0.0.1"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"address": "example.org"},
        {"address": "224.0.0.1"},
        {"port": 70000},
        {"receives": {128: "PCMU/8000"}},
        {"sends": {"PCMU": 0}},
        {"latch_networks": ("10.0.0.0/33",)},
        {"latch_networks": ("10.0.0.0/8",) * 9},
    ],
)
async def test_a_remote_that_cannot_be_is_refused(stage, wrong: dict[str, object]) -> None:
    leg = stage.plane.open_leg("127.0.0.1")
    values = {"address": "127.0.0.1", "port": 4000, "receives": {}, "sends": {}, **wrong}
    with pytest.raises(MediaError):
        leg.set_remote(RemoteMedia(**values))
    await leg.close()
    with pytest.raises(LegClosed):
        leg.set_remote(RemoteMedia("127.0.0.1", 4000, {}, {}))


async def test_legs_of_two_threads_are_brought_together(stager) -> None:
    stage = stager(threads=3)
    a, b = stage.peer(), stage.peer()
    leg_a, leg_b = stage.leg(a), stage.leg(b)
    assert leg_a.worker is not leg_b.worker
    stage.plane.bridge(leg_a, leg_b)
    for n in range(30):  # also while the leg is on its way
        a.send(leg_a, bytes([n]) * 160)
        b.send(leg_b, bytes([n]) * 160)
    await stage.until(lambda: leg_a.worker is leg_b.worker)
    await asyncio.sleep(0.05)
    a.send(leg_a, b"\xff" * 160)
    b.send(leg_b, b"\xff" * 160)
    for peer in (a, b):
        heard = await peer.hears(1)
        while heard[-1].payload[0] != 255:
            heard += await peer.hears(1)
        assert len({p.payload[0] for p in heard}) == len(heard)
    stats = await leg_a.close(), await leg_b.close()
    assert [s.packets_in for s in stats] == [31, 31]


async def test_chains_of_bridges_across_threads_end_in_the_last_one(stager) -> None:
    stage = stager(threads=3)
    peers = [stage.peer() for _ in range(6)]
    legs = [stage.leg(peer) for peer in peers]
    for x, y in [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (1, 4)]:
        stage.plane.bridge(legs[x], legs[y])
    stage.plane.unbridge(legs[1])
    stage.plane.bridge(legs[4], legs[1])
    await stage.until(lambda: not any(leg.is_moving for leg in legs) and legs[1].worker is legs[4].worker)
    await asyncio.sleep(0.02)
    peers[1].send(legs[1])
    peers[4].send(legs[4])
    assert len(await peers[4].hears(1)) == len(await peers[1].hears(1)) == 1
    assert [leg.peer.id if leg.peer else None for leg in legs] == [
        legs[5].id, legs[4].id, None, None, legs[1].id, legs[0].id,
    ]  # fmt: skip
