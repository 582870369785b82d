"""When two packets speak of the same digit.

Its key is (timestamp, event code). Neither the marker nor the end bit is relied on: each can be lost, and some gateways
send neither. A contiguous segment of the same event without an end is the same digit (§2.5.1.3: durations overflow after
8 s), the same key starting again after an end is a new one, and some gateways give the next digit the last one's timestamp.
A digit whose end got lost is ended by the next digit or by silence.
"""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from santral.engine.media.core.rtp cimport get16

cdef enum:
    LAST_DIGIT = 15  # codes above are other events (§3.2), passed on but no digits
    SILENCE_NS = 150000000  # three updates of the slowest usual sender (50 ms)
    SEGMENT_GAP_MS = 20  # one lost update still leaves two segments contiguous
    LONG_SEGMENT_GAP_MS = 300  # at the longest duration a segment is sure to follow
    LONGEST_SEGMENT = 0xFFFF
    USUAL_HZ = 8000


cdef uint64_t key_of(int code, uint32_t timestamp) noexcept nogil:
    return <uint64_t>timestamp << 8 | <uint64_t>code


cdef void report(digits_t *d, reports_t *out) noexcept nogil:
    d.open = False
    if out.n < MAX_REPORTS:
        out.digits[out.n].code = d.code
        out.digits[out.n].duration = d.timestamp + d.duration - d.first
        out.n += 1


cdef bint is_recent(const digits_t *d, const event_t *event) noexcept nogil:
    cdef int i
    for i in range(RECENT):
        if d.recent[i] == key_of(event.code, event.timestamp):
            return True
    return False


cdef bint continues(const digits_t *d, const event_t *event) noexcept nogil:
    """Whether the event is the next segment of the present digit."""
    cdef int32_t gap = <int32_t>(event.timestamp - (d.timestamp + d.duration))
    cdef int per_ms = (d.clock_hz if d.clock_hz else USUAL_HZ) // 1000
    if d.ended or event.code != d.code:
        return False
    if d.duration >= LONGEST_SEGMENT - LONG_SEGMENT_GAP_MS * per_ms:
        return 0 <= gap <= LONG_SEGMENT_GAP_MS * per_ms
    return 0 <= gap <= SEGMENT_GAP_MS * per_ms


cdef void start(digits_t *d, const event_t *event, int64_t now_ns, reports_t *out) noexcept nogil:
    if d.open:
        report(d, out)
    if d.known:
        d.recent[d.next_recent] = key_of(d.code, d.timestamp)
        d.next_recent = (d.next_recent + 1) % RECENT
    d.known = d.open = True
    d.code = event.code
    d.first = event.timestamp
    d.sequence = event.sequence
    begin_segment(d, event)
    follow(d, event, now_ns, out)


cdef void begin_segment(digits_t *d, const event_t *event) noexcept nogil:
    d.timestamp = event.timestamp
    d.duration = 0
    d.ended = False


cdef void follow(digits_t *d, const event_t *event, int64_t now_ns, reports_t *out) noexcept nogil:
    """One more packet about the present segment."""
    d.duration = max(d.duration, event.duration)
    if <int16_t>(event.sequence - d.sequence) > 0:
        d.sequence = event.sequence
    d.seen_ns = now_ns
    if event.end:
        d.ended = True
        if d.open:
            report(d, out)


cdef void hear_event(digits_t *d, const event_t *event, int64_t now_ns, reports_t *out) noexcept nogil:
    cdef bint stale = d.known and <int16_t>(event.sequence - d.sequence) < 0
    if event.code > LAST_DIGIT:
        return
    if d.known and event.code == d.code and event.timestamp == d.timestamp:
        if not d.ended:
            follow(d, event, now_ns, out)
        elif not event.end and not stale:
            start(d, event, now_ns, out)
    elif stale or event.end and is_recent(d, event):
        return  # reordered, or the end of an earlier digit once more
    elif d.known and continues(d, event):
        begin_segment(d, event)
        follow(d, event, now_ns, out)
    else:
        start(d, event, now_ns, out)


cdef void hear_packet(
    digits_t *d, const uint8_t *payload, int n, uint16_t sequence, uint32_t timestamp, int64_t now_ns, reports_t *out
) noexcept nogil:
    """Appends to `out` what the packet ends. Events share a packet only one after the other (§2.5.1.5)."""
    cdef event_t event
    cdef int count = min(n // EVENT_BYTES, <int>MAX_EVENTS)
    cdef int i
    event.sequence = sequence
    event.timestamp = timestamp
    for i in range(count):
        event.code = payload[EVENT_BYTES * i]
        event.duration = get16(payload + EVENT_BYTES * i + 2)
        event.end = payload[EVENT_BYTES * i + 1] >> 7 or i < count - 1
        hear_event(d, &event, now_ns, out)
        event.timestamp += event.duration


cdef void expire_digit(digits_t *d, int64_t now_ns, reports_t *out) noexcept nogil:
    if d.open and now_ns >= digit_deadline(d):
        report(d, out)


cdef int64_t digit_deadline(const digits_t *d) noexcept nogil:
    """When the open digit is to be ended by silence; 0 without one."""
    return d.seen_ns + SILENCE_NS if d.open else 0


cdef void forget_digits(digits_t *d, reports_t *out) noexcept nogil:
    """The source is gone: its open digit has ended, its keys mean nothing for the next one."""
    if d.open:
        report(d, out)
    memset(d, 0, sizeof(digits_t))


cdef class Digits:
    """Digit recognition driven by hand: for tests. Each call returns [(digit, milliseconds)] of what has ended."""

    cdef digits_t state

    def __init__(self, int clock_hz=8000):
        self.state.clock_hz = clock_hz

    def receive(self, const unsigned char[::1] payload not None, *, int sequence, uint32_t timestamp, int64_t now_ns=0):
        cdef reports_t out
        out.n = 0
        if payload.shape[0]:
            hear_packet(
                &self.state, &payload[0], <int>payload.shape[0], <uint16_t>sequence, timestamp, now_ns, &out
            )
        return listed(&out, self.state.clock_hz)

    def tick(self, int64_t now_ns):
        cdef reports_t out
        out.n = 0
        expire_digit(&self.state, now_ns, &out)
        return listed(&out, self.state.clock_hz)

    def forget(self):
        cdef reports_t out
        out.n = 0
        forget_digits(&self.state, &out)
        return listed(&out, self.state.clock_hz)


cdef list listed(const reports_t *out, int clock_hz):
    per_ms = (clock_hz or USUAL_HZ) // 1000
    return [("0123456789*#ABCD"[out.digits[i].code], out.digits[i].duration // per_ms) for i in range(out.n)]
