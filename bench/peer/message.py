"""SIP messages as text, for a phone that meets well-behaved peers: no limits, no torture, no code of the engine's."""

import random
from dataclasses import dataclass, field
from typing import Final, Self

COMPACT: Final = {  # RFC 3261 7.3.3
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
}


def token(bits: int = 64) -> str:
    """A random word for tags, branches and Call-IDs."""
    return f"{random.getrandbits(bits):x}"


@dataclass(slots=True)
class Message:
    """A request or a response: its first line, its headers in order (names in lower case when parsed), its body."""

    first: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises ValueError when this is no SIP message."""
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("utf-8", "replace").split("\r\n")
        if "SIP/2.0" not in first:
            raise ValueError(f"not SIP: {first[:40]!r}")
        message = cls(first, [], body)
        for line in lines:
            if line[:1] in " \t" and message.headers:
                name, value = message.headers[-1]
                message.headers[-1] = name, f"{value} {line.strip()}"
                continue
            name, _, value = line.partition(":")
            name = name.strip().lower()
            message.headers.append((COMPACT.get(name, name), value.strip()))
        return message

    def __bytes__(self) -> bytes:
        lines = [self.first, *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""]).encode() + self.body

    def get(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def status(self) -> int:
        """0 for a request."""
        return int(self.first.split()[1]) if self.first.startswith("SIP/2.0") else 0

    @property
    def method(self) -> str:
        """Of a request its own, of a response the one it answers."""
        return self.get("cseq").split()[-1] if self.status else self.first.split()[0]

    def answer(self, status: int, reason: str, to_tag: str = "") -> "Message":
        """RFC 3261 8.2.6: what every response copies from its request."""
        to = self.get("to")
        if to_tag and ";tag=" not in to:
            to += f";tag={to_tag}"
        copied = [(name.title(), value) for name in ("via", "record-route") for value in self.all(name)]
        same = [("From", self.get("from")), ("To", to), ("Call-ID", self.get("call-id")), ("CSeq", self.get("cseq"))]
        return Message(f"SIP/2.0 {status} {reason}", copied + same)


def uri_in(header: str) -> str:
    """The URI of a From, To, Contact or Route value."""
    return header.partition("<")[2].partition(">")[0] or header.partition(";")[0].strip()


def host_port(uri: str) -> tuple[str, int]:
    """Where a numeric `sip:` URI points; 5060 when it names no port."""
    host, _, port = uri.partition(":")[2].rpartition("@")[2].partition(";")[0].partition(":")
    return host, int(port or 5060)


@dataclass(frozen=True, slots=True)
class Offered:
    """What an SDP body says about its first audio stream."""

    host: str
    port: int
    formats: tuple[int, ...]
    event_payload_type: int | None

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Raises ValueError without an audio stream."""
        host, port, in_audio = "", 0, False
        formats: tuple[int, ...] = ()
        events: int | None = None
        for line in body.decode("utf-8", "replace").splitlines():
            kind, _, value = line.partition("=")
            if kind == "m":
                in_audio = value.startswith("audio ") and not port
                if in_audio:
                    _, number, _, *listed = value.split()
                    port, formats = int(number), tuple(int(one) for one in listed)
            elif kind == "c" and (in_audio or not host):
                host = value.split()[2]
            elif in_audio and value.startswith("rtpmap:") and "telephone-event/8000" in value.lower():
                events = int(value[7:].split()[0])
        if not port:
            raise ValueError("no audio stream in the SDP")
        return cls(host, port, formats, events)


def audio_sdp(host: str, port: int, codec: tuple[str, int], event_payload_type: int) -> bytes:
    """One G.711 codec (name, payload type) and telephone-event."""
    name, payload_type = codec
    lines = [
        "v=0",
        f"o=- {port} 1 IN IP4 {host}",
        "s=-",
        f"c=IN IP4 {host}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {payload_type} {event_payload_type}",
        f"a=rtpmap:{payload_type} {name}/8000",
        f"a=rtpmap:{event_payload_type} telephone-event/8000",
        f"a=fmtp:{event_payload_type} 0-15",
        "a=ptime:20",
        "a=sendrecv",
    ]
    return "\r\n".join([*lines, ""]).encode()
