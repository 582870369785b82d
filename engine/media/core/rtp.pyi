from typing_extensions import Buffer

def parse(packet: Buffer) -> tuple[int, bool, int, int, int, bytes] | None:
    """Payload type, marker, sequence, timestamp, SSRC, payload; None when malformed."""

def kind(packet: Buffer) -> str | None:
    """'rtp', 'rtcp', 'stun', 'dtls' or None."""
