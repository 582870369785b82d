"""Offers and answers (RFC 3264): what a peer's session description means, and how ours is written.

A leg is a list of streams, one per m= line, which never shrinks nor changes order. Choosing ports, and answering at
all, is the caller's work.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, Literal

from santral.sip import sdes
from santral.sip.errors import LocalError, NotAcceptable
from santral.sip.sdes import Crypto
from santral.sip.sdp import Attribute, Media, SessionDescription

__all__ = [
    "DIRECTIONS",
    "Codec",
    "LocalSession",
    "LocalStream",
    "RemoteStream",
    "SrtpPolicy",
    "answer_direction",
    "audio",
    "check_answer",
    "codec_named",
    "common",
    "event_for",
    "refuse",
    "remote_streams",
    "renumbered",
]

EVENT: Final = "telephone-event"
COMFORT_NOISE: Final = "CN"
DYNAMIC: Final = range(96, 128)  # payload types that mean what rtpmap says (RFC 3551 6)
SrtpPolicy = Literal["off", "optional", "required"]
DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")
MAX_PACKET_TIME_MS: Final = 240
MAX_ADDRESSES: Final = 256  # of peers' media, looked at and remembered
MAX_TABLES: Final = 128  # of codecs as peers write them, likewise: there are few

_ANSWERS: Final = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
_RTP_PROTOCOLS: Final = re.compile(r"(?:[A-Z]+/)*RTP/S?AVPF?", re.ASCII).fullmatch
_PLAIN_RTP: Final = frozenset({"RTP/AVP", "RTP/AVPF"})
_SECURE_RTP: Final = frozenset({"RTP/SAVP", "RTP/SAVPF"})
_RTPMAP: Final = re.compile(
    r"[ ]*([0-9]{1,3})[ \t]+([^/ \t]+)[ \t]*/[ \t]*([0-9]{1,6})(?:/([0-9]{1,2}))?[ \t]*", re.ASCII
).fullmatch
_FMTP: Final = re.compile(r"[ ]*([0-9]{1,3})[ \t]+(.*)", re.ASCII).fullmatch
_RTCP: Final = re.compile(r"([0-9]{1,5})(?: +IN +IP[46] +([^ \t/]+))?[ \t]*", re.ASCII).fullmatch
_DESCRIBING: Final = frozenset({"rtpmap", "fmtp"})  # attributes that say what a format is
_PAYLOAD_TYPE: Final = re.compile(r"[0-9]{1,3}", re.ASCII).fullmatch
_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_IPV4: Final = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}", re.ASCII).fullmatch
_HELD: Final = frozenset({"0.0.0.0", "::"})


@dataclass(frozen=True)
class Codec:
    """One payload format of one direction: encoding name in its registered case, RTP clock, channels, payload type."""

    name: str
    clock_hz: int
    channels: int
    payload_type: int
    fmtp: str = ""

    @property
    def key(self) -> str:
        """`NAME/clock[/channels]`: what makes two payload types the same format."""
        return f"{self.name}/{self.clock_hz}" if self.channels == 1 else f"{self.name}/{self.clock_hz}/{self.channels}"


_STATIC: Final = {  # RFC 3551 tables 4 and 5; G722's clock is 8000 by that document's section 4.5.2
    0: ("PCMU", 8000, 1), 3: ("GSM", 8000, 1), 4: ("G723", 8000, 1), 5: ("DVI4", 8000, 1), 6: ("DVI4", 16000, 1),
    7: ("LPC", 8000, 1), 8: ("PCMA", 8000, 1), 9: ("G722", 8000, 1), 10: ("L16", 44100, 2), 11: ("L16", 44100, 1),
    12: ("QCELP", 8000, 1), 13: (COMFORT_NOISE, 8000, 1), 14: ("MPA", 90000, 1), 15: ("G728", 8000, 1),
    16: ("DVI4", 11025, 1), 17: ("DVI4", 22050, 1), 18: ("G729", 8000, 1), 25: ("CelB", 90000, 1),
    26: ("JPEG", 90000, 1), 28: ("nv", 90000, 1), 31: ("H261", 90000, 1), 32: ("MPV", 90000, 1), 33: ("MP2T", 90000, 1),
    34: ("H263", 90000, 1),
}  # fmt: skip
_NAMES: Final = {
    name.lower(): name
    for name in (
        *(name for name, _, _ in _STATIC.values()), EVENT, "opus", "iLBC", "speex", "AMR", "AMR-WB", "EVS", "G726-16",
        "G726-24", "G726-32", "G726-40", "G7221", "SILK", "VP8", "VP9", "H264", "H265", "AV1", "red", "t140",
    )
}  # fmt: skip
_SHAPES: Final = {  # clock and channels by which an allowed name is meant
    "pcmu": (8000, 1), "pcma": (8000, 1), "g722": (8000, 1), "g729": (8000, 1), "gsm": (8000, 1), "ilbc": (8000, 1),
    "opus": (48000, 2), "l16": (8000, 1), "amr": (8000, 1), "amr-wb": (16000, 1), EVENT: (8000, 1),
}  # fmt: skip
_DYNAMIC_TYPES: Final = {
    "opus": 107,
    "l16": 96,
    "ilbc": 97,
    "amr": 98,
    "amr-wb": 99,
    EVENT: 101,
}  # ours, where the standard has none


def codec_named(name: str, payload_type: int | None = None) -> Codec:
    """The codec an operator means by `name`, for an offer of ours; raises LocalError for a name we do not know."""
    lower = name.lower()
    shape = _SHAPES.get(lower)
    if shape is None:
        raise LocalError(f"no codec {name!r}")
    if payload_type is None:
        named = (_NAMES[lower], *shape)
        static = next((pt for pt, known in _STATIC.items() if known == named), None)
        payload_type = _DYNAMIC_TYPES[lower] if static is None else static
    return Codec(_NAMES[lower], *shape, payload_type, "0-15" if lower == EVENT else "")


def renumbered(codec: Codec, used: Collection[int]) -> Codec:
    """The same with a payload type that is none of these; raises LocalError when no dynamic one is left."""
    if codec.payload_type not in used:
        return codec
    free = next((number for number in DYNAMIC if number not in used), None)
    if free is None:
        raise LocalError("no payload type is left")
    return replace(codec, payload_type=free)


@dataclass(frozen=True)
class RemoteStream:
    """One m= line of the peer, as far as a media leg cares.

    `codecs` holds neither telephone-event (those are `events`) nor comfort noise; `direction` is the peer's view, with
    an address of 0.0.0.0 read as hold (RFC 3264 section 8.4). Times are milliseconds. `formats` are as written.
    """

    index: int
    kind: str
    protocol: str
    address: str
    port: int
    rtcp_address: str
    rtcp_port: int
    rtcp_mux: bool
    codecs: tuple[Codec, ...]
    events: tuple[Codec, ...]
    direction: str
    ptime: int | None
    maxptime: int | None
    rejected: bool
    formats: tuple[str, ...] = ()
    rtcp_wanted: bool = True  # False with b=RR:0 (RFC 3556): the peer wants no receiver reports
    crypto: tuple[Crypto, ...] = ()  # the SRTP keys it proposes, as far as we can serve them

    @property
    def is_secure(self) -> bool:
        """Its profile demands SRTP; with a plain one, keys are a proposal (RFC 8643)."""
        return self.protocol in _SECURE_RTP

    @property
    def has_unicast_address(self) -> bool:
        """Whether the address is a number that names one host, or the 0.0.0.0 of a held stream."""
        return _is_unicast(self.address)


@lru_cache(MAX_ADDRESSES)
def _is_unicast(text: str) -> bool:
    if ":" not in text and not _IPV4(text):
        return False
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not (address.is_multicast or text == "255.255.255.255" or "%" in text)


def remote_streams(description: SessionDescription) -> tuple[RemoteStream, ...]:
    """Every m= line of a peer's description in order; raises RemoteError when one cannot be read."""
    session_connection = description.connection
    session_direction = _direction(description.attributes()) or "sendrecv"
    return tuple(
        [
            _read_stream(i, media, session_connection.address if session_connection else "", session_direction)
            for i, media in enumerate(description.media)
        ]
    )


