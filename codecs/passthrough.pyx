"""Codecs that are relayed and never decoded here: their rows say how long a payload is."""

from libc.stdint cimport uint8_t

from santral.codecs.codec cimport Codec, codec_row, codec_t

cdef enum:
    FRAME_BYTES = 10  # 10 ms of G.729
    SILENCE_BYTES = 2  # annex B: a silence descriptor ends the payload (RFC 3551 4.5.6)
    FRAME_SAMPLES = 80


cdef int g729_span(const uint8_t *wire, int n, int sample_hz) noexcept nogil:
    cdef int frames = n // FRAME_BYTES
    if n < 0 or n % FRAME_BYTES not in (0, SILENCE_BYTES):
        return -1
    return (frames + (n % FRAME_BYTES != 0)) * FRAME_SAMPLES


cdef Codec g729():
    cdef codec_t row = codec_row(b"G729", 18, 8000, 8000, FRAME_SAMPLES, FRAME_BYTES)
    row.span = g729_span
    return Codec.of(row)


G729 = g729()
