"""What a capture file holds, as values: header, notes, rows of packets. The bytes: docs/capture-format.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime_ns
from typing import Any, Final, Literal, Self

import numpy as np

from santral.recorder.capture.clock import is_synchronised

Clock = Literal["synchronised", "unsynchronised", "unknown"]

MARKER: Final = 1  # bits of `flags`
MASKED: Final = 2
KEY_BYTES: Final = 32
MAX_WRAPPED_BYTES: Final = 1024

PACKET: Final = np.dtype(
    {
        "names": [
            "stream", "codec", "flags", "payload_type", "sequence", "octets", "length", "timestamp", "ssrc",
            "arrival_ns", "offset",
        ],
        "formats": ["<u2", "u1", "u1", "u1", "<u2", "<u2", "<u2", "<u4", "<u4", "<i8", "<i8"],
        "offsets": [0, 2, 3, 4, 6, 8, 10, 12, 16, 24, 32],
        "itemsize": 40,
    }
)  # fmt: skip


class CaptureError(Exception):
    """Everything that captures raise."""


class NotACapture(CaptureError):  # noqa: N818 - reads as the state it is
    """The file does not begin as a capture of a version known here, and neither copy of its header is sound."""


class KeyNeeded(CaptureError):  # noqa: N818
    """The capture is encrypted, and its data key was not given, or is not the one."""


@dataclass(frozen=True, slots=True)
class CaptureKey:
    """The data key of one capture, and of no other, since nonces count from 0; and as only its owner can unwrap it."""

    data: bytes = field(repr=False)
    wrapped: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.data) != KEY_BYTES:
            raise ValueError(f"a data key has {KEY_BYTES} bytes")
        if not 0 < len(self.wrapped) <= MAX_WRAPPED_BYTES:
            raise ValueError(f"a wrapped key has 1 to {MAX_WRAPPED_BYTES} bytes")


@dataclass(frozen=True, slots=True)
class CaptureHeader:
    """Which recording it is, and what its monotonic times mean. `meta` is for those who finish the recording."""

    recording: str
    tenant: str
    node: str
    monotonic_ns: int  # CLOCK_MONOTONIC of the node …
    utc_ns: int  # … at this time since 1970-01-01
    clock: Clock = "unknown"  # whether UTC was in step with a reference then
    meta: Mapping[str, Any] = field(default_factory=dict)
    wrapped: bytes = field(default=b"", repr=False)  # the data key; empty: the capture is not encrypted

    @classmethod
    def now(cls, recording: str, tenant: str, node: str, meta: Mapping[str, Any] | None = None) -> Self:
        """Of a recording that begins now, here."""
        before = clock_gettime_ns(CLOCK_MONOTONIC)
        utc = clock_gettime_ns(CLOCK_REALTIME)
        after = clock_gettime_ns(CLOCK_MONOTONIC)
        clocks: dict[bool | None, Clock] = {True: "synchronised", False: "unsynchronised", None: "unknown"}
        return cls(recording, tenant, node, (before + after) // 2, utc, clocks[is_synchronised()], meta or {})

    def utc_of(self, monotonic_ns: int) -> int:
        """Nanoseconds since 1970-01-01 UTC of a time in this capture."""
        return self.utc_ns + monotonic_ns - self.monotonic_ns


@dataclass(frozen=True, slots=True)
class Note:
    """Anything but a packet: who is who, who hears whom, what was cut. Fields per kind: docs/capture-format.md."""

    at_ns: int  # CLOCK_MONOTONIC
    kind: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that cannot be used: "header", "chunk" (its head), "body" (sum), "seal" (tag), "records", "missing"."""

    at: int
    bytes: int
    why: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What some chunks hold. `packets["offset"]` and `["length"]` point into `payloads`."""

    packets: np.ndarray[Any, np.dtype[np.void]]
    payloads: bytes
    notes: list[Note]

    def __bool__(self) -> bool:
        return len(self.packets) > 0 or bool(self.notes)

    def payload(self, row: int) -> bytes:
        """Of one packet; empty where it is masked."""
        at = int(self.packets["offset"][row])
        return self.payloads[at : at + int(self.packets["length"][row])]
