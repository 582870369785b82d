"""Rings are drained into a chunk; when half a second is in it, or it is rather full, it is written at its place in the file.

What cannot be written stays in the chunk, then in the rings, and at last is counted by the media thread that finds a ring full:
so there is one place where packets are dropped. A chunk that got to the disk in part is cut off again.
"""

from libc.errno cimport EINTR, ENOSPC, errno
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from santral.engine.media.core.stage.tap cimport (
    TAP_HEAD_BYTES, tap_load, tap_record_t, tap_store, tap_t,
)
from santral.recorder.capture.chunk cimport (
    CHUNK_HEAD_BYTES, NOTE_HEAD_BYTES, PACKET_HEAD_BYTES, PACKET_MARKER, PACKET_MASKED, packet_head_t,
    put_note, put_packet, room_in, seal_head,
)

cdef extern from "<sys/uio.h>" nogil:
    cdef struct iovec:
        void *iov_base
        size_t iov_len
    long pwritev(int fd, const iovec *parts, int n, long long offset)

cdef extern from "<sys/stat.h>" nogil:
    cdef struct stat_t "stat":
        unsigned long st_nlink
    int fstat(int fd, stat_t *found)

cdef extern from "<unistd.h>" nogil:
    int ftruncate(int fd, long long length)

cdef enum:
    WRITE_AFTER_NS = 400000000  # with a pass every 100 ms: half a second
    RETRY_NS = 1000000000
    LOOK_NS = 1000000000
    RATHER_FULL_BYTES = 65536
    ROOM_FOR_NOTES = 16384


cdef bint covers(const spans_t *s, int64_t at_ns) noexcept nogil:
    """Spans follow each other; what arrives is usually behind them all."""
    cdef int i = s.n - 1
    while i >= 0 and at_ns < s.spans[i].until_ns:
        if at_ns >= s.spans[i].from_ns:
            return True
        i -= 1
    return False


cdef bint name_codec(sink_t *s, const codec_note_t *codecs, int codec, int64_t at_ns) noexcept nogil:
    """Before its first packet. False: there is no room now, or nobody has told its name yet."""
    cdef const codec_note_t *note = &codecs[codec & (CODECS - 1)]
    if s.named >> (codec & (CODECS - 1)) & 1:
        return True
    if note.bytes == 0:
        return False
    if room_in(&s.chunk) < ROOM_FOR_NOTES + NOTE_HEAD_BYTES + note.bytes:
        s.is_full = True
        return False
    put_note(&s.chunk, at_ns, note.fields, note.bytes)
    s.named |= <uint64_t>1 << (codec & (CODECS - 1))
    return True


cdef bint take_record(sink_t *s, const source_t *source, const tap_record_t *record) noexcept nogil:
    """False: no room."""
    cdef packet_head_t head
    cdef bint masked = record.masked or s.masked.n and covers(&s.masked, record.arrival_ns)
    cdef uint32_t n = 0 if masked else record.payload_bytes
    if room_in(&s.chunk) < ROOM_FOR_NOTES + PACKET_HEAD_BYTES + n:
        return False
    head.flags = (PACKET_MARKER if record.marker else 0) | (PACKET_MASKED if masked else 0)
    head.stream = source.stream
    head.arrival_ns = record.arrival_ns
    head.timestamp = record.timestamp
    head.ssrc = record.ssrc
    head.sequence = record.sequence
    head.codec = record.codec
    head.payload_type = record.payload_type
    head.octets = record.payload_bytes
    put_packet(&s.chunk, &head, <const uint8_t *>record + TAP_HEAD_BYTES, n)
    s.packets += 1
    s.pending += 1
    s.masked_packets += masked
    return True


