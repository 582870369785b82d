"""G.711: 64 kbit/s in two laws, one byte a sample. Bit-exact to the ITU-T software tools library (G.191).

Both laws cut the magnitude into eight segments whose step doubles; a code is sign, segment, four bits of mantissa. A
negative sample is complemented rather than negated, so that -1 and 0 fall into mirror-image codes.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING
from libc.stdint cimport int16_t, uint8_t

from santral.codecs.codec cimport Codec, codec_row, codec_t, decode_t, encode_t

cdef extern from *:
    """
    /* Exponent and four bits of mantissa of a value above zero are what both laws code: a float has them ready, and the
       compiler can take four or eight samples at a time. */
    static inline int segment_and_step(int value)
    {
        union { float number; int bits; } both = { (float) value };
        return (both.bits >> 19) - (127 << 4);
    }
    """
    int segment_and_step(int value) nogil

cdef enum:
    MU_BIAS = 33  # in 14-bit units: makes every segment start at a power of two
    MU_CLIP = 8191
    EVEN_BITS = 0x55  # A-law inverts every second bit for the line's sake


# By code: the other law's, and the sample.
cdef uint8_t[256] A_OF_MU
cdef uint8_t[256] MU_OF_A
cdef int16_t[256] OF_MU
cdef int16_t[256] OF_A


cdef inline uint8_t to_mu(int16_t sample) noexcept nogil:
    cdef int positive = 0x80 if sample >= 0 else 0
    cdef int magnitude = ((sample if sample >= 0 else ~sample) >> 2) + MU_BIAS
    magnitude = MU_CLIP if magnitude > MU_CLIP else magnitude
    return <uint8_t>(positive | (~(segment_and_step(magnitude) - (5 << 4)) & 0x7F))


cdef inline int16_t from_mu(uint8_t code) noexcept nogil:
    cdef int inverted = ~code & 0xFF
    cdef int magnitude = ((((inverted & 15) << 1) + MU_BIAS) << ((inverted >> 4) & 7)) - MU_BIAS
    return <int16_t>(-(magnitude << 2) if inverted & 0x80 else magnitude << 2)


cdef inline uint8_t to_a(int16_t sample) noexcept nogil:
    cdef int positive = 0x80 if sample >= 0 else 0
    cdef int magnitude = (sample if sample >= 0 else ~sample) >> 4
    cdef int is_small = (magnitude - 16) >> 31  # all ones in segment 0, which has the step of segment 1 and no offset
    cdef int code = (magnitude & is_small) | ((segment_and_step(magnitude) - (3 << 4)) & ~is_small)
    return <uint8_t>((positive | code) ^ EVEN_BITS)


cdef inline int16_t from_a(uint8_t code) noexcept nogil:
    cdef int plain = code ^ EVEN_BITS
    cdef int segment = (plain >> 4) & 7
    cdef int magnitude = ((plain & 15) << 4) + 8  # the middle of the step
    if segment:
        magnitude = (magnitude + 256) << (segment - 1)
    return <int16_t>(magnitude if plain & 0x80 else -magnitude)


cdef int pcmu_encode(void *state, const int16_t *samples, int n, uint8_t *wire, int room) noexcept nogil:
    cdef int i
    if n > room:
        return -1
    for i in range(n):
        wire[i] = to_mu(samples[i])
    return n


cdef int pcmu_decode(void *state, const uint8_t *wire, int n, int16_t *samples, int room) noexcept nogil:
    cdef int i
    if n > room:
        return -1
    for i in range(n):
        samples[i] = OF_MU[wire[i]]
    return n


cdef int pcma_encode(void *state, const int16_t *samples, int n, uint8_t *wire, int room) noexcept nogil:
    cdef int i
    if n > room:
        return -1
    for i in range(n):
        wire[i] = to_a(samples[i])
    return n


cdef int pcma_decode(void *state, const uint8_t *wire, int n, int16_t *samples, int room) noexcept nogil:
    cdef int i
    if n > room:
        return -1
    for i in range(n):
        samples[i] = OF_A[wire[i]]
    return n


cdef int pcmu_to_pcma(const uint8_t *wire, int n, uint8_t *out) noexcept nogil:
    cdef int i
    for i in range(n):
        out[i] = A_OF_MU[wire[i]]
    return n


cdef int pcma_to_pcmu(const uint8_t *wire, int n, uint8_t *out) noexcept nogil:
    cdef int i
    for i in range(n):
        out[i] = MU_OF_A[wire[i]]
    return n


cdef void fill_tables() noexcept nogil:
    cdef int code
    for code in range(256):
        A_OF_MU[code] = to_a(from_mu(code))
        MU_OF_A[code] = to_mu(from_a(code))
        OF_MU[code] = from_mu(code)
        OF_A[code] = from_a(code)


def translated(const unsigned char[::1] wire not None, bint to_mu_law):
    """The codes of one law as those of the other, by the tables; for tests and tools."""
    cdef bytearray out = bytearray(wire)
    cdef uint8_t *codes = <uint8_t *>PyByteArray_AS_STRING(out)
    if to_mu_law:
        pcma_to_pcmu(codes, <int>len(out), codes)
    else:
        pcmu_to_pcma(codes, <int>len(out), codes)
    return bytes(out)


cdef Codec law(const char *name, int payload_type, encode_t encode, decode_t decode):
    cdef codec_t row = codec_row(name, payload_type, 8000, 8000, 1, 1)
    row.encode = encode
    row.decode = decode
    return Codec.of(row)


PCMU = law(b"PCMU", 0, pcmu_encode, pcmu_decode)
PCMA = law(b"PCMA", 8, pcma_encode, pcma_decode)

fill_tables()
