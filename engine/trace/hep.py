"""HEP version 3, what capture servers (Homer and its kin) read: chunks of vendor, type, length, value."""

import json
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from santral.engine.trace.message import Traced
from santral.engine.trace.pcap import packed

if TYPE_CHECKING:
    from santral.engine.media import LegStats

MAX_FRAME: Final = 65535  # its length field has two octets
FAMILY: Final = {4: 2, 16: 10}  # octets of an address -> AF_INET, AF_INET6
PROTOCOL: Final = {"udp": 17, "tcp": 6, "tls": 6, "ws": 6, "wss": 6}  # of IP
RECEIVER_REPORT, SENDER_REPORT = 201, 200  # RFC 3550 section 12.1


class Chunk(IntEnum):
    """Types of the generic vendor (0)."""

    FAMILY = 1
    PROTOCOL = 2
    SOURCE_IPV4 = 3
    TARGET_IPV4 = 4
    SOURCE_IPV6 = 5
    TARGET_IPV6 = 6
    SOURCE_PORT = 7
    TARGET_PORT = 8
    SECONDS = 9
    MICROSECONDS = 10
    KIND = 11
    CAPTURE_ID = 12
    PASSWORD = 14
    PAYLOAD = 15
    CORRELATION = 17
    NODE = 19


class Kind(IntEnum):
    """What the payload is."""

    SIP = 1
    RTCP_JSON = 5


@dataclass(frozen=True, slots=True)
class Sender:
    """Who captures: an id and a name for the collector, and the password it may ask for."""

    capture_id: int = 1
    node: str = ""
    password: str = ""


def frame(message: Traced, sender: Sender, correlation: str, kind: Kind = Kind.SIP) -> bytes | None:
    """One message as one HEP packet; None when it does not fit."""
    source, target = packed(message.source[0]), packed(message.target[0])
    if len(source) != len(target):
        source, target = (source, bytes(len(source))) if message.is_incoming else (bytes(len(target)), target)
    is_ipv4 = len(source) == 4
    seconds, micros = divmod(message.at_us, 1_000_000)
    chunks = [
        _chunk(Chunk.FAMILY, struct.pack("!B", FAMILY[len(source)])),
        _chunk(Chunk.PROTOCOL, struct.pack("!B", PROTOCOL.get(message.transport, 17))),
        _chunk(Chunk.SOURCE_IPV4 if is_ipv4 else Chunk.SOURCE_IPV6, source),
        _chunk(Chunk.TARGET_IPV4 if is_ipv4 else Chunk.TARGET_IPV6, target),
        _chunk(Chunk.SOURCE_PORT, struct.pack("!H", message.source[1])),
        _chunk(Chunk.TARGET_PORT, struct.pack("!H", message.target[1])),
        _chunk(Chunk.SECONDS, struct.pack("!I", seconds)),
        _chunk(Chunk.MICROSECONDS, struct.pack("!I", micros)),
        _chunk(Chunk.KIND, struct.pack("!B", kind)),
        _chunk(Chunk.CAPTURE_ID, struct.pack("!I", sender.capture_id)),
    ]
    if sender.node:
        chunks.append(_chunk(Chunk.NODE, sender.node.encode()))
    if sender.password:
        chunks.append(_chunk(Chunk.PASSWORD, sender.password.encode()))
    if correlation:
        chunks.append(_chunk(Chunk.CORRELATION, correlation.encode()))
    length = 6 + sum(map(len, chunks)) + 6 + len(message.data)
    if length > MAX_FRAME:
        return None
    return b"".join((b"HEP3", struct.pack("!H", length), *chunks, _chunk(Chunk.PAYLOAD, message.data)))


def rtcp_json(stats: "LegStats", at_us: int) -> bytes:
    """A leg's reception as the sender report it amounts to, in the JSON that collectors take for RTCP."""
    seconds, micros = divmod(at_us, 1_000_000)
    expected = stats.packets_in + stats.lost
    block = {
        "source_ssrc": stats.remote_ssrc or 0,
        "fraction_lost": min(255, stats.lost * 256 // expected) if expected else 0,
        "packets_lost": stats.lost,
        "ia_jitter": round(stats.jitter_ms * 8),  # in ticks of 8 kHz, as telephony's codecs count
        "rtt_ms": stats.rtt_ms,
    }
    report = {
        "type": SENDER_REPORT if stats.packets_out else RECEIVER_REPORT,
        "ssrc": stats.ssrc,
        "sender_information": {
            "ntp_timestamp_sec": seconds + 2_208_988_800,  # since 1900
            "ntp_timestamp_usec": micros,
            "packets": stats.packets_out,
            "octets": stats.octets_out,
        },
        "report_count": 1 if stats.remote_ssrc is not None else 0,
        "report_blocks": [block] if stats.remote_ssrc is not None else [],
    }
    return json.dumps(report, separators=(",", ":")).encode()


def _chunk(kind: Chunk, value: bytes) -> bytes:
    return struct.pack("!HHH", 0, kind, 6 + len(value)) + value
