"""What is told of captures, as values."""

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

CaptureReason = Literal[
    "denied", "disk_full", "exists", "gone", "io", "overrun", "read_only", "slow", "too_large", ""
]  # fmt: skip
Role = Literal["originating", "connected", "member"]
PauseMode = Literal["skip", "silence"]

REASONS: Final[dict[int, CaptureReason]] = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EFBIG: "too_large",
    errno.EROFS: "read_only",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.EEXIST: "exists",
    errno.ENOENT: "gone",
    errno.ENOTDIR: "gone",
    errno.ESTALE: "gone",
    errno.ENODEV: "gone",
}


def reason_of(number: int) -> CaptureReason:
    """Of an errno."""
    return REASONS.get(number, "io")


@dataclass(frozen=True, slots=True)
class CaptureEvent:
    """A capture is in trouble, or out of it again. It goes on in either case, and so does the call.

    overrun: packets were dropped, since memory is bounded. slow: a write or a flush takes seconds. gone: the file or
    its folder. Of a file that is gone, or whose name is taken, nothing more will come; all else is tried again.
    """

    recording: str
    kind: Literal["failed", "recovered"]
    reason: CaptureReason  # of `recovered`: what is over
    detail: str
    dropped: int  # packets, so far


@dataclass(frozen=True, slots=True)
class CaptureSummary:
    """What has become of a capture. `is_complete`: closed by its end, and flushed."""

    path: Path
    packets: int  # in the file
    masked: int  # of those: without payload
    dropped: int
    bytes: int
    is_complete: bool
    failure: CaptureReason  # empty: none, or none any longer
