"""`parse`: what one INVITE of a kilobyte costs to read, with its session description, and to write again."""

import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from santral.bench.measure.result import Result, Row, Setting
from santral.sip import message as parser
from santral.sip import sdp
from santral.sip.message import Request, parse_message, sdp_body, serialise
from santral.sip.sdp import SessionDescription

KINDS: Final = 2048  # messages that differ as calls do, so that nothing remembered of one helps another
REPEATS: Final = 60  # runs over all of them; the best counts: whatever disturbs can only add
LIMIT_US: Final = 35.0

T = TypeVar("T")

INVITE: Final = """\
INVITE sip:+3120555{n:04d}@192.0.2.10:5060;transport=udp SIP/2.0
Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK{n:08x}.7d1c;rport
Via: SIP/2.0/UDP 10.1.{n_high}.{n_low}:5060;branch=z9hG4bKa{n:08x};received=203.0.113.9
Record-Route: <sip:198.51.100.7;lr;ftag={n:08x}>
Max-Forwards: 69
From: "Caller {n}" <sip:+3110222{n:04d}@example.com;user=phone>;tag={n:08x}b1
To: <sip:+3120555{n:04d}@192.0.2.10;user=phone>
Call-ID: {n:032x}@10.1.0.4
CSeq: {n} INVITE
Contact: <sip:+3110222{n:04d}@198.51.100.7:5060;transport=udp>
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO
Supported: 100rel, timer, replaces
Session-Expires: 1800;refresher=uac
P-Asserted-Identity: <sip:+3110222{n:04d}@example.com>
User-Agent: Example PBX 4.2
Content-Type: application/sdp
Content-Length: {length}

"""
SDP: Final = """\
v=0
o=- {n} 1 IN IP4 198.51.100.8
s=-
c=IN IP4 198.51.100.8
t=0 0
m=audio {port} RTP/AVP 8 0 101
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv
"""


def run(setting: Setting) -> Result:
    kinds, repeats = (8, 1) if setting.quick else (KINDS, REPEATS)
    wires = [invite(n) for n in range(1000, 1000 + kinds)]
    requests = [read(wire) for wire in wires]
    bodies = [request.body for request in requests]
    both = cost(round_trip, wires, repeats)
    compiled = [module.__name__ for module in (parser, sdp) if not str(module.__file__).endswith(".py")]
    return Result(
        "parse",
        [
            Row("the INVITE", f"{sum(map(len, wires)) / kinds:.0f} octets"),
            Row(
                "read with its session description, and written",
                f"{both:.1f} us",
                "",
                f"{LIMIT_US:.0f} us",
                None if setting.quick else both <= LIMIT_US,
            ),
            Row("of that: the message", f"{cost(parse_message, wires, repeats):.1f} us"),
            Row("of that: the session description", f"{cost(SessionDescription.parse, bodies, repeats):.1f} us"),
            Row("of that: writing", f"{cost(serialise, requests, repeats):.1f} us"),
            Row("compiled", "yes" if len(compiled) == 2 else "no"),
        ],
        data={"parse_us": both},
    )


def invite(n: int) -> bytes:
    """The INVITE of one call."""
    body = SDP.format(n=n, port=20000 + n)
    head = INVITE.format(n=n, n_high=n // 256 % 256, n_low=n % 256, length=len(body.replace("\n", "\r\n")))
    return (head + body).replace("\n", "\r\n").encode()


def read(wire: bytes) -> Request:
    message = parse_message(wire)
    if not isinstance(message, Request):
        raise TypeError("the benchmark's own INVITE is none")
    return message


def round_trip(wire: bytes) -> bytes:
    """What every INVITE costs at least: all of it read, all that routes it typed, the body understood, all written."""
    request = parse_message(wire)
    SessionDescription.parse(sdp_body(request) or b"")
    return serialise(request)


def cost(task: Callable[[T], object], inputs: Sequence[T], repeats: int) -> float:
    """Microseconds of CPU for one input: the best of some runs over all of them."""
    best = float("inf")
    for _ in range(repeats):
        began = time.process_time_ns()
        for one in inputs:
            task(one)
        best = min(best, time.process_time_ns() - began)
    return best / len(inputs) / 1000
