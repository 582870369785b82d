"""The interpreter's objects in huge pages."""

def use() -> None:
    """From now on. Best before anything else is imported: what lies elsewhere stays there. Twice is once."""

def held() -> int:
    """Octets of the pieces that are in use."""
