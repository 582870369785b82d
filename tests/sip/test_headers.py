"""The header map and the typed header values."""

import pytest

from santral.sip.errors import Malformed
from santral.sip.headers import (
    CSeq,
    Headers,
    Reason,
    RetryAfter,
    Via,
    canonical_name,
    parse_max_forwards,
    split_values,
)
from santral.sip.uri import NameAddr


def test_compact_and_odd_spellings_are_one_header() -> None:
    headers = Headers([("v", "1"), ("VIA", "2"), ("via", "3"), ("ViA", "4")])
    assert headers.all("Via") == ["1", "2", "3", "4"]
    assert [name for name, _ in headers.items()] == ["Via"] * 4
    assert canonical_name("i") == "Call-ID"
    assert canonical_name("X-Thing") == "X-Thing"


def test_unknown_headers_keep_order_and_spelling() -> None:
    lines = [("X-b", "1"), ("To", "<sip:a@h>"), ("x-A", "2"), ("X-B", "3")]
    headers = Headers(lines)
    assert list(headers.items()) == lines
    assert headers.all("x-B") == ["1", "3"]
    assert headers.get("X-a") == "2"
    assert "x-a" in headers
    assert "x-c" not in headers
    assert headers.get("x-c") is None


def test_values_are_split_outside_quotes_and_brackets() -> None:
    headers = Headers([("m", '"a, b" <sip:x,y@h>;p="1,2", <sip:c@h>'), ("Contact", "<sip:d@h>"), ("Supported", "")])
    assert headers.values("Contact") == ['"a, b" <sip:x,y@h>;p="1,2"', "<sip:c@h>", "<sip:d@h>"]
    assert headers.values("Supported") == []
    assert split_values("a,,b") == ["a", "", "b"]


@pytest.mark.parametrize("text", ['a, "b', "a, <b", '"a\\", b'])
def test_open_quotes_and_brackets_are_refused(text: str) -> None:
    with pytest.raises(Malformed):
        split_values(text)


def test_tokens_come_without_blanks_and_parameters() -> None:
    headers = Headers([("Allow", "INVITE,ACK ,, BYE"), ("Allow", "OPTIONS;x=1"), ("Allow", "")])
    assert headers.tokens("Allow") == ("INVITE", "ACK", "BYE", "OPTIONS")
    assert headers.tokens("Require") == ()


def test_changing_lines() -> None:
    headers = Headers([("To", "t"), ("Via", "b"), ("X-a", "1"), ("x-A", "2")])
    headers.prepend("Via", "a")
    headers.add("Via", "c")
    assert headers.all("Via") == ["a", "b", "c"]
    headers.set("X-A", "3")
    assert list(headers.items()) == [("To", "t"), ("Via", "a"), ("Via", "b"), ("X-A", "3"), ("Via", "c")]
    headers.remove("v")
    headers.remove("Route")
    headers.set("Route", "<sip:h>")
    assert list(headers.items()) == [("To", "t"), ("X-A", "3"), ("Route", "<sip:h>")]
    assert len(headers) == 3


def test_first_value_of_a_list_is_replaced_or_taken() -> None:
    headers = Headers([("Route", '<sip:a>;x="1,2", <sip:b>'), ("Route", "<sip:c>")])
    headers.replace_first("Route", "<sip:z>")
    assert headers.values("Route") == ["<sip:z>", "<sip:b>", "<sip:c>"]
    for left in (["<sip:b>", "<sip:c>"], ["<sip:c>"], [], []):
        headers.replace_first("Route", None)
        assert headers.values("Route") == left


def test_typed_values_follow_changes() -> None:
    headers = Headers([("Via", "SIP/2.0/UDP a;branch=1")])
    first = headers.typed("Via", Via.parse)
    assert headers.typed("Via", Via.parse) is first
    headers.prepend("v", "SIP/2.0/TCP b")
    assert [via.host for via in headers.typed("Via", Via.parse)] == ["b", "a"]
    headers.replace_first("VIA", "SIP/2.0/TCP c")
    assert headers.typed("Via", Via.parse)[0].host == "c"
    headers.set("To", "<sip:a@h>")
    assert headers.typed_single("To", NameAddr.parse)[0].uri.user == "a"
    headers.set("t", "<sip:b@h>")
    assert headers.typed_single("To", NameAddr.parse)[0].uri.user == "b"
    headers.remove("To")
    assert headers.typed_single("To", NameAddr.parse) == ()


def test_copies_are_independent() -> None:
    headers = Headers([("Via", "SIP/2.0/UDP a")])
    other = headers.copy()
    assert other == headers
    other.set("Via", "SIP/2.0/UDP b")
    assert headers.get("Via") == "SIP/2.0/UDP a"
    assert other != headers


