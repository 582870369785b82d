"""Players: samples of the event loop's, 20 ms at a time, on the clock of the media thread."""

from libc.stdint cimport int16_t

from santral.engine.media.core.leg cimport leg_t, media_t
from santral.engine.media.core.stage.block cimport play_end_t, play_t, playlist_t

cdef void start_playing(media_t *m, leg_t *leg, const playlist_t *what) noexcept nogil
cdef void stop_playing(media_t *m, leg_t *leg, play_end_t reason) noexcept nogil
cdef void stop_all_playing(media_t *m, leg_t *leg, play_end_t reason) noexcept nogil
cdef void start_interlude(media_t *m, leg_t *leg, const playlist_t *what) noexcept nogil
cdef void play_frame(media_t *m, leg_t *leg) noexcept nogil
cdef void begin_play(play_t *play, const playlist_t *what) noexcept nogil
cdef const int16_t *next_piece(play_t *play, int16_t *scratch, int *n, int *hz) noexcept nogil
