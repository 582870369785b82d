"""What is masked in traces: same length, no secret left, and who hides stays hidden from those who may not know."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.engine.trace.redact import redact

KEY = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"


def message(*lines: str, body: str = "", start: str = "INVITE sip:1@h SIP/2.0") -> bytes:
    return "\r\n".join((start, *lines, "", body)).encode()


SECRETS = {
    "digest": (
        message('Authorization: Digest username="u", response="0123abcd", cnonce="feed", uri="sip:h"'),
        "0123abcd",
    ),
    "cnonce": (message('proxy-authorization: Digest cnonce = "feedbeef",response=0123abcd'), "feedbeef"),
    "folded": (message('Authorization: Digest username="u",\r\n response="0123abcd"'), "0123abcd"),
    "basic": (message("AuThOrIzAtIoN: Basic dXNlcjpwYXNz"), "dXNlcjpwYXNz"),
    "bearer": (message("Authorization: Bearer abc.def.ghi"), "abc.def"),
    "info": (message('Authentication-Info: rspauth="0123abcd", nc=1'), "0123abcd"),
    "crypto": (message(body=f"v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4\r\n"), KEY),
    "two keys": (message(body=f"a=crypto:1 A inline:x;inline:{KEY}\r\n"), KEY),
    "ice": (message(body="a=ice-ufrag:u\r\na=ice-pwd:verysecretpassword\r\n"), "verysecretpassword"),
    "relay": (
        message(
            "Content-Type: application/dtmf-relay", body="Signal=7\r\nDuration=160\r\n", start="INFO sip:1@h SIP/2.0"
        ),
        "=7",
    ),
    "dtmf": (message("c: application/dtmf", body="4", start="INFO sip:1@h SIP/2.0"), "4"),
    "nortel": (
        message("Content-Type: application/vnd.nortelnetworks.digits", body="d=55\r\n", start="INFO sip:1@h SIP/2.0"),
        "55",
    ),
}


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_masked_for_everybody(name: str) -> None:
    data, secret = SECRETS[name]
    safe = redact(data, hides=False)
    assert len(safe) == len(data)
    assert secret.encode() not in safe.partition(b"\r\n")[2]
    assert b"x" in safe


def test_what_is_no_secret_stays() -> None:
    data = message(
        'WWW-Authenticate: Digest realm="r", nonce="n"',
        "P-Asserted-Identity: <sip:+905551112233@h>",
        "Content-Type: application/dtmf-relay",
        body="a=rtpmap:101 telephone-event/8000\r\nSignal=7\r\n",
    )
    assert redact(data) == data


HIDING = message(
    'From: "Ayse \\"A\\" Y" <sip:+905551112233@h>;tag=1',
    "Privacy: id",
    "P-Asserted-Identity: <tel:+90-555-111-2233>, <sip:+905551112233@h>",
    "Contact: <sip:05551112233@192.0.2.1>",
    "Call-ID: a@h",
)


def test_who_hides_is_masked_by_the_message_itself() -> None:
    safe = redact(HIDING).decode()
    assert len(safe) == len(HIDING)
    assert "1112233" not in safe
    assert "Ayse" not in safe
    assert "Call-ID: a@h" in safe
    assert redact(HIDING, hides=False) == HIDING


def test_who_hides_in_a_folded_header_is_masked() -> None:
    data = message("Privacy: id", "From:", " <sip:+905551112233@h>;tag=1", "X-Also: 05551112233")
    assert b"1112233" not in redact(data)


def test_who_diverted_and_hides_is_masked() -> None:
    data = message(
        "From: <sip:+905559998877@h>;tag=1", "Diversion: <sip:+905551112233@h>;privacy=full;reason=no-answer"
    )
    assert b"1112233" not in redact(data)
    shown = message("From: <sip:+905559998877@h>;tag=1", "Diversion: <sip:+905551112233@h>;privacy=off")
    assert redact(shown) == shown


def test_who_hides_is_masked_by_what_the_call_knows() -> None:
    data = message("To: <sip:00905551112233@h>", "X-Caller: 5551112233 Ayse Yilmaz", "X-Other: 95551112234")
    safe = redact(data, ("+905551112233", "Ayse Yilmaz")).decode()
    assert "1112233" not in safe
    assert "Ayse" not in safe
    assert "95551112234" in safe


def test_a_remote_party_that_hides() -> None:
    data = message("Remote-Party-ID: <sip:+905551112233@h>;party=calling;privacy=full")
    assert b"1112233" not in redact(data)


@given(st.binary(max_size=400) | st.text('INFO: Privacy=id\r\n"<sip:+90>a=crypto inline', max_size=200).map(str.encode))
def test_any_octets_are_taken_and_lengths_stay(data: bytes) -> None:
    assert len(redact(data, ("+905551112233", "x"))) == len(data)