def _read_stream(index: int, media: Media, session_address: str, session_direction: str) -> RemoteStream:
    connection = media.connection
    address = connection.address if connection else session_address
    attributes = media.attributes()
    direction = _direction(attributes) or session_direction
    if address in _HELD:
        direction = "sendonly" if direction.startswith("send") else "inactive"
    port = media.port
    first = dict(reversed(attributes))  # the first of each name wins
    rtcp_address, rtcp_port = _rtcp(first.get("rtcp"), address, port)
    codecs: list[Codec] = []
    events: list[Codec] = []
    if _RTP_PROTOCOLS(media.protocol):
        for codec in _codecs(media.formats, tuple([one for one in attributes if one[0] in _DESCRIBING])):
            if codec.name == EVENT:
                events.append(codec)
            elif codec.name != COMFORT_NOISE:
                codecs.append(codec)
    return RemoteStream(
        index=index,
        kind=media.kind,
        protocol=media.protocol,
        address=address,
        port=port,
        rtcp_address=rtcp_address,
        rtcp_port=rtcp_port,
        rtcp_mux="rtcp-mux" in first,
        codecs=tuple(codecs),
        events=tuple(events),
        direction=direction,
        ptime=_milliseconds(first.get("ptime")),
        maxptime=_milliseconds(first.get("maxptime")),
        rejected=port == 0,
        formats=media.formats,
        rtcp_wanted=not any(letter == "b" and text.strip() == "RR:0" for letter, text in media.lines),
        crypto=sdes.read_all(value for name, value in attributes if name == "crypto" and value is not None),
    )


