"""What one leg hears of one source, counted as RFC 3550 appendix A.1, A.3 and A.8 do."""

from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t

from santral.engine.media.core.measure.losses cimport losses_t

cdef enum:
    FIRST_ROUND = 0x10000

cdef enum arrival_t:
    ARRIVED_IN_ORDER
    ARRIVED_LATE
    ARRIVED_TWICE

cdef struct reception_t:
    bint started
    uint32_t ssrc
    uint32_t highest  # sequence number, extended by the times it went round; both begin in the first round
    uint32_t base
    uint64_t seen  # bit i: highest - i has arrived
    uint16_t after_jump  # a large jump is believed when the packet after it follows on
    bint jumped
    uint32_t received  # duplicates included (A.3)
    uint32_t duplicates
    uint32_t expected_before, received_before  # at the last report
    losses_t losses  # of all sources; what is still in the window is not in it
    uint32_t lost_before  # of earlier sources, or before a jump
    bint has_transit
    int32_t transit
    uint32_t jitter  # scaled by 16, in units of `clock_hz`
    int32_t clock_hz

cdef void restart(reception_t *r, uint32_t ssrc, uint16_t sequence, int32_t clock_hz) noexcept nogil
cdef arrival_t count_packet(reception_t *r, uint16_t sequence) noexcept nogil
cdef void measure_jitter(reception_t *r, uint32_t timestamp, int64_t now_ns, int32_t clock_hz) noexcept nogil
cdef uint32_t expected_packets(const reception_t *r) noexcept nogil
cdef int64_t lost_packets(const reception_t *r) noexcept nogil
cdef void settle_all(reception_t *r) noexcept nogil
cdef int fraction_lost(reception_t *r) noexcept nogil
