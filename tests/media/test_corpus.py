"""Captures of other people's equipment: digits as their senders meant them, and packets that once crashed a server."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from santral.engine.media.core import rtcp, rtp
from santral.engine.media.core.digits import Digits

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif("SANTRAL_CORPUS" not in os.environ, reason="SANTRAL_CORPUS names no reference corpus"),
]
FOLDER = Path(os.environ.get("SANTRAL_CORPUS", "/nowhere")) / "pcap"
LINK_BYTES = {1: 14, 113: 16, 101: 0}  # Ethernet, Linux "any", raw IP


def datagrams(path: Path) -> Iterator[tuple[int, bytes]]:
    """(nanoseconds, UDP payload) of each IPv4 datagram in a classic pcap file."""
    data = path.read_bytes()
    order = "<" if data[:4] in {b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"} else ">"
    at, link = 24, struct.unpack_from(order + "I", data, 20)[0]
    while at + 16 <= len(data):
        seconds, fraction, kept, _ = struct.unpack_from(order + "IIII", data, at)
        packet = data[at + 16 + LINK_BYTES[link] : at + 16 + kept]
        at += 16 + kept
        if len(packet) > 28 and packet[0] >> 4 == 4 and packet[9] == 17:
            yield seconds * 10**9 + fraction * 1000, packet[4 * (packet[0] & 15) + 8 :]


def captures(pattern: str) -> list[Path]:
    return sorted(FOLDER.rglob(pattern))


@pytest.mark.parametrize("path", captures("*aw-*.pcap") + captures("opus-*.pcap"), ids=lambda p: p.name)
def test_digits_of_a_capture_are_those_of_its_name(path: Path) -> None:
    digits, reported = Digits(), ""
    for now_ns, wire in datagrams(path):
        reported += "".join(digit for digit, _ in digits.tick(now_ns))
        header = rtp.parse(wire)
        if header and len(header[5]) == 4 and header[0] >= 96:
            ended = digits.receive(header[5], sequence=header[2], timestamp=header[3], now_ns=now_ns)
            reported += "".join(digit for digit, _ in ended)
    reported += "".join(digit for digit, _ in digits.forget())
    assert reported == path.stem.partition("-")[2]


@pytest.mark.parametrize("path", captures("*.pcap"), ids=lambda p: p.name)
def test_no_capture_upsets_the_parsers(path: Path) -> None:
    kinds = [rtp.kind(wire) for _, wire in datagrams(path)]
    assert kinds
    for _, wire in datagrams(path):
        rtp.parse(wire)
        rtcp.read(wire, 1)
