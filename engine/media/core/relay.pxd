"""The way of one datagram into the plane."""

from santral.engine.media.core.leg cimport leg_t, media_t

cdef void on_rtp_socket(media_t *m, leg_t *leg) noexcept nogil
cdef void on_rtcp_socket(media_t *m, leg_t *leg) noexcept nogil
