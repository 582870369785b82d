"""SIP messages of the load, from templates: quick to make, quick to read, for one well-behaved peer over UDP."""

import re
from typing import Final, NamedTuple

from santral.bench.ports import HOST

Address = tuple[str, int]

CALL_ID: Final = re.compile(rb"\r\n(?:Call-ID|i)\s*:\s*(\S+)", re.IGNORECASE)
CSEQ: Final = re.compile(rb"\r\nCSeq\s*:\s*(\d+)\s+(\w+)", re.IGNORECASE)
TO: Final = re.compile(rb"\r\n(?:To|t)\s*:\s*([^\r\n]+)", re.IGNORECASE)
COPIED: Final = re.compile(rb"\r\n((?:Via|v|From|f|Call-ID|i|CSeq|Record-Route)\s*:[^\r\n]+)", re.IGNORECASE)
CONTACT: Final = re.compile(rb"\r\n(?:Contact|m)\s*:[^<\r\n]*<([^>\r\n]+)>", re.IGNORECASE)
HOST_PORT: Final = re.compile(rb"sips?:(?:[^@>;]*@)?([\d.]+)(?::(\d+))?")
AUDIO: Final = re.compile(rb"m=audio (\d+) ")
NUMBER: Final = re.compile(rb"(\d{6})@")  # the last six digits of the user part name the call

SDP: Final = (
    "v=0\r\no=- {port} 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 101\r\n"
    "a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
)
REQUEST: Final = (
    b"%(method)s %(uri)s SIP/2.0\r\nVia: SIP/2.0/UDP %(own)s;branch=z9hG4bK%(branch)s;rport\r\nMax-Forwards: 70\r\n"
    b"From: <sip:load@%(own)s>;tag=%(tag)s\r\nTo: %(to)s\r\nCall-ID: %(call_id)s\r\nCSeq: %(number)d %(method)s\r\n"
    b"Contact: <sip:load@%(own)s>\r\n%(content)sContent-Length: %(length)d\r\n\r\n%(body)s"
)
CONTENT: Final = b"Content-Type: application/sdp\r\n"


class Read(NamedTuple):
    """The few things the load wants to know of a message. `status` is 0 for a request; `method` is the CSeq's."""

    status: int
    method: str
    call_id: bytes
    number: int


def read(data: bytes) -> Read | None:
    """None for what is no SIP message."""
    call_id, cseq = CALL_ID.search(data), CSEQ.search(data)
    if call_id is None or cseq is None:
        return None
    status = int(data[8:11]) if data.startswith(b"SIP/2.0 ") else 0
    return Read(status, cseq[2].decode(), call_id[1], int(cseq[1]))


def audio_port(data: bytes) -> int:
    """Where the sender of this SDP wants its audio; 0 without audio."""
    found = AUDIO.search(data)
    return int(found[1]) if found else 0


def header_to(data: bytes) -> bytes:
    found = TO.search(data)
    return found[1] if found else b""


def target(data: bytes) -> tuple[bytes, Address] | None:
    """The Contact's URI and the address it names."""
    contact = CONTACT.search(data)
    where = HOST_PORT.search(contact[1]) if contact else None
    return (contact[1], (where[1].decode(), int(where[2] or 5060))) if contact and where else None


def called_number(data: bytes) -> int:
    """The call's number out of a Request-URI; -1 if there is none."""
    found = NUMBER.search(data[: data.index(b"\r\n")])
    return int(found[1]) if found else -1


def sdp(port: int) -> bytes:
    return SDP.format(host=HOST, port=port).encode()


def request(
    method: bytes, uri: bytes, to: bytes, *, own: bytes, call_id: bytes, number: int, branch: bytes, body: bytes = b""
) -> bytes:
    return REQUEST % {
        b"method": method,
        b"uri": uri,
        b"own": own,
        b"branch": branch,
        b"tag": call_id[-12:],
        b"to": to,
        b"call_id": call_id,
        b"number": number,
        b"content": CONTENT if body else b"",
        b"length": len(body),
        b"body": body,
    }


def response(to_request: bytes, status: bytes, *, own: bytes, tag: bytes, body: bytes = b"") -> bytes:
    """RFC 3261 8.2.6; with a Contact, which every 2xx to INVITE needs."""
    to = header_to(to_request)
    if b";tag=" not in to:
        to += b";tag=" + tag
    lines = [b"SIP/2.0 " + status, *COPIED.findall(to_request), b"To: " + to, b"Contact: <sip:load@" + own + b">"]
    if body:
        lines.append(CONTENT[:-2])
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", b""]) + body
