"""Sides onto tracks: packets go in, in the order of the file; finished seconds of every track come out.

A second is mixed once every side has been heard of some seconds later, or has been silent so long that it is not waited for.
So the same packets give the same samples, however the file was cut into pieces while it was read.
"""

import numpy as np

from libc.math cimport llround
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset

from santral.recorder.capture.row cimport row_t
from santral.recorder.timeline.line cimport line_pass
from santral.recorder.timeline.side cimport AHEAD_MS, LATE_MS, Side, side_break, side_free, side_is_done, side_play, side_settle, side_t, side_take

cdef enum:
    STREAMS_MAX = 65536
    CHANNELS_MAX = 64
    # Who was last heard of this much before the newest is not waited for: a capture's sides lie about 100 ms apart in the
    # file, and up to 10 s after its disk was slow.
    APART_MS = 11000
    SPARSE_MS = 2000  # so long may the others be ahead of a side that says little, before it is taken to be silent
    OVER_MS = 2000  # so long after its end a side's packets may still come
    SETTLED_MS = LATE_MS + 1200  # a second to place, and the last packet's length

cdef int64_t ASTRAY_NS = 24 * 3600 * <int64_t>1000000000  # a time this far from all others is none

cdef struct channel_t:
    side_t **sides
    int count

cdef struct track_t:
    channel_t *channels
    int width  # channels
    int16_t *out

cdef struct gate_t:  # from one place to another a side is silent
    side_t *side
    int64_t start
    int64_t end


cdef class Track:
    """Memory for some seconds of interleaved samples."""

    cdef track_t row
    cdef list held  # sides, so that they live
    cdef object samples

    def __cinit__(self, int width, int frames):
        if not 1 <= width <= CHANNELS_MAX:
            raise ValueError("channels of a track")
        self.row.channels = <channel_t *>calloc(width, sizeof(channel_t))
        if self.row.channels == NULL:
            raise MemoryError
        self.row.width = width

    def __init__(self, int width, int frames):
        self.held = []
        self.renew(frames)

    def __dealloc__(self):
        cdef int i
        if self.row.channels != NULL:
            for i in range(self.row.width):
                free(self.row.channels[i].sides)
        free(self.row.channels)

    @property
    def width(self):
        return self.row.width

    cdef renew(self, int frames):
        cdef int16_t[:, ::1] view
        self.samples = np.empty((frames, self.row.width), np.int16)
        view = self.samples
        self.row.out = &view[0, 0]

    def put(self, Side side not None, int channel):
        """From now on the side is heard in this channel."""
        cdef channel_t *to
        cdef side_t **sides
        if not 0 <= channel < self.row.width:
            raise ValueError("no such channel")
        to = &self.row.channels[channel]
        sides = <side_t **>realloc(to.sides, (to.count + 1) * sizeof(side_t *))
        if sides == NULL:
            raise MemoryError
        sides[to.count] = &side.side
        to.sides, to.count = sides, to.count + 1
        self.held.append(side)


cdef void mix_channel(const channel_t *channel, int16_t *out, int width, int n, int32_t *total) noexcept nogil:
    """`n` samples from every line's base on into every `width`th sample."""
    cdef const int16_t *one = NULL
    cdef const int16_t *samples
    cdef int heard = 0
    cdef int i, k
    for k in range(channel.count):
        if channel.sides[k].line.end > channel.sides[k].line.base:
            heard += 1
            one = channel.sides[k].line.samples
    if heard == 0:
        for i in range(n):
            out[i * width] = 0
        return
    if heard == 1:
        for i in range(n):
            out[i * width] = one[i]
        return
    memset(total, 0, n * sizeof(int32_t))
    for k in range(channel.count):
        if channel.sides[k].line.end > channel.sides[k].line.base:
            samples = channel.sides[k].line.samples
            for i in range(n):
                total[i] += samples[i]
    for i in range(n):
        out[i * width] = <int16_t>(32767 if total[i] > 32767 else -32768 if total[i] < -32768 else total[i])


cdef void mix_two(const int16_t *left, const int16_t *right, int16_t *out, int n) noexcept nogil:
    cdef int i
    for i in range(n):
        out[2 * i] = left[i]
        out[2 * i + 1] = right[i]


cdef const int16_t *alone(const channel_t *channel) noexcept nogil:
    """The samples of the only side that is heard there."""
    cdef const int16_t *one = NULL
    cdef int k
    for k in range(channel.count):
        if channel.sides[k].line.end > channel.sides[k].line.base:
            if one != NULL:
                return NULL
            one = channel.sides[k].line.samples
    return one


