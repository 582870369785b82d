"""RTCP extended reports with the VoIP metrics block (RFC 3611 section 4.7)."""

from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    VOIP_BYTES = 44  # the whole packet: header, our SSRC, one block
    UNAVAILABLE = 127

cdef struct voip_t:
    uint32_t source
    int loss  # 1/256
    int burst_density  # 1/256 of the packets in bursts
    int gap_density
    int burst_ms  # mean
    int gap_ms
    int rtt_ms
    int end_ms  # delay in the end system
    int r  # 0 to 100, or UNAVAILABLE
    int mos_lq  # 10 to 50, or UNAVAILABLE: listening
    int mos_cq  # conversation

cdef int write_voip(const voip_t *v, uint32_t ssrc, uint8_t *out) noexcept nogil
cdef bint read_voip(const uint8_t *packet, int n, uint32_t about, voip_t *out) noexcept nogil
