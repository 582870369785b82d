"""When packets are to be played. Pure bookkeeping over `now`: decoding is `intake.pyx`'s work, and so are the samples.

Media time is counted in grains of 1/48000 s, on one line for all sources of a leg: a new SSRC, or a clock that steps, goes on
where the last packet ended. A packet's delay is how much later it came than the fastest packets of the last seconds would have.
The target is the delay that all but the slowest of them keep, so a packet is played when it is that much old: early
enough to be there, no later than needed. A burst behind a stall counts as one slow packet, so one spike does not raise the target.
What the true delay is off the target, by changes of the target, stalls, or two clocks that drift apart, is made up for by
one stretch or cut at a time.
"""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memset

from santral.engine.media.core.memory.pages cimport give_back, take

cdef enum:
    GRAINS_HZ = 48000
    MAX_MISORDER = 100
    WINDOW_S = 5  # the fastest packet of the last one or two windows is the measure
    BIN_NS = 2000000
    JUDGE_EVERY = 5  # packets
    CHANGE_EVERY = 5  # frames of 20 ms between two changes of length
    CHANGE_EVERY_FAR = 2  # while the delay is far off
    FIRST_TARGET_NS = 40000000
    SLACK_NS = 6000000  # between the slowest packets that are waited for and their turn
    TOO_SLOW_NS = 16000000  # behind the target: a cut is due
    TOO_FAST_NS = 8000000  # ahead of it: a stretch
    FAR_NS = 60000000
    CACHE_LINE = 64
    STEP_GRAINS = 96000  # 2 s: timestamps that jump against arrival are another clock


cdef float FORGET = 0.995  # per packet: some 4 s are remembered
cdef float SHARE = 0.985  # of the packets are to be in time


cdef inline int64_t to_ns(int64_t grains) noexcept nogil:
    return grains * 62500 // 3


cdef inline int64_t to_grains(int64_t ns) noexcept nogil:
    return ns * 3 // 62500


cdef void forget_packets(jitter_t *j) noexcept nogil:
    cdef int i
    memset(j.places, 0, sizeof(j.places))
    j.n_free = JITTER_SLOTS
    for i in range(JITTER_SLOTS):
        j.free[i] = <uint8_t>(JITTER_SLOTS - 1 - i)


cdef jitter_slot_t *slot_of(jitter_t *j, int64_t number) noexcept nogil:
    """Where the packet of this number stands; NULL if it is not here."""
    cdef int place = j.places[number % JITTER_SLOTS]
    cdef jitter_slot_t *slot = &j.slots[place - 1]
    return slot if place and slot.number == number else NULL


cdef jitter_slot_t *enter(jitter_t *j, int64_t number) noexcept nogil:
    """A slot for this packet; what was forgotten 32 packets ago goes."""
    cdef uint8_t *place = &j.places[number % JITTER_SLOTS]
    if not place[0]:
        j.n_free -= 1
        place[0] = j.free[j.n_free] + 1
    return &j.slots[place[0] - 1]


cdef void jitter_leave(jitter_t *j, const jitter_slot_t *slot) noexcept nogil:
    """What is in it can be read until the next packet comes."""
    j.places[slot.number % JITTER_SLOTS] = 0
    j.free[j.n_free] = <uint8_t>(slot - j.slots)
    j.n_free += 1


cdef uint8_t *jitter_payload(const jitter_t *j, const jitter_slot_t *slot) noexcept nogil:
    return j.payloads + <size_t>(slot - j.slots) * j.slot_bytes


cdef void jitter_begin(jitter_t *j) noexcept nogil:
    """Empty, whatever it held; what it learnt of the network is kept."""
    forget_packets(j)
    j.started = False
    j.waiting = True
    j.fill = j.taken = 0
    j.heard = False
    j.starved = 0
    j.since_change = 0
    if not j.target_ns:
        j.target_ns = max(j.limits.least_ns, min(j.limits.most_ns, <int64_t>FIRST_TARGET_NS))


cdef int64_t fastest(const jitter_t *j) noexcept nogil:
    return min(j.fastest_ns, j.fastest_before_ns)


