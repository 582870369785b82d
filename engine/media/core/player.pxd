"""Players: ready frames, one every 20 ms, on the clock of the media thread."""

from libc.stdint cimport int64_t

from santral.engine.media.core.leg cimport leg_t, media_t

cdef void start_playing(media_t *m, leg_t *leg) noexcept nogil
cdef void stop_playing(media_t *m, leg_t *leg) noexcept nogil
cdef void pause_playing(media_t *m, leg_t *leg) noexcept nogil
cdef void play_due(media_t *m) noexcept nogil
cdef int64_t play_deadline(const media_t *m) noexcept nogil
