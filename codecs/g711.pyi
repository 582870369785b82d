from typing_extensions import Buffer

from santral.codecs.codec import Codec

PCMU: Codec
PCMA: Codec

def translated(wire: Buffer, to_mu_law: bool) -> bytes: ...
