"""RTCP of our own on every leg, read by another implementation; and what the peer reports, read by us."""

import asyncio
import struct

import pytest
from aiortc.rtp import (
    RtcpByePacket,
    RtcpPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
)


async def report(stage, peer, within_s: float = 2.0, *, muxed: bool = False) -> list[object]:
    for _ in range(int(within_s / 0.01)):
        for wire in peer.wires(rtcp=not muxed):
            if 192 <= wire[1] <= 223:
                return RtcpPacket.parse(wire)
        await asyncio.sleep(0.01)
    pytest.fail("no report")


async def test_a_silent_leg_sends_receiver_reports_with_its_name(stager) -> None:
    stage = stager(rtcp_interval_s=0.2)
    a = stage.peer()
    leg = stage.leg(a, cname="santral-test")
    receiver, description = await report(stage, a)
    assert isinstance(receiver, RtcpRrPacket)
    assert isinstance(description, RtcpSdesPacket)
    assert (receiver.ssrc, receiver.reports) == (leg.stats().ssrc, [])
    assert description.chunks[0].ssrc == receiver.ssrc
    assert description.chunks[0].items == [(1, b"santral-test")]


async def test_a_sending_leg_reports_clock_counts_and_what_it_hears(stager) -> None:
    stage = stager(rtcp_interval_s=0.2)
    a, leg_a, b, leg_b = stage.bridged()
    for n in range(10):
        a.send(leg_a)
        b.send(leg_b, sequence=65530 + n if n < 6 else n - 6, timestamp=160 * n)  # goes round; nothing lost
    b.send(leg_b, sequence=6, timestamp=2000)  # 4 and 5 lost
    heard = await b.hears(10)
    sender, _ = await report(stage, b)
    while not isinstance(sender, RtcpSrPacket):
        sender, _ = await report(stage, b)
    assert sender.ssrc == heard[0].ssrc
    assert sender.sender_info.packet_count == 10 + b.keepalives
    assert sender.sender_info.octet_count == 1600
    ahead = (sender.sender_info.rtp_timestamp - heard[-1].timestamp) & 0xFFFFFFFF
    assert ahead < 2 * 8000  # the media clock at the time of the report
    (block,) = sender.reports
    assert (block.ssrc, block.packets_lost, block.highest_sequence) == (b.ssrc, 2, 0x10006)
    assert block.fraction_lost == 2 * 256 // 13


async def test_reports_can_share_the_media_port(stager) -> None:
    stage = stager(rtcp_interval_s=0.1)
    a = stage.peer()
    leg = stage.leg(a, rtcp_mux=True)
    await report(stage, a, muxed=True)
    a.raw(leg, bytes(RtcpRrPacket(ssrc=a.ssrc)))
    await stage.expect_counts(leg, rtcp_in=1)
    assert a.wires(rtcp=True) == []


async def test_reports_can_be_switched_off(stager) -> None:
    stage = stager(rtcp_interval_s=0.05)
    a = stage.peer()
    leg = stage.leg(a, rtcp=False)
    await asyncio.sleep(0.3)
    assert a.wires(rtcp=True) == []
    leg.set_remote(stage.remote(a))
    await report(stage, a)
    leg.set_remote(stage.remote(a, rtcp=False))
    await asyncio.sleep(0.02)
    a.wires(rtcp=True)
    await asyncio.sleep(0.2)
    assert a.wires(rtcp=True) == []


async def test_the_peers_report_gives_round_trip_and_loss(stager) -> None:
    stage = stager(rtcp_interval_s=0.1)
    a, b = stage.peer(), stage.peer()
    leg = stage.leg(a)
    leg_b = stage.leg(b)
    stage.plane.bridge(leg, leg_b)
    sender: object = None
    while not isinstance(sender, RtcpSrPacket):
        b.send(leg_b)
        sender, _ = await report(stage, a)
    await asyncio.sleep(0.05)
    block = RtcpReceiverInfo(
        ssrc=sender.ssrc,
        fraction_lost=64,
        packets_lost=-3,
        highest_sequence=1,
        jitter=80,
        lsr=sender.sender_info.ntp_timestamp >> 16 & 0xFFFFFFFF,
        dlsr=int(0.03 * 65536),
    )
    a.rtcp.sendto(bytes(RtcpRrPacket(ssrc=a.ssrc, reports=[block])), (leg.address, leg.rtcp_port))
    stats = await stage.expect_counts(leg, rtcp_in=1)
    assert (stats.remote_lost, stats.remote_fraction_lost, stats.remote_jitter_ms) == (-3, 0.25, 10.0)
    assert stats.rtt_ms is not None
    assert 15 < stats.rtt_ms < 1500


async def test_our_reports_answer_the_peers(stager) -> None:
    stage = stager(rtcp_interval_s=0.1)
    a = stage.peer()
    leg = stage.leg(a)
    a.send(leg)
    ntp = 0x1234_5678_9ABC_DEF0
    info = RtcpSenderInfo(ntp_timestamp=ntp, rtp_timestamp=0, packet_count=1, octet_count=160)
    a.rtcp.sendto(bytes(RtcpSrPacket(ssrc=a.ssrc, sender_info=info)), (leg.address, leg.rtcp_port))
    await stage.expect_counts(leg, rtcp_in=1)
    a.wires(rtcp=True)
    receiver, _ = await report(stage, a)
    assert isinstance(receiver, RtcpRrPacket)
    assert receiver.reports[0].lsr == 0x5678_9ABC
    assert receiver.reports[0].dlsr < 65536


