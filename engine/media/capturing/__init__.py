"""Recorded calls on the event loop's side, and the two threads that bring them to disk."""

from santral.engine.media.capturing.captures import Capture, Captures
from santral.engine.media.capturing.model import CaptureEvent, CaptureReason, CaptureSummary

__all__ = ["Capture", "CaptureEvent", "CaptureReason", "CaptureSummary", "Captures"]
