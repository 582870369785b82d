"""Messages as a pcap file of raw IP packets: true addresses, ports and times; IP and UDP headers made up.

A stream's messages are written as datagrams too: each is whole, and every analyser reads them.
"""

import struct
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final

from santral.engine.trace.message import Traced

MAGIC: Final = 0xA1B2C3D4  # microseconds
LINKTYPE_RAW: Final = 101  # an IPv4 or IPv6 header comes first
SNAP: Final = 65535
UDP: Final = 17
HOPS: Final = 64
MAX_PAYLOAD: Final = 65535 - 20 - 8  # what one IPv4 packet can hold; a longer message is cut there


def pcap(messages: Iterable[Traced]) -> bytes:
    """The whole file."""
    parts = [struct.pack("<IHHiIII", MAGIC, 2, 4, 0, 0, SNAP, LINKTYPE_RAW)]
    for number, message in enumerate(messages):
        packet = packet_of(message, number)
        seconds, micros = divmod(message.at_us, 1_000_000)
        parts += [struct.pack("<IIII", seconds, micros, len(packet), len(packet)), packet]
    return b"".join(parts)


def packet_of(message: Traced, number: int = 0) -> bytes:
    """One message as an IP packet."""
    source, target = packed(message.source[0]), packed(message.target[0])
    if len(source) != len(target):  # we listen on both families at once: our own address is told as theirs
        other = source if message.is_incoming else target
        source, target = (source, bytes(len(other))) if message.is_incoming else (bytes(len(other)), target)
    payload = message.data[:MAX_PAYLOAD]
    length = 8 + len(payload)
    header = struct.pack("!HHHH", message.source[1], message.target[1], length, 0)
    pseudo = (
        source
        + target
        + (struct.pack("!BBH", 0, UDP, length) if len(source) == 4 else struct.pack("!IHBB", length, 0, 0, UDP))
    )
    check = checksum(pseudo + header + payload) or 0xFFFF
    datagram = header[:6] + struct.pack("!H", check) + payload
    if len(source) == 16:
        return struct.pack("!IHBB", 6 << 28, length, UDP, HOPS) + source + target + datagram
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, number & 0xFFFF, 0, HOPS, UDP, 0) + source + target
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + datagram


def packed(host: str) -> bytes:
    """An address in network order; a zone is left out, and what is no address is written as none."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return bytes(4)
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).packed


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
