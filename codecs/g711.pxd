"""For C callers: single buffers, no checks; there is no state, NULL will do."""

from libc.stdint cimport int16_t, uint8_t

cdef int pcmu_encode(void *state, const int16_t *samples, int n, uint8_t *wire, int room) noexcept nogil
cdef int pcmu_decode(void *state, const uint8_t *wire, int n, int16_t *samples, int room) noexcept nogil
cdef int pcma_encode(void *state, const int16_t *samples, int n, uint8_t *wire, int room) noexcept nogil
cdef int pcma_decode(void *state, const uint8_t *wire, int n, int16_t *samples, int room) noexcept nogil

# One law straight into the other; `out` may be `wire`.
cdef int pcmu_to_pcma(const uint8_t *wire, int n, uint8_t *out) noexcept nogil
cdef int pcma_to_pcmu(const uint8_t *wire, int n, uint8_t *out) noexcept nogil
