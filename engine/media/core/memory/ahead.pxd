"""Memory asked for before its turn: with thousands of legs none of it is in the caches, and every line would be waited for."""

from santral.engine.media.core.leg cimport leg_t, media_t

cdef void fetch_packet_ahead(const media_t *m, int i, int ready) noexcept nogil
cdef void fetch_member_ahead(media_t *m, leg_t *leg) noexcept nogil
