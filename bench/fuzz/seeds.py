"""What fuzzing begins with: one message of each kind, written for this purpose, and bodies. CRLF is put in here."""

from typing import Final


def wire(text: str, body: bytes = b"") -> bytes:
    """A message as it travels, its Content-Length put in."""
    head = text.strip("\n").replace("\n", "\r\n")
    return f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def lines(text: str) -> bytes:
    return text.strip("\n").replace("\n", "\r\n").encode() + b"\r\n"


OFFER: Final = lines("""
v=0
o=- 7 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 40000 RTP/AVP 8 0 101
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv
""")
ANSWER: Final = lines("""
v=0
o=- 9 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 42000 RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
""")
MANY_LINES: Final = lines("""
v=0
o=caller 3890 3891 IN IP6 2001:db8::9
s=all sorts
i=of lines
b=AS:64
t=0 0
a=group:BUNDLE 0 1
m=audio 9 UDP/TLS/RTP/SAVPF 111 9 0 13 110
c=IN IP6 2001:db8::9
b=RR:0
a=mid:0
a=rtcp:41001 IN IP6 2001:db8::10
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:110 telephone-event/48000
a=maxptime:60
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4
a=inactive
m=image 5004/2 udptl t38
c=IN IP4 0.0.0.0
a=T38FaxVersion:0
m=video 0 RTP/AVP 97
""")
_FROM_US: Final = "From: <sip:us@127.0.0.1>;tag=\x02\nTo: <sip:bob@127.0.0.1>;tag=theirs\nCall-ID: \x03"
_FROM_THEM: Final = "From: <sip:bob@127.0.0.1>;tag=theirs\nTo: <sip:us@127.0.0.1>;tag=\x02\nCall-ID: \x03"


def _invite(extra: str = "", body: bytes = OFFER) -> bytes:
    return wire(
        f"""
INVITE sip:us@127.0.0.1;user=phone SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bKi1;rport
Max-Forwards: 69
Record-Route: <sip:127.0.0.9;lr>, <sip:[::1]:5070;transport=tcp;lr>
From: "Bob \\"B\\" B" <sip:bob@127.0.0.1>;tag=theirs
To: <sip:us@127.0.0.1>
Call-ID: one@127.0.0.1
CSeq: 1 INVITE
Contact: <sip:bob@127.0.0.1:5090;transport=udp>;expires=60
Allow: INVITE, ACK, BYE, CANCEL, PRACK, UPDATE, REFER, NOTIFY
Supported: 100rel, timer, replaces
{extra}Content-Type: application/sdp""".replace("\n\n", "\n"),
        body,
    )


def _within(method: str, cseq: int, extra: str = "", body: bytes = b"") -> bytes:
    return wire(
        f"""
{method} sip:us@127.0.0.1:5060 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bK{method.lower()}{cseq}
Max-Forwards: 70
{_FROM_THEM.replace(chr(3), "one@127.0.0.1")}
CSeq: {cseq} {method}
Contact: <sip:bob@127.0.0.1:5090>
{extra}""",
        body,
    )


def _answer(status: str, cseq: str, extra: str = "", body: bytes = b"") -> bytes:
    return wire(
        f"""
SIP/2.0 {status}
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=\x01
{_FROM_US}
CSeq: {cseq}
Contact: <sip:bob@127.0.0.1:5090>
{extra}""",
        body,
    )


