"""Symmetric RTP with probation: who may speak, who is listened to, and who never gets in."""

from ipaddress import ip_address

import pytest

from santral.engine.media.core.latch import Latch

S = 1_000_000_000
SDP, PORT = ip_address("192.0.2.10").packed, 4000
NATTED = ip_address("198.51.100.7").packed
MALLORY = ip_address("203.0.113.66").packed


def network(text: str, bits: int) -> tuple[bytes, int]:
    address = ip_address(text)
    return (b"\0" * 10 + b"\xff\xff" + address.packed, 96 + bits) if address.version == 4 else (address.packed, bits)


@pytest.fixture
def latch() -> Latch:
    latch = Latch()
    latch.open_window(SDP, PORT, [network("198.51.100.0", 24)])
    return latch


def test_three_packets_of_one_ssrc_lock(latch: Latch) -> None:
    assert [latch.admit(SDP, PORT) for _ in range(4)] == ["accepted", "accepted", "locked", "accepted"]
    assert latch.admit(SDP, PORT + 2) == "refused"


@pytest.mark.parametrize("spoiled", [{"ssrc": 2}, {"negotiated": False}])
def test_the_three_must_be_consecutive(latch: Latch, spoiled: dict[str, int]) -> None:
    answers = [latch.admit(SDP, PORT), latch.admit(SDP, PORT), latch.admit(SDP, PORT, **spoiled)]
    assert answers == ["accepted"] * 3
    assert not latch.locked
    assert [latch.admit(SDP, PORT) for _ in range(3)] == ["accepted", "accepted", "locked"]


def test_the_networks_given_and_other_ports_are_candidates(latch: Latch) -> None:
    assert [latch.admit(NATTED, 61000) for _ in range(3)][-1] == "locked"
    other_port = Latch()
    other_port.open_window(SDP, PORT)
    assert [other_port.admit(SDP, 61000) for _ in range(3)][-1] == "locked"
    assert other_port.admit(NATTED, PORT) == "refused"


@pytest.mark.parametrize(("bits", "address", "inside"), [
    (32, "198.51.100.0", True), (32, "198.51.100.1", False), (25, "198.51.100.127", True),
    (25, "198.51.100.128", False), (0, "1.2.3.4", True), (22, "198.51.103.1", True), (22, "198.51.104.1", False),
])  # fmt: skip
def test_prefixes(bits: int, address: str, inside: bool) -> None:
    latch = Latch()
    latch.open_window(SDP, PORT, [network("198.51.100.0", bits)])
    assert latch.admit(ip_address(address).packed, 9) == ("accepted" if inside else "refused")


def test_ipv6() -> None:
    latch = Latch()
    latch.open_window(ip_address("2001:db8::1").packed, PORT, [network("2001:db8:1::", 48)])
    assert latch.admit(ip_address("2001:db8:2::1").packed, PORT) == "refused"
    assert [latch.admit(ip_address("2001:db8:1::9").packed, 1) for _ in range(3)][-1] == "locked"
    assert latch.admit(ip_address("2001:db8:1::9").packed, 2) == "refused"


def test_a_stranger_never_gets_in(latch: Latch) -> None:
    assert {latch.admit(MALLORY, PORT, now_ns=n * S) for n in range(100)} == {"refused"}
    for n in range(3):
        latch.admit(SDP, PORT, now_ns=n)
    assert {latch.admit(MALLORY, PORT, now_ns=n * S) for n in range(100)} == {"refused"}


def test_another_candidate_takes_over_only_after_two_seconds_of_silence(latch: Latch) -> None:
    for _ in range(3):
        latch.admit(SDP, PORT, now_ns=0)
    assert latch.admit(NATTED, 9, now_ns=2 * S - 1) == "refused"
    assert [latch.admit(NATTED, 9, now_ns=2 * S) for _ in range(2)] == ["accepted"] * 2
    assert latch.admit(SDP, PORT, now_ns=2 * S + 1) == "accepted"  # not silent after all
    assert latch.admit(NATTED, 9, now_ns=2 * S + 2) == "refused"
    assert [latch.admit(NATTED, 9, now_ns=5 * S) for _ in range(3)] == ["accepted", "accepted", "locked"]
    assert latch.admit(SDP, PORT, now_ns=5 * S + 1) == "refused"


def test_a_stray_stream_cannot_keep_the_announced_source_from_locking(latch: Latch) -> None:
    answers = []
    for _ in range(3):
        answers.append(latch.admit(NATTED, 9, ssrc=7))
        answers.append(latch.admit(SDP, PORT, ssrc=1))
    assert answers == ["accepted"] * 5 + ["locked"]
    assert latch.admit(NATTED, 9, ssrc=7) == "refused"


def test_a_new_answer_opens_a_new_window(latch: Latch) -> None:
    for _ in range(3):
        latch.admit(SDP, PORT)
    latch.open_window(NATTED, 5000)
    assert not latch.locked
    assert latch.admit(SDP, PORT) == "refused"
    assert [latch.admit(NATTED, 5000) for _ in range(3)][-1] == "locked"


def test_nobody_is_heard_before_the_first_answer() -> None:
    assert Latch().admit(SDP, PORT) == "refused"
