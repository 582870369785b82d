"""RTP as a phone writes and reads it: packets, RFC 4733 digits, audio placed by timestamps. No sockets, no clock."""

import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from santral.bench.peer import g711

FRAME_MS: Final = 20
FRAME_SAMPLES: Final = 160  # 20 ms at 8 kHz
NS_PER_SAMPLE: Final = 125_000
KEYS: Final = "0123456789*#ABCD"  # RFC 4733 table 3, events 0 to 15
END_PACKETS: Final = 3  # RFC 4733 2.5.1.4: the final packet is sent three times
EVENT_VOLUME: Final = 10  # -dBm0
MAX_SPAN_SAMPLES: Final = 300 * 8_000  # what heard timestamps may span; beyond, the stream is called broken


class Frame(NamedTuple):
    """One packet to be sent: `tick` counts 20 ms steps from the start, `timestamp` samples from the start."""

    tick: int
    payload_type: int
    marker: bool
    timestamp: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Script:
    """What a phone says: silence, then audio, then digits, then silence until it is told to stop."""

    codec: str
    audio: bytes  # already coded, a whole number of frames
    digits: str = ""
    event_payload_type: int = 101
    lead_in_ticks: int = 15
    digit_ticks: int = 5
    gap_ticks: int = 4

    def ticks(self) -> int:
        """How long the script lasts before the endless silence."""
        speech = len(self.audio) // FRAME_SAMPLES
        return self.lead_in_ticks + speech + len(self.digits) * (self.gap_ticks + self.digit_ticks + END_PACKETS)

    def frames(self) -> Iterator[Frame]:
        payload_type = g711.PAYLOAD_TYPES[self.codec]
        silence = bytes([g711.SILENCE[self.codec]]) * FRAME_SAMPLES
        opening = [silence] * self.lead_in_ticks
        speech = [self.audio[at : at + FRAME_SAMPLES] for at in range(0, len(self.audio), FRAME_SAMPLES)]
        tick = 0
        for payload in opening + speech:
            yield Frame(tick, payload_type, tick == 0, tick * FRAME_SAMPLES, payload)
            tick += 1
        for key in self.digits:
            for _ in range(self.gap_ticks):
                yield Frame(tick, payload_type, False, tick * FRAME_SAMPLES, silence)
                tick += 1
            yield from self._press(key, tick)
            tick += self.digit_ticks + END_PACKETS
        while True:
            yield Frame(tick, payload_type, False, tick * FRAME_SAMPLES, silence)
            tick += 1

    def _press(self, key: str, tick: int) -> Iterator[Frame]:
        """RFC 4733 2.5.1: one timestamp, growing duration, marker on the first, the end sent three times."""
        timestamp = tick * FRAME_SAMPLES
        for step in range(self.digit_ticks + END_PACKETS):
            ended = step >= self.digit_ticks
            duration = min(step + 1, self.digit_ticks) * FRAME_SAMPLES
            payload = struct.pack("!BBH", KEYS.index(key), (0x80 if ended else 0) | EVENT_VOLUME, duration)
            yield Frame(tick + step, self.event_payload_type, step == 0, timestamp, payload)


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet (RFC 3550 5.1) with when and whence it came."""

    at_ns: int
    source: tuple[str, int]
    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes

    @classmethod
    def parse(cls, data: bytes, at_ns: int, source: tuple[str, int]) -> Self | None:
        """None for anything that is not a plain RTP version 2 packet."""
        if len(data) < 12 or data[0] >> 6 != 2:
            return None
        first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
        start = 12 + 4 * (first & 15)
        if first & 0x10:
            if len(data) < start + 4:
                return None
            start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4])
        end = len(data) - (data[-1] if first & 0x20 else 0)
        if start > end:
            return None
        return cls(at_ns, source, second & 0x7F, bool(second & 0x80), sequence, timestamp, ssrc, data[start:end])


def pack(frame: Frame, sequence: int, timestamp_base: int, ssrc: int) -> bytes:
    second = (0x80 if frame.marker else 0) | frame.payload_type
    timestamp = (timestamp_base + frame.timestamp) & 0xFFFFFFFF
    return struct.pack("!BBHII", 0x80, second, sequence & 0xFFFF, timestamp, ssrc) + frame.payload


@dataclass(frozen=True, slots=True)
class Digit:
    key: str
    duration_ms: int
    packets: int
    ended: bool  # a packet with the E bit was seen


def digits(packets: Iterable[Packet], event_payload_type: int) -> list[Digit]:
    """Keys in order of their first packet; one key press is one timestamp of one SSRC (RFC 4733 2.5.1.2)."""
    presses: dict[tuple[int, int], list[tuple[int, bool, int]]] = {}
    for packet in packets:
        if packet.payload_type == event_payload_type and len(packet.payload) >= 4:
            event, flags, duration = struct.unpack_from("!BBH", packet.payload)
            presses.setdefault((packet.ssrc, packet.timestamp), []).append((event, bool(flags & 0x80), duration))
    return [
        Digit(
            key=KEYS[seen[0][0]] if seen[0][0] < len(KEYS) else f"?{seen[0][0]}",
            duration_ms=max(duration for _, _, duration in seen) // 8,
            packets=len(seen),
            ended=any(ended for _, ended, _ in seen),
        )
        for seen in presses.values()
    ]


@dataclass(frozen=True, slots=True)
class Heard:
    """Audio as it would have sounded: each packet at its timestamp, gaps silent."""

    samples: NDArray[np.int16]
    origin_ns: int  # monotonic time of sample 0, by the packet that came with the least delay; 0 if nothing came


def _signed(difference: int, bits: int) -> int:
    half = 1 << (bits - 1)
    return (difference + half) % (1 << bits) - half


def place(packets: Sequence[Packet]) -> Heard:
    """Put G.711 packets on one line by timestamp. A new SSRC continues where its arrival time says."""
    names = {payload_type: name for name, payload_type in g711.PAYLOAD_TYPES.items()}
    audio = [packet for packet in packets if packet.payload_type in names]
    if not audio:
        return Heard(np.zeros(0, np.int16), 0)
    start_ns = audio[0].at_ns
    bases: dict[int, tuple[int, int]] = {}  # of each SSRC: timestamp and place of its first packet
    placed: list[tuple[int, Packet]] = []
    for packet in audio:
        first = packet.timestamp, (packet.at_ns - start_ns) // NS_PER_SAMPLE
        base_timestamp, base_place = bases.setdefault(packet.ssrc, first)
        at = base_place + _signed(packet.timestamp - base_timestamp, 32)
        if abs(at) > MAX_SPAN_SAMPLES:
            raise ValueError(f"RTP timestamp jumps by {at / 8000:.0f} s")
        placed.append((at, packet))
    earliest = min(at for at, _ in placed)
    end = max(at + len(packet.payload) for at, packet in placed)
    samples = np.zeros(end - earliest, np.int16)
    for at, packet in placed:
        samples[at - earliest : at - earliest + len(packet.payload)] = g711.decode(
            packet.payload, names[packet.payload_type]
        )
    origin_ns = min(packet.at_ns - (at - earliest) * NS_PER_SAMPLE for at, packet in placed)
    return Heard(samples, origin_ns)


def summary(packets: Sequence[Packet]) -> dict[str, Any]:
    """What was seen on the wire, for the report: counts, loss by sequence numbers per SSRC, sources, payload types."""
    by_ssrc: dict[int, list[int]] = {}
    for packet in packets:
        seen = by_ssrc.setdefault(packet.ssrc, [])
        seen.append(seen[-1] + _signed(packet.sequence - seen[-1], 16) if seen else packet.sequence)
    unique = {ssrc: set(seen) for ssrc, seen in by_ssrc.items()}
    return {
        "packets": len(packets),
        "lost": sum(max(seen) - min(seen) + 1 - len(seen) for seen in unique.values()),
        "duplicate": len(packets) - sum(len(seen) for seen in unique.values()),
        "reordered": sum(sum(b < a for a, b in pairwise(seen)) for seen in by_ssrc.values()),
        "ssrcs": len(by_ssrc),
        "sources": sorted({f"{host}:{port}" for host, port in (packet.source for packet in packets)}),
        "payload_types": {str(key): count for key, count in sorted(Counter(p.payload_type for p in packets).items())},
        "first_at_ns": packets[0].at_ns if packets else 0,
    }
