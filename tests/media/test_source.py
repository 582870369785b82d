"""Latching on a live plane: NAT, hijack attempts, time-outs and the order of events."""

import asyncio

import pytest

STRANGER = "127.0.0.66"


async def test_media_follow_the_peer_behind_nat(stage) -> None:
    """The SDP names a private address; packets come from a network the trunk allows."""
    phone, b = stage.peer("127.0.0.9"), stage.peer()
    leg = stage.leg(phone, address="10.255.255.1", port=4000, latch_networks=("127.0.0.8/30",))
    leg_b = stage.leg(b)
    stage.plane.bridge(leg, leg_b)
    await stage.until(lambda: leg.stats().remote == ("10.255.255.1", 4000))
    for _ in range(3):
        phone.send(leg)
    assert len(await b.hears(3)) == 3  # heard already while on probation
    b.send(leg_b)
    assert len(await phone.hears(1)) == 1
    assert leg.stats().remote == (phone.host, phone.port)
    await stage.until(lambda: bool(stage.of("source_changed", leg)))
    assert stage.of("source_changed", leg) == [{"host": phone.host, "port": phone.port, "ssrc": phone.ssrc}]


async def test_a_stranger_is_neither_heard_nor_followed(stage) -> None:
    a, leg_a, b, leg_b = stage.bridged()
    mallory = stage.peer(STRANGER)
    for _ in range(5):
        mallory.send(leg_a, b"m" * 160)
    for _ in range(5):
        a.send(leg_a)
        mallory.send(leg_a, b"m" * 160, ssrc=a.ssrc, sequence=a.sequence)
    b.send(leg_b)
    heard = await b.hears(5)
    assert [p.payload[:1] for p in heard] == [b"\xd5"] * 5
    assert len(await a.hears(1)) == 1
    assert mallory.heard() == []
    stats = await stage.expect_counts(leg_a, packets_in=5, dropped_source=10)
    assert stats.locked
    assert stats.remote == (a.host, a.port)


async def test_a_stranger_that_is_first_gains_nothing_by_it(stage) -> None:
    a, leg_a, b, _ = stage.bridged()
    mallory = stage.peer(STRANGER)
    for _ in range(20):
        mallory.send(leg_a)
    await stage.expect_counts(leg_a, dropped_source=20)
    a.send(leg_a)
    assert len(await b.hears(1)) == 1


async def test_another_candidate_may_take_over_after_silence(stager) -> None:
    stage = stager(relatch_s=0.2)
    old, new = stage.peer(), stage.peer()
    leg = stage.leg(old)
    stage.plane.echo(leg)
    for _ in range(4):
        old.send(leg)
    assert len(await old.hears(4)) == 4
    new.send(leg)
    await stage.expect_counts(leg, dropped_source=1)
    await asyncio.sleep(0.25)
    for _ in range(3):
        new.send(leg)
    assert len(await new.hears(1)) == 1
    old.send(leg)
    await stage.expect_counts(leg, dropped_source=2)
    await stage.until(lambda: [e["port"] for e in stage.of("source_changed", leg)] == [new.port])


async def test_a_new_answer_moves_the_media_at_once(stage) -> None:
    a, leg_a, b, leg_b = stage.bridged()
    for _ in range(4):
        b.send(leg_b)
    await stage.until(lambda: leg_b.stats().locked)
    c = stage.peer()
    leg_b.set_remote(stage.remote(c))
    a.send(leg_a)
    assert len(await c.hears(1)) == 1
    assert b.heard() == []


async def test_the_same_answer_again_does_not_lose_a_learnt_address(stage) -> None:
    phone = stage.peer("127.0.0.9")
    remote = {"address": "10.255.255.1", "port": 4000, "latch_networks": ("127.0.0.9/32",)}
    leg = stage.leg(phone, **remote)
    for _ in range(3):
        phone.send(leg)
    await stage.until(lambda: leg.stats().locked)
    leg.set_remote(stage.remote(phone, **remote))
    await stage.until(lambda: not leg.stats().locked)
    assert leg.stats().remote == (phone.host, phone.port)


