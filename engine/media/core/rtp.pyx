"""Parses the RTP header: version, CSRC list, extension and padding must all fit the datagram."""

from libc.stdint cimport uint8_t


cdef kind_t classify(const uint8_t *packet, int n) noexcept nogil:
    """By the first byte (RFC 7983 §7), RTP and RTCP by the second (RFC 5761 §4)."""
    if n < 1:
        return KIND_UNKNOWN
    if 128 <= packet[0] <= 191:
        return KIND_RTCP if n > 1 and 192 <= packet[1] <= 223 else KIND_RTP
    if packet[0] <= 3:
        return KIND_STUN
    if 20 <= packet[0] <= 63:
        return KIND_DTLS
    return KIND_UNKNOWN


cdef int parse_rtp(const uint8_t *packet, int n, rtp_t *out) noexcept nogil:
    """0, or -1 when the packet contradicts itself; `out` is then undefined."""
    cdef int at
    if n < RTP_HEADER_BYTES or packet[0] >> 6 != 2:
        return -1
    at = RTP_HEADER_BYTES + 4 * (packet[0] & 15)
    if packet[0] & 0x10:  # header extension: its length counts 32-bit words behind its own first one
        if n < at + 4:
            return -1
        at += 4 + 4 * get16(packet + at + 2)
    if at > n:
        return -1
    out.payload_at = at
    out.payload_bytes = n - at
    if packet[0] & 0x20:  # the last byte counts the padding, itself included
        if out.payload_bytes == 0 or packet[n - 1] == 0 or packet[n - 1] > out.payload_bytes:
            return -1
        out.payload_bytes -= packet[n - 1]
    out.payload_type = packet[1] & 0x7F
    out.marker = packet[1] >> 7
    out.sequence = get16(packet + 2)
    out.timestamp = get32(packet + 4)
    out.ssrc = get32(packet + 8)
    return 0


def parse(const unsigned char[::1] packet not None):
    """The header as a tuple (payload type, marker, sequence, timestamp, SSRC, payload), or None. For tests and tools."""
    cdef rtp_t header
    if packet.shape[0] == 0 or packet.shape[0] > 65535:
        return None
    if parse_rtp(&packet[0], <int>packet.shape[0], &header) < 0:
        return None
    payload = bytes(packet[header.payload_at:header.payload_at + header.payload_bytes])
    return header.payload_type, header.marker, header.sequence, header.timestamp, header.ssrc, payload


def kind(const unsigned char[::1] packet not None):
    """'rtp', 'rtcp', 'stun', 'dtls' or None. For tests and tools."""
    names = {KIND_RTP: "rtp", KIND_RTCP: "rtcp", KIND_STUN: "stun", KIND_DTLS: "dtls"}
    return names.get(classify(&packet[0], <int>packet.shape[0])) if packet.shape[0] else None
