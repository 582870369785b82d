"""The power spectrum of one Hann-weighted frame, for C callers."""

from libc.stdint cimport int16_t

cdef enum:
    SPECTRUM_FRAME = 512
    SPECTRUM_BINS = 257

cdef struct spectrum_t:
    float re[SPECTRUM_BINS]
    float im[SPECTRUM_BINS]

cdef void spectrum_of(const int16_t *samples, spectrum_t *out) noexcept nogil
