"""What a mixdown is told and what it answers, as values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

Channels = Literal["mono", "stereo"]
Loss = Literal["conceal", "silence"]
Held = Literal["record", "silence"]
Digits = Literal["tones", "silence"]
RATES: Final = (8000, 16000, 24000, 44100, 48000)


@dataclass(frozen=True, slots=True)
class Options:
    """What is to be made of a capture. `stereo`: who called on the left, who was connected on the right."""

    channels: Channels = "stereo"
    tracks: bool = False  # besides the mix one track for each leg or member
    rate_hz: int = 0  # of RATES; 0: the highest of the codecs that are used at the beginning
    loss: Loss = "conceal"
    held: Held = "record"  # what somebody sends who has put the other on hold
    digits: Digits = "tones"  # what is heard of digits that were sent as events (RFC 4733)

    def __post_init__(self) -> None:
        for value, known in ((self.channels, Channels), (self.loss, Loss), (self.held, Held), (self.digits, Digits)):
            if value not in get_args(known):
                raise ValueError(f"{value!r} is none of {', '.join(get_args(known))}")
        if self.rate_hz and self.rate_hz not in RATES:
            raise ValueError(f"{self.rate_hz} Hz is none of {', '.join(map(str, RATES))}")

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> Self:
        """As the header of a capture wishes; what it does not say, or says wrongly, is as usual."""
        known: dict[str, Any] = {}
        for name in ("channels", "tracks", "rate_hz", "loss", "held", "digits"):
            value = meta.get(name)
            if value is None or type(value) is not type(getattr(cls(), name)):
                continue
            try:
                cls(**{name: value})
            except ValueError:
                continue
            known[name] = value
        return cls(**known)


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """One file's worth of channels: the mix (no name), or one leg's."""

    name: str
    channels: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Some consecutive frames of one track. `at` counts its frames from the start of the audio."""

    track: TrackInfo
    at: int
    samples: NDArray[np.int16]  # [frames, channels]


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds of the audio: lost, masked, unreadable or held on one stream; or paused, masked, connected as a whole."""

    what: str
    start: float
    end: float
    stream: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a mixdown was made of. Times without a unit are seconds of the audio."""

    recording: str
    seconds: float
    rate_hz: int
    tracks: tuple[TrackInfo, ...]
    started_utc_ns: int
    ended_utc_ns: int
    clock: str  # whether UTC was in step with a reference
    recovered: bool  # the capture was cut: its writer was killed
    end_reason: str
    masked_ms: int
    paused_ms: int  # of silence kept in the audio
    cut_ms: int  # that was paused and is not in it
    streams: tuple[Mapping[str, Any], ...]  # who each was, and what happened to its packets
    spans: tuple[Span, ...]
    damage: tuple[str, ...]

    def to_map(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
