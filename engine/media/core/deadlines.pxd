"""When each leg next needs a look without a packet having come: one deadline a leg, the earliest first."""

from libc.stdint cimport int64_t

from santral.engine.media.core.leg cimport leg_t, media_t

cdef void reschedule(media_t *m, leg_t *leg) noexcept nogil
cdef void unschedule(media_t *m, leg_t *leg) noexcept nogil
cdef leg_t *first_due(media_t *m) noexcept nogil
cdef int64_t first_deadline(const media_t *m) noexcept nogil
cdef int64_t timeout_deadline(const media_t *m, const leg_t *leg) noexcept nogil
cdef int64_t silence_deadline(const media_t *m, const leg_t *leg) noexcept nogil
cdef int64_t keepalive_deadline(const media_t *m, const leg_t *leg) noexcept nogil
