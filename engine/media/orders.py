"""Orders to players, checked and put into the memory that a media thread reads."""

from collections.abc import Sequence
from typing import Final

from santral.engine.media.audio import PreparedAudio
from santral.engine.media.core.memory.pieces import Playlist
from santral.engine.media.leg import DIGITS
from santral.engine.media.model import MediaError

GAIN_DB: Final = (-60.0, 24.0)  # of a player
ANY_DIGIT: Final = "any"


def playlist(
    play_id: int,
    audio: PreparedAudio | Sequence[PreparedAudio],
    *,
    loop: bool,
    offset_ms: int,
    gain_db: float,
    stop_on: str,
) -> Playlist:
    """Raises `MediaError` for a gain or digits that make no sense, `ValueError` for samples that cannot be played."""
    sounds = [audio] if isinstance(audio, PreparedAudio) else list(audio)
    keys = DIGITS if stop_on == ANY_DIGIT else stop_on.upper()
    if any(key not in DIGITS for key in keys):
        raise MediaError(f"stop_on: not digits: {stop_on[:20]!r}")
    if not GAIN_DB[0] <= gain_db <= GAIN_DB[1]:
        raise MediaError(f"gain {gain_db} dB is not between {GAIN_DB[0]} and {GAIN_DB[1]}")
    return Playlist(
        play_id,
        [(sound.samples, sound.rate_hz) for sound in sounds],
        loop=loop,
        gain=10 ** (gain_db / 20),
        offset_ms=offset_ms,
        stop_on=sum({1 << DIGITS.index(key) for key in keys}),
    )
