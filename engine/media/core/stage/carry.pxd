"""The packets of a leg with a stage block."""

from libc.stdint cimport uint8_t

from santral.engine.media.core.leg cimport leg_t, media_t
from santral.engine.media.core.rtp cimport rtp_t

cdef void carry(media_t *m, leg_t *leg, const rtp_t *header, int codec, uint8_t *packet, int n) noexcept nogil
