"""What a leg says into a room: its packets into the jitter buffer, its samples out of it."""

from libc.stdint cimport int16_t, uint8_t

from santral.engine.media.core.leg cimport leg_t, media_t
from santral.engine.media.core.mix.jitter cimport jitter_t
from santral.engine.media.core.rtp cimport rtp_t

cdef enum:
    NOTHING_SAID = 0  # there is nobody to be heard: neither packets nor what they lead to

cdef void take_in(
    media_t *m, leg_t *leg, jitter_t *j, const rtp_t *header, int codec, const uint8_t *packet
) noexcept nogil
cdef int16_t *take_out(media_t *m, leg_t *leg, jitter_t *j, int *n) noexcept nogil
cdef void hand_over(media_t *m, leg_t *leg, leg_t *to, jitter_t *j) noexcept nogil
