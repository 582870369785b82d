"""Session descriptions: every line survives, single lines read on demand."""

import pytest

from santral.sip.errors import Malformed
from santral.sip.sdp import Connection, Media, Origin, SessionDescription

OFFER = """v=0
o=alice 2890844526 2890844527 IN IP4 host.example.com
s=
i=about nothing
c=IN IP4 192.0.2.1
b=AS:128
t=0 0
k=clear:x
a=recvonly
a=tool:x y:z
x=unknown
m=audio 49170/2 RTP/AVP 0 101
i=voice
c=IN IP6 2001:db8::1
a=rtpmap:101 telephone-event/8000
a=flag
m=image 49180 udptl t38
a=T38FaxVersion:0
"""


def test_reads_sections_and_lines() -> None:
    sdp = SessionDescription.parse(OFFER)
    assert sdp.origin == Origin("alice", "2890844526", "2890844527", "IN", "IP4", "host.example.com")
    assert sdp.connection == Connection("IN", "IP4", "192.0.2.1")
    assert (sdp.first("s"), sdp.first("x"), sdp.first("z")) == ("", "unknown", None)
    assert sdp.attributes() == [("recvonly", None), ("tool", "x y:z")]
    assert (sdp.attribute("recvonly"), sdp.attribute("tool"), sdp.attribute("Tool")) == ("", "x y:z", None)
    audio, image = sdp.media
    assert (audio.kind, audio.port, audio.port_text, audio.protocol, audio.formats) == (
        "audio", 49170, "49170/2", "RTP/AVP", ("0", "101"),
    )  # fmt: skip
    assert audio.connection == Connection("IN", "IP6", "2001:db8::1")
    assert (image.kind, image.protocol, image.formats, image.connection) == ("image", "udptl", ("t38",), None)
    assert (audio.attribute("flag"), image.attribute("flag")) == ("", None)


def test_every_line_is_written_again() -> None:
    sdp = SessionDescription.parse(OFFER)
    assert str(sdp) == OFFER.replace("\n", "\r\n")
    assert SessionDescription.parse(bytes(sdp)) == sdp


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_line_ends_and_empty_lines_do_not_matter(end: str) -> None:
    assert SessionDescription.parse(OFFER.replace("\n", end) + end + end) == SessionDescription.parse(OFFER)
    assert SessionDescription.parse("v=0") == SessionDescription((("v", "0"),))


def test_octets_that_are_no_utf8_are_read() -> None:
    assert SessionDescription.parse(b"v=0\r\ns=J\xf6rg\r\n").first("s") == "J\u00f6rg"
    assert SessionDescription.parse("v=0\r\ns=\u015f\r\n".encode()).first("s") == "\u015f"


@pytest.mark.parametrize(
    "body",
    ["", "\r\n", "hello", "v", "v=0\nhello", "o=x", "s=-\nv=0", "v=0\nm=audio", "v=0\nm=audio 1", "v=0\na=\0",
     "v=0\n=x", "m=audio 1 x",
     "v=0\n" + "a=x\n" * 2001, "v=0\n" + "m=audio 1 x\n" * 65],
)  # fmt: skip
def test_refuses_what_is_no_session_description(body: str) -> None:
    with pytest.raises(Malformed):
        SessionDescription.parse(body)


@pytest.mark.parametrize("port", ["PORT", "-1", "65536", "99999999", "", "/2", "\u0661"])
def test_an_unreadable_port_is_kept_but_not_read(port: str) -> None:
    media = Media("audio", port, "RTP/AVP", ("0",))
    with pytest.raises(Malformed):
        _ = media.port


@pytest.mark.parametrize("line", ["o=-", "o=- VERSION IN IP4 192.0.2.1", "o=a b c d e f g"])
def test_an_odd_origin_is_kept_but_not_read(line: str) -> None:
    sdp = SessionDescription.parse(f"v=0\r\n{line}\r\n")
    assert str(sdp) == f"v=0\r\n{line}\r\n"
    with pytest.raises(Malformed):
        _ = sdp.origin


def test_an_odd_connection_is_kept_but_not_read() -> None:
    assert Connection.parse("IN IP4 224.2.1.1/127/3") == Connection("IN", "IP4", "224.2.1.1", "/127/3")
    assert str(Connection.parse("IN  IP4 224.2.1.1/127/3")) == "IN IP4 224.2.1.1/127/3"
    assert str(Origin.parse("- 1 2 IN IP4 h")) == "- 1 2 IN IP4 h"
    for text in ("", "IN IP4", "IN IP4 a b", "IN IP4 /127"):
        with pytest.raises(Malformed):
            Connection.parse(text)
    assert SessionDescription.parse("v=0").connection is None
    assert SessionDescription.parse("v=0").origin is None