async def test_we_send_first(stage) -> None:
    """Two peers that both wait to learn an address would wait for ever."""
    a = stage.peer()
    leg = stage.leg(a)
    await stage.expect_counts(leg, keepalives=1)
    await asyncio.sleep(0.02)
    assert a.heard() == []
    assert a.keepalives == 1


async def test_keepalives_go_on_while_nothing_is_sent_and_stay_in_sequence(stager) -> None:
    stage = stager(keepalive_s=0.1)
    a, leg_a, b, leg_b = stage.bridged(direction="inactive")
    await stage.expect_counts(leg_b, keepalives=3)
    leg_a.set_direction("sendrecv")
    leg_b.set_direction("sendrecv")
    await asyncio.sleep(0.02)
    a.send(leg_a)
    await stage.until(lambda: leg_b.stats().packets_out == 1)
    wires = b.wires()
    assert {(len(wire), wire[1] & 127) for wire in wires} == {(12, 20), (172, 8)}
    sequences = [int.from_bytes(wire[2:4], "big") for wire in wires]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))


async def test_silence_and_time_out_are_told_once_each(stager) -> None:
    stage = stager(no_audio_s=0.1, timeout_s=0.25)
    a = stage.peer()
    leg = stage.leg(a)
    await asyncio.sleep(0.5)
    assert [e.kind for e in stage.events] == ["silent", "timeout"]
    assert 0.1 <= stage.of("silent")[0]["after_s"] < 0.25
    a.send(leg)
    await asyncio.sleep(0.4)
    assert [e.kind for e in stage.events] == ["silent", "timeout", "first_packet", "timeout"]


async def test_any_sign_of_life_puts_the_time_out_off(stager) -> None:
    stage = stager(timeout_s=0.6, no_audio_s=0)
    a, b, c = stage.peer(), stage.peer(), stage.peer()
    leg_a, leg_b, leg_c = stage.leg(a), stage.leg(b), stage.leg(c)
    for _ in range(3):
        a.send(leg_a)
    report = bytes.fromhex("80c90001") + b"abcd"
    for _ in range(8):
        a.raw(leg_a, b"\x00\x01\x00\x00" + b"\x21\x12\xa4\x42" + b"t" * 12)  # STUN, from the learnt source
        b.rtcp.sendto(report, (leg_b.address, leg_b.rtcp_port))
        c.send(leg_c)
        await asyncio.sleep(0.1)
    assert stage.of("timeout") == []
    assert leg_a.stats().stun == 8
    await stage.until(lambda: len(stage.of("timeout")) == 3)


@pytest.mark.parametrize("quiet", [{"direction": "recvonly"}, {"direction": "inactive"}, {"may_pause": True}], ids=str)
async def test_a_peer_that_need_not_send_does_not_time_out(stager, quiet: dict[str, object]) -> None:
    stage = stager(timeout_s=0.1, no_audio_s=0)
    stage.leg(stage.peer(), **quiet)
    await asyncio.sleep(0.3)
    assert stage.events == []


async def test_hold_has_a_time_out_of_its_own(stager) -> None:
    stage = stager(timeout_s=0.1, timeout_hold_s=0.6, no_audio_s=0)
    leg = stage.leg(stage.peer())
    leg.set_direction("inactive")
    await asyncio.sleep(0.2)
    assert stage.events == []
    await stage.until(lambda: len(stage.of("timeout")) == 1)


async def test_first_packet_is_told_per_window(stage) -> None:
    a = stage.peer()
    leg = stage.leg(a)
    for _ in range(3):
        a.send(leg)
    await stage.until(lambda: len(stage.of("first_packet")) == 1)
    leg.set_remote(stage.remote(a))
    await asyncio.sleep(0.02)
    a.send(leg)
    await stage.until(lambda: len(stage.of("first_packet")) == 2)
    assert stage.of("first_packet")[0] == {"host": a.host, "port": a.port, "ssrc": a.ssrc}
