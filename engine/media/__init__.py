"""The media plane: RTP sockets, relay, RTCP, players. Audio never enters Python; commands, events and counters do."""

from santral.engine.media.audio import AudioError, AudioLibrary, PreparedAudio
from santral.engine.media.model import (
    Direction,
    LegClosed,
    LegStats,
    MediaError,
    MediaEvent,
    PlaneSettings,
    PortsExhausted,
    RemoteMedia,
)
from santral.engine.media.plane import MediaLeg, MediaPlane

__all__ = [
    "AudioError",
    "AudioLibrary",
    "Direction",
    "LegClosed",
    "LegStats",
    "MediaError",
    "MediaEvent",
    "MediaLeg",
    "MediaPlane",
    "PlaneSettings",
    "PortsExhausted",
    "PreparedAudio",
    "RemoteMedia",
]
