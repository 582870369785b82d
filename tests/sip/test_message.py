"""Whole messages: what must be read, what must be refused and how, and what is written."""

import pytest

from santral.sip.errors import BadVersion, LocalError, Malformed, RemoteError, TooLarge, verdict
from santral.sip.headers import Headers
from santral.sip.message import (
    MAX_HEAD,
    MAX_HEADERS,
    MAX_LINE,
    MAX_MESSAGE,
    Request,
    Response,
    make_response,
    parse_message,
    sdp_body,
    serialise,
)
from santral.sip.uri import Uri

START = "INVITE sip:bob@192.0.2.2 SIP/2.0"
VIA = "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport"
BASE = (
    VIA,
    "From: Alice <sip:alice@192.0.2.1>;tag=a1",
    "To: <sip:bob@192.0.2.2>",
    "Call-ID: 1@192.0.2.1",
    "CSeq: 1 INVITE",
    "Max-Forwards: 70",
    "Contact: <sip:alice@192.0.2.1:5060>",
)


def wire(*lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def invite(*more: str, without: str = "", body: bytes = b"", start: str = START) -> Request:
    message = parse_message(invite_bytes(*more, without=without, body=body, start=start))
    assert isinstance(message, Request)
    return message


def invite_bytes(*more: str, without: str = "", body: bytes = b"", start: str = START) -> bytes:
    kept = [line for line in BASE if not without or not line.startswith(without + ":")]
    return wire(start, *kept, *more, body=body)


def test_typed_properties_of_a_request() -> None:
    request = invite(
        "Record-Route: <sip:p1;lr>, <sip:p2;lr>", "Route: <sip:192.0.2.2;lr>", "Content-Type: Application/SDP ; x=1"
    )
    assert (request.method, str(request.uri)) == ("INVITE", "sip:bob@192.0.2.2")
    assert (request.via.host, request.via.branch, request.via.rport) == ("192.0.2.1", "z9hG4bK1", 0)
    assert (request.from_.display, request.from_.tag, request.to.tag) == ("Alice", "a1", None)
    assert (request.call_id, request.cseq.number, request.max_forwards) == ("1@192.0.2.1", 1, 70)
    assert request.contact is not None
    assert request.contact.uri.port == 5060
    assert [str(hop) for hop in request.record_routes] == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert [str(hop) for hop in request.routes] == ["<sip:192.0.2.2;lr>"]
    assert request.content_type == "application/sdp"
    assert request.from_ is request.from_


def test_typed_properties_of_a_response() -> None:
    message = parse_message(wire("SIP/2.0 183 Session  Progress", *BASE[:5], "Content-Length: 0"))
    assert isinstance(message, Response)
    assert (message.status, message.reason, message.contact, message.contacts) == (183, "Session  Progress", None, ())


@pytest.mark.parametrize("line", ["SIP/2.0 100 ", "SIP/2.0 100", "sip/2.0 100 \u041f\u0440\u043e\u0431\u0430"])
def test_reason_phrases_may_be_empty_or_in_any_script(line: str) -> None:
    message = parse_message(wire(line, *BASE[:5]))
    assert isinstance(message, Response)
    assert message.status == 100


def test_folding_blanks_before_the_colon_and_compact_forms() -> None:
    message = parse_message(
        wire(
            START,
            "v  :  SIP / 2.0\r\n /UDP\r\n\t192.0.2.1 ; branch = z9hG4bK1",
            "f:<sip:a@h>\r\n ;tag=1",
            "t :<sip:b@h>",
            "i:1",
            "cseq: 0009\r\n  INVITE",
            "MAX-forwards: 0068",
            "m:<sip:a@h>,\r\n <sip:c@h>",
            "s :",
            "X-Folded: a\r\n  b",
            "l:0",
        )
    )
    assert isinstance(message, Request)
    assert (message.via.branch, message.from_.tag, message.cseq.number, message.max_forwards) == (
        "z9hG4bK1",
        "1",
        9,
        68,
    )
    assert len(message.contacts) == 2
    assert message.headers.get("Subject") == ""
    assert message.headers.get("x-folded") == "a b"


def test_lines_before_the_start_line_are_skipped() -> None:
    assert isinstance(parse_message(b"\r\n\r\n" + invite_bytes()), Request)


def test_body_ends_where_content_length_says() -> None:
    assert invite("Content-Length: 3", body=b"abcdef").body == b"abc"
    assert invite(body=b"abc").body == b"abc"
    assert invite("Content-Length: 0", body=b"abc").body == b""
    assert invite("Content-Length: 4", body=b"\0\xff\r\n").body == b"\0\xff\r\n"


def test_star_contact_is_no_address() -> None:
    start = "REGISTER sip:192.0.2.2 SIP/2.0"
    lines = [line for line in BASE if not line.startswith(("Contact", "CSeq"))]
    message = parse_message(wire(start, *lines, "CSeq: 1 REGISTER", "Contact: *"))
    assert message.contact is None
    assert message.headers.get("Contact") == "*"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", Malformed),
        (b"\r\n\r\n", Malformed),
        (b"\0" * 100, Malformed),
        (b"\xff\xfe\xfd\r\n\r\n", Malformed),
        (wire(START), Malformed),
        (wire(START, *BASE)[:-2], Malformed),
        (wire(START, *BASE, "no colon here"), Malformed),
        (wire(START, *BASE, "bad name: x"), Malformed),
        (wire(START, *BASE, "Supported"), Malformed),
        (wire(START, *BASE, ": x"), Malformed),
        (wire(START, *BASE, "X: a\rb"), Malformed),
        (wire(START, *BASE, "X: a\nb"), Malformed),
        (wire(START, *BASE, "X: a\0b"), Malformed),
        (wire(START, *BASE, "Content-Length: 1"), Malformed),
        (wire(START, *BASE, "Content-Length: -1"), Malformed),
        (wire(START, *BASE, "Content-Length: "), Malformed),
        (wire(START, *BASE, "Content-Length: 0", "l: 0"), Malformed),
        (wire(START, *BASE, "Call-ID: 2"), Malformed),
        (wire(START, *BASE, "Route: <sip:h"), Malformed),
        (wire(START, *BASE, "Record-Route: sip:h,"), Malformed),
        (wire(START, *BASE, "Via: SIP/2.0/UDP"), Malformed),
        (wire("INVITE  sip:a@h SIP/2.0", *BASE), Malformed),
        (wire("INVITE sip:a@h SIP/2.0 ", *BASE), Malformed),
        (wire("INVITE sip:a@h", *BASE), Malformed),
        (wire("INVITE sip:a@h HTTP/1.1", *BASE), Malformed),
        (wire("INVITE <sip:a@h> SIP/2.0", *BASE), Malformed),
        (wire("INVITE sip:a@h?Route=x SIP/2.0", *BASE), Malformed),
        (wire("INV(ITE sip:a@h SIP/2.0", *BASE), Malformed),
        (wire("BYE sip:a@h SIP/2.0", *BASE), Malformed),
        (wire("INVITE sip:a@h SIP/7.0", *BASE), BadVersion),
        (wire("SIP/3.0 200 OK", *BASE), BadVersion),
        (wire("SIP/2.0 4294967301 OK", *BASE), Malformed),
        (wire("SIP/2.0 099 OK", *BASE), Malformed),
        (wire("SIP/2.0 700 OK", *BASE), Malformed),
        (wire("SIP/2.0 20 OK", *BASE), Malformed),
        (wire("SIP/2.0 \u0662\u0660\u0660 OK", *BASE), Malformed),
        (wire(START, *BASE, "X: " + "a" * MAX_LINE), TooLarge),
        (wire(START, *BASE, *["X: a"] * MAX_HEADERS), TooLarge),
        (wire(START, *BASE, *["X: " + "a" * 6000] * (MAX_HEAD // 6000 + 1)), TooLarge),
        (wire(START, *BASE, body=b"x" * MAX_MESSAGE), TooLarge),
        (wire(START, *BASE, "Record-Route: " + ",".join(["<sip:h>"] * 200)), TooLarge),
    ],
)  # fmt: skip
def test_refuses(data: bytes, error: type[RemoteError]) -> None:
    with pytest.raises(error) as caught:
        parse_message(data)
    assert verdict(caught.value) == error.status


@pytest.mark.parametrize("missing", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_mandatory_headers(missing: str) -> None:
    with pytest.raises(Malformed):
        invite(without=missing)


def test_rfc_2543_peers_may_leave_out_what_came_later() -> None:
    lines = ["Via: SIP/2.0/UDP h", "From: <sip:a@h>", "To: sip:b@h;user=phone", "Call-ID: 1", "CSeq: 56 INVITE"]
    message = parse_message(wire(START, *lines, body=b"v=0"))
    assert isinstance(message, Request)
    assert (message.via.branch, message.from_.tag, message.max_forwards, message.body) == (None, None, None, b"v=0")


def test_names_in_any_encoding_are_read() -> None:
    utf8 = parse_message(wire(START, *(line.replace("Alice", '"\u015e\u00fckr\u00fc"') for line in BASE)))
    assert utf8.from_.display == "\u015e\u00fckr\u00fc"
    latin = parse_message(invite_bytes().replace(b"Alice", b'"J\xf6rg"'))
    assert latin.from_.display == "J\u00f6rg"
    assert parse_message(serialise(latin)).from_.display == "J\u00f6rg"


def test_quoted_nul_never_gets_further() -> None:
    data = invite_bytes().replace(b"Alice", b'"a\\\0b"')
    message = parse_message(data)
    assert isinstance(message, Request)
    assert message.from_.display == "a?b"
    assert b"\0" not in serialise(make_response(message, 200))


@pytest.mark.parametrize(
    ("data", "readable"),
    [
        (wire("INVITE <sip:a@h> SIP/2.0", *BASE), True),
        (wire("INVITE sip:a@h SIP/7.0", *BASE), True),
        (wire(START, *BASE, "garbage"), True),
        (wire(START, *BASE, "Content-Length: 99"), True),
        (wire(START, *BASE)[:-4], True),
        (wire(START, VIA), True),
        (wire(START, *BASE).replace(b"rport", b";;,"), True),
        (wire(START, *BASE).replace(b"SIP/2.0/UDP", b"SIP/7.0/UDP"), True),
        (wire(START, *BASE, body=b"x" * MAX_MESSAGE), True),
        (wire(START, *BASE).replace(b"Alice", b"\0\xff"), True),
        (wire(START, *BASE[1:]), False),
        (wire("ACK sip:a@h SIP/2.0", *BASE), False),
        (wire("SIP/2.0 999 No", *BASE), False),
        (b"GET", False),
        (b"", False),
    ],
)
def test_refusals_carry_what_an_answer_needs(data: bytes, readable: bool) -> None:
    with pytest.raises(RemoteError) as caught:
        parse_message(data)
    request = caught.value.request
    assert (request is not None) is readable
    if request is not None:
        answer = make_response(request, caught.value.status, to_tag="t1")
        answer.headers.replace_first("Via", str(request.via.with_source("192.0.2.9", 4000)))
        written = serialise(answer)
        assert written.startswith(b"SIP/2.0 %d " % caught.value.status)
        assert b"192.0.2.9" in written


def test_what_is_read_is_written_again() -> None:
    request = invite("X-Unknown: kept;=,", "Content-Type: text/plain", body=b"hi\0")
    again = parse_message(serialise(request))
    assert list(again.headers.items()) == [*request.headers.items(), ("Content-Length", "3")]
    assert (again.body, again.via, again.to) == (b"hi\0", request.via, request.to)
    assert parse_message(serialise(again)) == again


@pytest.mark.parametrize("bad", ["a\r\nX: y", "a\nb", "a\rb", "a\0b", "\ud800"])
def test_nobody_smuggles_a_line_in(bad: str) -> None:
    request = invite()
    request.headers.set("Subject", bad)
    with pytest.raises(LocalError):
        serialise(request)
    with pytest.raises(LocalError):
        serialise(Response(200, bad))
    with pytest.raises(LocalError):
        serialise(Request("OPTIONS", Uri(user=bad, host="h")))


def test_a_request_uri_of_ours_holds_no_blank() -> None:
    with pytest.raises(LocalError):
        serialise(Request("OPTIONS", Uri(user="a b", host="h")))


def test_content_length_is_ours() -> None:
    message = Response(200, "OK", Headers([("l", "999"), ("Content-Type", "x/y")]), b"abc")
    assert serialise(message) == b"SIP/2.0 200 OK\r\nContent-Type: x/y\r\nContent-Length: 3\r\n\r\nabc"


def test_responses_copy_what_the_rfc_says() -> None:
    request = invite(
        "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK0",
        "Record-Route: <sip:p;lr>",
        "Timestamp: 54",
        "User-Agent: x",
        "Route: <sip:r>",
    )
    names = [name for name, _ in make_response(request, 180, to_tag="b1").headers.items()]
    assert names == ["Via", "Via", "Record-Route", "From", "To", "Call-ID", "CSeq"]
    trying = make_response(request, 100)
    assert (trying.reason, trying.to.tag, trying.headers.get("Timestamp")) == ("Trying", None, "54")
    assert "Record-Route" not in trying.headers
    assert "Record-Route" not in make_response(request, 404).headers
    ok = make_response(request, 200, to_tag="b1")
    assert (ok.to.tag, ok.vias, ok.cseq) == ("b1", request.vias, request.cseq)
    assert make_response(request, 299).reason == "OK"
    assert make_response(request, 486, "Besetzt").reason == "Besetzt"


def test_a_to_tag_is_never_given_twice() -> None:
    request = invite("To: <sip:b@h>;tag=old", without="To")
    assert make_response(request, 200, to_tag="new").to.tag == "old"


def test_messages_made_by_us_complain_when_used_too_early() -> None:
    with pytest.raises(Malformed):
        _ = Request("INVITE", Uri(host="h")).via


SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n"


def test_session_description_alone() -> None:
    assert sdp_body(invite("c: application/sdp;charset=utf-8", body=SDP)) == SDP
    assert sdp_body(invite("Content-Type: text/plain", body=SDP)) is None
    assert sdp_body(invite(body=SDP)) is None
    assert sdp_body(invite("Content-Type: application/sdp")) is None


def part(kind: str, content: bytes, *more: str) -> bytes:
    return b"\r\n--B 1\r\n" + wire(f"Content-Type: {kind}", *more) + content


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("multipart/mixed", part("application/sdp", SDP) + part("text/plain", b"x") + b"\r\n--B 1--\r\n", SDP),
        (
            "multipart/mixed",
            b"preamble" + part("text/plain", b"--B") + part("Application/SDP", SDP) + b"\r\n--B 1--",
            SDP,
        ),
        (
            "multipart/mixed",
            part("application/sdp", b"first") + part("application/sdp", SDP) + b"\r\n--B 1--",
            b"first",
        ),
        (
            "multipart/alternative",
            part("application/sdp", b"first") + part("application/sdp", SDP) + b"\r\n--B 1--",
            SDP,
        ),
        (
            "multipart/mixed",
            part("application/sdp", b"early", "Content-Disposition: early-session;handling=optional") + b"\r\n--B 1--",
            None,
        ),
        ("multipart/mixed", part("application/sdp", SDP + b"a=x\r\n--B 12\r\ny"), None),
        (
            "multipart/mixed",
            part("application/sdp", SDP + b"\r\n--B 12\r\ny") + b"\r\n--B 1-- \r\n",
            SDP + b"\r\n--B 12\r\ny",
        ),
        ("multipart/mixed", b"\r\n--B 1\r\n\r\nv=0" + b"\r\n--B 1--", None),
        ("multipart/mixed", b"", None),
        ("multipart/mixed", b"no delimiter", None),
        ("multipart/signed", part("application/sdp", SDP) + b"\r\n--B 1--" + part("application/sdp", b"epilogue"), SDP),
    ],
)
def test_session_description_in_a_multipart_body(kind: str, body: bytes, expected: bytes | None) -> None:
    request = invite(f'Content-Type: {kind};boundary="B 1"', body=body)
    assert sdp_body(request) == expected


def test_multipart_inside_multipart() -> None:
    inner = b"--in\r\nc: application/sdp\r\n\r\n" + SDP + b"\r\n--in--"
    body = b"--out\r\nContent-Type: multipart/mixed;\r\n boundary=in\r\n\r\n" + inner + b"\r\n--out--\r\n"
    assert sdp_body(invite("Content-Type: multipart/mixed;boundary=out", body=body)) == SDP


def test_broken_multiparts_are_the_peers_fault() -> None:
    for kind in (
        "multipart/mixed",
        "multipart/mixed;boundary=",
        f"multipart/mixed;boundary={'x' * 71}",
        'multipart/mixed;boundary="',
    ):
        with pytest.raises(Malformed):
            sdp_body(invite(f"Content-Type: {kind}", body=SDP))
    body = b"x"
    for depth in range(6):
        kind = f"multipart/mixed;boundary=b{depth}"
        body = b"--b%d\r\nContent-Type: multipart/mixed;boundary=b%d\r\n\r\n%s\r\n--b%d--" % (
            depth,
            depth - 1,
            body,
            depth,
        )
    with pytest.raises(Malformed):
        sdp_body(invite(f"Content-Type: {kind}", body=body))
