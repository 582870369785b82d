"""From captures to audio: sides on tracks, what was cut and silenced, and the same while the call goes on."""

from santral.recorder.mixdown.mixing import Mixdown, Source
from santral.recorder.mixdown.model import Options, Piece, Summary, TrackInfo

__all__ = ["Mixdown", "Options", "Piece", "Source", "Summary", "TrackInfo"]