cdef void mix_track(const track_t *track, int at, int n, int32_t *total) noexcept nogil:
    cdef const channel_t *channels = track.channels
    cdef int width = track.width
    cdef int16_t *out = track.out + <int64_t>at * width
    cdef const int16_t *left
    cdef const int16_t *right
    cdef int i
    if width == 2:
        left, right = alone(&channels[0]), alone(&channels[1])
        if left != NULL and right != NULL:
            mix_two(left, right, out, n)
            return
    for i in range(width):
        mix_channel(&channels[i], out + i, width, n, total)


cdef class Desk:
    """All sides and tracks of one recording, on one timeline whose place 0 is `start_ns`."""

    cdef readonly int hz
    cdef readonly int piece  # frames that tracks hold
    cdef readonly int64_t at  # place of the first frame that is not mixed
    cdef readonly int filled  # frames in the tracks
    cdef readonly int64_t newest_ns
    cdef int64_t start_ns
    cdef int64_t due_ns  # when all sides have got here, the next second is mixed
    cdef side_t **by_number
    cdef int numbers
    cdef list sides
    cdef list tracks
    cdef track_t **rows
    cdef int row_count
    cdef bint conceals
    cdef int32_t *total
    cdef gate_t *gates
    cdef int gate_count

    def __cinit__(self, int hz, int64_t start_ns, int seconds=8, bint conceals=True):
        if not 8000 <= hz <= 48000 or not 1 <= seconds <= 60:
            raise ValueError("8000 to 48000 Hz, 1 to 60 s")
        self.hz, self.start_ns, self.conceals = hz, start_ns, conceals
        self.piece = seconds * hz
        self.newest_ns = start_ns
        self.total = <int32_t *>malloc(hz * sizeof(int32_t))
        if self.total == NULL:
            raise MemoryError
        self.next_due()

    def __init__(self, int hz, int64_t start_ns, int seconds=8, bint conceals=True):
        self.sides = []
        self.tracks = []

    def __dealloc__(self):
        free(self.by_number)
        free(self.rows)
        free(self.total)
        free(self.gates)

    cdef void next_due(self) noexcept nogil:
        self.due_ns = self.start_ns + (self.at // self.hz + 1) * <int64_t>1000000000
        self.due_ns += (AHEAD_MS + SETTLED_MS) * <int64_t>1000000

    def side(self, int number):
        """A new side, whose packets bear this number of a stream."""
        cdef Side side
        cdef side_t **table
        if not 0 <= number < STREAMS_MAX:
            raise ValueError("no such stream")
        side = Side(self.hz, self.start_ns, self.conceals)
        side.side.line.base = self.at
        if number >= self.numbers:
            table = <side_t **>realloc(self.by_number, (number + 1) * sizeof(side_t *))
            if table == NULL:
                raise MemoryError
            memset(table + self.numbers, 0, (number + 1 - self.numbers) * sizeof(side_t *))
            self.by_number, self.numbers = table, number + 1
        self.by_number[number] = &side.side
        self.sides.append(side)
        return side

    def track(self, int width):
        """A new track; what the others hold of the present piece is silence in it."""
        cdef Track track = Track(width, self.piece)
        cdef int count = <int>len(self.tracks)
        cdef track_t **rows = <track_t **>realloc(self.rows, (count + 1) * sizeof(track_t *))
        if rows == NULL:
            raise MemoryError
        memset(track.row.out, 0, self.filled * width * sizeof(int16_t))
        rows[count] = &track.row
        self.rows = rows
        self.tracks.append(track)
        self.row_count = count + 1
        return track

    def gate(self, Side side not None, int64_t start, int64_t end):
        """The side is silent in all tracks between these places, if they are not mixed yet."""
        cdef gate_t *gates = <gate_t *>realloc(self.gates, (self.gate_count + 1) * sizeof(gate_t))
        if gates == NULL:
            raise MemoryError
        gates[self.gate_count].side = &side.side
        gates[self.gate_count].start, gates[self.gate_count].end = start, end
        self.gates, self.gate_count = gates, self.gate_count + 1
        return self.gate_count - 1

    def resume(self, int64_t at_ns):
        """No packet of any side is in the file from some time before until then, and none was lost."""
        cdef Side side
        for side in self.sides:
            if side_break(&side.side, at_ns) < 0:
                raise MemoryError

    def end(self, Side side not None, int64_t at_ns):
        """Its stream ends then: it is not waited for, and its memory goes when all of it is mixed."""
        side.side.over_ns = at_ns

    def end_gate(self, int gate, int64_t end):
        if not 0 <= gate < self.gate_count:
            raise ValueError("no such gate")
        self.gates[gate].end = end

    def feed(self, rows not None, const uint8_t[::1] payloads not None, Py_ssize_t first, int64_t shift_ns=0):
        """Takes rows (`PACKET` of recorder.capture) from `first` on, arrived `shift_ns` later than they say. Returns the
        first that was not taken: then the tracks are full, and want to be emptied by `take`.
        """
        cdef const uint8_t[::1] raw
        cdef Py_ssize_t count = len(rows)
        cdef Py_ssize_t bytes = payloads.shape[0]
        cdef const row_t *table
        if first >= count:
            return count
        if rows.dtype.itemsize != sizeof(row_t):
            raise ValueError("not rows of packets")
        raw = np.ascontiguousarray(rows).view(np.uint8).reshape(-1)
        table = <const row_t *>&raw[0]
        with nogil:
            while first < count and self.filled < self.piece:
                self.one(&table[first], &payloads[0] if bytes else NULL, bytes, shift_ns)
                first += 1
                while self.newest_ns >= self.due_ns and self.filled < self.piece and self.all_are_there():
                    self.mix(self.hz)
        self.complain()
        return first

    cdef int complain(self) except -1:
        cdef Side side
        for side in self.sides:
            if side.side.has_failed:
                raise MemoryError
        return 0

    cdef void one(self, const row_t *row, const uint8_t *payloads, Py_ssize_t bytes, int64_t shift_ns) noexcept nogil:
        cdef side_t *side = self.by_number[row.stream] if row.stream < self.numbers else NULL
        cdef row_t shifted
        if side == NULL or row.offset < 0 or row.offset > bytes - row.length:
            return
        if shift_ns:
            shifted = row[0]
            shifted.arrival_ns += shift_ns
            row = &shifted
        if row.arrival_ns < self.start_ns - ASTRAY_NS or row.arrival_ns > self.newest_ns + ASTRAY_NS:
            return
        side_take(side, row, payloads + row.offset)
        if side.last_ns > self.newest_ns:
            self.newest_ns = side.last_ns

    cdef bint all_are_there(self) noexcept nogil:
        cdef int i
        cdef side_t *side
        if self.newest_ns >= self.due_ns + APART_MS * <int64_t>1000000:
            return True
        for i in range(self.numbers):
            side = self.by_number[i]
            if side == NULL or side.last_ns >= self.due_ns or side.last_ns <= side.start_ns:
                continue
            if side.is_sparse and self.newest_ns > side.last_ns + SPARSE_MS * <int64_t>1000000:
                continue
            if side.over_ns == 0 or self.newest_ns < side.over_ns + OVER_MS * <int64_t>1000000:
                return False
        return True

    cdef void mix(self, int n) noexcept nogil:
        """The next `n` frames, at most a second, of every track."""
        cdef int i
        cdef side_t *side
        cdef int64_t until_ns = self.due_ns - AHEAD_MS * <int64_t>1000000
        for i in range(self.numbers):
            side = self.by_number[i]
            if side != NULL:
                side_play(side, until_ns)
                side_settle(side, self.at + n)
        self.close_gates(n)
        for i in range(self.row_count):
            mix_track(self.rows[i], self.filled, n, self.total)
        for i in range(self.numbers):
            side = self.by_number[i]
            if side != NULL:
                line_pass(&side.line, n)
                if side.over_ns and self.newest_ns > side.over_ns + APART_MS * <int64_t>1000000 and side_is_done(side):
                    side_free(side)
                    self.by_number[i] = NULL
        self.at += n
        self.filled += n
        self.next_due()

    cdef void close_gates(self, int n) noexcept nogil:
        cdef int i
        cdef int64_t start, end
        cdef gate_t *gate
        for i in range(self.gate_count):
            gate = &self.gates[i]
            start = gate.start if gate.start > self.at else self.at
            end = gate.end if gate.end < self.at + n else self.at + n
            if end > start and gate.side.line.samples != NULL:
                memset(gate.side.line.samples + (start - self.at), 0, (end - start) * sizeof(int16_t))

    def finish(self, int64_t end):
        """Nothing more comes: mixes up to this place, waiting for nobody. False when the tracks are full before."""
        with nogil:
            while self.at < end and self.filled < self.piece:
                self.mix(<int>(end - self.at if end - self.at < self.hz else self.hz))
        self.complain()
        return self.at >= end

    def take(self):
        """The frames of every track since the last time, each an array of its own, in the order they were made."""
        cdef Track track
        cdef int n = self.filled
        pieces = []
        for track in self.tracks:
            samples = track.samples[:n]
            track.renew(self.piece)
            pieces.append(samples)
        self.filled = 0
        return pieces

    def place(self, int64_t at_ns):
        """Of a time of the capture."""
        return llround((at_ns - self.start_ns) * 1e-9 * self.hz)
