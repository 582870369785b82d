"""One producer (the media thread), one consumer (whoever holds the `Tap`), neither waits: what does not fit is counted.

With a delay, records are published only once they are that old. Until then they can be masked: a digit that is heard
takes back the tone that a gateway let through before it (rule: nothing of a masked digit is ever published).
"""

import os

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from santral.engine.media.core.memory.pages cimport give_back, take

cdef extern from "<unistd.h>" nogil:
    long write(int fd, const void *buffer, size_t size)

cdef enum:
    SMALLEST_RING = 4096
    LARGEST_RING = 1 << 30


cdef inline tap_record_t *record_at(const tap_t *t, uint64_t at) noexcept nogil:
    return <tap_record_t *>(t.ring + (at & (t.size - 1)))


cdef void tap_put(
    tap_t *t, const tap_record_t *head, const uint8_t *payload, int64_t now_ns
) noexcept nogil:
    """`head.bytes` is filled in here. Publishes what has become old enough."""
    cdef uint32_t bytes = <uint32_t>((TAP_HEAD_BYTES + head.payload_bytes + TAP_ALIGNMENT - 1) & ~(TAP_ALIGNMENT - 1))
    cdef uint64_t rest = t.size - (t.written & (t.size - 1))
    cdef uint64_t needed = bytes if bytes <= rest else rest + bytes
    cdef tap_record_t *record
    if head.key == KEY_IN_EVENT and t.hides_keys:
        return
    if needed + TAP_ALIGNMENT > t.size - (t.written - t.read_before):
        t.read_before = tap_load(&t.read)
        if needed + TAP_ALIGNMENT > t.size - (t.written - t.read_before):
            t.overruns += 1
            tap_publish(t, now_ns)
            return
    if bytes > rest:
        record_at(t, t.written).bytes = 0  # rest >= TAP_ALIGNMENT: there is room for this word
        t.written += rest
    record = record_at(t, t.written)
    record[0] = head[0]
    record.bytes = bytes
    record.masked = head.masked or head.key and t.hides_keys or head.arrival_ns < t.masked_until_ns
    if record.masked:
        memset(<uint8_t *>record + TAP_HEAD_BYTES, 0, head.payload_bytes)
    else:
        memcpy(<uint8_t *>record + TAP_HEAD_BYTES, payload, head.payload_bytes)
    t.written += bytes
    tap_publish(t, now_ns)


cdef void tap_publish(tap_t *t, int64_t now_ns) noexcept nogil:
    cdef uint64_t at = t.published
    cdef uint64_t one = 1
    cdef uint64_t before = t.published
    cdef const tap_record_t *record
    while at < t.written:
        record = record_at(t, at)
        if record.bytes == 0:
            at += t.size - (at & (t.size - 1))
            continue
        if t.delay_ns and record.arrival_ns + t.delay_ns > now_ns:
            break
        at += record.bytes
    if at == before:
        return
    if t.fd < 0:
        tap_release(&t.published, at)
        return
    tap_store(&t.published, at)
    if tap_load(&t.read) == before:  # the consumer may have seen nothing of this, and sleeps
        write(t.fd, &one, sizeof(one))


cdef bint hides_keys(const tap_t *taps) noexcept nogil:
    """Whether any of them does."""
    while taps != NULL:
        if taps.hides_keys:
            return True
        taps = taps.next
    return False


cdef void tap_mask(tap_t *t, int64_t from_ns, int64_t until_ns) noexcept nogil:
    """Silence what arrived in this time and is not published yet, and what arrives up to `until_ns`."""
    cdef uint64_t at = t.published
    cdef tap_record_t *record
    while at < t.written:
        record = record_at(t, at)
        if record.bytes == 0:
            at += t.size - (at & (t.size - 1))
            continue
        if from_ns <= record.arrival_ns < until_ns and not record.masked:
            record.masked = 1
            memset(<uint8_t *>record + TAP_HEAD_BYTES, 0, record.payload_bytes)
        at += record.bytes
    if until_ns > t.masked_until_ns:
        t.masked_until_ns = until_ns


cdef class TapRing:
    """The memory of one tap and its reading end. The media thread writes into it from `give_tap` until it returns it."""

    def __cinit__(self, uint64_t serial, int capacity, int64_t delay_ns=0, bint rings=True):
        cdef uint32_t size = SMALLEST_RING
        if not 0 <= capacity <= LARGEST_RING:
            raise ValueError("capacity of a tap")
        while size < <uint32_t>capacity:
            size *= 2
        self.tap = <tap_t *>take(sizeof(tap_t) + size)
        self.tap.serial = serial
        self.tap.fd = -1
        self.tap.delay_ns = delay_ns
        self.tap.size = size
        self.tap.ring = <uint8_t *>self.tap + sizeof(tap_t)

    def __init__(self, uint64_t serial, int capacity, int64_t delay_ns=0, bint rings=True):
        if rings:
            self.tap.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def __dealloc__(self):
        if self.tap != NULL:
            give_back(self.tap, sizeof(tap_t) + self.tap.size)

    @property
    def fd(self):
        """Readable when something was published into the empty ring; -1 once closed, or if it does not ring."""
        return self.tap.fd

    @property
    def overruns(self):
        return self.tap.overruns

    def close(self):
        """After the media thread has returned the ring."""
        fd, self.tap.fd = self.tap.fd, -1
        if fd >= 0:
            os.close(fd)

    def read(self):
        """[(arrival_ns, timestamp, sequence, ssrc, payload type, codec number, marker, payload or None if masked, bytes)]"""
        cdef uint64_t until
        cdef uint64_t at = self.tap.read
        found = []
        if self.tap.fd >= 0:
            try:
                os.eventfd_read(self.tap.fd)
            except BlockingIOError:
                pass
        until = tap_load(&self.tap.published)
        while at < until:
            self.read_up_to(at, until, found)
            at = until
            tap_store(&self.tap.read, at)
            until = tap_load(&self.tap.published)
        return found

    cdef int read_up_to(self, uint64_t at, uint64_t until, list found) except -1:
        cdef const tap_record_t *record
        while at < until:
            record = record_at(self.tap, at)
            if record.bytes == 0:
                at += self.tap.size - (at & (self.tap.size - 1))
                continue
            payload = None if record.masked else (<const char *>record + TAP_HEAD_BYTES)[:record.payload_bytes]
            found.append((
                record.arrival_ns, record.timestamp, record.sequence, record.ssrc, record.payload_type, record.codec,
                bool(record.marker), payload, record.payload_bytes,
            ))
            at += record.bytes
        return 0
