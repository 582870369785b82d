"""Digits of telephone-event packets (RFC 4733 §2.3), each reported once, when it ends."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    EVENT_BYTES = 4
    MAX_EVENTS = 8  # in one packet (§2.5.1.5); what follows is ignored
    MAX_REPORTS = 17  # of one packet: each event may end the one before it and itself, and one was open
    RECENT = 8

cdef struct digit_t:
    int code  # 0-9, 10 *, 11 #, 12-15 A-D
    uint32_t duration  # in clock units

cdef struct reports_t:
    int n
    digit_t digits[MAX_REPORTS]

cdef struct event_t:
    int code
    bint end
    uint16_t duration
    uint16_t sequence  # of the packet
    uint32_t timestamp

cdef struct digits_t:
    int clock_hz  # of timestamps and durations; 0: 8000
    bint known  # the fields below describe a digit
    bint open  # not reported yet
    bint ended  # its end bit has been seen
    int code
    uint32_t first  # timestamp of its first segment
    uint32_t timestamp  # of its present segment
    uint16_t duration
    uint16_t sequence  # newest packet that spoke of it
    int64_t seen_ns
    uint64_t recent[RECENT]  # keys of digits before it
    int next_recent

cdef void hear_packet(
    digits_t *d, const uint8_t *payload, int n, uint16_t sequence, uint32_t timestamp, int64_t now_ns, reports_t *out
) noexcept nogil
cdef void expire_digit(digits_t *d, int64_t now_ns, reports_t *out) noexcept nogil
cdef void forget_digits(digits_t *d, reports_t *out) noexcept nogil
cdef int64_t digit_deadline(const digits_t *d) noexcept nogil