def _direction(attributes: Sequence[Attribute]) -> str | None:
    return next((name for name, value in attributes if value is None and name in DIRECTIONS), None)


def _rtcp(text: str | None, address: str, port: int) -> tuple[str, int]:
    """RFC 3605; what cannot be read there is as if it were absent."""
    match = _RTCP(text) if text else None
    if match is not None and 0 < int(match[1]) <= 65535:
        return match[2] or address, int(match[1])
    return address, min(port + 1, 65535)


def _milliseconds(text: str | None) -> int | None:
    digits = (text or "").strip(" \t").partition(".")[0]
    if digits.isascii() and digits.isdigit() and len(digits) <= 5 and 0 < int(digits) <= MAX_PACKET_TIME_MS:
        return int(digits)
    return None


@lru_cache(MAX_TABLES)
def _codecs(formats: tuple[str, ...], attributes: tuple[Attribute, ...]) -> tuple[Codec, ...]:
    """Formats in the order of the m= line, named by rtpmap or by RFC 3551; what has no name is left out."""
    named: dict[int, tuple[str, int, int]] = {}
    parameters: dict[int, str] = {}
    for name, value in attributes:
        if name == "rtpmap" and (match := _RTPMAP(value or "")):
            clock_hz = int(match[3])
            if clock_hz:
                written = match[2]
                shape = (_NAMES.get(written.lower(), written), clock_hz, int(match[4] or 1) or 1)
                named.setdefault(int(match[1]), shape)
        elif name == "fmtp" and (match := _FMTP(value or "")):
            parameters.setdefault(int(match[1]), match[2].strip(" \t"))
    found: dict[int, Codec] = {}
    for text in formats:
        if _PAYLOAD_TYPE(text) is None or (payload_type := int(text)) > 127 or payload_type in found:
            continue
        what = named.get(payload_type) or _STATIC.get(payload_type)
        if what is not None:
            found[payload_type] = Codec(*what, payload_type, parameters.get(payload_type, ""))
    return tuple(found.values())


def audio(streams: Sequence[RemoteStream], srtp: SrtpPolicy = "off") -> RemoteStream:
    """The first audio stream we can talk to under this policy; raises NotAcceptable (488) when there is none."""
    seen = "no audio stream"
    for stream in streams:
        if stream.kind != "audio":
            continue
        if stream.rejected:
            seen = "audio refused"
        elif stream.protocol not in (_PLAIN_RTP if srtp == "off" else _PLAIN_RTP | _SECURE_RTP):
            seen = f"audio over {stream.protocol[:40]}"
        elif not stream.crypto and (srtp == "required" or stream.is_secure):
            seen = "no SRTP key that can be used"
        elif not stream.codecs:
            seen = "no audio codec named"
        elif not stream.has_unicast_address:
            seen = f"audio address {stream.address[:80]!r}"
        else:
            return stream
    raise NotAcceptable(seen)


def common(offered: Sequence[Codec], allowed: Sequence[str]) -> tuple[Codec, ...]:
    """The offered codecs that `allowed` names (any case), in the order of `allowed`, with the offer's payload types."""
    found: list[Codec] = []
    for name in allowed:
        lower = name.lower()
        shape = _SHAPES.get(lower)
        for codec in offered:
            fits = shape is None or (codec.clock_hz, codec.channels) == shape
            if codec.name.lower() == lower and fits and codec not in found:
                found.append(codec)
    return tuple(found)


def event_for(codec: Codec, events: Sequence[Codec]) -> Codec | None:
    """The telephone-event that goes with a codec: of the same clock, else at 8000 Hz (RFC 4733 section 2.1)."""
    for clock_hz in (codec.clock_hz, 8000):
        for event in events:
            if event.clock_hz == clock_hz:
                return event
    return None


def answer_direction(offered: str) -> str:
    """The direction of an answer that takes everything the offer allows (RFC 3264 section 6.1)."""
    try:
        return _ANSWERS[offered]
    except KeyError:
        raise LocalError(f"no direction {offered!r}") from None