cdef void drain_source(sink_t *s, source_t *source, const codec_note_t *codecs, int64_t until_ns) noexcept nogil:
    cdef tap_t *tap = source.tap
    cdef uint64_t at = tap.read
    cdef uint64_t end = tap_load(&tap.published)
    cdef const tap_record_t *record
    while at < end:
        record = <const tap_record_t *>(tap.ring + (at & (tap.size - 1)))
        if record.bytes == 0:
            at += tap.size - (at & (tap.size - 1))
            continue
        if record.arrival_ns > until_ns:
            break
        if not (s.paused.n and covers(&s.paused, record.arrival_ns)):
            if not name_codec(s, codecs, record.codec, record.arrival_ns):
                break
            if not take_record(s, source, record):
                s.is_full = True
                break
        at += record.bytes
    if at != tap.read:
        tap_store(&tap.read, at)
    source.drained = source.returned and at == end


cdef void drain(sink_t *s, const codec_note_t *codecs, int64_t until_ns) noexcept nogil:
    """What arrived up to this time: orders that came since may concern what arrived since."""
    cdef source_t *source = s.sources
    cdef uint32_t before = s.chunk.fill
    s.is_full = False
    while source != NULL:
        drain_source(s, source, codecs, until_ns)
        source = source.next
    if before == 0 and s.chunk.fill:
        s.oldest_ns = until_ns


cdef bint is_due(const sink_t *s, int64_t now_ns) noexcept nogil:
    if s.fd < 0 or s.chunk.fill == 0 or s.is_ready or now_ns < s.retry_ns:
        return False
    return s.is_pressed or s.chunk.fill >= RATHER_FULL_BYTES or now_ns - s.oldest_ns >= WRITE_AFTER_NS


cdef void make_ready(sink_t *s, const uint8_t *stored, uint32_t bytes) noexcept nogil:
    """`bind_head` is done by then where the body is sealed."""
    s.stored = stored
    s.head.body_bytes = bytes
    s.is_ready = True


cdef int put_on_disk(sink_t *s) noexcept nogil:
    """0, or why not all of it got there."""
    cdef iovec parts[2]
    cdef long long at = s.offset
    cdef long long end = s.offset + CHUNK_HEAD_BYTES + s.head.body_bytes
    cdef size_t done
    cdef long wrote
    while at < end:
        done = <size_t>(at - s.offset)
        if done < CHUNK_HEAD_BYTES:
            parts[0].iov_base = <uint8_t *>&s.head + done
            parts[0].iov_len = CHUNK_HEAD_BYTES - done
            parts[1].iov_base = <void *>s.stored
            parts[1].iov_len = s.head.body_bytes
            wrote = pwritev(s.fd, parts, 2, at)
        else:
            parts[0].iov_base = <void *>(s.stored + done - CHUNK_HEAD_BYTES)
            parts[0].iov_len = s.head.body_bytes + CHUNK_HEAD_BYTES - done
            wrote = pwritev(s.fd, parts, 1, at)
        if wrote > 0:
            at += wrote
        elif wrote == 0:
            return ENOSPC
        elif errno != EINTR:
            return errno
    return 0


cdef void look_after(sink_t *s, int64_t now_ns) noexcept nogil:
    """Once a second: is there still a name for what is written?"""
    cdef stat_t found
    if s.fd < 0 or now_ns - s.looked_ns < LOOK_NS:
        return
    s.looked_ns = now_ns
    s.is_gone = fstat(s.fd, &found) == 0 and found.st_nlink == 0


cdef void write_out(sink_t *s, int64_t now_ns) noexcept nogil:
    seal_head(&s.head, s.stored)
    s.error = put_on_disk(s)
    s.is_ready = False
    s.stored = NULL
    if s.error:
        ftruncate(s.fd, s.offset)  # if that fails too, the next attempt writes over it
        s.retry_ns = now_ns + RETRY_NS
        return
    s.offset += CHUNK_HEAD_BYTES + s.head.body_bytes
    s.number += 1
    s.tries = 0
    s.chunk.fill = 0
    s.pending = 0
    s.wrote_ns = now_ns
