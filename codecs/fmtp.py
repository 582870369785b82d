"""What a=fmtp says to an encoder (RFC 7587 6.1 for Opus), and what we say to a peer's.

Values out of range are brought into it and values that are no numbers are passed over: a call with a default is better
than none.
"""

from typing import Final

from santral.codecs.codec import Codec, Parameters

BITRATES: Final = (6000, 510000)  # maxaveragebitrate, RFC 7587 6.1
OFFERED: Final = {"opus/48000/2": "useinbandfec=1; minptime=10", "G729/8000": "annexb=no"}


def parse(fmtp: str) -> dict[str, str]:
    """Lower-case names to values, of `name=value; name=value`; later ones of the same name do not count."""
    found: dict[str, str] = {}
    for part in fmtp.split(";"):
        name, _, value = part.partition("=")
        if name.strip():
            found.setdefault(name.strip().lower(), value.strip())
    return found


def number(fields: dict[str, str], name: str, default: int = 0) -> int:
    text = fields.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else default


def encoder_parameters(
    codec: Codec, fmtp: str, *, sample_hz: int = 0, frame_ms: int = 20, loss_percent: int = 0
) -> Parameters:
    """How to encode for a peer whose description has this `fmtp`; samples come at `sample_hz` (0: the codec's)."""
    frame_ms = codec.frame_ms(frame_ms)
    if codec.name != "opus":
        return Parameters(sample_hz, frame_ms)
    fields = parse(fmtp)
    bitrate = number(fields, "maxaveragebitrate")
    return Parameters(
        sample_hz,
        frame_ms,
        bitrate=max(BITRATES[0], min(BITRATES[1], bitrate)) if bitrate else 0,
        bandwidth_hz=number(fields, "maxplaybackrate"),
        constant=number(fields, "cbr") == 1,
        protected=number(fields, "useinbandfec") == 1,
        discontinuous=number(fields, "usedtx") == 1,
        loss_percent=loss_percent,
    )


def captured_hz(fmtp: str, default: int = 48000) -> int:
    """The sampling rate above which the peer sends nothing (sprop-maxcapturerate): decoding at more is for nothing."""
    return number(parse(fmtp), "sprop-maxcapturerate") or default
