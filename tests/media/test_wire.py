"""RTP and RTCP on the wire: headers that contradict themselves, what shares a port, and reports others can read."""

import struct

import pytest
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from santral.engine.media.core import rtcp, rtp

PLAIN = struct.pack("!BBHII", 0x80, 8, 7, 160, 99) + b"payload!"


def test_a_plain_header() -> None:
    assert rtp.parse(PLAIN) == (8, False, 7, 160, 99, b"payload!")
    assert rtp.parse(b"\x80\x88" + PLAIN[2:]) == (8, True, 7, 160, 99, b"payload!")


def test_csrc_extension_and_padding_are_measured() -> None:
    tail = b"\0\0\0\1" + b"\xbe\xde\0\1abcd" + b"payload!" + b"\0\0\0\4"
    assert rtp.parse(b"\xb1" + PLAIN[1:12] + tail) == (8, False, 7, 160, 99, b"payload!")


@pytest.mark.parametrize("wire", [
    b"", PLAIN[:11], b"\x40" + PLAIN[1:], b"\x8f" + PLAIN[1:], b"\x90" + PLAIN[1:14],
    b"\x90" + PLAIN[1:12] + b"\0\0\0\2abcd", b"\xa0" + PLAIN[1:12], b"\xa0" + PLAIN[1:-1] + b"\0",
    b"\xa0" + PLAIN[1:-1] + b"\x09", b"\xa0" + PLAIN[1:-1] + b"\xff",
])  # fmt: skip
def test_what_does_not_fit_the_datagram_is_malformed(wire: bytes) -> None:
    assert rtp.parse(wire) is None


@given(st.binary(max_size=64).map(lambda tail: b"\x80" + tail) | st.binary(max_size=64))
def test_fuzz_agrees_with_another_parser(wire: bytes) -> None:
    ours = rtp.parse(wire)
    try:
        theirs = RtpPacket.parse(wire)
    except (ValueError, IndexError, struct.error):
        return
    if ours is not None:
        assert ours[:5] == (
            theirs.payload_type, bool(theirs.marker), theirs.sequence_number, theirs.timestamp, theirs.ssrc,
        )  # fmt: skip
        assert ours[5] == theirs.payload


@pytest.mark.parametrize(("first", "second", "kind"), [
    (0x80, 0, "rtp"), (0xBF, 127, "rtp"), (0x80, 191, "rtp"), (0x80, 224, "rtp"), (0x80, 200, "rtcp"),
    (0x81, 201, "rtcp"), (0x80, 192, "rtcp"), (0x80, 223, "rtcp"), (0, 1, "stun"), (3, 0, "stun"), (22, 254, "dtls"),
    (63, 0, "dtls"), (4, 0, None), (64, 0, None), (0xC0, 200, None),
])  # fmt: skip
def test_four_protocols_on_one_port(first: int, second: int, kind: str | None) -> None:
    assert rtp.kind(bytes([first, second, 0, 0])) == kind


RECEIVER_REPORT = struct.pack("!BBHI", 0x81, 201, 7, 5) + struct.pack("!IIIIII", 42, 0x40FFFFFE, 1, 2, 3, 4)
GOODBYE = struct.pack("!BBHI", 0x81, 203, 1, 5)


def test_a_report_about_us() -> None:
    report = rtcp.read(RECEIVER_REPORT + GOODBYE, 42)
    assert report == {
        "ssrc": 5, "has_sr": False, "has_block": True, "lost": -2, "fraction_lost": 0x40, "says_bye": True,
        "r": None, "mos": None,
    }  # fmt: skip
    about_others = rtcp.read(RECEIVER_REPORT, 43)
    assert about_others is not None
    assert not about_others["has_block"]


@pytest.mark.parametrize("wire", [
    b"", RECEIVER_REPORT[:7], RECEIVER_REPORT[:-4], GOODBYE + RECEIVER_REPORT, RECEIVER_REPORT + GOODBYE[:4],
    RECEIVER_REPORT + b"\x80", b"\xa1" + RECEIVER_REPORT[1:] + GOODBYE, b"\x82" + RECEIVER_REPORT[1:],
    RECEIVER_REPORT + b"\x41" + GOODBYE[1:], b"\x81\xc8" + RECEIVER_REPORT[2:],
])  # fmt: skip
def test_reports_that_do_not_add_up_are_refused(wire: bytes) -> None:
    assert rtcp.read(wire, 42) is None


@given(st.binary(max_size=120).map(lambda tail: b"\x81\xc9" + tail) | st.binary(max_size=120))
def test_fuzz_reports_never_crash(wire: bytes) -> None:
    report = rtcp.read(wire, 42)
    if report is not None:
        assert wire[0] >> 6 == 2
        assert 0 <= report["ssrc"] < 2**32
        assert 0 <= report["fraction_lost"] < 256
        assert -(2**23) <= report["lost"] < 2**23
