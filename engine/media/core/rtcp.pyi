from typing import Any

from typing_extensions import Buffer

def read(packet: Buffer, about: int) -> dict[str, Any] | None:
    """What a peer reports on us; None when malformed."""
