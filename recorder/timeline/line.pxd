"""The samples of one side at their places, waiting to be mixed."""

from libc.stdint cimport int16_t, int64_t

cdef struct line_t:
    int16_t *samples
    int room
    int64_t base  # place of the first: what lies before has been taken
    int64_t end  # behind the last that was written
    int64_t refused  # samples that were too late, or too far ahead

cdef int line_init(line_t *line, int room) noexcept nogil
cdef void line_free(line_t *line) noexcept nogil
# What was written stays: of what would lie over it, the rest counts.
cdef void line_write(line_t *line, int64_t place, const int16_t *samples, int n) noexcept nogil
# `n` samples from the base on become silence.
cdef void line_pass(line_t *line, int n) noexcept nogil
