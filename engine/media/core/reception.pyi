class Reception:
    """The counting of one leg, driven by hand."""

    expected: int
    lost: int
    jitter_ms: float
    def receive(
        self, sequence: int, *, timestamp: int = 0, now_ns: int = 0, ssrc: int = 1, clock_hz: int = 8000
    ) -> str: ...
    def take_fraction_lost(self) -> int: ...
