"""SRTP on one leg of a live plane: both directions, reports, what is not the peer's, new keys, roll-over."""

import asyncio
import os
import struct

import pytest
from pylibsrtp import Error, Policy, Session

from santral.engine.media import MediaError, SrtpKeys
from santral.engine.media.core.secure.srtp import PROFILES

CM_80 = "AES_CM_128_HMAC_SHA1_80"
KEY_BYTES = {CM_80: 30, "AES_CM_128_HMAC_SHA1_32": 30, "AEAD_AES_128_GCM": 28, "AEAD_AES_256_GCM": 44}


class Secured:
    """The far end of one set of keys: what it sends and hears through libsrtp's own binding."""

    def __init__(self, suite: str = CM_80, ours: bytes = b"", theirs: bytes = b"") -> None:
        self.keys = SrtpKeys(suite, ours or os.urandom(KEY_BYTES[suite]), theirs or os.urandom(KEY_BYTES[suite]))
        self._out = self._session(self.keys.theirs, Policy.SSRC_ANY_OUTBOUND)
        self._in = self._session(self.keys.ours, Policy.SSRC_ANY_INBOUND)

    def _session(self, key: bytes, direction: int) -> Session:
        return Session(Policy(key=key, ssrc_type=direction, srtp_profile=PROFILES[self.keys.suite]))

    def send(self, peer, leg, payload: bytes = b"\xd5" * 160, **numbers: int) -> None:
        peer.raw(leg, self._out.protect(peer.packet(payload, **numbers)))
        if not numbers:
            peer.sequence, peer.timestamp = (peer.sequence + 1) & 0xFFFF, peer.timestamp + 160

    async def hears(self, peer, count: int) -> list[tuple[int, bytes]]:
        """Sequence number and payload of that many audio packets."""
        got: list[tuple[int, bytes]] = []
        for _ in range(500):
            for wire in peer.wires():
                plain = self._in.unprotect(wire)
                if plain[1] & 127 != 20:  # keep-alive
                    got.append((struct.unpack_from("!H", plain, 2)[0], plain[12:]))
            if len(got) >= count:
                break
            await asyncio.sleep(0.004)
        return got

    def report(self, wire: bytes) -> bytes:
        return self._in.unprotect_rtcp(wire)

    def protect_rtcp(self, packet: bytes) -> bytes:
        return self._out.protect_rtcp(packet)


def half_secured(stage, suite: str = CM_80):
    """A peer with SRTP and a peer without, bridged."""
    far = Secured(suite)
    a, b = stage.peer(), stage.peer()
    leg_a, leg_b = stage.leg(a, srtp=far.keys), stage.leg(b)
    stage.plane.bridge(leg_a, leg_b)
    return far, a, leg_a, b, leg_b


@pytest.mark.parametrize("suite", sorted(KEY_BYTES))
async def test_one_side_secured_both_ways(stage, suite: str) -> None:
    far, a, leg_a, b, leg_b = half_secured(stage, suite)
    for n in range(20):
        far.send(a, leg_a, bytes([n]) * 160)
        b.send(leg_b, bytes([100 + n]) * 160)
        await asyncio.sleep(0.001)
    assert [p.payload for p in await b.hears(20)] == [bytes([n]) * 160 for n in range(20)]
    heard = await far.hears(a, 20)
    assert [payload for _, payload in heard] == [bytes([100 + n]) * 160 for n in range(20)]
    await stage.expect_counts(leg_a, packets_in=20, octets_in=3200, dropped_forged=0, dropped_replayed=0)


async def test_what_is_forged_replayed_or_plain_is_dropped_and_counted(stage) -> None:
    far, a, leg_a, b, _ = half_secured(stage)
    for _ in range(4):
        far.send(a, leg_a)
    assert len(await b.hears(4)) == 4
    good = far._out.protect(a.packet(b"\x11" * 160))
    a.raw(leg_a, good[:50] + bytes([good[50] ^ 4]) + good[51:])
    a.raw(leg_a, a.packet(b"\x22" * 160, sequence=1500))  # plain
    a.raw(leg_a, good)
    a.raw(leg_a, good)
    assert [p.payload for p in await b.hears(1)] == [b"\x11" * 160]
    await stage.expect_counts(leg_a, packets_in=5, dropped_forged=2, dropped_replayed=1)


