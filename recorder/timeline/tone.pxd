"""Digits that came as events (RFC 4733), as the tones they stand for."""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t

cdef enum:
    EVENT_BYTES = 4
    DIGITS = 16  # 0 to 9, *, #, A to D

cdef struct tone_t:
    bint is_known  # the event below is the one heard last
    uint32_t epoch
    int64_t timestamp  # where it began
    int code
    int64_t done  # clock units of it that have been heard
    double amplitude  # of each of the two tones
    double low  # phases
    double high

cdef inline int event_code(const uint8_t *payload) noexcept nogil:
    return payload[0]

cdef inline int64_t event_units(const uint8_t *payload) noexcept nogil:
    """For how long it has been pressed."""
    return payload[2] << 8 | payload[3]

# The event that this payload tells of; anew when it is another than before.
cdef void tone_follow(tone_t *tone, uint32_t epoch, int64_t timestamp, const uint8_t *payload) noexcept nogil
# The next `n` samples of it.
cdef void tone_say(tone_t *tone, int16_t *out, int n, int hz) noexcept nogil
# They were heard otherwise.
cdef void tone_pass(tone_t *tone, int64_t n, int hz) noexcept nogil
