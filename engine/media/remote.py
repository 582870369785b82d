"""Turns a `RemoteMedia` into the flat values that a media thread reads: packed addresses, two payload tables, flags."""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Final, NamedTuple, Self

from santral.codecs import CODECS, Codec
from santral.engine.media.model import (
    MAX_CNAME_BYTES,
    MAX_LATCH_NETWORKS,
    TELEPHONE_EVENT,
    MediaError,
    RemoteMedia,
)
from santral.engine.media.quality import IMPAIRMENTS, Impairment

MAX_CODECS: Final = 64  # codec keys one plane can tell apart
UNMAPPED: Final = 255  # in a send table: the peer has no number for this codec
PAYLOAD_TYPES: Final = 128
MAX_ADDRESSES: Final = 1024  # remembered with their meaning: calls come from few places
MAX_TABLES: Final = 256  # likewise: peers number their codecs in few ways
CNAME_BITS: Final = 96  # RFC 7022 section 4.2
FRAME_MS: Final = 20
MAX_FRAME_MS: Final = 60  # of packets that we make
DEFAULT_HZ: Final = 8000
COMFORT_NOISE: Final = "CN"
UNRATED: Final = Impairment(-1.0, 1.0)
KEYS: Final = ("rfc4733", "inband", "info")  # as `keys_way_t` counts them
MAPPED_PREFIX_BITS: Final = 96  # an IPv4 network is matched as ::ffff:a.b.c.d/96+n

_BY_LOWER_KEY: Final = {key.lower(): codec for key, codec in CODECS.items()}


class Tables(NamedTuple):
    """What a peer's numbers for its codecs come to; fields as `RemoteWire` has them."""

    receives: bytes
    sends: bytes
    events: bytes
    noises: bytes
    clocks: tuple[int, ...]
    rows: tuple[Codec | None, ...]
    first_codec: int
    event_codec: int
    factors: Impairment


class CodecKeys:
    """Numbers codec keys ("PCMU/8000") from 1 up, since the media threads compare small integers."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._tables: dict[tuple[tuple[tuple[int, str], ...], tuple[tuple[str, int], ...]], Tables] = {}

    def number(self, key: str) -> int:
        if key not in self._numbers:
            if len(self._numbers) == MAX_CODECS - 1:
                raise MediaError(f"more than {MAX_CODECS - 1} different codecs")
            self._numbers[key] = len(self._numbers) + 1
        return self._numbers[key]

    def __len__(self) -> int:
        return len(self._numbers)

    def all(self) -> list[tuple[int, str]]:
        """Every number with its key. May be asked by any thread."""
        return [(number, key) for key, number in list(self._numbers.items())]

    def name(self, number: int) -> str:
        """The key of a number, empty for one never given."""
        return next((key for key, one in self._numbers.items() if one == number), "")

    def tables(self, remote: RemoteMedia) -> Tables:
        """The tables for this peer's numbers, made once for all peers that number alike. Raises `MediaError`."""
        numbers = tuple(remote.receives.items()), tuple(remote.sends.items())
        found = self._tables.get(numbers)
        if found is None:
            if len(self._tables) >= MAX_TABLES:
                self._tables.clear()
            found = self._tables[numbers] = self._make_tables(remote)
        return found

    def _make_tables(self, remote: RemoteMedia) -> Tables:
        receives, sends = bytearray(PAYLOAD_TYPES), bytearray([UNMAPPED]) * MAX_CODECS
        events, noises, clocks = bytearray(MAX_CODECS), bytearray(MAX_CODECS), [0] * MAX_CODECS
        rows: list[Codec | None] = [None] * MAX_CODECS
        for payload_type, key in [*remote.receives.items(), *((pt, key) for key, pt in remote.sends.items())]:
            if not 0 <= payload_type < PAYLOAD_TYPES:
                raise MediaError(f"payload type {payload_type}")
            number = self.number(key)
            events[number] = is_event(key)
            noises[number] = is_noise(key)
            clocks[number] = _clock_hz(key)
            rows[number] = codec_of(key)
        for payload_type, key in remote.receives.items():
            receives[payload_type] = self.number(key)
        for key, payload_type in remote.sends.items():
            sends[self.number(key)] = payload_type
        return Tables(
            bytes(receives),
            bytes(sends),
            bytes(events),
            bytes(noises),
            tuple(clocks),
            tuple(rows),
            first_codec=next((self.number(key) for key in remote.sends if codec_of(key)), 0),
            event_codec=_event_codec(remote, self),
            factors=IMPAIRMENTS.get(_likely(remote), UNRATED),
        )


