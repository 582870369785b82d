"""Listening to what a leg says: digits, tones, speech, levels."""

from libc.stdint cimport int16_t

from santral.engine.media.core.leg cimport leg_t, media_t
from santral.engine.media.core.stage.block cimport detectors_t

cdef void observe(media_t *m, leg_t *leg, const int16_t *samples, int n, int hz) noexcept nogil
cdef int hold_back(
    media_t *m, leg_t *leg, const int16_t *samples, int n, int hz, int16_t **out
) noexcept nogil
cdef void begin_listening(detectors_t *d) noexcept nogil
