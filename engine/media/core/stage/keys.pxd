"""Digits that we press: as RFC 4733 events, or as tones where the peer has no events."""

from santral.engine.media.core.leg cimport leg_t, media_t
from santral.engine.media.core.stage.block cimport keys_t

cdef void press_keys(media_t *m, leg_t *leg, const keys_t *order) noexcept nogil
cdef void hold_key(media_t *m, leg_t *leg, int code) noexcept nogil
cdef void release_key(leg_t *leg, int ms) noexcept nogil
cdef void stop_pressing(media_t *m, leg_t *leg, bint completed) noexcept nogil
cdef void press_frame(media_t *m, leg_t *leg) noexcept nogil
