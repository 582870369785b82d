"""Lost packets as bursts and gaps (RFC 3611 section 4.7.2)."""

from libc.stdint cimport uint32_t

cdef enum:
    GMIN = 16  # packets received in a row that end a burst

cdef struct losses_t:
    uint32_t counted  # packets whose fate is known
    uint32_t lost
    uint32_t runs  # of losses one behind the other
    uint32_t bursts  # that are over
    uint32_t burst_packets
    uint32_t burst_lost
    uint32_t since  # received since the last loss
    uint32_t open_packets  # from the first loss of what may become a burst to its last one
    uint32_t open_lost

cdef inline void note_received(losses_t *l) noexcept nogil:
    l.counted += 1
    l.since += 1

cdef void note_lost(losses_t *l, uint32_t n) noexcept nogil
cdef void end_burst(losses_t *l) noexcept nogil
cdef double burst_ratio(uint32_t lost, uint32_t runs, uint32_t counted) noexcept nogil
