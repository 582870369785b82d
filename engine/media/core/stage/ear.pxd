"""Hearing a peer: packets in, samples in their order out."""

from libc.stdint cimport int16_t, uint8_t

from santral.engine.media.core.leg cimport leg_t, media_t
from santral.engine.media.core.rtp cimport rtp_t
from santral.engine.media.core.stage.block cimport decoder_t, ear_t, voice_t

cdef enum:
    TOO_LATE = -1  # behind what was heard already
    MAX_CONCEALED = 6  # packets lost in a row; what is longer is a gap

cdef struct heard_t:
    int lost  # packets missing before this one that are to be concealed
    int gap  # clock units missing before this one that are not
    bint is_loss  # the gap is one of sequence numbers, too

cdef const decoder_t *decoder_for(const voice_t *voice, int codec) noexcept nogil
cdef int place(const leg_t *leg, ear_t *ear, const rtp_t *header, int codec, int ticks, heard_t *out) noexcept nogil
cdef void forget_sound(leg_t *leg) noexcept nogil
cdef int decode_packet(
    leg_t *leg, const decoder_t *decoder, const uint8_t *wire, int n, int16_t *samples, int room
) noexcept nogil
cdef void conceal_packet(
    leg_t *leg, const decoder_t *decoder, int hz, int n, int16_t *samples, const uint8_t *following, int following_bytes
) noexcept nogil
