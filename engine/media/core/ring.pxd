"""A bounded ring of equal records between exactly one producer and one consumer thread. Neither ever waits."""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free

cdef extern from *:
    """
    #define ring_load(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define ring_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
    """
    uint32_t ring_load(const uint32_t *at) nogil
    void ring_store(uint32_t *at, uint32_t value) nogil

cdef struct ring_t:
    uint32_t written  # by the producer only
    uint8_t apart[60]  # the two counters on cache lines of their own
    uint32_t read  # by the consumer only
    uint8_t apart_too[60]
    uint32_t size  # a power of two
    uint32_t record_bytes
    uint8_t *records

cdef inline bint ring_open(ring_t *r, uint32_t size, uint32_t record_bytes) noexcept nogil:
    """Pages are touched when first used, so a ring costs what its deepest backlog needed."""
    r.written = r.read = 0
    r.size = size
    r.record_bytes = record_bytes
    r.records = <uint8_t *>calloc(size, record_bytes)
    return r.records != NULL

cdef inline void ring_close(ring_t *r) noexcept nogil:
    free(r.records)
    r.records = NULL

cdef inline uint32_t ring_room(ring_t *r) noexcept nogil:
    """For the producer."""
    return r.size - (r.written - ring_load(&r.read))

cdef inline void *ring_next_free(ring_t *r) noexcept nogil:
    """The record to fill before `ring_publish`, or NULL when the ring is full."""
    return r.records + <size_t>(r.written & (r.size - 1)) * r.record_bytes if ring_room(r) else NULL

cdef inline void ring_publish(ring_t *r) noexcept nogil:
    ring_store(&r.written, r.written + 1)

cdef inline void *ring_oldest(ring_t *r) noexcept nogil:
    """The record to read before `ring_release`, or NULL when the ring is empty."""
    if ring_load(&r.written) == r.read:
        return NULL
    return r.records + <size_t>(r.read & (r.size - 1)) * r.record_bytes

cdef inline void ring_release(ring_t *r) noexcept nogil:
    ring_store(&r.read, r.read + 1)
