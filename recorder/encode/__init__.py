"""Mixdowns as files: WAV, FLAC, Opus, MP3; peaks and a picture of the wave beside them."""

from santral.recorder.encode.container import FORMATS, EncodeError
from santral.recorder.encode.saving import Written, described, save

__all__ = ["FORMATS", "EncodeError", "Written", "described", "save"]
