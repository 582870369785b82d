"""Speaking to a peer: samples in, packets of the codec and length it asked for out."""

from libc.stdint cimport int16_t, uint8_t

from santral.engine.media.core.leg cimport leg_t, media_t

cdef enum:
    GAP_BY_CLOCK = -1

cdef void say(media_t *m, leg_t *leg, const int16_t *samples, int n, int hz, int gap) noexcept nogil
cdef void say_wire(
    media_t *m, leg_t *leg, int codec, int frame, const uint8_t *wire, int n, int gap_units, bint is_loss
) noexcept nogil
cdef void protect(leg_t *leg, int lost) noexcept nogil
cdef void fall_silent(leg_t *leg) noexcept nogil
cdef void finish_frame(media_t *m, leg_t *leg) noexcept nogil
cdef void say_frame(media_t *m, leg_t *leg, const uint8_t *wire, int n) noexcept nogil