@pytest.mark.parametrize(
    ("text", "via"),
    [
        ("SIP/2.0/UDP h", Via("UDP", "h")),
        ("SIP/2.0/udp h:5060;branch=z9hG4bK1;rport", Via("UDP", "h", 5060, "z9hG4bK1", None, 0)),
        ("SIP / 2.0 / TLS  h : 4000;ttl=16 ;branch=x", Via("TLS", "h", 4000, "x", params=(("ttl", "16"),))),
        ("SIP/2.0/UDP [2001::9]:5060;received=[2001::255]", Via("UDP", "2001::9", 5060, received="2001::255")),
        ("SIP/2.0/UDP [::1];received=::2;rport=5070", Via("UDP", "::1", None, None, "::2", 5070)),
        ("sip/2.0/UNKNOWN h;Branch=a;maddr=10.0.0.1", Via("UNKNOWN", "h", None, "a", params=(("maddr", "10.0.0.1"),))),
    ],
)  # fmt: skip
def test_reads_via(text: str, via: Via) -> None:
    assert Via.parse(text) == via
    assert Via.parse(str(via)) == via


@pytest.mark.parametrize(
    "text",
    ["", "SIP/2.0/UDP", "SIP/2.0 h", "SIP/3.0/UDP h", "SIP/2.0/UDP h;;", "SIP/2.0/UDP h:99999", "SIP/2.0/UDP h;rport=x",
     "UDP h", "SIP/2.0/UDP h i", "SIP/2.0/UDP ::1"],
)  # fmt: skip
def test_refuses_broken_via(text: str) -> None:
    with pytest.raises(Malformed):
        Via.parse(text)


def test_via_learns_where_the_request_came_from() -> None:
    asked = Via.parse("SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z")
    assert (
        str(asked.with_source("192.0.2.1", 40000))
        == "SIP/2.0/UDP 10.0.0.1:5060;branch=z;received=192.0.2.1;rport=40000"
    )
    plain = Via.parse("SIP/2.0/UDP phone.example.com;branch=z")
    assert str(plain.with_source("192.0.2.1", 5060)) == "SIP/2.0/UDP phone.example.com;branch=z;received=192.0.2.1"
    same = Via.parse("SIP/2.0/UDP 192.0.2.1;branch=z")
    assert same.with_source("192.0.2.1", 5060) is same
    assert (asked.sent_by, same.sent_by, Via("UDP", "::1", 1).sent_by) == ("10.0.0.1:5060", "192.0.2.1", "[::1]:1")
    assert Via.parse("SIP/2.0/UDP h;maddr=10.1.1.1").maddr == "10.1.1.1"
    assert same.maddr is None


@pytest.mark.parametrize(("text", "number"), [("1 INVITE", 1), ("0009 \t INVITE", 9), ("2147483647 INVITE", 2**31 - 1)])
def test_reads_cseq(text: str, number: int) -> None:
    cseq = CSeq.parse(text)
    assert cseq == CSeq(number, "INVITE")
    assert CSeq.parse(str(cseq)) == cseq


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "INVITE",
        "2147483648 INVITE",
        "-1 INVITE",
        "1 IN VITE",
        "1 \u0130NVITE",
        "\u0661 INVITE",
        "9" * 5000 + " X",
    ],
)
def test_refuses_broken_cseq(text: str) -> None:
    with pytest.raises(Malformed):
        CSeq.parse(text)


def test_max_forwards_has_a_range() -> None:
    assert parse_max_forwards("0068") == 68
    assert parse_max_forwards("255") == 255
    for text in ("256", "-1", "", "seventy", "\u0667\u0660", "1" * 5000):
        with pytest.raises(Malformed):
            parse_max_forwards(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('SIP;cause=200;text="Call completed elsewhere"', Reason("SIP", 200, "Call completed elsewhere")),
        ("Q.850;cause=16", Reason("Q.850", 16)),
        ('Q.850 ; text="a \\"b\\"" ; cause=17;location=LN', Reason("Q.850", 17, 'a "b"', (("location", "LN"),))),
        ("preemption", Reason("preemption")),
    ],
)
def test_reads_reason(text: str, reason: Reason) -> None:
    assert Reason.parse(text) == reason
    assert Reason.parse(str(reason)) == reason


@pytest.mark.parametrize("text", ["", ";cause=1", "SIP;cause=x", "SIP;cause=1000", "SIP;cause", "SIP cause"])
def test_refuses_broken_reason(text: str) -> None:
    with pytest.raises(Malformed):
        Reason.parse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18000;duration=3600", RetryAfter(18000, "", 3600)),
        ("120 (I'm in a meeting)", RetryAfter(120, "I'm in a meeting")),
        ("5", RetryAfter(5)),
        ("5;duration=soon", RetryAfter(5)),
    ],
)
def test_reads_retry_after(text: str, value: RetryAfter) -> None:
    assert RetryAfter.parse(text) == value
    assert RetryAfter.parse(str(value)) == value


@pytest.mark.parametrize("text", ["", "soon", "-1", "4294967296", "5 (open", "99999999999"])
def test_refuses_broken_retry_after(text: str) -> None:
    with pytest.raises(Malformed):
        RetryAfter.parse(text)
