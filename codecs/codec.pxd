"""The row that every codec fills in, and the Python object that carries it."""

from libc.stdint cimport int16_t, uint8_t

# Both return the number of bytes or samples written, or -1 when the input cannot be right. Nothing raises or allocates.
ctypedef int (*encode_t)(const int16_t *samples, int n, uint8_t *wire) noexcept nogil
ctypedef int (*decode_t)(const uint8_t *wire, int n, int16_t *samples) noexcept nogil

cdef struct codec_t:
    const char *name
    int payload_type  # static number of RFC 3551, -1 for none
    int sample_hz
    int clock_hz  # of RTP timestamps; differs from sample_hz for G.722 only
    int samples_per_byte_max  # bound of what one wire byte decodes to
    encode_t encode
    decode_t decode

cdef class Codec:
    cdef codec_t row

    @staticmethod
    cdef Codec of(codec_t row)
    cdef int checked(self, Py_ssize_t n, int unit) except -1
    cdef bytes cut(self, bytes buffer, int length)
