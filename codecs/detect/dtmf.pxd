"""In-band DTMF on 8 kHz samples, for C callers. All state lies in `dtmf_t`, which the caller owns and `dtmf_init` clears."""

from libc.stdint cimport int16_t, int64_t

cdef enum:
    DTMF_MAYBE = 1  # a tone may have begun: time to mute
    DTMF_CLEAR = 2  # it was none: time to let the audio through again
    DTMF_DOWN = 3  # a digit, still sounding: count it now
    DTMF_UP = 4  # the digit of the last DTMF_DOWN has ended: its length is known

cdef enum:
    DTMF_HZ = 8000
    DTMF_HOP = 40  # samples between two decisions: 5 ms
    DTMF_RING = 16  # frames remembered
    DTMF_TONES = 8

cdef struct dtmf_report_t:
    int kind
    char digit  # 0 for DTMF_MAYBE and DTMF_CLEAR
    int64_t start  # samples since dtmf_init
    int64_t end  # 0 but for DTMF_UP
    float low_dbm0, high_dbm0

cdef struct dtmf_frame_t:
    float re[DTMF_TONES]  # of each tone at its nominal frequency, phase as of sample 0
    float im[DTMF_TONES]
    float power[DTMF_TONES]
    float energy
    float hum  # energy below some 200 Hz, undifferenced

cdef struct dtmf_t:
    int16_t samples[DTMF_HOP + 2]  # the present hop, behind the last two samples before it
    int filled
    float sides[2][DTMF_HOP]  # the last two hops, differenced, in turns
    int turn  # of the phase table
    int64_t hops
    dtmf_frame_t frames[DTMF_RING]
    # the tone pair being followed
    int low, high  # tone numbers 0..3 and 4..7; low is -1 without one
    float low_size, high_size  # magnitudes of a frame filled by it
    float covered  # hops filled by it so far
    float missing  # hops without it since it was last heard
    int sightings  # windows that were nothing but it
    float hum  # below it
    bint abrupt  # it began at once, as speech does not
    bint down
    int64_t start
    # the suspicion
    bint suspected
    int64_t suspected_from
    int unsure  # hops in a row that do not support the suspicion

cdef void dtmf_init(dtmf_t *d) noexcept nogil
cdef int dtmf_feed(dtmf_t *d, const int16_t *samples, int n, dtmf_report_t *out, int room) noexcept nogil
cdef int dtmf_finish(dtmf_t *d, dtmf_report_t *out, int room) noexcept nogil
cdef bint dtmf_is_suspected(const dtmf_t *d) noexcept nogil
