"""SRTP and SRTCP (RFC 3711, RFC 7714) of one leg: libsrtp's own functions on the packet in place, no Python on the way."""

from libc.stdint cimport uint8_t, uint64_t

cdef enum:
    SRTP_TRAILER_BYTES = 20  # RTP: the longest tag, that of GCM, and room to spare
    SRTCP_TRAILER_BYTES = 24  # RTCP: index, E flag and tag

cdef enum unprotect_t:  # besides lengths, which are positive
    SRTP_FORGED = -1  # its tag is wrong
    SRTP_REPLAYED = -2  # seen before, or too old to know
    SRTP_BROKEN = -3  # not an SRTP packet at all

ctypedef int (*srtp_call_t)(void *session, void *packet, int *length) noexcept nogil

cdef struct secure_t:  # owned by a `Secure`; used by one media thread from the command that brings it to the note that gives it back
    uint64_t serial
    void *outbound
    void *inbound
    srtp_call_t protect_rtp
    srtp_call_t unprotect_rtp
    srtp_call_t protect_rtcp
    srtp_call_t unprotect_rtcp

cdef class Secure:
    cdef secure_t keys
    cdef object inbound  # pylibsrtp sessions: they keep libsrtp's memory
    cdef object outbound
    cdef tuple theirs_by  # suite and key the inbound session was made with
    cdef tuple ours_by
    cdef object session(self, str suite, bytes key, int direction)

cdef int protect_rtp(secure_t *keys, uint8_t *packet, int n) noexcept nogil
cdef int protect_rtcp(secure_t *keys, uint8_t *packet, int n) noexcept nogil
cdef int unprotect_rtp(secure_t *keys, uint8_t *packet, int n) noexcept nogil
cdef int unprotect_rtcp(secure_t *keys, uint8_t *packet, int n) noexcept nogil
