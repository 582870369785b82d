"""Peers with real sockets on loopback, and planes whose descriptors are counted."""

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

from santral.engine.media import LegStats, MediaEvent, MediaLeg, MediaPlane, PlaneSettings, RemoteMedia

OURS = "127.0.0.1"
BOTH_WAYS = {"receives": {0: "PCMU/8000", 8: "PCMA/8000", 101: "telephone-event/8000"}}
NUMBERS = {"PCMA/8000": 8, "PCMU/8000": 0, "telephone-event/8000": 101}


class Packet(NamedTuple):
    """One RTP packet as a peer sees it."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes

    @classmethod
    def parse(cls, wire: bytes) -> "Packet":
        first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", wire)
        assert first == 0x80
        return cls(second & 127, bool(second >> 7), sequence, timestamp, ssrc, wire[12:])


class Peer:
    """A phone: an RTP socket and an RTCP socket above it."""

    def __init__(self, host: str = OURS) -> None:
        self.host = host
        while True:
            self.rtp, self.rtcp = udp(host), udp(host)
            try:
                self.rtp.bind((host, 0))
                self.rtcp.bind((host, self.rtp.getsockname()[1] + 1))
                break
            except OSError:
                self.close()
        self.port: int = self.rtp.getsockname()[1]
        self.sequence, self.timestamp, self.ssrc = 1000, 50_000, 0x1234_0000 + self.port
        self.keepalives = 0

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()

    def send(self, leg: MediaLeg, payload: bytes = b"\xd5" * 160, payload_type: int = 8, **numbers: int) -> None:
        """One packet; sequence and timestamp move on by one frame unless they are given."""
        self.raw(leg, self.packet(payload, payload_type, **numbers))
        if not numbers:
            self.sequence, self.timestamp = (self.sequence + 1) & 0xFFFF, self.timestamp + 160

    def packet(
        self,
        payload: bytes = b"",
        payload_type: int = 8,
        *,
        sequence: int | None = None,
        timestamp: int | None = None,
        marker: int = 0,
        ssrc: int | None = None,
    ) -> bytes:
        sequence = self.sequence if sequence is None else sequence
        timestamp = self.timestamp if timestamp is None else timestamp
        head = struct.pack("!BBHII", 0x80, marker << 7 | payload_type, sequence, timestamp, ssrc or self.ssrc)
        return head + payload

    def raw(self, leg: MediaLeg, wire: bytes) -> None:
        self.rtp.sendto(wire, (leg.address, leg.port))

    def wires(self, *, rtcp: bool = False) -> list[bytes]:
        """All datagrams that have arrived."""
        found: list[bytes] = []
        with suppress(BlockingIOError):
            while True:
                found.append((self.rtcp if rtcp else self.rtp).recv(4096))
        return found

    def heard(self) -> list[Packet]:
        """What has arrived, keep-alives (payload type 20, empty) left out but counted."""
        packets = [Packet.parse(wire) for wire in self.wires()]
        self.keepalives += sum(p.payload_type == 20 for p in packets)
        return [p for p in packets if p.payload_type != 20]

    async def hears(self, count: int, within_s: float = 2.0) -> list[Packet]:
        """Wait for that many packets; whatever came by the deadline, if fewer."""
        got: list[Packet] = []
        for _ in range(int(within_s / 0.004)):
            got += self.heard()
            if len(got) >= count:
                break
            await asyncio.sleep(0.004)
        return got


def udp(host: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


@dataclass
class Stage:
    """A plane with its events, and peers to stand before it."""

    plane: MediaPlane
    events: list[MediaEvent] = field(default_factory=list)
    peers: list[Peer] = field(default_factory=list)

    def peer(self, host: str = OURS) -> Peer:
        self.peers.append(Peer(host))
        return self.peers[-1]

    def leg(self, peer: Peer, **remote: Any) -> MediaLeg:
        leg = self.plane.open_leg("::1" if ":" in peer.host else OURS)
        leg.set_remote(self.remote(peer, **remote))
        return leg

    def remote(self, peer: Peer, **remote: Any) -> RemoteMedia:
        values: dict[str, Any] = {"address": peer.host, "port": peer.port, **BOTH_WAYS, "sends": NUMBERS, **remote}
        return RemoteMedia(**values)

    def bridged(self, **remote: Any) -> tuple[Peer, MediaLeg, Peer, MediaLeg]:
        a, b = self.peer(), self.peer()
        leg_a, leg_b = self.leg(a, **remote), self.leg(b, **remote)
        self.plane.bridge(leg_a, leg_b)
        return a, leg_a, b, leg_b

    def of(self, kind: str, leg: MediaLeg | None = None) -> list[dict[str, Any]]:
        return [dict(e.data) for e in self.events if e.kind == kind and (leg is None or e.leg == leg.id)]

    async def until(self, true: Callable[[], bool], within_s: float = 2.0) -> None:
        for _ in range(int(within_s / 0.004)):
            if true():
                return
            await asyncio.sleep(0.004)
        pytest.fail("it did not happen in time")

    async def expect_counts(self, leg: MediaLeg, **expected: int) -> LegStats:
        """Wait until the counters have these values."""
        await self.until(lambda: all(getattr(leg.stats(), name) >= value for name, value in expected.items()))
        stats = leg.stats()
        assert {name: getattr(stats, name) for name in expected} == expected
        return stats


Stager = Callable[..., Stage]


@pytest.fixture
async def stager() -> AsyncIterator[Stager]:
    """Makes planes; afterwards each is stopped, and no descriptor may be left."""
    stages: list[Stage] = []
    before = descriptors()

    def make(**settings: Any) -> Stage:
        values: dict[str, Any] = {"ports": (0, 0), "max_legs": 64, **settings}
        events: list[MediaEvent] = []
        plane = MediaPlane(PlaneSettings(**values), events.append)
        stages.append(Stage(plane, events))
        plane.start(asyncio.get_running_loop())
        return stages[-1]

    yield make
    for stage in stages:
        await stage.plane.stop()
        for peer in stage.peers:
            peer.close()
    assert descriptors() <= before  # fewer, when the collector finds something of an earlier test meanwhile


@pytest.fixture
async def stage(stager: Stager) -> Stage:
    return stager()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
