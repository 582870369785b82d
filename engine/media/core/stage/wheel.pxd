"""Whoever speaks on our own clock, every 20 ms: legs in twenty phases of 1 ms."""

from libc.stdint cimport int64_t

from santral.engine.media.core.leg cimport leg_t, media_t

cdef enum:
    FRAME_MS = 20

cdef void mount(media_t *m, leg_t *leg, int reason) noexcept nogil
cdef void dismount(media_t *m, leg_t *leg, int reason) noexcept nogil
cdef void lay_aside(media_t *m, leg_t *leg) noexcept nogil
cdef void take_up(media_t *m, leg_t *leg) noexcept nogil
cdef int quietest_phase(media_t *m) noexcept nogil
cdef int phase_of(int64_t at_ns) noexcept nogil
