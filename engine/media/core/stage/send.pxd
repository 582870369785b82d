"""The way out of a leg, and notes to the event loop."""

from libc.stdint cimport int64_t, uint8_t

from santral.engine.media.core.leg cimport leg_t, media_t, note_kind_t
from santral.engine.media.core.rewrite cimport input_t
from santral.engine.media.core.stage.block cimport room_t
from santral.engine.media.core.stage.tap cimport tap_record_t, tap_t

cdef bint emit(
    media_t *m, leg_t *leg, const input_t *numbers, int codec, uint8_t payload_type, uint8_t *packet, int n
) noexcept nogil
cdef bint transmit_rtp(leg_t *leg, uint8_t *packet, int n) noexcept nogil
cdef bint transmit_rtcp(leg_t *leg, uint8_t *packet, int n) noexcept nogil
cdef void tap_packet(media_t *m, tap_t *taps, const tap_record_t *head, const uint8_t *payload) noexcept nogil
cdef void tell(media_t *m, const leg_t *leg, note_kind_t kind, int64_t a, int64_t b) noexcept nogil
cdef void tell_of_room(media_t *m, const room_t *room, note_kind_t kind, int64_t a, int64_t b) noexcept nogil
