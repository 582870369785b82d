"""Where the packets are in the bodies of chunks: one row each, for numpy. Bytes come from a disk, so nothing is believed."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from santral.recorder.capture.chunk cimport (
    CHUNK_HEAD_BYTES, CHUNK_MAGIC, MAX_BODY_BYTES, NOTE_HEAD_BYTES, PACKET_HEAD_BYTES, RECORD_NOTE, RECORD_PACKET,
    chunk_head_t, note_head_t, packet_head_t,
)
from santral.recorder.capture.crc cimport crc32
from santral.recorder.capture.row cimport row_t

cdef enum:
    HEAD_CRC_AT = 20
    COMMON_HEAD_BYTES = 8
    ROW_BYTES = 40

cdef packed struct common_head_t:
    uint8_t kind
    uint8_t flags
    uint16_t stream
    uint32_t bytes


def chunk_head(const uint8_t[::1] data not None, Py_ssize_t at):
    """(number, length of the body) of a chunk that begins there; None when none does, or its head is damaged."""
    cdef chunk_head_t head
    if at < 0 or data.shape[0] - at < CHUNK_HEAD_BYTES:
        return None
    memcpy(&head, &data[at], CHUNK_HEAD_BYTES)
    if head.magic != CHUNK_MAGIC or not 0 < head.body_bytes <= MAX_BODY_BYTES:
        return None
    if crc32(&data[at], HEAD_CRC_AT, 0) != head.head_crc:
        return None
    return head.number, head.body_bytes


def is_body_sound(const uint8_t[::1] data not None, Py_ssize_t at):
    """Of the chunk that begins there, all of which is in `data`."""
    cdef chunk_head_t head
    memcpy(&head, &data[at], CHUNK_HEAD_BYTES)
    return crc32(&data[at + CHUNK_HEAD_BYTES], head.body_bytes, 0) == head.body_crc


cdef Py_ssize_t next_record(
    const uint8_t *data, Py_ssize_t at, Py_ssize_t end, common_head_t *head
) noexcept nogil:
    """Where the record behind this one begins; -1 when what stands here cannot be a record."""
    cdef uint32_t least
    if end - at < COMMON_HEAD_BYTES:
        return -1
    memcpy(head, data + at, COMMON_HEAD_BYTES)
    if head.kind == RECORD_PACKET:
        least = PACKET_HEAD_BYTES
    elif head.kind == RECORD_NOTE:
        least = NOTE_HEAD_BYTES
    else:
        least = COMMON_HEAD_BYTES
    if head.bytes < least or head.bytes > end - at:
        return -1
    if head.kind == RECORD_PACKET and head.bytes - PACKET_HEAD_BYTES > 0xFFFF:
        return -1
    return at + head.bytes


def count_packets(const uint8_t[::1] data not None, Py_ssize_t start, Py_ssize_t end):
    """In the body between the two; -1 when it is not made of records."""
    cdef common_head_t head
    cdef Py_ssize_t at = start
    cdef Py_ssize_t found = 0
    if not 0 <= start <= end <= data.shape[0]:
        raise ValueError("a body outside of the data")
    if start == end:
        return 0
    with nogil:
        while at < end:
            at = next_record(&data[0], at, end, &head)
            if at < 0:
                found = -1
                break
            found += head.kind == RECORD_PACKET
    return found


cdef void fill_row(const uint8_t *data, Py_ssize_t at, row_t *row) noexcept nogil:
    cdef packet_head_t head
    memcpy(&head, data + at, PACKET_HEAD_BYTES)
    row.stream = head.stream
    row.codec = head.codec
    row.flags = head.flags
    row.payload_type = head.payload_type
    row.sequence = head.sequence
    row.octets = head.octets
    row.length = <uint16_t>(head.bytes - PACKET_HEAD_BYTES)
    row.timestamp = head.timestamp
    row.ssrc = head.ssrc
    row.unused = 0
    row.unused_too = 0
    row.arrival_ns = head.arrival_ns
    row.offset = at + PACKET_HEAD_BYTES


def index_packets(
    const uint8_t[::1] data not None, Py_ssize_t start, Py_ssize_t end, uint8_t[::1] rows not None, Py_ssize_t first,
    list notes not None,
):
    """Fills rows from `first` on, and appends (at_ns, start, end) of each note's fields. Records of later kinds are left out.

    The body has been counted before.
    """
    cdef common_head_t head
    cdef note_head_t note
    cdef Py_ssize_t at = start
    cdef Py_ssize_t after
    cdef Py_ssize_t row = first
    cdef Py_ssize_t room = rows.shape[0] // ROW_BYTES
    while at < end:
        after = next_record(&data[0], at, end, &head)
        if after < 0:
            break
        if head.kind == RECORD_PACKET:
            if row >= room:
                raise ValueError("more packets than were counted")
            fill_row(&data[0], at, <row_t *>&rows[row * ROW_BYTES])
            row += 1
        elif head.kind == RECORD_NOTE:
            memcpy(&note, &data[at], NOTE_HEAD_BYTES)
            notes.append((note.at_ns, at + NOTE_HEAD_BYTES, after))
        at = after
    return row - first