cdef void measure(jitter_t *j, int64_t at, int64_t now_ns) noexcept nogil:
    """How late is this one?"""
    cdef int64_t transit = now_ns - to_ns(at)
    cdef int64_t since = now_ns - j.arrived_ns
    cdef int place
    j.arrived_ns = now_ns
    if now_ns - j.window_ns > <int64_t>WINDOW_S * 1000000000:
        j.fastest_before_ns = j.fastest_ns
        j.fastest_ns = transit
        j.window_ns = now_ns
    j.fastest_ns = min(j.fastest_ns, transit)
    j.delay_ns = transit - fastest(j)
    if since < to_ns(j.last_span) // 4:
        return  # of a burst the first has been counted
    place = <int>min(<int64_t>JITTER_BINS - 1, j.delay_ns // BIN_NS)
    j.weights[place] += j.weight
    j.total += j.weight
    j.weight /= FORGET
    if j.weight > 1e12:
        for place in range(JITTER_BINS):
            j.weights[place] /= 1e12
        j.total /= 1e12
        j.weight /= 1e12
    j.unjudged += 1
    if j.unjudged >= JUDGE_EVERY:
        judge(j)


cdef void judge(jitter_t *j) noexcept nogil:
    cdef float wanted = j.total * SHARE
    cdef float sum = 0
    cdef int place = 0
    j.unjudged = 0
    while place < JITTER_BINS - 1:
        sum += j.weights[place]
        if sum >= wanted:
            break
        place += 1
    j.target_ns = max(j.limits.least_ns, min(j.limits.most_ns, <int64_t>(place + 1) * BIN_NS + SLACK_NS))


cdef void begin_line(jitter_t *j, int64_t now_ns) noexcept nogil:
    cdef int i
    j.started = True
    j.last_number = -1
    j.last_at = to_grains(now_ns)
    j.last_span = 0
    j.next_number = 0
    j.next_at = j.last_at
    if not j.weight:
        j.weight = 1
        for i in range(JITTER_BINS):
            j.weights[i] = 0
        j.total = 0
    j.fastest_ns = j.fastest_before_ns = now_ns - to_ns(j.last_at)
    j.window_ns = now_ns
    j.delay_ns = 0


cdef jitter_slot_t *jitter_place(
    jitter_t *j, uint32_t epoch, uint16_t sequence, uint32_t timestamp, int clock_hz, int64_t span, int64_t now_ns
) noexcept nogil:
    """The slot to fill with a packet of `span` grains (0: an event), or NULL for one that comes too late, or twice."""
    cdef int64_t number, at
    cdef int ahead = <int16_t>(sequence - j.last_sequence)
    cdef jitter_slot_t *slot
    cdef bint is_new = not j.started or epoch != j.epoch or clock_hz != j.clock_hz or ahead < -MAX_MISORDER
    if not j.started:
        begin_line(j, now_ns)
    if not is_new:
        number = j.last_number + ahead
        at = j.last_at + <int64_t><int>(timestamp - j.last_timestamp) * GRAINS_HZ // clock_hz
        if span and not -STEP_GRAINS < at - j.last_at - to_grains(now_ns - j.last_ns) < STEP_GRAINS:
            is_new = True
    if is_new:
        number = j.last_number + 1
        at = max(j.last_at + j.last_span, to_grains(now_ns - fastest(j)))
        ahead = 1
    if number < j.next_number:
        j.late += 1
        if span:
            measure(j, at, now_ns)
        return NULL
    if number >= j.next_number + JITTER_SLOTS:
        j.overflowed += 1
        forget_packets(j)
        j.waiting = True
        j.next_number = number
    if slot_of(j, number) != NULL:
        return NULL
    slot = enter(j, number)
    if span:
        measure(j, at, now_ns)
    if ahead > 0:
        j.epoch = epoch
        j.clock_hz = clock_hz
        j.last_sequence = sequence
        j.last_number = number
        if span:
            j.last_timestamp = timestamp
            j.last_at = at
            j.last_span = <int>span
            j.last_ns = now_ns
        elif is_new:
            j.last_timestamp = timestamp
    slot.is_event = span == 0
    slot.number = number
    slot.sequence = sequence
    slot.timestamp = timestamp
    slot.at = at
    slot.span = <int>span
    return slot


cdef jitter_slot_t *jitter_next(jitter_t *j) noexcept nogil:
    """The oldest packet there is, events left out, or NULL."""
    cdef int64_t number = j.next_number
    cdef jitter_slot_t *slot
    while number <= j.last_number:
        slot = slot_of(j, number)
        if slot != NULL:
            if not slot.is_event:
                return slot
            if number == j.next_number:
                jitter_leave(j, slot)
                j.next_number += 1
        number += 1
    return NULL


cdef int64_t jitter_delay(const jitter_t *j, int64_t now_ns) noexcept nogil:
    """How old the next sample to be heard is, against the fastest packets."""
    return now_ns - fastest(j) - to_ns(j.next_at) + (<int64_t>j.fill * 1000000000 // j.hz if j.hz else 0)


cdef bint jitter_is_due(jitter_t *j, int64_t now_ns) noexcept nogil:
    """While waiting: whether the next packet has come of age. What was made up meanwhile stands for packets lost before it."""
    cdef const jitter_slot_t *slot = jitter_next(j)
    if slot == NULL or now_ns - fastest(j) - to_ns(slot.at) < j.target_ns:
        return False
    j.waiting = False
    j.next_number = slot.number
    j.next_at = slot.at
    j.starved = 0
    return True


cdef int jitter_wants(jitter_t *j, int64_t now_ns) noexcept nogil:
    """-1: time is to be cut out now, 1: put in, 0: neither. Asked once a frame."""
    cdef int64_t off = jitter_delay(j, now_ns) - j.target_ns
    cdef int patience = CHANGE_EVERY_FAR if off > FAR_NS else CHANGE_EVERY
    j.since_change += 1
    if j.waiting or j.since_change < patience:
        return 0
    if off > TOO_SLOW_NS:
        return -1
    return 1 if off < -TOO_FAST_NS else 0


cdef size_t whole_lines(size_t bytes) noexcept nogil:
    return (bytes + CACHE_LINE - 1) // CACHE_LINE * CACHE_LINE


cdef class JitterMemory:
    """A jitter buffer as the event loop owns it, lent to the media thread while its leg is in a room."""

    def __cinit__(self, uint64_t serial, int slot_bytes, int least_ms=20, int most_ms=200):
        cdef size_t payloads = whole_lines(sizeof(jitter_t))
        cdef size_t slot = whole_lines(slot_bytes)
        self.bytes = payloads + slot * JITTER_SLOTS
        self.block = <jitter_t *>take(self.bytes)
        self.block.serial = serial
        self.block.slot_bytes = <int>slot
        self.block.payloads = <unsigned char *>self.block + payloads
        self.block.limits.least_ns = <int64_t>least_ms * 1000000
        self.block.limits.most_ns = <int64_t>most_ms * 1000000
        jitter_begin(self.block)

    def __dealloc__(self):
        give_back(self.block, self.bytes)
