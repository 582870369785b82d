"""Compound RTCP packets: SR or RR, then SDES with the CNAME, in the end BYE. Reading checks as RFC 3550 A.2 demands, and believes nothing."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from santral.engine.media.core.measure.voip cimport read_voip
from santral.engine.media.core.rtp cimport get16, get32, put16, put32

cdef enum:
    SENDER_REPORT = 200
    RECEIVER_REPORT = 201
    SOURCE_DESCRIPTION = 202
    GOODBYE = 203
    CNAME_ITEM = 1
    HEADER_BYTES = 8  # with the SSRC of who sends it
    SENDER_BYTES = 20
    BLOCK_BYTES = 24
    NTP_EPOCH_S = 2208988800  # 1900 to 1970


cdef uint64_t ntp_time(int64_t unix_ns) noexcept nogil:
    cdef uint64_t seconds = <uint64_t>(unix_ns // 1000000000) + <uint64_t>NTP_EPOCH_S
    return seconds << 32 | (<uint64_t>(unix_ns % 1000000000) << 32) // 1000000000


cdef void put_head(uint8_t *at, int count, int kind, int n) noexcept nogil:
    at[0] = <uint8_t>(0x80 | count)
    at[1] = <uint8_t>kind
    put16(at + 2, <unsigned short>(n // 4 - 1))


cdef void put_block(const own_report_t *r, uint8_t *at) noexcept nogil:
    cdef int64_t lost = r.lost
    if lost > 0x7FFFFF:  # 24 bits, signed
        lost = 0x7FFFFF
    elif lost < -0x800000:
        lost = -0x800000
    put32(at, r.source)
    put32(at + 4, <uint32_t>r.fraction_lost << 24 | <uint32_t>(lost & 0xFFFFFF))
    put32(at + 8, r.highest_sequence)
    put32(at + 12, r.jitter)
    put32(at + 16, r.last_sr)
    put32(at + 20, r.delay_since_sr)


cdef int write_report(const own_report_t *r, const uint8_t *cname, int cname_bytes, uint8_t *out) noexcept nogil:
    """Returns its length; `out` has room for MAX_REPORT_BYTES."""
    cdef int blocks = 1 if r.has_source else 0
    cdef int n = HEADER_BYTES + BLOCK_BYTES * blocks + (SENDER_BYTES if r.is_sender else 0)
    cdef int chunk = HEADER_BYTES + 2 + min(cname_bytes, <int>MAX_CNAME)
    cdef int chunk_end = (chunk + 4) & ~3  # at least one zero ends the items, then up to a word
    memset(out, 0, n + chunk_end)
    put_head(out, blocks, SENDER_REPORT if r.is_sender else RECEIVER_REPORT, n)
    put32(out + 4, r.ssrc)
    if r.is_sender:
        put32(out + 8, <uint32_t>(r.ntp >> 32))
        put32(out + 12, <uint32_t>r.ntp)
        put32(out + 16, r.timestamp)
        put32(out + 20, r.packets)
        put32(out + 24, r.octets)
    if r.has_source:
        put_block(r, out + n - BLOCK_BYTES)
    put_head(out + n, 1, SOURCE_DESCRIPTION, chunk_end)
    put32(out + n + 4, r.ssrc)
    out[n + 8] = CNAME_ITEM
    out[n + 9] = <uint8_t>(chunk - HEADER_BYTES - 2)
    memcpy(out + n + 10, cname, chunk - HEADER_BYTES - 2)
    return n + chunk_end


cdef int write_goodbye(uint32_t ssrc, uint8_t *out) noexcept nogil:
    put_head(out, 1, GOODBYE, HEADER_BYTES)
    put32(out + 4, ssrc)
    return HEADER_BYTES


cdef int read_blocks(const uint8_t *at, int n, uint32_t about, peer_report_t *out) noexcept nogil:
    """The blocks of one SR or RR of `n` bytes; -1 when they do not fit."""
    cdef int blocks = at[0] & 31
    cdef int start = HEADER_BYTES + (SENDER_BYTES if at[1] == SENDER_REPORT else 0)
    cdef const uint8_t *block
    cdef int i
    if start + blocks * BLOCK_BYTES > n:
        return -1
    for i in range(blocks):
        block = at + start + i * BLOCK_BYTES
        if get32(block) != about:
            continue
        out.has_block = True
        out.fraction_lost = block[4]
        out.lost = <int32_t>(get32(block + 4) << 8) >> 8
        out.jitter = get32(block + 12)
        out.last_sr = get32(block + 16)
        out.delay_since_sr = get32(block + 20)
    return 0


cdef int read_report(const uint8_t *packet, int n, uint32_t about, peer_report_t *out) noexcept nogil:
    """0, or -1 unless all of the datagram is well-formed RTCP that begins with a report. `about`: our own SSRC."""
    cdef int at = 0, length
    memset(out, 0, sizeof(peer_report_t))
    if n < HEADER_BYTES or packet[1] != SENDER_REPORT and packet[1] != RECEIVER_REPORT:
        return -1
    out.ssrc = get32(packet + 4)
    while at < n:
        if n - at < 4 or packet[at] >> 6 != 2:
            return -1
        length = 4 * (get16(packet + at + 2) + 1)
        if length > n - at or packet[at] & 0x20 and at + length < n:  # only the last one may be padded
            return -1
        if packet[at + 1] == SENDER_REPORT or packet[at + 1] == RECEIVER_REPORT:
            if length < HEADER_BYTES or read_blocks(packet + at, length, about, out) < 0:
                return -1
            if packet[at + 1] == SENDER_REPORT:
                out.has_sr = True
                out.sr_middle = get32(packet + at + 10)
        elif packet[at + 1] == GOODBYE:
            out.says_bye = True
        elif read_voip(packet + at, length, about, &out.voip):
            out.has_voip = True
        at += length
    return 0


def read(const unsigned char[::1] packet not None, uint32_t about):
    """What a peer reports on us as a dict, or None when malformed. For tests and tools."""
    cdef peer_report_t report
    if packet.shape[0] == 0 or read_report(&packet[0], <int>packet.shape[0], about, &report) < 0:
        return None
    return {
        "ssrc": report.ssrc,
        "has_sr": bool(report.has_sr),
        "has_block": bool(report.has_block),
        "lost": report.lost,
        "fraction_lost": report.fraction_lost,
        "says_bye": bool(report.says_bye),
        "r": report.voip.r if report.has_voip else None,
        "mos": report.voip.mos_cq / 10 if report.has_voip else None,
    }
