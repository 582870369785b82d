from collections.abc import Sequence

class Latch:
    """One latch driven by hand: for tests. Addresses are packed, times in nanoseconds."""

    locked: bool
    def __init__(self, *, lock_after: int = 3, relatch_ns: int = 2_000_000_000) -> None: ...
    def open_window(self, address: bytes, port: int, networks: Sequence[tuple[bytes, int]] = ()) -> None: ...
    def admit(
        self,
        address: bytes,
        port: int,
        *,
        ssrc: int = 1,
        negotiated: bool = True,
        verified: bool = False,
        now_ns: int = 0,
    ) -> str: ...
