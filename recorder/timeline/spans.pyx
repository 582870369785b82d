"""Stretches of one side that something is to be said of."""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc

cdef enum:
    SPANS_MAX = 1 << 16  # more are counted only
    LOOKED_AT = 4  # the last ones


cdef void spans_add(spans_t *s, what_t what, int64_t start, int64_t end, int64_t near) noexcept nogil:
    cdef span_t *spans = s.spans
    cdef int i = s.count - 1
    cdef int room
    while i >= 0 and i >= s.count - LOOKED_AT:
        if spans[i].what == what and start <= spans[i].end + near:
            spans[i].end = end if end > spans[i].end else spans[i].end
            return
        i -= 1
    if s.count == s.room:
        room = s.room * 2 if s.room else 64
        spans = <span_t *>realloc(s.spans, room * sizeof(span_t)) if room <= SPANS_MAX else NULL
        if spans == NULL:
            return
        s.spans, s.room = spans, room
    spans[s.count].what = what
    spans[s.count].start, spans[s.count].end = start, end
    s.count += 1


cdef void spans_free(spans_t *s) noexcept nogil:
    free(s.spans)
    s.spans, s.count, s.room = NULL, 0, 0
