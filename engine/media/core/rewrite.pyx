"""Rewriting is affine per source, never renumbering: loss, order, duplicates and event timestamps pass through.

The two shifts change only when the source does: then the sequence goes on at last + 1, the timestamp by the time that has
really passed, the next audio packet bears the marker, and packets older than the first one of the source are dropped. A source
that takes over within two frame times goes on exactly where the last packet ended: what the listener plays has no seam.
"""

from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

cdef enum:
    GUARDED_PACKETS = 128  # how long stragglers from before the switch are looked for
    USUAL_SPAN_MS = 20  # of a packet, until two in a row have shown it
    PATIENCE_X2 = 5  # half packet times within which a new source follows on without a gap


cdef void begin_stream(stream_t *s, uint32_t ssrc, uint16_t sequence, uint32_t timestamp) noexcept nogil:
    """The stream as if a packet before `sequence` had gone out. `sequence` below 2^15 keeps SRTP's roll-over count certain."""
    memset(s, 0, sizeof(stream_t))
    s.ssrc = ssrc
    s.last_sequence = <uint16_t>(sequence - 1)
    s.last_clock = timestamp
    s.clock_hz = 8000
    s.span = USUAL_SPAN_MS * 8


cdef uint32_t stream_clock(const stream_t *s, int64_t now_ns) noexcept nogil:
    """What the media clock of the stream shows now."""
    return s.last_clock + <uint32_t>((now_ns - s.last_ns) // 1000 * s.clock_hz // 1000000)


cdef void switch_source(stream_t *s, const input_t *packet, int64_t now_ns) noexcept nogil:
    cdef uint32_t clock = s.last_clock
    cdef uint32_t step
    if s.started:
        step = stream_clock(s, now_ns) - s.last_clock
        clock += s.span if step < s.span * (2 * packet.patience if packet.patience else PATIENCE_X2) // 2 else step
        if s.clock_hz != packet.clock_hz:
            s.span = <uint32_t>(<int64_t>s.span * packet.clock_hz // s.clock_hz)
    s.started = True
    s.source = packet.source
    s.clock_hz = packet.clock_hz
    s.base = <uint16_t>(s.last_sequence + 1)
    s.guarded = GUARDED_PACKETS
    s.k = <uint16_t>(s.base - packet.sequence)
    s.c = clock - (packet.timestamp + packet.elapsed)
    s.marker_due = True


cdef int rewrite(stream_t *s, const input_t *packet, int64_t now_ns, output_t *out) noexcept nogil:
    """0 and the outgoing numbers, or -1 for a packet from before the switch, which is not to be sent."""
    cdef uint16_t sequence
    cdef bint is_first = packet.source != s.source or not s.started
    if is_first:
        switch_source(s, packet, now_ns)
    sequence = <uint16_t>(packet.sequence + s.k)
    if s.guarded:
        if <int16_t>(sequence - s.base) < 0:
            return -1
        s.guarded -= 1
    out.sequence = sequence
    out.timestamp = packet.timestamp + s.c
    out.marker = packet.marker
    if s.marker_due and not packet.is_event:  # on an event the marker would mean a new digit
        out.marker = True
        s.marker_due = False
    if <int16_t>(sequence - s.last_sequence) > 0:
        if not is_first and out.timestamp - s.last_clock - 1 < <uint32_t>s.clock_hz // 8:
            s.span = out.timestamp - s.last_clock
        s.last_sequence = sequence
        if out.timestamp + packet.elapsed != s.last_clock or is_first:  # the end of an event repeated: time goes on
            s.last_clock = out.timestamp + packet.elapsed
            s.last_ns = now_ns
    return 0


cdef class Stream:
    """One outgoing stream driven by hand: for tests."""

    cdef stream_t state

    def __init__(self, *, uint32_t ssrc=1, int sequence=0, uint32_t timestamp=0):
        begin_stream(&self.state, ssrc, <uint16_t>sequence, timestamp)

    def rewrite(self, uint64_t source, int sequence, uint32_t timestamp, *, int64_t now_ns=0, bint marker=False, event_for=None):
        """(sequence, timestamp, marker), or None when the packet is to be dropped. `event_for`: duration of an event."""
        cdef output_t out
        cdef input_t packet = input_t(
            source, <uint16_t>sequence, timestamp, event_for or 0, 8000, event_for is not None, marker, 0
        )
        if rewrite(&self.state, &packet, now_ns, &out) < 0:
            return None
        return out.sequence, out.timestamp, bool(out.marker)
