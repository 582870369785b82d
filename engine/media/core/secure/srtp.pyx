"""libsrtp by address: `pylibsrtp` carries it and makes the sessions, the plane calls its C functions without the GIL.

A leg has one session per direction, each for any SSRC, so that a peer may change its source; libsrtp keeps roll-over
counter and replay window per SSRC, and takes a new SSRC in only when its first packet's tag was right.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t, uintptr_t
from libc.string cimport memcpy

from santral.engine.media.core.net cimport CLOCK_MONOTONIC, clock_ns
from santral.engine.media.core.rtp cimport put16

from pylibsrtp import Error, Policy, Session
from pylibsrtp._binding import ffi, lib

cdef enum:
    ERR_AUTH_FAIL = 7  # srtp_err_status_t
    ERR_REPLAY_FAIL = 9
    ERR_REPLAY_OLD = 10
    MIN_BYTES = 16  # a header and the shortest tag
    REPLAY_WINDOW = 1024  # packets: 20 s of audio may be reordered by a relay that keeps late packets

PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}


cdef srtp_call_t function(str name) except NULL:
    return <srtp_call_t><uintptr_t>int(ffi.cast("uintptr_t", ffi.addressof(lib, name)))


cdef int protect_rtp(secure_t *keys, uint8_t *packet, int n) noexcept nogil:
    """New length, or -1. `packet` has room for SRTP_TRAILER_BYTES more. A repeated sequence number is sent as it came."""
    cdef int length = n
    return length if keys.protect_rtp(keys.outbound, packet, &length) == 0 else -1


cdef int protect_rtcp(secure_t *keys, uint8_t *packet, int n) noexcept nogil:
    """New length, or -1. `packet` has room for SRTCP_TRAILER_BYTES more."""
    cdef int length = n
    return length if keys.protect_rtcp(keys.outbound, packet, &length) == 0 else -1


cdef int verdict(int status) noexcept nogil:
    if status == ERR_AUTH_FAIL:
        return SRTP_FORGED
    if status == ERR_REPLAY_FAIL or status == ERR_REPLAY_OLD:
        return SRTP_REPLAYED
    return SRTP_BROKEN


cdef int unprotect_rtp(secure_t *keys, uint8_t *packet, int n) noexcept nogil:
    """Length of the plain packet, or one of unprotect_t."""
    cdef int length = n
    cdef int status
    if n < MIN_BYTES:
        return SRTP_BROKEN
    status = keys.unprotect_rtp(keys.inbound, packet, &length)
    return length if status == 0 else verdict(status)


cdef int unprotect_rtcp(secure_t *keys, uint8_t *packet, int n) noexcept nogil:
    cdef int length = n
    cdef int status
    if n < MIN_BYTES:
        return SRTP_BROKEN
    status = keys.unprotect_rtcp(keys.inbound, packet, &length)
    return length if status == 0 else verdict(status)


cdef class Secure:
    """The keys of one leg, both directions, for the media thread. `ours` protects what we send, `theirs` what comes.

    A direction whose key is that of `before` goes on with its session, and so with its roll-over counter and replay window;
    another key begins at zero (RFC 3711 §3.3.1, RFC 4568 §7.1.4).
    """

    def __init__(self, str suite not None, bytes ours not None, bytes theirs not None, uint64_t serial=0, Secure before=None):
        self.ours_by, self.theirs_by = (suite, ours), (suite, theirs)
        if before is not None and before.ours_by == self.ours_by:
            self.outbound = before.outbound
        else:
            self.outbound = self.session(suite, ours, Policy.SSRC_ANY_OUTBOUND)
        if before is not None and before.theirs_by == self.theirs_by:
            self.inbound = before.inbound
        else:
            self.inbound = self.session(suite, theirs, Policy.SSRC_ANY_INBOUND)
        self.keys.serial = serial
        self.keys.outbound = <void *><uintptr_t>int(ffi.cast("uintptr_t", self.outbound._srtp[0]))
        self.keys.inbound = <void *><uintptr_t>int(ffi.cast("uintptr_t", self.inbound._srtp[0]))
        self.keys.protect_rtp = function("srtp_protect")
        self.keys.unprotect_rtp = function("srtp_unprotect")
        self.keys.protect_rtcp = function("srtp_protect_rtcp")
        self.keys.unprotect_rtcp = function("srtp_unprotect_rtcp")

    cdef object session(self, str suite, bytes key, int direction):
        try:
            policy = Policy(key=key, ssrc_type=direction, srtp_profile=PROFILES[suite])
            policy.window_size = REPLAY_WINDOW
            policy.allow_repeat_tx = True  # a relayed duplicate is still one
            return Session(policy)
        except (KeyError, ValueError, Error) as problem:
            raise ValueError(f"no SRTP with {suite}") from problem

    @property
    def serial(self):
        return self.keys.serial

    def cost_ns(self, const unsigned char[::1] packet not None, int times):
        """For benchmarks, with the same key both ways: nanoseconds of libsrtp per packet, mean of protecting and back."""
        cdef uint8_t buffer[2048]
        cdef int n = <int>packet.shape[0], i, length
        cdef int64_t began
        if n + SRTP_TRAILER_BYTES > <int>sizeof(buffer) or n < MIN_BYTES:
            raise ValueError(f"{n} octets")
        with nogil:
            began = clock_ns(CLOCK_MONOTONIC)
            for i in range(times):
                memcpy(buffer, &packet[0], n)
                put16(buffer + 2, <uint16_t>i)
                length = protect_rtp(&self.keys, buffer, n)
                if length < 0 or unprotect_rtp(&self.keys, buffer, length) != n:
                    with gil:
                        raise ValueError("the two directions have different keys")
            began = clock_ns(CLOCK_MONOTONIC) - began
        return began / 2 / times

    def protect(self, const unsigned char[::1] packet not None, *, bint rtcp=False):
        """For tests and tools. None when it cannot be."""
        cdef int room = SRTCP_TRAILER_BYTES
        cdef bytearray buffer = bytearray(packet) + bytearray(room)
        cdef uint8_t[::1] at = buffer
        cdef int n = <int>packet.shape[0]
        with nogil:
            n = protect_rtcp(&self.keys, &at[0], n) if rtcp else protect_rtp(&self.keys, &at[0], n)
        return None if n < 0 else bytes(buffer[:n])

    def unprotect(self, const unsigned char[::1] packet not None, *, bint rtcp=False):
        """For tests and tools: the plain packet, or 'forged', 'replayed', 'broken'."""
        cdef bytearray buffer = bytearray(packet) + bytearray(1)
        cdef uint8_t[::1] at = buffer
        cdef int n = <int>packet.shape[0]
        with nogil:
            n = unprotect_rtcp(&self.keys, &at[0], n) if rtcp else unprotect_rtp(&self.keys, &at[0], n)
        if n < 0:
            return {SRTP_FORGED: "forged", SRTP_REPLAYED: "replayed", SRTP_BROKEN: "broken"}[n]
        return bytes(buffer[:n])
