"""One capture on its way from rings into a file. Owned by the capture thread."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from santral.engine.media.core.stage.tap cimport tap_t
from santral.recorder.capture.chunk cimport chunk_head_t, chunk_t

cdef enum:
    MAX_SPANS = 32
    CODECS = 64
    MAX_CODEC_NOTE_BYTES = 256

cdef struct span_t:  # of arrival times; the last one may have no end yet
    int64_t from_ns
    int64_t until_ns

cdef struct spans_t:
    int n
    span_t spans[MAX_SPANS]

cdef struct codec_note_t:
    uint32_t bytes  # 0: no codec has the number yet
    uint8_t fields[MAX_CODEC_NOTE_BYTES]

cdef struct source_t:
    source_t *next
    tap_t *tap
    uint16_t stream
    bint returned  # the media thread puts nothing more into the tap
    bint drained  # and nothing more is in it
    uint64_t overruns  # of the tap, as far as they are told

cdef struct sink_t:
    int fd  # -1: there is no file yet, or no more
    chunk_t chunk
    uint64_t number  # of the chunk under work
    uint64_t tries  # of that number, sealed in another way each time
    int64_t offset  # where it goes
    int64_t oldest_ns  # when the first record came into it
    int64_t retry_ns  # not before
    source_t *sources
    uint64_t named  # bits: codecs that the file knows
    spans_t masked
    spans_t paused
    bint is_sealed  # encrypted: what is to be written is made ready before
    bint is_full  # rings wait for room
    bint is_ready  # head and stored are to be written
    bint is_pressed  # whatever there is should be written soon
    chunk_head_t head
    const uint8_t *stored
    int error  # errno of the last attempt, 0: it went well
    int64_t wrote_ns
    int64_t looked_ns
    bint is_gone  # the file was deleted: what is written to it is nowhere
    uint64_t packets
    uint64_t pending  # of `packets`: in the chunk, not yet in the file
    uint64_t masked_packets
    uint64_t dropped

cdef void drain(sink_t *s, const codec_note_t *codecs, int64_t until_ns) noexcept nogil
cdef bint is_due(const sink_t *s, int64_t now_ns) noexcept nogil
cdef void make_ready(sink_t *s, const uint8_t *stored, uint32_t bytes) noexcept nogil
cdef void look_after(sink_t *s, int64_t now_ns) noexcept nogil
cdef void write_out(sink_t *s, int64_t now_ns) noexcept nogil
