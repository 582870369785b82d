"""The jitter buffer of one leg: packets in as they come, 20 ms at a time out."""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    JITTER_SLOTS = 32
    JITTER_BINS = 128
    JITTER_PCM = 9600  # decoded and not played yet: 200 ms at 48 kHz

cdef struct jitter_slot_t:
    int64_t number  # extended, counting on over changes of the source
    int64_t at  # media time of its first sample, in grains
    int span  # grains
    uint32_t timestamp
    int codec
    int bytes
    uint16_t sequence
    uint8_t payload_type
    uint8_t is_event
    uint8_t marker

cdef struct jitter_limits_t:
    int64_t least_ns
    int64_t most_ns

cdef struct jitter_t:
    uint64_t serial
    jitter_limits_t limits
    int slot_bytes
    uint8_t *payloads
    # where packets stand
    bint started
    uint32_t epoch
    uint16_t last_sequence
    uint32_t last_timestamp
    int clock_hz
    int64_t last_number
    int64_t last_at
    int last_span
    int64_t last_ns
    # how late they come
    int64_t fastest_ns  # arrival less media time of the fastest packet, of this window
    int64_t fastest_before_ns  # of the window before
    int64_t window_ns
    int64_t delay_ns  # of the last packet, behind the fastest
    int64_t arrived_ns  # when it came
    float weight  # of the next packet
    float total
    int unjudged  # packets since the target was last looked at
    int64_t target_ns
    # what is played
    bint waiting  # for the right time of the next packet
    int64_t next_number
    int64_t next_at
    int64_t starved  # grains made up since the buffer ran dry
    int since_change  # frames
    int fill
    int taken  # of `fill`: given out already
    bint heard  # something was decoded since it began
    int hz
    # Packets stand where others have just left, which the processor still remembers: all 32 places are for bursts only.
    int n_free
    uint8_t free[JITTER_SLOTS]  # the first `n_free`: slots nobody stands in, the one left last at their end
    uint8_t places[JITTER_SLOTS]  # by number: the slot that packet stands in, and one; 0: it is not here
    jitter_slot_t slots[JITTER_SLOTS]
    float weights[JITTER_BINS]
    int16_t pcm[JITTER_PCM]
    # counted
    uint64_t late
    uint64_t concealed  # frames of 20 ms, about
    uint64_t shortened
    uint64_t lengthened
    uint64_t overflowed

cdef int64_t jitter_delay(const jitter_t *j, int64_t now_ns) noexcept nogil
cdef void jitter_begin(jitter_t *j) noexcept nogil
cdef jitter_slot_t *jitter_place(
    jitter_t *j, uint32_t epoch, uint16_t sequence, uint32_t timestamp, int clock_hz, int64_t span, int64_t now_ns
) noexcept nogil
cdef jitter_slot_t *jitter_next(jitter_t *j) noexcept nogil
cdef void jitter_leave(jitter_t *j, const jitter_slot_t *slot) noexcept nogil
cdef uint8_t *jitter_payload(const jitter_t *j, const jitter_slot_t *slot) noexcept nogil
cdef bint jitter_is_due(jitter_t *j, int64_t now_ns) noexcept nogil
cdef int jitter_wants(jitter_t *j, int64_t now_ns) noexcept nogil

cdef class JitterMemory:
    cdef jitter_t *block
    cdef size_t bytes
