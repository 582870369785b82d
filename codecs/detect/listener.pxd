"""What the detectors' Python classes have in common."""

from libc.stdint cimport int16_t

cdef class Listener:
    cdef int feed_some(self, const int16_t *samples, int n) noexcept nogil
    cdef int end(self) noexcept nogil
    cdef list told(self, int n)
