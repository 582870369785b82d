"""Capture files: what was said in a recorded call, packet by packet, as it arrived (docs/capture-format.md)."""

from santral.recorder.capture.model import (
    MARKER,
    MASKED,
    PACKET,
    Batch,
    CaptureError,
    CaptureHeader,
    CaptureKey,
    Clock,
    Damage,
    KeyNeeded,
    NotACapture,
    Note,
)
from santral.recorder.capture.reader import CaptureFile, Unwrap, is_being_written
from santral.recorder.capture.writer import CaptureWriter

__all__ = [
    "MARKER",
    "MASKED",
    "PACKET",
    "Batch",
    "CaptureError",
    "CaptureFile",
    "CaptureHeader",
    "CaptureKey",
    "CaptureWriter",
    "Clock",
    "Damage",
    "KeyNeeded",
    "NotACapture",
    "Note",
    "Unwrap",
    "is_being_written",
]
