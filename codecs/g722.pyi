from typing_extensions import Buffer

from santral.codecs.codec import Codec

G722: Codec

def encoded_bands(samples: Buffer) -> bytes: ...
def decoded_bands(wire: Buffer, mode: int) -> list[tuple[int, int]]: ...
