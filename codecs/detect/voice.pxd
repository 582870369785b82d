"""Voice activity and levels on 8 kHz samples, for C callers. All state lies in `voice_t`, which the caller owns."""

from libc.stdint cimport int16_t, int64_t

cdef enum:
    VOICE_STARTED = 1
    VOICE_STOPPED = 2

cdef enum:
    VOICE_HZ = 8000
    VOICE_FRAME = 80  # samples between two decisions: 10 ms
    VOICE_MINIMA = 8

cdef struct voice_report_t:
    int kind  # VOICE_*
    int64_t at  # samples since voice_init: where the talk began or ended, which is before the report

cdef struct voice_t:
    int16_t samples[VOICE_FRAME]
    int filled
    int64_t frames
    float past[2][2]  # what the two stages of the high-pass remember
    float level_dbov  # of the last frame, -127..0 (RFC 6464 sends its negative)
    float voice_dbov  # the same without hum and DC
    float smooth  # mean power of the last frames, without hum and DC
    float floor_dbov  # what is there when nobody talks
    float minima[VOICE_MINIMA]  # least smooth power of the last stretches
    float minimum  # of the present stretch
    int stretch  # frames of it
    int loud  # a bit for each of the last frames, newest lowest: above the floor
    bint is_speech
    int quiet_frames  # in a row
    int hangover_frames  # after which talk has stopped; may be changed at any time

cdef void voice_init(voice_t *v) noexcept nogil
cdef int voice_feed(voice_t *v, const int16_t *samples, int n, voice_report_t *out, int room) noexcept nogil
cdef int voice_finish(voice_t *v, voice_report_t *out, int room) noexcept nogil
cdef float level_dbov(const int16_t *samples, int n) noexcept nogil
