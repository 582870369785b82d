"""Chunks of a capture file while they are filled and sealed; docs/capture-format.md has the bytes. No file is touched here."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from *:
    """
    #if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "captures are little-endian, and written as they stand in memory"
    #endif
    """

cdef enum:
    CHUNK_MAGIC = 0x6B6E6863  # "chnk"
    CHUNK_HEAD_BYTES = 24
    CHUNK_BOUND_BYTES = 16  # of the head: what encryption authenticates
    TAG_BYTES = 16
    MAX_BODY_BYTES = 1 << 20
    RECORD_PACKET = 1
    RECORD_NOTE = 2
    PACKET_MARKER = 1
    PACKET_MASKED = 2
    PACKET_HEAD_BYTES = 32
    NOTE_HEAD_BYTES = 16

cdef packed struct chunk_head_t:
    uint32_t magic
    uint32_t body_bytes  # as stored: with encryption the tag is among them
    uint64_t number
    uint32_t body_crc
    uint32_t head_crc  # of what stands before

cdef packed struct packet_head_t:
    uint8_t kind
    uint8_t flags
    uint16_t stream
    uint32_t bytes  # of the record, this head included
    int64_t arrival_ns
    uint32_t timestamp
    uint32_t ssrc
    uint16_t sequence
    uint8_t codec
    uint8_t payload_type
    uint16_t octets  # of the payload as it came, also where it is masked and absent
    uint16_t unused

cdef packed struct note_head_t:
    uint8_t kind
    uint8_t flags
    uint16_t unused
    uint32_t bytes
    int64_t at_ns

cdef struct chunk_t:
    uint8_t *body
    uint32_t capacity
    uint32_t fill

cdef bint open_chunk(chunk_t *c, uint32_t capacity) noexcept nogil
cdef void close_chunk(chunk_t *c) noexcept nogil
cdef uint32_t room_in(const chunk_t *c) noexcept nogil
cdef void put_packet(chunk_t *c, packet_head_t *head, const uint8_t *payload, uint32_t n) noexcept nogil
cdef void put_note(chunk_t *c, int64_t at_ns, const uint8_t *fields, uint32_t n) noexcept nogil
cdef void bind_head(chunk_head_t *head, uint64_t number, uint32_t body_bytes) noexcept nogil
cdef void seal_head(chunk_head_t *head, const uint8_t *stored) noexcept nogil
