"""All captures of a node, taken care of by one thread in passes: everything is drained, then everything due is written, each
in one stretch without the GIL, since to get it back may take a turn of the event loop.
"""

from libc.errno cimport EBADF, errno
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memmove, memset

from santral.engine.media.core.capture.sink cimport (
    CODECS, MAX_CODEC_NOTE_BYTES, MAX_SPANS, codec_note_t, drain, is_due, look_after,
    make_ready, sink_t, source_t, span_t, spans_t,
    write_out,
)
from santral.engine.media.core.stage.tap cimport TapRing, tap_t
from santral.recorder.capture.chunk cimport (
    CHUNK_BOUND_BYTES, NOTE_HEAD_BYTES, bind_head, chunk_t, close_chunk, open_chunk, put_note, room_in,
)

cdef extern from "<unistd.h>" nogil:
    int syncfs(int fd)

cdef enum:
    CHUNK_CAPACITY = 262144  # of which only what is used takes memory: some ten seconds of two sides
    NUMBER_BITS = 48


cdef void begin_span(spans_t *s, int64_t at_ns) noexcept nogil:
    """None is forgotten, since rings may hold old packets while a disk takes nothing: the first two become one."""
    if s.n == MAX_SPANS:
        s.spans[0].until_ns = s.spans[1].until_ns
        s.n -= 1
        memmove(&s.spans[1], &s.spans[2], (s.n - 1) * sizeof(span_t))
    s.spans[s.n].from_ns = at_ns
    s.spans[s.n].until_ns = INT64_MAX
    s.n += 1


cdef void switch_span(spans_t *s, int64_t at_ns, bint on) noexcept nogil:
    cdef bint is_open = s.n and s.spans[s.n - 1].until_ns == INT64_MAX
    if on and not is_open:
        begin_span(s, at_ns)
    elif is_open and not on:
        s.spans[s.n - 1].until_ns = at_ns


cdef class Sink:
    """One capture as the capture thread has it. Its file is opened and closed by who owns this object."""

    cdef sink_t *sink
    cdef dict rings  # stream -> TapRing, kept while it is drained
    cdef object sealed  # what is being written of an encrypted one

    def __cinit__(self, bint is_sealed):
        self.rings = {}
        self.sink = <sink_t *>calloc(1, sizeof(sink_t))
        if self.sink == NULL or not open_chunk(&self.sink.chunk, CHUNK_CAPACITY):
            raise MemoryError
        self.sink.fd = -1
        self.sink.is_sealed = is_sealed

    def __dealloc__(self):
        cdef source_t *source
        if self.sink == NULL:
            return
        while self.sink.sources != NULL:
            source = self.sink.sources
            self.sink.sources = source.next
            free(source)
        close_chunk(&self.sink.chunk)
        free(self.sink)

    @property
    def fd(self):
        return self.sink.fd

    def begin(self, int fd, int64_t offset, uint64_t number):
        """The file is there: chunks go into it from here on."""
        self.sink.fd = fd
        self.sink.offset = offset
        self.sink.number = number

    def leave(self):
        """The descriptor, which is the caller's again; nothing is written any more."""
        fd, self.sink.fd = self.sink.fd, -1
        self.sink.is_gone = False
        return fd

    def add(self, int stream, TapRing ring not None):
        cdef source_t *source = <source_t *>calloc(1, sizeof(source_t))
        if source == NULL:
            raise MemoryError
        source.tap = ring.tap
        source.stream = <unsigned short>stream
        source.next = self.sink.sources
        self.rings[stream] = ring
        self.sink.sources = source

    def returned(self, int stream):
        """The media thread has let go of the tap: when it is empty it is done with."""
        cdef source_t *source = self.sink.sources
        while source != NULL:
            if source.stream == stream:
                source.returned = True
            source = source.next

    def remove_drained(self):
        """Streams that have come to their end."""
        cdef source_t **at = &self.sink.sources
        cdef source_t *source
        done = []
        while at[0] != NULL:
            source = at[0]
            if source.drained:
                at[0] = source.next
                done.append(source.stream)
                self.rings.pop(source.stream)
                free(source)
            else:
                at = &source.next
        return done

    def overruns(self):
        """[(stream, packets)] that the rings were too small for, since the last call."""
        cdef source_t *source = self.sink.sources
        cdef uint64_t now
        found = []
        while source != NULL:
            now = source.tap.overruns
            if now != source.overruns:
                found.append((source.stream, now - source.overruns))
                self.sink.dropped += now - source.overruns
                source.overruns = now
            source = source.next
        return found

    def note(self, int64_t at_ns, const uint8_t[::1] fields not None):
        """False: there is no room now."""
        if room_in(&self.sink.chunk) < NOTE_HEAD_BYTES + <size_t>fields.shape[0]:
            return False
        if self.sink.chunk.fill == 0:
            self.sink.oldest_ns = at_ns
        put_note(&self.sink.chunk, at_ns, &fields[0], <uint32_t>fields.shape[0])
        return True

    def mask(self, int64_t at_ns, bint on):
        switch_span(&self.sink.masked, at_ns, on)

    def pause(self, int64_t at_ns, bint on):
        switch_span(&self.sink.paused, at_ns, on)

    def abandon(self):
        """Nothing can be written any more: what waits is counted as dropped, and the rings are emptied."""
        cdef codec_note_t named[CODECS]
        memset(named, 0, sizeof(named))
        self.sink.named = <uint64_t>-1
        while True:
            self.sink.dropped += self.sink.pending
            self.sink.packets -= self.sink.pending
            self.sink.pending = 0
            self.sink.chunk.fill = 0
            drain(self.sink, named, INT64_MAX)
            if self.sink.chunk.fill == 0:
                break

    def press(self):
        """Write what there is in the next pass, however little."""
        self.sink.is_pressed = True

    @property
    def is_empty(self):
        return self.sink.sources == NULL and self.sink.chunk.fill == 0

    @property
    def has_sources(self):
        return self.sink.sources != NULL

    @property
    def is_full(self):
        return self.sink.is_full

    @property
    def is_gone(self):
        """The file was deleted."""
        return self.sink.is_gone

    @property
    def error(self):
        """errno of the last attempt to write; 0: it went well."""
        return self.sink.error

    @property
    def wrote_ns(self):
        return self.sink.wrote_ns

    @property
    def offset(self):
        return self.sink.offset

    @property
    def packets(self):
        """In the file."""
        return self.sink.packets - self.sink.pending

    @property
    def masked_packets(self):
        return self.sink.masked_packets

    @property
    def dropped(self):
        return self.sink.dropped