async def test_rtcp_latches_on_its_own_and_a_goodbye_ends_nothing(stager) -> None:
    stage = stager(rtcp_interval_s=0.1)
    phone, mallory = stage.peer("127.0.0.9"), stage.peer("127.0.0.66")
    leg = stage.leg(phone, address="127.0.0.10", latch_networks=("127.0.0.9/32",))
    mallory.rtcp.sendto(bytes(RtcpRrPacket(ssrc=1)), (leg.address, leg.rtcp_port))
    phone.rtcp.sendto(bytes(RtcpRrPacket(ssrc=2)) + struct.pack("!BBHI", 0x81, 203, 1, 2), (leg.address, leg.rtcp_port))
    await stage.expect_counts(leg, rtcp_in=1, dropped_source=1)
    await report(stage, phone)
    assert mallory.wires(rtcp=True) == []
    phone.send(leg)
    await stage.expect_counts(leg, packets_in=1)


async def test_rtcp_where_it_was_not_agreed_on_is_refused(stage) -> None:
    a = stage.peer()
    leg = stage.leg(a)
    a.raw(leg, bytes(RtcpRrPacket(ssrc=1)))
    a.rtcp.sendto(b"garbage", (leg.address, leg.rtcp_port))
    await stage.expect_counts(leg, rtcp_malformed=2, rtcp_in=0)


async def test_metrics_of_what_was_heard_are_told_and_the_peer_s_are_believed(stager) -> None:
    stage = stager(rtcp_interval_s=0.2)
    a = stage.peer()
    leg = stage.leg(a)
    for n in range(120):
        if n not in {30, 31, 35, 80}:
            a.send(leg, sequence=n, timestamp=160 * n)
    stats = await stage.expect_counts(leg, packets_in=116)
    assert (stats.lost, stats.bursts, stats.burst_packets, stats.burst_lost) == (4, 1, 6, 3)
    assert stats.loss == pytest.approx(4 / 120, abs=1e-4)
    assert stats.r is not None
    assert 75 < stats.r < 93.2 - 95 * 3 / 28.1
    block: bytes | None = None
    while block is None:
        for wire in a.wires(rtcp=True):
            block = extended(wire) or block
        await asyncio.sleep(0.02)
    assert struct.unpack_from("!BBHI", block) == (7, 0, 8, a.ssrc)
    loss, discarded, burst, gap, burst_ms, gap_ms = struct.unpack_from("!BBBBHH", block, 8)
    assert (loss, discarded, burst, gap) == (255 * 4 // 120, 0, 127, 255 // 114)
    assert (burst_ms, gap_ms) == (120, 114 * 20 // 2)
    assert (block[23], block[24], block[25]) == (16, round(stats.r), 127)

    theirs = struct.pack("!BBHIBBHI", 0x80, 207, 10, a.ssrc, 7, 0, 8, stats.ssrc) + bytes([9, 0, 0, 0]) + bytes(8)
    theirs += bytes([127, 127, 127, 16, 61, 127, 35, 32, 0, 0]) + bytes(6)
    for n in range(120, 160):
        a.send(leg, sequence=n, timestamp=160 * n)
    other = stage.peer()
    leg_other = stage.leg(other)
    stage.plane.bridge(leg, leg_other)
    for n in range(40):
        other.send(leg_other, sequence=n, timestamp=160 * n)
    await stage.expect_counts(leg, packets_out=40)
    info = RtcpReceiverInfo(
        ssrc=stats.ssrc, fraction_lost=0, packets_lost=2, highest_sequence=1, jitter=0, lsr=0, dlsr=0
    )
    a.rtcp.sendto(bytes(RtcpRrPacket(ssrc=a.ssrc, reports=[info])) + theirs, (leg.address, leg.rtcp_port))
    stats = await stage.expect_counts(leg, rtcp_in=1)
    assert (stats.remote_r, stats.remote_mos) == (61, 3.2)


def extended(wire: bytes) -> bytes | None:
    """The first block of the extended report in this compound packet."""
    at = 0
    while at < len(wire):
        length = 4 * (struct.unpack_from("!H", wire, at + 2)[0] + 1)
        if wire[at + 1] == 207:
            return wire[at + 8 : at + length]
        at += length
    return None


async def test_a_leg_that_is_closed_says_goodbye(stager) -> None:
    stage = stager(rtcp_interval_s=0.2)
    a = stage.peer()
    leg = stage.leg(a)
    await report(stage, a)
    await leg.close()
    for _ in range(100):
        for wire in a.wires(rtcp=True):
            packets = RtcpPacket.parse(wire)
            if isinstance(packets[-1], RtcpByePacket):
                assert packets[-1].sources == [packets[0].ssrc]
                return
        await asyncio.sleep(0.01)
    pytest.fail("no goodbye")


async def test_another_grade_is_told_once(stager) -> None:
    stage = stager(rtcp_interval_s=0.3)
    a = stage.peer()
    leg = stage.leg(a)
    sequence = 0
    for keeps in (1, 5, 1):  # nothing lost, one of five, nothing
        for _ in range(250):
            sequence += 1
            if keeps == 1 or sequence % keeps:
                a.send(leg, sequence=sequence, timestamp=160 * sequence)
            await asyncio.sleep(0.004)
    grades = [event.data["grade"] for event in stage.events if event.kind == "quality"]
    assert grades[0] in {"fair", "poor", "bad"}  # by how the losses fall into its intervals
    assert grades[-1] == "good"
    assert 2 <= len(grades) <= 4
