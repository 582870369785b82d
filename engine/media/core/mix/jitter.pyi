class JitterMemory:
    """A jitter buffer as the event loop owns it, lent to the media thread while its leg is in a room."""

    def __init__(self, serial: int, slot_bytes: int, least_ms: int = 20, most_ms: int = 200) -> None: ...
