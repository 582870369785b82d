"""Records are put into a body one behind the other; a head makes it a chunk. Encryption, if any, happens between
`bind_head` (which fixes what is authenticated) and `seal_head` (which sums what is stored).
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from santral.recorder.capture.crc cimport crc32

cdef enum:
    HEAD_CRC_AT = 20


cdef bint open_chunk(chunk_t *c, uint32_t capacity) noexcept nogil:
    c.fill = 0
    c.capacity = capacity
    c.body = <uint8_t *>malloc(capacity)
    return c.body != NULL


cdef void close_chunk(chunk_t *c) noexcept nogil:
    free(c.body)
    c.body = NULL
    c.capacity = c.fill = 0


cdef uint32_t room_in(const chunk_t *c) noexcept nogil:
    return c.capacity - c.fill


cdef void put_packet(chunk_t *c, packet_head_t *head, const uint8_t *payload, uint32_t n) noexcept nogil:
    """Room for `PACKET_HEAD_BYTES + n` is the caller's affair. Of a masked packet `n` is 0."""
    head.kind = RECORD_PACKET
    head.bytes = PACKET_HEAD_BYTES + n
    head.unused = 0
    memcpy(c.body + c.fill, head, PACKET_HEAD_BYTES)
    if n:
        memcpy(c.body + c.fill + PACKET_HEAD_BYTES, payload, n)
    c.fill += head.bytes


cdef void put_note(chunk_t *c, int64_t at_ns, const uint8_t *fields, uint32_t n) noexcept nogil:
    """Room for `NOTE_HEAD_BYTES + n` is the caller's affair."""
    cdef note_head_t head
    head.kind = RECORD_NOTE
    head.flags = 0
    head.unused = 0
    head.bytes = NOTE_HEAD_BYTES + n
    head.at_ns = at_ns
    memcpy(c.body + c.fill, &head, NOTE_HEAD_BYTES)
    memcpy(c.body + c.fill + NOTE_HEAD_BYTES, fields, n)
    c.fill += head.bytes


cdef void bind_head(chunk_head_t *head, uint64_t number, uint32_t body_bytes) noexcept nogil:
    head.magic = CHUNK_MAGIC
    head.body_bytes = body_bytes
    head.number = number


cdef void seal_head(chunk_head_t *head, const uint8_t *stored) noexcept nogil:
    head.body_crc = crc32(stored, head.body_bytes, 0)
    head.head_crc = crc32(<const uint8_t *>head, HEAD_CRC_AT, 0)


cdef class Chunk:
    """A body under work, for writers in Python. A record that finds no room raises `BufferError`: seal first."""

    cdef chunk_t chunk

    def __cinit__(self, int capacity):
        if not 0 < capacity <= MAX_BODY_BYTES - TAG_BYTES:
            raise ValueError("capacity of a chunk")
        if not open_chunk(&self.chunk, capacity):
            raise MemoryError

    def __dealloc__(self):
        close_chunk(&self.chunk)

    def __len__(self):
        return self.chunk.fill

    @property
    def body(self):
        return (<const char *>self.chunk.body)[:self.chunk.fill]

    def clear(self):
        self.chunk.fill = 0

    def packet(
        self, uint16_t stream, int64_t arrival_ns, uint32_t timestamp, uint32_t ssrc, uint16_t sequence, uint8_t codec,
        uint8_t payload_type, uint8_t flags, const uint8_t[::1] payload not None,
    ):
        cdef packet_head_t head
        cdef uint32_t n = 0 if flags & PACKET_MASKED else <uint32_t>payload.shape[0]
        if payload.shape[0] > 0xFFFF:
            raise ValueError("a payload of more than 65,535 octets")
        if room_in(&self.chunk) < PACKET_HEAD_BYTES + n:
            raise BufferError("no room in the chunk")
        memset(&head, 0, sizeof(head))
        head.stream = stream
        head.arrival_ns = arrival_ns
        head.timestamp = timestamp
        head.ssrc = ssrc
        head.sequence = sequence
        head.codec = codec
        head.payload_type = payload_type
        head.flags = flags
        head.octets = <uint16_t>payload.shape[0]
        put_packet(&self.chunk, &head, &payload[0] if n else NULL, n)

    def note(self, int64_t at_ns, const uint8_t[::1] fields not None):
        if room_in(&self.chunk) < NOTE_HEAD_BYTES + <size_t>fields.shape[0]:
            raise BufferError("no room in the chunk")
        put_note(&self.chunk, at_ns, &fields[0], <uint32_t>fields.shape[0])


def bound_head(uint64_t number, uint32_t body_bytes):
    """The part of a chunk's head that its encryption authenticates."""
    cdef chunk_head_t head
    bind_head(&head, number, body_bytes)
    return (<const char *>&head)[:CHUNK_BOUND_BYTES]


def chunk_of(uint64_t number, const uint8_t[::1] stored not None):
    """A chunk as it stands in the file, of a body (with encryption: the ciphertext with its tag)."""
    cdef chunk_head_t head
    if not 0 < stored.shape[0] <= MAX_BODY_BYTES:
        raise ValueError("length of a chunk's body")
    bind_head(&head, number, <uint32_t>stored.shape[0])
    seal_head(&head, &stored[0])
    return (<const char *>&head)[:CHUNK_HEAD_BYTES] + bytes(stored)
