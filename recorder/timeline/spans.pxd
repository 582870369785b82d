"""Stretches of one side that something is to be said of: lost, masked, unreadable."""

from libc.stdint cimport int64_t

cdef enum what_t:
    LOST
    MASKED
    UNREADABLE

cdef struct span_t:
    what_t what
    int64_t start
    int64_t end

cdef struct spans_t:
    span_t *spans
    int count
    int room

# About in order; one that begins within `near` of an earlier one of its kind goes on with it. None where memory is short.
cdef void spans_add(spans_t *s, what_t what, int64_t start, int64_t end, int64_t near) noexcept nogil
cdef void spans_free(spans_t *s) noexcept nogil
