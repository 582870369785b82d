from santral.codecs.codec import Codec

PCMU: Codec
PCMA: Codec
