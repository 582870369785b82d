from collections.abc import Sequence

from santral.codecs import Codec, Parameters

class Stage:
    """The stage block of one leg."""

    def __init__(self, serial: int) -> None: ...

class Voice:
    """Decoders for what a peer may send and the encoder for what it is sent."""

    def __init__(
        self,
        serial: int,
        decoders: Sequence[tuple[int, Codec, int]],
        encoder: tuple[int, Codec, int, Parameters] | None,
    ) -> None: ...
    @property
    def sample_hz(self) -> int: ...
    @property
    def n_decoders(self) -> int: ...

class Playlist:
    """What one `play` says: (samples, samples per second) one after the other."""

    def __init__(
        self,
        play_id: int,
        sounds: Sequence[tuple[bytes, int]],
        *,
        loop: bool,
        gain: float,
        offset_ms: int,
        stop_on: int,
    ) -> None: ...

class Room:
    """A conference's own memory."""

    def __init__(self, serial: int, room_id: int, rate_hz: int, tells_levels: bool, wire_codec: int) -> None: ...

class Detectors:
    """What listens to one leg."""

    def __init__(self, serial: int) -> None: ...
