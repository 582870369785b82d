"""SRTP of one leg against libsrtp's own Python binding and RFC vectors: tags, replay, roll-over, new sources."""

import os
import struct

import pytest
from pylibsrtp import Policy, Session

from santral.engine.media.core.secure.srtp import PROFILES, Secure

LENGTHS = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
    "AEAD_AES_128_GCM": 28,
    "AEAD_AES_256_GCM": 44,
}
TAGS = {  # octets a packet grows by: RFC 3711 §4.2, RFC 7714 §5.2; SRTCP has 80 bits even with _32, and its index
    "AES_CM_128_HMAC_SHA1_80": (10, 14),
    "AES_CM_128_HMAC_SHA1_32": (4, 14),
    "AEAD_AES_128_GCM": (16, 20),
    "AEAD_AES_256_GCM": (16, 20),
}
SUITES = sorted(LENGTHS)


def pair(suite: str) -> tuple[Secure, Secure]:
    a, b = os.urandom(LENGTHS[suite]), os.urandom(LENGTHS[suite])
    return Secure(suite, a, b), Secure(suite, b, a)


def rtp(sequence: int, ssrc: int = 0x1234, payload: bytes = b"\xd5" * 160) -> bytes:
    return struct.pack("!BBHII", 0x80, 8, sequence & 0xFFFF, (160 * sequence) & 0xFFFFFFFF, ssrc) + payload


def receiver_report(ssrc: int = 0x1234) -> bytes:
    return struct.pack("!BBHI", 0x80, 201, 1, ssrc)


def test_every_suite_of_the_binding_is_served() -> None:
    assert sorted(PROFILES) == SUITES


@pytest.mark.parametrize("suite", SUITES)
def test_both_ways_with_the_stated_tags(suite: str) -> None:
    us, them = pair(suite)
    packet, report = rtp(1), receiver_report()
    protected, secured = us.protect(packet), us.protect(report, rtcp=True)
    assert protected is not None
    assert secured is not None
    assert (len(protected) - len(packet), len(secured) - len(report)) == TAGS[suite]
    assert packet[12:] not in protected
    assert them.unprotect(protected) == packet
    assert them.unprotect(secured, rtcp=True) == report


@pytest.mark.parametrize("suite", SUITES)
def test_the_binding_understands_us(suite: str) -> None:
    ours, theirs = os.urandom(LENGTHS[suite]), os.urandom(LENGTHS[suite])
    secure = Secure(suite, ours, theirs)
    peer_in = Session(Policy(key=ours, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=PROFILES[suite]))
    peer_out = Session(Policy(key=theirs, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=PROFILES[suite]))
    protected = secure.protect(rtp(7))
    assert protected is not None
    assert peer_in.unprotect(protected) == rtp(7)
    assert secure.unprotect(peer_out.protect(rtp(9))) == rtp(9)


@pytest.mark.parametrize("suite", SUITES)
def test_forged_and_replayed_packets_are_told_apart(suite: str) -> None:
    us, them = pair(suite)
    protected = us.protect(rtp(1))
    assert protected is not None
    forged = protected[:40] + bytes([protected[40] ^ 1]) + protected[41:]
    assert them.unprotect(forged) == "forged"
    assert them.unprotect(protected) == rtp(1)
    assert them.unprotect(protected) == "replayed"
    assert them.unprotect(rtp(2)) == "forged"  # plain RTP
    fresh = us.protect(rtp(3))
    assert fresh is not None
    for n in range(len(fresh)):
        assert them.unprotect(fresh[:n]) in {"broken", "forged"}
    assert them.unprotect(fresh) == rtp(3)


def test_late_packets_and_our_own_repeats_pass() -> None:
    us, them = pair("AES_CM_128_HMAC_SHA1_80")
    first, *others = [us.protect(rtp(n)) for n in (100, 101, 99, 103, 102)]
    assert first is not None
    assert us.protect(rtp(101)) == others[0]  # a duplicate that is relayed
    for n, packet in zip((103, 102, 101, 100, 99), (others[2], others[3], others[0], first, others[1]), strict=True):
        assert packet is not None
        assert them.unprotect(packet) == rtp(n)


def test_roll_over_counters_follow_three_wraps_with_losses_around_them() -> None:
    us, them = pair("AES_CM_128_HMAC_SHA1_80")
    for n in range(32_000, 3 * 65536 + 100, 37):
        protected = us.protect(rtp(n))
        assert protected is not None
        assert them.unprotect(protected) == rtp(n)


def test_a_new_source_begins_its_own_counting_and_a_forged_one_leaves_nothing() -> None:
    us, them = pair("AES_CM_128_HMAC_SHA1_80")
    for ssrc in (1, 2, 3):
        protected = us.protect(rtp(5, ssrc))
        assert protected is not None
        assert them.unprotect(rtp(5, ssrc) + bytes(10)) == "forged"
        assert them.unprotect(protected) == rtp(5, ssrc)


@pytest.mark.parametrize(
    ("suite", "ours", "theirs"),
    [
        ("AES_CM_128_HMAC_SHA1_80", b"short", bytes(30)),
        ("AES_CM_128_HMAC_SHA1_80", bytes(30), b""),
        ("F8_128_HMAC_SHA1_80", bytes(30), bytes(30)),
    ],
)
def test_what_is_no_key_is_refused_without_showing_it(suite: str, ours: bytes, theirs: bytes) -> None:
    with pytest.raises(ValueError, match="no SRTP with"):
        Secure(suite, ours, theirs)
