"""RTCP reports (RFC 3550 §6): ours are written, the peer's are read."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from santral.engine.media.core.measure.voip cimport voip_t

cdef enum:
    MAX_CNAME = 63
    MAX_REPORT_BYTES = 200  # with extended report and goodbye

cdef struct own_report_t:
    uint32_t ssrc
    bint is_sender  # something was sent since the last report
    uint64_t ntp  # 32.32 seconds since 1900
    uint32_t timestamp  # of the media clock at `ntp`
    uint32_t packets
    uint32_t octets
    bint has_source
    uint32_t source
    int fraction_lost
    int64_t lost
    uint32_t highest_sequence
    uint32_t jitter
    uint32_t last_sr
    uint32_t delay_since_sr  # 1/65536 s

cdef struct peer_report_t:
    uint32_t ssrc
    bint has_sr
    uint32_t sr_middle  # of its NTP time, for our LSR
    bint has_block  # about the SSRC asked for
    int fraction_lost
    int32_t lost
    uint32_t jitter
    uint32_t last_sr
    uint32_t delay_since_sr
    bint says_bye
    bint has_voip  # metrics of the SSRC asked for
    voip_t voip

cdef int write_report(const own_report_t *r, const uint8_t *cname, int cname_bytes, uint8_t *out) noexcept nogil
cdef int write_goodbye(uint32_t ssrc, uint8_t *out) noexcept nogil
cdef int read_report(const uint8_t *packet, int n, uint32_t about, peer_report_t *out) noexcept nogil
cdef uint64_t ntp_time(int64_t unix_ns) noexcept nogil
