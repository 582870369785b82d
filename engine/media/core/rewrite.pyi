class Stream:
    """One outgoing stream driven by hand: for tests."""

    def __init__(self, *, ssrc: int = 1, sequence: int = 0, timestamp: int = 0) -> None: ...
    def rewrite(
        self,
        source: int,
        sequence: int,
        timestamp: int,
        *,
        now_ns: int = 0,
        marker: bool = False,
        event_for: int | None = None,
    ) -> tuple[int, int, bool] | None: ...