async def test_reports_are_srtcp_both_ways(stager) -> None:
    stage = stager(rtcp_interval_s=0.1)
    far, a, leg_a, b, _ = half_secured(stage)
    for _ in range(5):
        far.send(a, leg_a)
    await b.hears(5)
    wires: list[bytes] = []
    for _ in range(200):
        wires += a.wires(rtcp=True)
        if wires:
            break
        await asyncio.sleep(0.01)
    report = far.report(wires[0])
    assert report[1] in {200, 201}
    with pytest.raises(Error):
        far.report(wires[0])  # a replay
    block = struct.pack("!BBHI", 0x81, 201, 7, a.ssrc) + struct.pack(
        "!IBBHIIII", leg_a.stats().ssrc, 64, 0, 3, 5, 80, 0, 0
    )
    a.rtcp.sendto(block, (leg_a.address, leg_a.rtcp_port))  # plain: refused
    a.rtcp.sendto(far.protect_rtcp(block), (leg_a.address, leg_a.rtcp_port))
    await stage.until(lambda: leg_a.stats().remote_fraction_lost == 0.25)
    assert leg_a.stats().remote_lost == 3
    assert leg_a.stats().dropped_forged == 1


async def test_the_same_keys_keep_the_roll_over_counter_and_new_ones_begin_at_zero(stage) -> None:
    far, a, leg_a, b, leg_b = half_secured(stage)
    a.sequence = 65530
    for _ in range(12):  # wraps
        far.send(a, leg_a)
    assert len(await b.hears(12)) == 12
    leg_a.set_remote(stage.remote(a, srtp=far.keys, ptime_ms=20))
    for _ in range(3):
        far.send(a, leg_a)  # with roll-over counter 1
    assert len(await b.hears(3)) == 3
    fresh = Secured()
    a.wires()
    leg_a.set_remote(stage.remote(a, srtp=fresh.keys))
    for _ in range(3):
        fresh.send(a, leg_a)
        b.send(leg_b)
    assert len(await b.hears(3)) == 3
    assert len(await fresh.hears(a, 3)) == 3
    only_theirs = Secured(ours=fresh.keys.ours)
    leg_a.set_remote(stage.remote(a, srtp=only_theirs.keys))
    b.send(leg_b)
    assert len(await fresh.hears(a, 1)) == 1  # our direction goes on as it was
    await stage.expect_counts(leg_a, packets_in=18, dropped_forged=0, dropped_replayed=0)


async def test_plain_again_after_an_answer_without_keys(stage) -> None:
    far, a, leg_a, b, leg_b = half_secured(stage)
    far.send(a, leg_a)
    assert len(await b.hears(1)) == 1
    leg_a.set_remote(stage.remote(a))
    a.send(leg_a, b"\x33" * 160)
    b.send(leg_b, b"\x44" * 160)
    assert (await b.hears(1))[0].payload == b"\x33" * 160
    assert (await a.hears(1))[-1].payload == b"\x44" * 160


async def test_a_verified_packet_moves_the_latch_at_once_and_a_forged_one_does_not(stage) -> None:
    far, a, leg_a, b, leg_b = half_secured(stage)
    elsewhere, stranger = stage.peer(), stage.peer()
    for _ in range(4):
        far.send(a, leg_a)
    assert len(await b.hears(4)) == 4
    for n in range(4):
        stranger.raw(leg_a, a.packet(b"\x55" * 160, sequence=2000 + n) + bytes(10))
        elsewhere.raw(leg_a, far._out.protect(a.packet(b"\x66" * 160, sequence=a.sequence + n)))
    assert {p.payload for p in await b.hears(4)} == {b"\x66" * 160}
    await stage.until(lambda: leg_a.stats().remote == ("127.0.0.1", elsewhere.port))
    b.send(leg_b, b"\x77" * 160)
    assert [payload for _, payload in await far.hears(elsewhere, 1)] == [b"\x77" * 160]
    await stage.expect_counts(leg_a, dropped_forged=4)


async def test_keys_that_fit_no_suite_change_nothing(stage) -> None:
    far, a, leg_a, b, _ = half_secured(stage)
    with pytest.raises(MediaError) as refusal:
        leg_a.set_remote(stage.remote(a, srtp=SrtpKeys(CM_80, b"short key material", bytes(30))))
    assert "short" not in str(refusal.value)
    assert "short" not in repr(SrtpKeys(CM_80, b"short", b"short"))
    far.send(a, leg_a)
    assert len(await b.hears(1)) == 1