@dataclass(frozen=True)
class RemoteWire:
    """What the `set_remote` command carries. Table values are the numbers of `CodecKeys`, or 0 and `UNMAPPED`."""

    address: bytes  # packed, 4 or 16 bytes
    port: int
    rtcp_address: bytes
    rtcp_port: int
    networks: tuple[tuple[bytes, int], ...]  # 16 bytes, prefix length
    receives: bytes  # payload type -> codec
    sends: bytes  # codec -> payload type
    events: bytes  # codec -> 1 when it is telephone-event
    noises: bytes  # codec -> 1 when it is comfort noise
    clocks: tuple[int, ...]  # codec -> Hz
    peer_sends: bool
    peer_receives: bool
    rtcp_mux: bool
    rtcp: bool
    may_pause: bool
    cname: bytes
    rows: tuple[Codec | None, ...]  # codec -> what is known of it
    first_codec: int  # that it is sent, 0: none that we know
    frame_ms: int  # packets it asked for, 0: any
    event_codec: int  # the telephone-event it is sent, 0: none
    keys: int  # one of `KEYS`
    ie: float  # impairment of the codec the peer most likely speaks, -1: not known
    bpl: float

    @classmethod
    def of(cls, remote: RemoteMedia, keys: CodecKeys, own_address: str, chance: Random) -> Self:
        """Raises `MediaError` for an address of the wrong family, a port or payload type out of range."""
        version = _parsed(own_address).version
        tables = keys.tables(remote)
        if len(remote.latch_networks) > MAX_LATCH_NETWORKS:
            raise MediaError(f"more than {MAX_LATCH_NETWORKS} latch networks")
        address, port = _endpoint(remote.address, remote.port, version)
        rtcp_address, rtcp_port = _endpoint(remote.rtcp_address or remote.address, _rtcp_port(remote), version)
        return cls(
            address=address,
            port=port,
            rtcp_address=rtcp_address,
            rtcp_port=rtcp_port,
            networks=tuple([_network(text) for text in remote.latch_networks]),
            receives=tables.receives,
            sends=tables.sends,
            events=tables.events,
            noises=tables.noises,
            clocks=tables.clocks,
            peer_sends=remote.direction in {"sendrecv", "sendonly"},
            peer_receives=remote.direction in {"sendrecv", "recvonly"},
            rtcp_mux=remote.rtcp_mux,
            rtcp=remote.rtcp,
            may_pause=remote.may_pause,
            cname=(remote.cname or f"{chance.getrandbits(CNAME_BITS):024x}").encode()[:MAX_CNAME_BYTES],
            rows=tables.rows,
            first_codec=tables.first_codec,
            frame_ms=frame_ms(remote, stated_only=True),
            event_codec=tables.event_codec,
            keys=KEYS.index(digits_way(remote)),
            ie=tables.factors.ie,
            bpl=tables.factors.bpl,
        )


def codec_of(key: str) -> Codec | None:
    """The codec of a key, however its name is written; None for one known by name only."""
    return CODECS.get(key) or _BY_LOWER_KEY.get(key.lower())


def can_transcode(key: str) -> bool:
    """Whether this codec can be decoded and encoded here; what cannot is passed through at best."""
    codec = codec_of(key)
    return codec is not None and codec.can_transcode


