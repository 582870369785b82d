from santral.codecs.codec import Codec

L16: tuple[Codec, ...]  # by rising sampling rate