cdef class Sinks:
    """All that are open. Everything here belongs to the capture thread."""

    cdef sink_t **sinks
    cdef int n
    cdef int room
    cdef list owners
    cdef codec_note_t codecs[CODECS]
    cdef uint64_t written

    def __cinit__(self):
        self.owners = []

    def __dealloc__(self):
        free(self.sinks)

    def __len__(self):
        return self.n

    def add(self, Sink sink not None):
        cdef sink_t **more
        if self.n == self.room:
            more = <sink_t **>realloc(self.sinks, (2 * self.room + 16) * sizeof(sink_t *))
            if more == NULL:
                raise MemoryError
            self.sinks = more
            self.room = 2 * self.room + 16
        self.sinks[self.n] = sink.sink
        self.n += 1
        self.owners.append(sink)

    def remove(self, Sink sink not None):
        at = self.owners.index(sink)
        self.n -= 1
        self.sinks[at] = self.sinks[self.n]
        self.owners[at] = self.owners[self.n]
        self.owners.pop()

    def name_codec(self, int number, bytes fields not None):
        """How a capture is told of the codec when its first packet comes."""
        if not 0 < number < CODECS or not 0 < len(fields) <= MAX_CODEC_NOTE_BYTES:
            raise ValueError("a codec's number, or its note")
        memcpy(self.codecs[number].fields, <const uint8_t *>fields, len(fields))
        self.codecs[number].bytes = <uint32_t>len(fields)

    def drain(self, int64_t until_ns):
        cdef int i
        with nogil:
            for i in range(self.n):
                drain(self.sinks[i], self.codecs, until_ns)

    def seal(self, Sink sink not None, seal, int64_t now_ns):
        """Encrypt what is due of this one, for the `write` that follows."""
        cdef sink_t *s = sink.sink
        cdef const uint8_t *stored
        if not is_due(s, now_ns):
            return
        number = s.number | s.tries << NUMBER_BITS
        s.tries += 1  # whatever becomes of it, the nonce is used
        sink.sealed = seal.seal(number, (<const char *>s.chunk.body)[:s.chunk.fill])
        stored = <const uint8_t *><const char *>sink.sealed
        bind_head(&s.head, number, <uint32_t>len(sink.sealed))
        make_ready(s, stored, <uint32_t>len(sink.sealed))

    def write(self, int64_t now_ns):
        """Everything due; those that are to be sealed have been."""
        cdef sink_t *s
        cdef int i
        with nogil:
            for i in range(self.n):
                s = self.sinks[i]
                look_after(s, now_ns)
                if s.is_sealed and not s.is_ready or not s.is_ready and not is_due(s, now_ns):
                    continue
                if not s.is_ready:
                    bind_head(&s.head, s.number, s.chunk.fill)
                    make_ready(s, s.chunk.body, s.chunk.fill)
                write_out(s, now_ns)
                self.written += 1

    def told(self):
        """Those that something has happened to: an error, its end, a full chunk, a tap to be looked after."""
        cdef int i
        return [self.owners[i] for i in range(self.n) if needs_care(self.sinks[i])]

    @property
    def written(self):
        return self.written


cdef bint needs_care(const sink_t *s) noexcept nogil:
    cdef const source_t *source = s.sources
    if s.error or s.is_gone or s.is_full or s.fd < 0 or s.is_pressed:
        return True
    while source != NULL:
        if source.returned or source.tap.overruns != source.overruns:
            return True
        source = source.next
    return False


def flush(int fd):
    """Everything written to the file system of `fd` is on its disk afterwards (Linux 5.8 and later tell errors of it)."""
    cdef int failed
    if fd < 0:
        raise OSError(EBADF, "no file system")
    with nogil:
        failed = errno if syncfs(fd) else 0
    return failed
