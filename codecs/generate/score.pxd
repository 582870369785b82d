"""Sines in turn, for C callers: a score is written once and read by any number of players; a player is a place in it."""

from libc.stdint cimport int16_t, int64_t

cdef enum:
    SCORE_SEGMENTS = 136  # the longest string of digits, each with its pause
    SCORE_SINES = 2

cdef struct segment_t:
    int64_t samples  # -1: for ever
    int sines  # 0: silence
    float amplitude[SCORE_SINES]
    double turn[SCORE_SINES]  # radians a sample

cdef struct score_t:
    int segments
    bint repeats
    int ramp  # samples of rise and of fall
    segment_t row[SCORE_SEGMENTS]

cdef struct score_player_t:
    int segment
    int64_t done  # samples of it
    double re[SCORE_SINES]
    double im[SCORE_SINES]
    bint released
    int fading  # samples until silence, once released

cdef void score_start(score_player_t *p) noexcept nogil
cdef void score_release(const score_t *score, score_player_t *p) noexcept nogil
cdef int score_render(const score_t *score, score_player_t *p, int16_t *out, int n) noexcept nogil

cdef class Score:
    cdef score_t c
    cdef readonly int sample_hz
    cdef void add(self, tuple hz, double ms, tuple dbm0)
