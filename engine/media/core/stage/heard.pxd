"""What a digit of the peer sets off."""

from libc.stdint cimport int64_t

from santral.engine.media.core.digits cimport reports_t
from santral.engine.media.core.leg cimport leg_t, media_t

cdef void keep_masking(media_t *m, leg_t *leg) noexcept nogil
cdef void key_down(media_t *m, leg_t *leg, int code) noexcept nogil
cdef void key_up(media_t *m, leg_t *leg, int code, int64_t ms, bint in_band) noexcept nogil
cdef void tell_digits(media_t *m, leg_t *leg, const reports_t *reports) noexcept nogil
cdef bint takes_keys_of(const leg_t *to, int codec) noexcept nogil
cdef leg_t *far_end(media_t *m, leg_t *leg) noexcept nogil
