"""Packets of one stream that wait for those sent before them."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

cdef struct head_t:
    int64_t arrival_ns
    int64_t timestamp  # without wraps, within the epoch
    int64_t sequence
    int64_t at  # of the payload
    uint32_t epoch  # grows with each source: its own clock, its own decoder
    uint16_t octets
    uint16_t length
    uint8_t codec
    uint8_t flags

cdef struct waiting_t:
    head_t *heads  # a ring
    int first
    int count
    int room  # a power of two
    uint8_t *bytes
    int64_t start  # where `bytes` begins in the stream of payloads
    int64_t end
    int64_t bytes_room

cdef void waiting_init(waiting_t *waiting) noexcept nogil
cdef void waiting_free(waiting_t *waiting) noexcept nogil
# Puts the packet where it belongs in its epoch: 1; 0 if it was there before; -1 without memory.
cdef int waiting_add(waiting_t *waiting, const head_t *head, const uint8_t *payload) noexcept nogil
cdef void waiting_drop(waiting_t *waiting) noexcept nogil

cdef inline head_t *waiting_head(const waiting_t *waiting, int i) noexcept nogil:
    return &waiting.heads[(waiting.first + i) & (waiting.room - 1)]

cdef inline const uint8_t *waiting_payload(const waiting_t *waiting, const head_t *head) noexcept nogil:
    return waiting.bytes + (head.at - waiting.start)
