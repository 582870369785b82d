"""The formats others read: HEP3 decoded here octet by octet, pcap read by tshark, checksums and all."""

import json
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.engine.trace.hep import Chunk, Kind, Sender, frame, rtcp_json
from santral.engine.trace.message import Traced
from santral.engine.trace.pcap import MAX_PAYLOAD, checksum, packet_of, pcap

INVITE = (
    b"INVITE sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7:5080;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
    b"From: <sip:a@h>;tag=1\r\nTo: <sip:100@h>\r\nCall-ID: abc\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
)
AT_US = 1_795_000_000_123_456


def traced(
    data: bytes = INVITE, *, incoming: bool = True, ours: str = "192.0.2.1", theirs: str = "192.0.2.7"
) -> Traced:
    return Traced(AT_US, incoming, "udp", (ours, 5060), (theirs, 5080), "leg", data)


def chunks(data: bytes) -> dict[int, bytes]:
    assert data[:4] == b"HEP3"
    assert struct.unpack("!H", data[4:6])[0] == len(data)
    found, at = {}, 6
    while at < len(data):
        vendor, kind, length = struct.unpack("!HHH", data[at : at + 6])
        assert vendor == 0
        found[kind] = data[at + 6 : at + length]
        at += length
    assert at == len(data)
    return found


def test_hep_ipv4() -> None:
    made = frame(traced(), Sender(7, "ank-1", "secret"), "abc")
    assert made is not None
    found = chunks(made)
    assert found[Chunk.FAMILY] == b"\x02"
    assert found[Chunk.PROTOCOL] == b"\x11"
    assert found[Chunk.SOURCE_IPV4] == bytes([192, 0, 2, 7])
    assert found[Chunk.TARGET_IPV4] == bytes([192, 0, 2, 1])
    assert struct.unpack("!HH", found[Chunk.SOURCE_PORT] + found[Chunk.TARGET_PORT]) == (5080, 5060)
    assert struct.unpack("!II", found[Chunk.SECONDS] + found[Chunk.MICROSECONDS]) == (1_795_000_000, 123_456)
    assert found[Chunk.KIND] == b"\x01"
    assert found[Chunk.CAPTURE_ID] == b"\0\0\0\x07"
    assert (found[Chunk.NODE], found[Chunk.PASSWORD], found[Chunk.CORRELATION]) == (b"ank-1", b"secret", b"abc")
    assert found[Chunk.PAYLOAD] == INVITE


def test_hep_ipv6_and_tcp() -> None:
    message = traced(incoming=False, ours="2001:db8::1", theirs="2001:db8::7")._replace(transport="tls")
    made = frame(message, Sender(), "")
    assert made is not None
    found = chunks(made)
    assert found[Chunk.FAMILY] == b"\x0a"
    assert found[Chunk.PROTOCOL] == b"\x06"
    assert found[Chunk.SOURCE_IPV6][-1] == 1
    assert found[Chunk.TARGET_IPV6][-1] == 7
    assert Chunk.PASSWORD not in found


def test_hep_has_room_for_no_more() -> None:
    assert frame(traced(b"a" * 65_500), Sender(), "abc") is None


@given(st.binary(max_size=2000), st.text(max_size=40), st.integers(0, 2**32 - 1))
def test_hep_carries_any_octets(data: bytes, correlation: str, capture_id: int) -> None:
    made = frame(traced(data), Sender(capture_id), correlation)
    assert made is not None
    assert chunks(made)[Chunk.PAYLOAD] == data


def test_a_reception_report(stats: Any) -> None:
    report = json.loads(rtcp_json(stats, AT_US))
    assert report["type"] == 200
    assert report["sender_information"]["ntp_timestamp_sec"] == 1_795_000_000 + 2_208_988_800
    (block,) = report["report_blocks"]
    assert block["source_ssrc"] == 42
    assert block["packets_lost"] == 10
    assert block["fraction_lost"] == 10 * 256 // 110
    assert block["ia_jitter"] == 40
    assert Kind.RTCP_JSON == 5


@pytest.mark.parametrize(
    ("ours", "theirs"), [("192.0.2.1", "192.0.2.7"), ("2001:db8::1", "2001:db8::7"), ("::", "192.0.2.7"), ("x", "::1")]
)
@pytest.mark.parametrize("data", [INVITE, b"", b"odd", b"a" * 70_000])
def test_packets_are_well_formed(ours: str, theirs: str, data: bytes) -> None:
    packet = packet_of(traced(data, ours=ours, theirs=theirs))
    if packet[0] >> 4 == 4:
        assert checksum(packet[:20]) == 0
        assert struct.unpack("!H", packet[2:4])[0] == len(packet)
        pseudo, udp = packet[12:20] + b"\0\x11", packet[20:]
        assert checksum(pseudo + struct.pack("!H", len(udp)) + udp) == 0
    else:
        udp = packet[40:]
        assert struct.unpack("!H", packet[4:6])[0] == len(udp)
        assert checksum(packet[8:40] + struct.pack("!IHBB", len(udp), 0, 0, 17) + udp) == 0
    assert udp[8:] == data[:MAX_PAYLOAD]


def test_tshark_reads_the_file(need: Callable[[str], None], tmp_path: Path) -> None:
    need("tshark")
    file = tmp_path / "call.pcap"
    answer = INVITE.replace(b"INVITE sip:100@192.0.2.1 SIP/2.0", b"SIP/2.0 200 OK")
    messages = [traced(), traced(answer, incoming=False), traced(ours="2001:db8::1", theirs="2001:db8::7")]
    file.write_bytes(pcap(messages))
    fields = [
        "sip.Method",
        "sip.Status-Code",
        "ip.src",
        "ipv6.dst",
        "udp.checksum.status",
        "ip.checksum.status",
        "frame.time_epoch",
        "sip.Call-ID",
    ]
    command = [
        "tshark",
        "-r",
        str(file),
        "-o",
        "udp.check_checksum:TRUE",
        "-o",
        "ip.check_checksum:TRUE",
        "-T",
        "fields",
    ]
    for field in fields:
        command += ["-e", field]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50).stdout
    rows = [line.split("\t") for line in said.splitlines()]
    good = "1"
    assert [row[:6] for row in rows] == [
        ["INVITE", "", "192.0.2.7", "", good, good],
        ["", "200", "192.0.2.1", "", good, good],
        ["INVITE", "", "", "2001:db8::1", good, ""],
    ]
    assert rows[0][6].startswith("1795000000.123456")
    assert {row[7] for row in rows} == {"abc"}


@pytest.fixture
def stats() -> Any:
    from santral.engine.media import LegStats  # noqa: PLC0415

    values: dict[str, Any] = dict.fromkeys(LegStats.__dataclass_fields__, 0)
    values |= {"packets_in": 100, "packets_out": 90, "lost": 10, "jitter_ms": 5.0, "remote_ssrc": 42, "rtt_ms": None}
    values["remote"] = None
    return LegStats(**values)