def rate_of(key: str) -> int:
    """Samples a second at which audio for this codec is best prepared."""
    codec = codec_of(key)
    return codec.sample_hz if codec is not None else DEFAULT_HZ


def first_encodable(remote: RemoteMedia) -> str | None:
    """The codec key that we encode to for this peer."""
    return next((key for key in remote.sends if can_transcode(key)), None)


def frame_ms(remote: RemoteMedia, *, stated_only: bool = False) -> int:
    """Length of the packets the peer wants; where it states none, 0 or our usual."""
    if not remote.ptime_ms and not remote.maxptime_ms and stated_only:
        return 0
    wanted = remote.ptime_ms or FRAME_MS
    return min(wanted, remote.maxptime_ms or wanted, MAX_FRAME_MS)


def digits_way(remote: RemoteMedia) -> str:
    """How the peer is told digits: "rfc4733", "inband" or "info"."""
    if remote.dtmf != "auto":
        return remote.dtmf
    return "rfc4733" if any(is_event(key) for key in remote.sends) else "inband"


def _likely(remote: RemoteMedia) -> str:
    """The codec key the peer most likely speaks: what it likes to hear itself, if we take that."""
    said = set(remote.receives.values())
    return next((key for key in remote.sends if key in said and not is_event(key)), "")


def is_event(key: str) -> bool:
    return key.partition("/")[0] == TELEPHONE_EVENT


def is_noise(key: str) -> bool:
    """RFC 3389."""
    return key.partition("/")[0] == COMFORT_NOISE


def _event_codec(remote: RemoteMedia, keys: CodecKeys) -> int:
    """The one with the clock of the audio, if there is one (RFC 4733 §2.1)."""
    events = [key for key in remote.sends if is_event(key)]
    clock = next((_clock_hz(key) for key in remote.sends if not is_event(key)), 0)
    events.sort(key=lambda key: _clock_hz(key) != clock)
    return keys.number(events[0]) if events else 0


def _clock_hz(key: str) -> int:
    """`PCMU/8000` or `opus/48000/2`: name, clock, channels."""
    parts = key.split("/")
    if len(parts) < 2 or not parts[1].isdecimal() or not 1000 <= int(parts[1]) <= 192_000:
        raise MediaError(f"codec key {key[:40]!r} has no clock rate")
    return int(parts[1])


@lru_cache(maxsize=MAX_ADDRESSES)
def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(address)


def _rtcp_port(remote: RemoteMedia) -> int:
    return remote.rtcp_port or (remote.port + 1 if 0 < remote.port < 65535 else 0)


def _endpoint(address: str, port: int, version: int) -> tuple[bytes, int]:
    """Packed address and port. An unspecified address, the old way to hold (RFC 3264 §8.4), gives port 0: send nothing.

    As a target the kernel would take 0.0.0.0 for this host.
    """
    packed, own_version, is_multicast, is_unspecified = _looked_at(address)
    if own_version != version:
        raise MediaError(f"{address} is not of the leg's own address family, IPv{version}")
    if is_multicast or not 0 <= port <= 65535:
        raise MediaError(f"not a unicast address and port: {address} {port}")
    return packed, 0 if is_unspecified else port


@lru_cache(maxsize=MAX_ADDRESSES)
def _looked_at(address: str) -> tuple[bytes, int, bool, bool]:
    """Packed, IP version, whether it is multicast, whether it is unspecified."""
    try:
        parsed = _parsed(address)
    except ValueError:
        raise MediaError(f"not an IP address: {address[:60]!r}") from None
    return parsed.packed, parsed.version, parsed.is_multicast, parsed.is_unspecified


@lru_cache(maxsize=MAX_ADDRESSES)
def _network(text: str) -> tuple[bytes, int]:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise MediaError(f"not a network: {text[:60]!r}") from None
    if isinstance(network, ipaddress.IPv4Network):
        return b"\0" * 10 + b"\xff\xff" + network.network_address.packed, MAPPED_PREFIX_BITS + network.prefixlen
    return network.network_address.packed, network.prefixlen
