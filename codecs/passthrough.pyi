from santral.codecs.codec import Codec

G729: Codec
