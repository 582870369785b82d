"""A window on one side's samples that moves along the timeline: silence where nothing was said."""

from libc.stdint cimport int16_t, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memmove, memset


cdef int line_init(line_t *line, int room) noexcept nogil:
    line.samples = <int16_t *>calloc(room, sizeof(int16_t))
    line.room = room
    line.base = line.end = line.refused = 0
    return -1 if line.samples == NULL else 0


cdef void line_free(line_t *line) noexcept nogil:
    free(line.samples)
    line.samples = NULL


cdef void line_write(line_t *line, int64_t place, const int16_t *samples, int n) noexcept nogil:
    cdef int64_t first = line.end if line.end > line.base else line.base
    cdef int64_t last = line.base + line.room
    cdef int64_t until = place + n
    if place < first:
        line.refused += n if until <= first else first - place
        samples += first - place
        place = first
    if until > last:
        line.refused += until - (place if place > last else last)
        until = last
    if until > place:
        memcpy(line.samples + (place - line.base), samples, (until - place) * sizeof(int16_t))
        line.end = until


cdef void line_pass(line_t *line, int n) noexcept nogil:
    cdef int64_t left = line.end - line.base - n
    if left > 0:
        memmove(line.samples, line.samples + n, left * sizeof(int16_t))
        memset(line.samples + left, 0, n * sizeof(int16_t))
    elif line.end > line.base:
        memset(line.samples, 0, (line.end - line.base) * sizeof(int16_t))
    line.base += n
