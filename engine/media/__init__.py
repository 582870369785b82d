"""The media plane: RTP sockets, relay, transcoding, digits, players, rooms, RTCP. Audio never enters Python."""

from santral.engine.media.audio import AudioError, AudioLibrary, PreparedAudio
from santral.engine.media.capturing import Capture, CaptureEvent, CaptureReason, Captures, CaptureSummary
from santral.engine.media.leg import MediaLeg
from santral.engine.media.model import (
    Direction,
    LegClosed,
    LegStats,
    MediaError,
    MediaEvent,
    PlaneSettings,
    PortsExhausted,
    RemoteMedia,
    SrtpKeys,
)
from santral.engine.media.plane import MediaPlane
from santral.engine.media.remote import can_transcode, rate_of
from santral.engine.media.room import MediaRoom
from santral.engine.media.taps import Tap, TapPacket

__all__ = [
    "AudioError",
    "AudioLibrary",
    "Capture",
    "CaptureEvent",
    "CaptureReason",
    "CaptureSummary",
    "Captures",
    "Direction",
    "LegClosed",
    "LegStats",
    "MediaError",
    "MediaEvent",
    "MediaLeg",
    "MediaPlane",
    "MediaRoom",
    "PlaneSettings",
    "PortsExhausted",
    "PreparedAudio",
    "RemoteMedia",
    "SrtpKeys",
    "Tap",
    "TapPacket",
    "can_transcode",
    "rate_of",
]
