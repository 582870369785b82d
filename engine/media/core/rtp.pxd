"""RTP headers on the wire (RFC 3550 §5.1), and telling apart what shares a port (RFC 7983, RFC 5761)."""

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t

cdef enum:
    RTP_HEADER_BYTES = 12
    MAX_DATAGRAM_BYTES = 1500  # larger ones are no audio; counted as malformed

cdef enum kind_t:
    KIND_UNKNOWN
    KIND_RTP
    KIND_RTCP
    KIND_STUN
    KIND_DTLS

cdef struct rtp_t:
    uint8_t payload_type
    bint marker
    uint16_t sequence
    uint32_t timestamp
    uint32_t ssrc
    int payload_at
    int payload_bytes  # without padding

cdef kind_t classify(const uint8_t *packet, int n) noexcept nogil
cdef int parse_rtp(const uint8_t *packet, int n, rtp_t *out) noexcept nogil

cdef inline uint16_t get16(const uint8_t *at) noexcept nogil:
    return <uint16_t>((at[0] << 8) | at[1])

cdef inline uint32_t get32(const uint8_t *at) noexcept nogil:
    return (<uint32_t>at[0] << 24) | (<uint32_t>at[1] << 16) | (<uint32_t>at[2] << 8) | at[3]

cdef inline void put16(uint8_t *at, uint16_t value) noexcept nogil:
    at[0] = <uint8_t>(value >> 8)
    at[1] = <uint8_t>value

cdef inline void put32(uint8_t *at, uint32_t value) noexcept nogil:
    put16(at, <uint16_t>(value >> 16))
    put16(at + 2, <uint16_t>value)

cdef inline void put_header(
    uint8_t *packet, bint marker, uint8_t payload_type, uint16_t sequence, uint32_t timestamp, uint32_t ssrc
) noexcept nogil:
    """Everything but the first byte, which says what follows the header."""
    packet[1] = <uint8_t>(marker << 7 | payload_type)
    put16(packet + 2, sequence)
    put32(packet + 4, timestamp)
    put32(packet + 8, ssrc)
