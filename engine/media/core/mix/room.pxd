"""Conferences: who is in, and what each of them hears every 20 ms."""

from libc.stdint cimport uint64_t

from santral.engine.media.core.leg cimport leg_t, media_t
from santral.engine.media.core.mix.jitter cimport jitter_t
from santral.engine.media.core.stage.block cimport play_end_t, playlist_t, room_t

cdef struct manner_t:  # how a leg takes part
    bint muted
    bint deaf
    bint monitor
    bint has_agc
    int gain
    uint64_t whisper_to

cdef void open_room(media_t *m, room_t *room) noexcept nogil
cdef void close_room(media_t *m, room_t *room) noexcept nogil
cdef void join_room(media_t *m, leg_t *leg, room_t *room, jitter_t *jitter, const manner_t *manner) noexcept nogil
cdef void change_manner(media_t *m, leg_t *leg, const manner_t *manner) noexcept nogil
cdef void leave_room(media_t *m, leg_t *leg) noexcept nogil
cdef void part_from_room(media_t *m, leg_t *one, leg_t *other) noexcept nogil
cdef void play_to_room(media_t *m, room_t *room, const playlist_t *what) noexcept nogil
cdef void stop_room_play(media_t *m, room_t *room, play_end_t reason) noexcept nogil
cdef void take_room_tap(media_t *m, room_t *room, uint64_t serial) noexcept nogil
cdef void mix_frame(media_t *m, room_t *room) noexcept nogil
