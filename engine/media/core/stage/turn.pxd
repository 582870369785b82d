"""What happens every 20 ms, not on arrival."""

from libc.stdint cimport int64_t

from santral.engine.media.core.leg cimport media_t

cdef void turn_due(media_t *m) noexcept nogil
cdef int64_t turn_deadline(const media_t *m) noexcept nogil
