"""The outgoing stream of one leg: one SSRC for life, sequence and timestamp shifted per incoming source."""

from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t

cdef struct stream_t:
    uint32_t ssrc
    uint64_t source  # who feeds it now: changes whenever the numbering of the input does
    bint started
    bint marker_due  # on the next audio packet
    uint16_t k  # added to sequence numbers
    uint32_t c  # added to timestamps
    uint16_t base  # first outgoing sequence number of this source
    uint32_t span  # clock units from one packet to the next, as last seen
    int guarded  # packets during which one older than `base` can still come
    uint16_t last_sequence
    uint32_t last_clock  # media clock at the last packet sent
    int64_t last_ns
    int32_t clock_hz

cdef struct input_t:
    uint64_t source
    uint16_t sequence
    uint32_t timestamp
    uint32_t elapsed  # how far the media clock is past `timestamp`: the duration of an event under way
    int32_t clock_hz
    bint is_event
    bint marker
    int patience  # packet times within which a new source follows on without a gap; 0: the usual

cdef struct output_t:
    uint16_t sequence
    uint32_t timestamp
    bint marker

cdef void begin_stream(stream_t *s, uint32_t ssrc, uint16_t sequence, uint32_t timestamp) noexcept nogil
cdef int rewrite(stream_t *s, const input_t *packet, int64_t now_ns, output_t *out) noexcept nogil
cdef uint32_t stream_clock(const stream_t *s, int64_t now_ns) noexcept nogil
