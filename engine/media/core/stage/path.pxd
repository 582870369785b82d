"""From one leg to the other: which way a packet takes, and carrying it there."""

from libc.stdint cimport uint8_t

from santral.engine.media.core.leg cimport leg_t, media_t
from santral.engine.media.core.rtp cimport rtp_t

cdef void forward(
    media_t *m, leg_t *leg, leg_t *to, const rtp_t *header, int codec, uint8_t *packet, int n
) noexcept nogil
cdef void carry_over(
    media_t *m, leg_t *leg, leg_t *to, const rtp_t *header, int codec, uint8_t *packet, int n
) noexcept nogil
cdef void overhear(media_t *m, leg_t *leg, const rtp_t *header, int codec, const uint8_t *packet) noexcept nogil