_TYPE: Final = "Content-Type: application/sdp"
MESSAGES: Final = (
    _invite(),
    _invite("Require: 100rel\nSession-Expires: 1800;refresher=uac\nMin-SE: 90\n"),
    _invite("Replaces: one@127.0.0.1;to-tag=a;from-tag=b;early-only\nPrivacy: id\n"),
    _invite('Diversion: <sip:c@d>;reason=no-answer;counter=2\nReason: Q.850;cause=16;text="x, y"\nk: timer\n', b""),
    _within("ACK", 1),
    _within("BYE", 9, 'Reason: SIP;cause=200;text="elsewhere"'),
    _within("PRACK", 2, "RAck: 1 1 INVITE"),
    _within("UPDATE", 3, _TYPE, OFFER),
    _within("INVITE", 4, _TYPE, OFFER),
    _within("INFO", 5, "Content-Type: application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n"),
    _within("REFER", 6, "Refer-To: <sip:carol@127.0.0.1?Replaces=x%3Bto-tag%3Da%3Bfrom-tag%3Db>\nRefer-Sub: false"),
    _within(
        "NOTIFY",
        7,
        "Event: refer;id=1\nSubscription-State: active;expires=60\nContent-Type: message/sipfrag",
        b"SIP/2.0 200 OK\r\n",
    ),
    _within("SUBSCRIBE", 8, "Event: refer\nExpires: 0"),
    _answer("100 Trying", "1 INVITE"),
    _answer("183 Session Progress", "1 INVITE", f"Require: 100rel\nRSeq: 7\n{_TYPE}", ANSWER),
    _answer("200 OK", "1 INVITE", f"Session-Expires: 90;refresher=uas\nRequire: timer\n{_TYPE}", ANSWER),
    _answer("302 Moved Temporarily", "1 INVITE", "Contact: <sip:x@127.0.0.3>;q=0.5"),
    _answer(
        "401 Unauthorized",
        "1 INVITE",
        'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth,auth-int", algorithm=SHA-256',
    ),
    _answer("422 Session Interval Too Small", "1 INVITE", "Min-SE: 3600"),
    _answer("491 Request Pending", "2 INVITE"),
    _answer("503 Service Unavailable", "1 INVITE", "Retry-After: 5 (busy);duration=9"),
    wire("""
REGISTER sip:127.0.0.1 SIP/2.0
v: SIP/2.0/TCP [::1]:5061;branch=z9hG4bKr;alias
f: <sip:101@127.0.0.1>;tag=r
t: <sip:101@127.0.0.1>
i: reg
CSeq: 2147483647 REGISTER
m: <sip:101@127.0.0.1:5061>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";q=0.7, *
Authorization: Digest username="101", realm="r", nonce="n", uri="sip:127.0.0.1", response="0", qop=auth, nc=00000001
Path: <sip:p1;lr>
Expires: 3600"""),
    wire("""
SUBSCRIBE sip:us@127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bKs
From: <sip:w@127.0.0.1>;tag=w
To: <sip:us@127.0.0.1>
Call-ID: watch
CSeq: 1 SUBSCRIBE
Event: refer
Contact: <sip:w@127.0.0.1:5090>
Expires: 60"""),
    b"\r\n\r\n",
)
BODIES: Final = (OFFER, ANSWER, MANY_LINES)


def conversations() -> list[bytes]:
    """Records as `targets.Conversation` reads them."""
    by_name = {message.split(b" ", 1)[0]: message for message in MESSAGES[3::-1]}
    invite = by_name[b"INVITE"]
    within = {message.split(b" ", 1)[0]: message for message in MESSAGES[4:13]}
    answers = MESSAGES[13:21]
    call_in = [b"m\x00", b"\x00" + invite, b"\x00" + within[b"ACK"]]
    found = [
        [*call_in, b"\x00" + within[method], b"t\x02", b"\x00" + within[b"BYE"]]
        for method in (b"UPDATE", b"INVITE", b"INFO", b"REFER", b"NOTIFY", b"SUBSCRIBE")
    ]
    found.append([b"m\x01", b"\x00" + MESSAGES[1], b"\x00" + within[b"PRACK"], b"\x00" + within[b"ACK"], b"ob"])
    found += [[b"m\x01", b"oi", b"\x00" + answers[0], b"\x00" + answer, b"or", b"of", b"t\x06"] for answer in answers]
    found += [
        [b"oi", b"\x00" + answers[2], b"ou", b"\x00" + answers[6], b"t\x03", b"ob"],
        [b"oi", b"\x00" + answers[1], b"oc"],
    ]
    found.append([b"\x00" + MESSAGES[22], b"t\x07", b"\x01" + MESSAGES[21]])
    return [b"\x1e".join(records) for records in found]


SEEDS: Final = {"parser": list(MESSAGES), "sdp": list(BODIES), "stack": conversations()}
