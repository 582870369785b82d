"""G.711: 64 kbit/s in two laws, one byte a sample. Bit-exact to the ITU-T software tools library (G.191).

Both laws cut the magnitude into eight segments whose step doubles; a code is sign, segment, four bits of mantissa. A
negative sample is complemented rather than negated, so that -1 and 0 fall into mirror-image codes.
"""

from libc.stdint cimport int16_t, uint8_t

from santral.codecs.codec cimport Codec, codec_t

cdef extern from *:
    int bit_length "32 - __builtin_clz" (unsigned int value) nogil  # of a value above zero

cdef enum:
    MU_BIAS = 33  # in 14-bit units: makes every segment start at a power of two
    MU_CLIP = 8191
    EVEN_BITS = 0x55  # A-law inverts every second bit for the line's sake


cdef inline uint8_t to_mu(int16_t sample) noexcept nogil:
    cdef int positive = 0x80 if sample >= 0 else 0
    cdef int magnitude = ((sample if sample >= 0 else ~sample) >> 2) + MU_BIAS
    cdef int segment
    if magnitude > MU_CLIP:
        magnitude = MU_CLIP
    segment = bit_length(magnitude) - 6
    return <uint8_t>(positive | (~((segment << 4) | ((magnitude >> (segment + 1)) & 15)) & 0x7F))


cdef inline int16_t from_mu(uint8_t code) noexcept nogil:
    cdef int inverted = ~code & 0xFF
    cdef int magnitude = ((((inverted & 15) << 1) + MU_BIAS) << ((inverted >> 4) & 7)) - MU_BIAS
    return <int16_t>(-(magnitude << 2) if inverted & 0x80 else magnitude << 2)


cdef inline uint8_t to_a(int16_t sample) noexcept nogil:
    cdef int positive = 0x80 if sample >= 0 else 0
    cdef int magnitude = (sample if sample >= 0 else ~sample) >> 4
    cdef int segment
    if magnitude >= 32:  # below, segments 0 and 1 share one step and the magnitude is the code
        segment = bit_length(magnitude) - 4
        magnitude = (segment << 4) | ((magnitude >> (segment - 1)) & 15)
    return <uint8_t>((positive | magnitude) ^ EVEN_BITS)


cdef inline int16_t from_a(uint8_t code) noexcept nogil:
    cdef int plain = code ^ EVEN_BITS
    cdef int segment = (plain >> 4) & 7
    cdef int magnitude = ((plain & 15) << 4) + 8  # the middle of the step
    if segment:
        magnitude = (magnitude + 256) << (segment - 1)
    return <int16_t>(magnitude if plain & 0x80 else -magnitude)


cdef int pcmu_encode(const int16_t *samples, int n, uint8_t *wire) noexcept nogil:
    cdef int i
    for i in range(n):
        wire[i] = to_mu(samples[i])
    return n


cdef int pcmu_decode(const uint8_t *wire, int n, int16_t *samples) noexcept nogil:
    cdef int i
    for i in range(n):
        samples[i] = from_mu(wire[i])
    return n


cdef int pcma_encode(const int16_t *samples, int n, uint8_t *wire) noexcept nogil:
    cdef int i
    for i in range(n):
        wire[i] = to_a(samples[i])
    return n


cdef int pcma_decode(const uint8_t *wire, int n, int16_t *samples) noexcept nogil:
    cdef int i
    for i in range(n):
        samples[i] = from_a(wire[i])
    return n


PCMU = Codec.of(codec_t(b"PCMU", 0, 8000, 8000, 1, pcmu_encode, pcmu_decode))
PCMA = Codec.of(codec_t(b"PCMA", 8, 8000, 8000, 1, pcma_encode, pcma_decode))