@dataclass(frozen=True)
class LocalStream:
    """One m= line of ours. Port 0 refuses the stream; `codecs` then may be empty and `formats` is written as it came.

    `codecs` are in order of preference and include telephone-event. `rtcp_port` 0 means port + 1. `crypto` are SRTP
    keys of ours. `attributes` are further `a=` lines, without the letter, of a stream that is passed through.
    """

    kind: str
    address: str
    port: int
    codecs: tuple[Codec, ...] = ()
    direction: str = "sendrecv"
    ptime: int | None = None
    protocol: str = "RTP/AVP"
    formats: tuple[str, ...] = ()
    rtcp_port: int = 0
    rtcp_mux: bool = False
    attributes: tuple[str, ...] = ()
    crypto: tuple[Crypto, ...] = ()

    def lines(self, session_address: str) -> list[str]:
        """The section as lines without line ends; `session_address` is what the session's own c= says."""
        formats = [str(codec.payload_type) for codec in self.codecs] or list(self.formats) or ["0"]
        lines = [" ".join((f"m={self.kind}", str(self.port), self.protocol, *formats))]
        if self.port == 0:
            return lines
        if self.address != session_address:
            lines.append(f"c={_connection(self.address)}")
        for codec in self.codecs:
            lines.append(f"a=rtpmap:{codec.payload_type} {codec.key}")
            if codec.fmtp:
                lines.append(f"a=fmtp:{codec.payload_type} {codec.fmtp}")
        if self.ptime is not None:
            lines.append(f"a=ptime:{self.ptime}")
        if self.rtcp_mux:
            lines.append("a=rtcp-mux")
        elif self.rtcp_port not in (0, self.port + 1):
            lines.append(f"a=rtcp:{self.rtcp_port}")
        lines += [f"a=crypto:{crypto}" for crypto in self.crypto]
        lines += [f"a={attribute}" for attribute in self.attributes]
        lines.append(f"a={self.direction}")
        return lines


def refuse(stream: RemoteStream) -> LocalStream:
    """The m= line that turns a stream down: port 0, formats as offered (RFC 3264 section 6)."""
    return LocalStream(stream.kind, stream.address, 0, protocol=stream.protocol, formats=stream.formats)


def check_answer(offered: Sequence[LocalStream], answered: Sequence[RemoteStream]) -> None:
    """Raise NotAcceptable unless the answer has the offer's m= lines, in its order (RFC 3264 section 6)."""
    if [stream.kind for stream in offered] != [stream.kind for stream in answered]:
        raise NotAcceptable("the answer's m= lines are not those of the offer")


class LocalSession:
    """Our side of one leg's session: one o= line whose version grows by one whenever the description changes."""

    def __init__(self, session_id: int, address: str, version: int = 1) -> None:
        self.session_id = session_id
        self.address = address
        self.version = version
        self._streams: tuple[LocalStream, ...] = ()
        self._body: str | None = None

    @property
    def streams(self) -> tuple[LocalStream, ...]:
        """What the last description said."""
        return self._streams

    def render(self, streams: Sequence[LocalStream]) -> bytes:
        """The description of these streams; raises LocalError when m= lines vanish, move or hold what cannot be sent.

        The kind of a line may change only where it was refused before (RFC 3264 section 8.1).
        """
        self._check(streams)
        session_address = next((stream.address for stream in streams if stream.port), self.address)
        lines = ["s=-", f"c={_connection(session_address)}", "t=0 0"]
        for stream in streams:
            lines += stream.lines(session_address)
        body = "\r\n".join(lines) + "\r\n"
        if body.count("\n") != len(lines) or body.count("\r") != len(lines) or "\0" in body:
            raise LocalError("CR, LF or NUL in a session description")
        if self._body is not None and body != self._body:
            self.version += 1
        self._body, self._streams = body, tuple(streams)
        origin = f"o=- {self.session_id} {self.version} IN {_address_type(self.address)} {self.address}"
        return f"v=0\r\n{origin}\r\n{body}".encode()

    def _check(self, streams: Sequence[LocalStream]) -> None:
        if len(streams) < len(self._streams):
            raise LocalError(f"{len(streams)} m= lines after {len(self._streams)}")
        for old, new in zip(self._streams, streams, strict=False):
            if old.port and old.kind != new.kind:
                raise LocalError(f"m={old.kind} became m={new.kind}")
        for stream in streams:
            if stream.direction not in _ANSWERS or not 0 <= stream.port <= 65535:
                raise LocalError(f"m={stream.kind}: port {stream.port}, direction {stream.direction!r}")
            if stream.port and not (stream.codecs or stream.formats):
                raise LocalError(f"m={stream.kind} without a format")


def _address_type(address: str) -> str:
    return "IP6" if ":" in address else "IP4"


def _connection(address: str) -> str:
    return f"IN {_address_type(address)} {address}"
