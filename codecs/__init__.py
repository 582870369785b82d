"""Signal code: a codec is one file and its name in `CODECS`."""  # noqa: A005 - always imported as santral.codecs

from typing import Final

from santral.codecs.codec import Codec, Decoder, Encoder, Parameters
from santral.codecs.g711 import PCMA, PCMU
from santral.codecs.g722 import G722
from santral.codecs.l16 import L16
from santral.codecs.opus import OPUS
from santral.codecs.passthrough import G729

__all__ = ["CODECS", "Codec", "Decoder", "Encoder", "Parameters"]

CODECS: Final = {codec.key: codec for codec in (PCMU, PCMA, G722, OPUS, G729, *L16)}
"""By `name/clock[/channels]` as in a=rtpmap, with the name as registered."""
