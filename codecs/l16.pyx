"""L16: samples as they are, in network byte order (RFC 3551 4.5.11). One row for each sampling rate, mono."""

from libc.stdint cimport int16_t, uint8_t, uint16_t
from libc.string cimport memcpy

from santral.codecs.codec cimport Codec, codec_row, codec_t

cdef extern from *:
    """
    #if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    #define NETWORK_ORDER(word) __builtin_bswap16(word)
    #else
    #define NETWORK_ORDER(word) (word)
    #endif
    """
    uint16_t NETWORK_ORDER(uint16_t word) nogil


cdef int l16_encode(void *state, const int16_t *samples, int n, uint8_t *wire, int room) noexcept nogil:
    cdef int i
    cdef uint16_t word
    if 2 * n > room:
        return -1
    for i in range(n):
        word = NETWORK_ORDER(<uint16_t>samples[i])
        memcpy(wire + 2 * i, &word, 2)  # a payload may lie at any address
    return 2 * n


cdef int l16_decode(void *state, const uint8_t *wire, int n, int16_t *samples, int room) noexcept nogil:
    cdef int i
    cdef uint16_t word
    if n % 2 or n // 2 > room:
        return -1
    for i in range(n // 2):
        memcpy(&word, wire + 2 * i, 2)
        samples[i] = <int16_t>NETWORK_ORDER(word)
    return n // 2


cdef Codec at_rate(int hz, int payload_type):
    cdef codec_t row = codec_row(b"L16", payload_type, hz, hz, 1, 2)
    row.encode = l16_encode
    row.decode = l16_decode
    return Codec.of(row)


L16 = tuple([at_rate(hz, 11 if hz == 44100 else -1) for hz in (8000, 16000, 24000, 44100, 48000)])
