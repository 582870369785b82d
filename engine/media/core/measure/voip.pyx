"""RTCP extended reports with the VoIP metrics block (RFC 3611 section 4.7). Of a peer's only this block is read."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memset

from santral.engine.media.core.measure.losses cimport GMIN
from santral.engine.media.core.rtp cimport get16, get32, put16, put32

cdef enum:
    EXTENDED_REPORT = 207
    VOIP_METRICS = 7  # block type
    BLOCK_WORDS = 8  # behind the block's own header
    BLOCK_BYTES = 4 * BLOCK_WORDS + 4
    HEADER_BYTES = 8


cdef uint16_t bounded(int value) noexcept nogil:
    return <uint16_t>(0 if value < 0 else 0xFFFF if value > 0xFFFF else value)


cdef int write_voip(const voip_t *v, uint32_t ssrc, uint8_t *out) noexcept nogil:
    """Returns its length, VOIP_BYTES. What is not measured here (levels, echo, discarded packets) says so, or is zero."""
    cdef uint8_t *block = out + HEADER_BYTES
    memset(out, 0, VOIP_BYTES)
    out[0] = 0x80
    out[1] = EXTENDED_REPORT
    put16(out + 2, VOIP_BYTES // 4 - 1)
    put32(out + 4, ssrc)
    block[0] = VOIP_METRICS
    put16(block + 2, BLOCK_WORDS)
    put32(block + 4, v.source)
    block[8] = <uint8_t>v.loss
    block[10] = <uint8_t>v.burst_density
    block[11] = <uint8_t>v.gap_density
    put16(block + 12, bounded(v.burst_ms))
    put16(block + 14, bounded(v.gap_ms))
    put16(block + 16, bounded(v.rtt_ms))
    put16(block + 18, bounded(v.end_ms))
    block[20] = block[21] = block[22] = UNAVAILABLE  # signal level, noise level, echo return loss
    block[23] = GMIN
    block[24] = <uint8_t>v.r
    block[25] = UNAVAILABLE  # no other network's rating
    block[26] = <uint8_t>v.mos_lq
    block[27] = <uint8_t>v.mos_cq
    return VOIP_BYTES


cdef bint read_voip(const uint8_t *packet, int n, uint32_t about, voip_t *out) noexcept nogil:
    """Whether this RTCP packet of `n` bytes is an extended report with metrics of our source `about`."""
    cdef int at = HEADER_BYTES, length
    cdef const uint8_t *block
    if n < HEADER_BYTES or packet[1] != EXTENDED_REPORT:
        return False
    while at + 4 <= n:
        block = packet + at
        length = 4 * (get16(block + 2) + 1)
        if length > n - at:
            return False
        if block[0] == VOIP_METRICS and length == BLOCK_BYTES and get32(block + 4) == about:
            out.source = about
            out.loss = block[8]
            out.burst_density = block[10]
            out.gap_density = block[11]
            out.burst_ms = get16(block + 12)
            out.gap_ms = get16(block + 14)
            out.rtt_ms = get16(block + 16)
            out.end_ms = get16(block + 18)
            out.r = block[24] if block[24] <= 100 else UNAVAILABLE
            out.mos_lq = block[26] if 10 <= block[26] <= 50 else UNAVAILABLE
            out.mos_cq = block[27] if 10 <= block[27] <= 50 else UNAVAILABLE
            return True
        at += length
    return False
