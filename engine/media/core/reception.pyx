"""Loss, order, duplicates and jitter of a received stream, per source.

A restarted source (new SSRC, or a jump that its next packet confirms) begins anew; what it had lost until then is kept.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t

from santral.engine.media.core.measure.losses cimport note_lost, note_received

cdef enum:
    MAX_DROPOUT = 3000  # packets: RFC 3550 A.1
    MAX_MISORDER = 100
    WINDOW = 64  # packets back in which a duplicate is recognised


cdef void restart(reception_t *r, uint32_t ssrc, uint16_t sequence, int32_t clock_hz) noexcept nogil:
    """Begin with the source whose first packet bears `sequence`; the packet itself is counted afterwards."""
    if r.started:
        settle_all(r)
        r.lost_before = <uint32_t>lost_packets(r)
    r.started = True
    r.ssrc = ssrc
    r.base = FIRST_ROUND + sequence
    r.highest = r.base - 1
    r.seen = 0
    r.jumped = False
    r.received = r.duplicates = 0
    r.expected_before = r.received_before = 0
    r.has_transit = False
    r.jitter = 0
    r.clock_hz = clock_hz


cdef void settle(reception_t *r, uint32_t ahead) noexcept nogil:
    """The oldest `ahead` of the window leave it: whether they came is known by now, as far as it ever will be."""
    cdef uint32_t known = r.highest - r.base + 1  # of this source, so far
    cdef uint32_t i
    for i in range(min(ahead, <uint32_t>WINDOW)):
        if i + known < WINDOW:
            continue  # before its first packet
        if r.seen >> (WINDOW - 1 - i) & 1:
            note_received(&r.losses)
        else:
            note_lost(&r.losses, 1)
    if ahead > WINDOW:
        note_lost(&r.losses, ahead - WINDOW)


cdef void settle_all(reception_t *r) noexcept nogil:
    """What is in the window counts, too: at the end of a source, or on a copy."""
    if r.started and r.seen:
        settle(r, WINDOW)
        r.seen = 0


cdef arrival_t count_packet(reception_t *r, uint16_t sequence) noexcept nogil:
    cdef uint16_t ahead = <uint16_t>(sequence - <uint16_t>r.highest)
    cdef uint16_t behind = <uint16_t>(<uint16_t>r.highest - sequence)
    if 0 < ahead < MAX_DROPOUT:
        settle(r, ahead)
        r.highest += ahead
        r.seen = (r.seen << ahead if ahead < WINDOW else 0) | 1
        r.jumped = False
        r.received += 1
        return ARRIVED_IN_ORDER
    if behind < WINDOW and r.seen:
        r.received += 1
        if r.seen >> behind & 1:
            r.duplicates += 1
            return ARRIVED_TWICE
        r.seen |= <uint64_t>1 << behind
        return ARRIVED_LATE
    if behind <= MAX_MISORDER:
        r.received += 1
        return ARRIVED_LATE
    if r.jumped and sequence == r.after_jump:
        restart(r, r.ssrc, sequence, r.clock_hz)
        return count_packet(r, sequence)
    r.jumped = True
    r.after_jump = <uint16_t>(sequence + 1)
    r.received += 1
    return ARRIVED_LATE


cdef void measure_jitter(reception_t *r, uint32_t timestamp, int64_t now_ns, int32_t clock_hz) noexcept nogil:
    """A.8, for packets whose timestamp is their own sampling instant (so not for telephone-events)."""
    cdef uint32_t arrival = <uint32_t>(now_ns // 1000 * clock_hz // 1000000)
    cdef int32_t transit = <int32_t>(arrival - timestamp)
    cdef int32_t d = transit - r.transit
    if clock_hz != r.clock_hz:  # the source changed codec: its old transit says nothing
        r.clock_hz = clock_hz
        r.has_transit = False
    if r.has_transit:
        d = -d if d < 0 else d
        if d < 4 * clock_hz:  # a step of the sender's clock is no jitter
            r.jitter += d - ((r.jitter + 8) >> 4)
    r.transit = transit
    r.has_transit = True


cdef uint32_t expected_packets(const reception_t *r) noexcept nogil:
    return r.highest - r.base + 1 if r.started else 0


cdef int64_t lost_packets(const reception_t *r) noexcept nogil:
    """Never arrived, of all sources so far. Duplicates do not make up for a loss, unlike in A.3."""
    cdef int64_t lost = <int64_t>expected_packets(r) - (r.received - r.duplicates)
    return r.lost_before + (lost if lost > 0 else 0)


cdef int fraction_lost(reception_t *r) noexcept nogil:
    """In 1/256 since the last call (A.3)."""
    cdef int64_t expected = <int64_t>expected_packets(r) - r.expected_before
    cdef int64_t lost = expected - (<int64_t>r.received - r.received_before)
    r.expected_before = expected_packets(r)
    r.received_before = r.received
    if expected <= 0 or lost <= 0:
        return 0
    return <int>(255 if lost >= expected else (lost << 8) // expected)


cdef class Reception:
    """The counting of one leg, driven by hand: for tests and offline tools."""

    cdef reception_t state

    def __cinit__(self):
        self.state.started = False

    def receive(self, int sequence, *, uint32_t timestamp=0, int64_t now_ns=0, uint32_t ssrc=1, int clock_hz=8000):
        """'in_order', 'late' or 'twice'."""
        if not self.state.started or ssrc != self.state.ssrc:
            restart(&self.state, ssrc, <uint16_t>sequence, clock_hz)
        names = {ARRIVED_IN_ORDER: "in_order", ARRIVED_LATE: "late", ARRIVED_TWICE: "twice"}
        arrival = names[count_packet(&self.state, <uint16_t>sequence)]
        if timestamp:
            measure_jitter(&self.state, timestamp, now_ns, clock_hz)
        return arrival

    @property
    def expected(self):
        return expected_packets(&self.state)

    @property
    def lost(self):
        return lost_packets(&self.state)

    @property
    def jitter_ms(self):
        return self.state.jitter / 16.0 * 1000 / self.state.clock_hz

    def take_fraction_lost(self):
        return fraction_lost(&self.state)
