"""A tap: packets of one leg copied into a ring that one consumer reads. A leg has any number of them, as a list."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from *:
    """
    /* Sequentially consistent: each side stores its own counter, then loads the other's, and one must see the other. */
    #define tap_load(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
    #define tap_store(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
    #define tap_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
    """
    uint64_t tap_load(const uint64_t *at) nogil
    void tap_store(uint64_t *at, uint64_t value) nogil
    void tap_release(uint64_t *at, uint64_t value) nogil

cdef enum:
    TAP_HEAD_BYTES = 40
    TAP_ALIGNMENT = 8

cdef enum tap_side_t:  # of a leg; as `model.SIDES` counts them
    TAP_SAID
    TAP_HEARD
    TAP_PLAYED

cdef enum:  # whether a packet is a digit
    KEY_IN_EVENT = 1  # RFC 4733
    KEY_IN_TONES = 2

cdef struct tap_record_t:  # before each payload in the ring
    uint32_t bytes  # of the whole record, head and rounding included; 0: the rest of the ring is empty, go on at its start
    uint16_t payload_bytes
    uint8_t payload_type
    uint8_t codec
    int64_t arrival_ns  # CLOCK_MONOTONIC
    uint32_t timestamp
    uint32_t ssrc
    uint16_t sequence
    uint8_t marker
    uint8_t masked  # the payload is not what came: render silence of the same length
    uint8_t key  # KEY_IN_EVENT, KEY_IN_TONES, or 0
    uint8_t unused[3]

cdef struct tap_t:
    # One cache line: all that a packet needs when there is room. The producer's, but for what is said.
    tap_t *next
    int64_t delay_ns  # records younger than this can still be masked, and are not published
    int64_t masked_until_ns
    uint64_t written  # unpublished is what lies between `published` and this
    uint64_t published  # stored by the producer, read by the consumer
    uint64_t read_before  # where the consumer was when there seemed to be no room
    uint8_t *ring
    uint32_t size  # bytes, a power of two
    int fd  # eventfd, rung when the ring was empty; -1: none, the consumer comes by itself
    # Now and then:
    uint64_t serial
    uint64_t overruns  # packets the consumer was too slow for
    bint hides_keys  # digits are masked
    uint8_t apart[64]
    uint64_t read  # stored by the consumer

cdef void tap_put(
    tap_t *t, const tap_record_t *head, const uint8_t *payload, int64_t now_ns
) noexcept nogil
cdef void tap_publish(tap_t *t, int64_t now_ns) noexcept nogil
cdef bint hides_keys(const tap_t *taps) noexcept nogil
cdef void tap_mask(tap_t *t, int64_t from_ns, int64_t until_ns) noexcept nogil

cdef class TapRing:
    cdef tap_t *tap

    cdef int read_up_to(self, uint64_t at, uint64_t until, list found) except -1
