"""Pauses of a leg, filled for a far end that would not know what to do with them."""

from libc.stdint cimport uint8_t

from santral.engine.media.core.leg cimport leg_t, media_t

cdef void begin_filling(media_t *m, leg_t *leg, bint on) noexcept nogil
cdef void hear_noise(leg_t *leg, const uint8_t *payload, int n) noexcept nogil
cdef void fill_frame(media_t *m, leg_t *leg) noexcept nogil
