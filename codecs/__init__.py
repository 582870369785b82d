"""Signal code: a codec is one file and one name in `CODECS`."""  # noqa: A005 - always imported as santral.codecs

from typing import Final

from santral.codecs.codec import Codec
from santral.codecs.g711 import PCMA, PCMU

__all__ = ["CODECS", "Codec"]

CODECS: Final = {codec.name: codec for codec in (PCMU, PCMA)}
