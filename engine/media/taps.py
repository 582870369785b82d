"""A tap on one side of a leg, as its consumer reads it: packets with their numbers and arrival times, never samples."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from santral.engine.media.core.stage.tap import TapRing
from santral.engine.media.model import Side

RECORD_BYTES: Final = 40 + 1460  # the largest usual packet
PACKETS_PER_S: Final = 100  # 10 ms packets


@dataclass(frozen=True, slots=True)
class TapPacket:
    """One packet of the tapped side. `payload` is None where it is masked: silence of so many `octets` is meant."""

    arrival_ns: int  # CLOCK_MONOTONIC; of the heard side: when it was sent
    timestamp: int
    sequence: int
    ssrc: int
    payload_type: int
    codec: str  # codec key
    marker: bool
    payload: bytes | None
    octets: int


class LentTap:
    """A ring that a media thread has until `given_back`, which the event loop calls."""

    def __init__(self, ring: TapRing, serial: int, side: Side) -> None:
        self.serial: Final = serial
        self.side: Final = side
        self.ring: Final = ring

    def given_back(self) -> None:
        """Nothing more is put into the ring; what is in it can still be read."""
        self.ring.close()


class Tap(LentTap):
    """Made by `MediaLeg.tap`. `read` takes what has been published since; what found no room is in `overruns`."""

    def __init__(
        self, ring: TapRing, serial: int, side: Side, names: Callable[[int], str], let_go: Callable[[LentTap], None]
    ) -> None:
        super().__init__(ring, serial, side)
        self._names = names
        self._let_go = let_go
        self._is_open = True

    @property
    def fd(self) -> int:
        """An eventfd that is readable when there is something to read; -1 once closed."""
        return self.ring.fd

    @property
    def overruns(self) -> int:
        return self.ring.overruns

    def read(self) -> list[TapPacket]:
        return [
            TapPacket(arrival, timestamp, sequence, ssrc, payload_type, self._names(codec), marker, payload, octets)
            for arrival, timestamp, sequence, ssrc, payload_type, codec, marker, payload, octets in self.ring.read()
        ]

    def close(self) -> None:
        """Take no more; what is in the ring can still be read."""
        if self._is_open:
            self._is_open = False
            self._let_go(self)


def ring_bytes(capacity_ms: int) -> int:
    """Room for so much of the densest usual stream."""
    return max(1, capacity_ms * PACKETS_PER_S // 1000) * RECORD_BYTES
