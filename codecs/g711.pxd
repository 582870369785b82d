"""For C callers: single buffers, no checks."""

from libc.stdint cimport int16_t, uint8_t

cdef int pcmu_encode(const int16_t *samples, int n, uint8_t *wire) noexcept nogil
cdef int pcmu_decode(const uint8_t *wire, int n, int16_t *samples) noexcept nogil
cdef int pcma_encode(const int16_t *samples, int n, uint8_t *wire) noexcept nogil
cdef int pcma_decode(const uint8_t *wire, int n, int16_t *samples) noexcept nogil
