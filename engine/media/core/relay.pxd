"""The way of one datagram through the plane."""

from libc.stdint cimport int64_t, uint8_t

from santral.engine.media.core.leg cimport leg_t, media_t, note_kind_t
from santral.engine.media.core.digits cimport reports_t
from santral.engine.media.core.rewrite cimport input_t

cdef void on_rtp_socket(media_t *m, leg_t *leg) noexcept nogil
cdef void on_rtcp_socket(media_t *m, leg_t *leg) noexcept nogil
cdef bint emit(
    media_t *m, leg_t *leg, const input_t *numbers, uint8_t payload_type, uint8_t *packet, int n
) noexcept nogil
cdef void tell(media_t *m, const leg_t *leg, note_kind_t kind, int64_t a, int64_t b) noexcept nogil
cdef void tell_digits(media_t *m, const leg_t *leg, const reports_t *reports) noexcept nogil
