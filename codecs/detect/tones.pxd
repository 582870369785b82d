"""Network and fax tones on 8 kHz samples, for C callers. All state lies in `tones_t`, which the caller owns."""

from libc.stdint cimport int16_t, int64_t

cdef enum:
    TONE_RINGBACK = 1
    TONE_BUSY = 2
    TONE_CONGESTION = 3
    TONE_DIAL = 4
    TONE_SIT = 5  # special information tone: an announcement follows
    TONE_CNG = 6  # a calling fax
    TONE_CED = 7  # an answering fax or modem (2100 Hz)

cdef enum:
    TONES_HZ = 8000
    TONES_HOP = 256
    TONES_BINS = 220  # of 15.6 Hz: up to 3.4 kHz
    TONES_FRAMES = 4
    TONES_BURSTS = 8

cdef struct tone_report_t:
    int kind  # TONE_*
    bint ended  # False when it is recognised, True when it is over
    int64_t start  # samples since tones_init: of its first burst
    int64_t end  # of its last burst; 0 unless ended
    float hz[3]  # 0 for what it does not have
    int reversals  # of phase, TONE_CED only: one each 450 ms asks echo cancellers to stand back (V.8 ANSam, V.25)

cdef struct burst_t:
    int64_t start, end
    float hz[2]  # the second is 0 for a single sine

cdef struct sines_t:
    int count  # 0: no pure tone
    int bin[2]
    float hz[2]

cdef struct tones_t:
    int16_t samples[2 * TONES_HOP]
    int filled
    int64_t hops
    float power[TONES_FRAMES][TONES_BINS]
    float phase  # of the followed sine in the present frame
    sines_t before  # of the frame before
    # the burst being followed
    bint following
    burst_t burst
    int bin[2]
    float size[2]
    float covered, missing  # in hops
    int reversals
    float full_phase  # of the last filled frame
    int since_full  # hops ago
    # what has been heard
    int bursts
    burst_t history[TONES_BURSTS]  # newest last
    bint quiet  # the newest frame is, compared with the last burst
    int others  # frames in a row that were loud and no tone
    int64_t last_other  # hop of the last sound that was no tone; -1: none
    # what has been recognised and goes on
    tone_report_t now  # kind is 0 without one
    int64_t patience  # samples without a burst after which it is over

cdef void tones_init(tones_t *t) noexcept nogil
cdef int tones_feed(tones_t *t, const int16_t *samples, int n, tone_report_t *out, int room) noexcept nogil
cdef int tones_finish(tones_t *t, tone_report_t *out, int room) noexcept nogil
