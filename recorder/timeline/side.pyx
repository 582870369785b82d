"""One stream of a capture: reception, the clock, the run of samples that its packets make.

A packet waits three seconds of arrivals for those before it. When it has its turn, the place of its first sample follows
from its timestamp by the sender's clock as the packets around it show it (`envelope`). A run of packets that follow each
other stays in one piece and is slipped, never cut; only where timestamps or the path jump does a new run begin elsewhere.
"""

from libc.math cimport fabs, llround
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memmove, memset

from santral.codecs.codec cimport FRAME_SAMPLES_MAX, Codec, codec_params_t, codec_span, codec_takes_rate
from santral.codecs.comfort_noise cimport noise_source_fill, noise_source_follow, noise_source_init
from santral.codecs.shape.conceal cimport conceal_good, conceal_lost, concealer_init
from santral.recorder.capture.chunk cimport PACKET_MASKED
from santral.recorder.capture.row cimport row_t
from santral.recorder.timeline.envelope cimport envelope_at, envelope_clear, envelope_hear, envelope_slope
from santral.recorder.timeline.line cimport line_free, line_init
from santral.recorder.timeline.run cimport (
    run_close, run_delay, run_emit, run_flush, run_free, run_has_second, run_init, run_next_x, run_open, run_push, run_ready, run_x,
)
from santral.recorder.timeline.spans cimport LOST, MASKED, UNREADABLE, spans_add, spans_free, spans_t, what_t
from santral.recorder.timeline.tone cimport (
    DIGITS, EVENT_BYTES, event_code, event_units, tone_follow, tone_pass, tone_say, tone_t,
)
from santral.recorder.timeline.waiting cimport (
    head_t, waiting_add, waiting_drop, waiting_free, waiting_head, waiting_init, waiting_payload,
)

from santral.codecs import CODECS

cdef enum:
    LINE_S = 18  # of one side's line: streams of a file may be so far apart
    AGE_MAX_S = 30  # an older timestamp is another source's
    ENOUGH = 10  # packets that agree on a later time
    CONCEALED_MS = 120
    FINE = 8000  # parts of a second: an error of so many samples is left alone
    NOISE_MOST_S = 60  # comfort noise goes on without a packet
    PIECE_PARTS = 50  # gaps are filled in pieces of 20 ms

cdef double AHEAD_S = AHEAD_MS / 1000.0
cdef double EARLY_S = 0.04  # so much before its time with other timestamps: they have jumped
cdef double EARLY_MOST_S = 0.4  # or the path has, by so much that slipping would take too long
cdef double LATE_S = 0.03  # so late are all for three seconds: the source has paused, or its timestamps jumped
cdef double PAUSE_S = 1.0  # of silence: what follows is placed afresh
cdef double NOISE_S = 10.0  # or of comfort noise
cdef double SNAP_S = 0.002  # so close to the end of what came before: it follows it
cdef double BURST_S = 0.5  # the first packets of a source may all be so late
cdef double ASTRAY_S = 0.5  # an event so far from the audio beside it
cdef double FAST_S = 0.02  # errors above are slipped by hundredths, …
cdef double NEAR_S = 0.005  # … errors below so slowly, beyond what the clocks run apart, that a second keeps its wave


# ---- reception ----


cdef void begin_epoch(side_t *side, const row_t *row) noexcept nogil:
    side.epoch += 1
    side.ssrc = row.ssrc
    side.raw_sequence, side.raw_timestamp = row.sequence, row.timestamp
    side.sequence = side.timestamp = 0
    side.counts.sources += 1


cdef void side_take(side_t *side, const row_t *row, const uint8_t *payload) noexcept nogil:
    cdef const slot_t *slot = &side.slots[row.codec]
    cdef bint has_sound = slot.kind == VOICE or slot.kind == MUTE
    cdef int sequence_on = <int16_t><uint16_t>(row.sequence - side.raw_sequence)
    cdef int64_t timestamp_on = <int32_t>(row.timestamp - side.raw_timestamp)
    cdef head_t head
    cdef int added
    if slot.kind == UNKNOWN:
        side.counts.malformed += 1
        return
    if side.epoch == 0 or row.ssrc != side.ssrc or (has_sound and slot.clock_hz != side.clock_hz and side.clock_hz):
        begin_epoch(side, row)
        sequence_on = timestamp_on = 0
    elif sequence_on <= 0 and (timestamp_on > slot.clock_hz or timestamp_on < -<int64_t>AGE_MAX_S * slot.clock_hz):
        begin_epoch(side, row)  # older by its number, not by its time: the source has begun to count anew
        sequence_on = timestamp_on = 0
    if has_sound:
        side.clock_hz = slot.clock_hz
    head.sequence = side.sequence + sequence_on
    head.timestamp = side.timestamp + timestamp_on
    if sequence_on > 0:
        side.sequence, side.timestamp = head.sequence, head.timestamp
        side.raw_sequence, side.raw_timestamp = row.sequence, row.timestamp
    head.epoch, head.arrival_ns = side.epoch, row.arrival_ns
    head.octets, head.length, head.codec, head.flags = row.octets, row.length, row.codec, row.flags
    if row.arrival_ns > side.last_ns:
        side.last_ns = row.arrival_ns
    side.counts.packets += 1
    if head.epoch == side.played_epoch and head.sequence <= side.played_sequence:
        side.counts.late += 1
    else:
        added = waiting_add(&side.waiting, &head, payload)
        side.counts.doubled += added == 0
        side.has_failed |= added < 0
    side_play(side, side.last_ns - AHEAD_MS * <int64_t>1000000)


cdef void side_play(side_t *side, int64_t until_ns) noexcept nogil:
    cdef const head_t *head
    while side.waiting.count:
        head = waiting_head(&side.waiting, 0)
        if head.arrival_ns > until_ns:
            return
        play(side, head, waiting_payload(&side.waiting, head))
        waiting_drop(&side.waiting)


# ---- the clock ----


cdef inline double x_of(const side_t *side, const head_t *head) noexcept nogil:
    return <double>head.timestamp / side.slots[head.codec].clock_hz


cdef inline double delay_of(const side_t *side, const head_t *head, double x) noexcept nogil:
    return (head.arrival_ns - side.start_ns) * 1e-9 - x


cdef inline bint is_sound(const side_t *side, const head_t *head) noexcept nogil:
    return side.slots[head.codec].kind == VOICE or side.slots[head.codec].kind == MUTE


cdef double level(const side_t *side, double x, double near) noexcept nogil:
    """The least delay at `x`, from the packets before and the ones that wait, up to where timestamps jump."""
    cdef envelope_t all_known = side.envelope
    cdef const head_t *head
    cdef double sent, delay
    cdef int i
    for i in range(side.waiting.count):
        head = waiting_head(&side.waiting, i)
        if head.epoch != side.played_epoch:
            break
        if is_sound(side, head):
            sent = x_of(side, head)
            delay = delay_of(side, head, sent)
            if delay < near - EARLY_S:
                break
            envelope_hear(&all_known, sent, delay)
    return envelope_at(&all_known, x, near)


cdef double least_ahead(const side_t *side, double within_s, int enough) noexcept nogil:
    """The least delay of the packets that wait; below everything when they are fewer than `enough`."""
    cdef const head_t *head
    cdef double least = 1e300
    cdef double delay
    cdef int64_t until_ns = waiting_head(&side.waiting, 0).arrival_ns + <int64_t>(within_s * 1e9)
    cdef int found = 0
    cdef int i
    for i in range(side.waiting.count):
        head = waiting_head(&side.waiting, i)
        if head.epoch != side.played_epoch:
            break
        if is_sound(side, head) and head.arrival_ns <= until_ns:
            delay = delay_of(side, head, x_of(side, head))
            least = delay if delay < least else least
            found += 1
    return least if found >= enough else -1e300


cdef int steer(const side_t *side) noexcept nogil:
    """By how many samples the next second has to become longer."""
    cdef int hz = side.out_hz
    cdef int fine = hz // FINE
    cdef double x = run_x(&side.run) + 1.0
    cdef int64_t wanted = llround((x + level(side, x, run_delay(&side.run)) - side.run.ahead_s) * hz)
    cdef int64_t error = wanted - side.run.place - hz
    cdef int64_t size = error if error > 0 else -error
    cdef int64_t most = hz // 100 if size > FAST_S * hz else hz // 500
    if size <= fine:
        return 0
    if size <= NEAR_S * hz:
        most = fine + <int64_t>(fabs(envelope_slope(&side.envelope)) * hz)
    size = size // 2 if size >= 2 * fine else fine
    size = most if size > most else size
    return <int>(size if error > 0 else -size)


cdef void flow(side_t *side) noexcept nogil:
    cdef int more
    while run_has_second(&side.run):
        more = steer(side)
        side.counts.slipped += more if more > 0 else -more
        run_emit(&side.run, &side.line, more)


# ---- runs ----


cdef bint has_jumped(const side_t *side, const head_t *head, int64_t gap, double delay) noexcept nogil:
    """Whether this packet belongs elsewhere than behind the run, by more than slipping can mend."""
    cdef double late = delay - run_delay(&side.run)
    cdef int64_t unexplained = gap - side.missing * side.span
    cdef double back = -<double>gap / side.run.hz
    if late < -EARLY_MOST_S:
        return True
    if late < -EARLY_S and (unexplained > side.span // 2 or unexplained < -side.span // 2):
        return True
    if late > LATE_S or (gap < 0 and side.missing == 0 and late > back / 2):
        late = LATE_S if late > LATE_S else back / 2
        return least_ahead(side, AHEAD_S, ENOUGH) > run_delay(&side.run) + late
    return False


cdef void begin_run(side_t *side, const slot_t *slot, const head_t *head, double x, double delay) noexcept nogil:
    cdef double near = least_ahead(side, 1.0, 1)
    cdef int64_t place
    cdef int64_t apart
    cdef double least
    near = delay if near > delay or near < delay - BURST_S else near
    least = level(side, x, near)
    if near > least + LATE_S and least_ahead(side, AHEAD_S, ENOUGH) > least + LATE_S:  # it has paused
        envelope_clear(&side.envelope)
        envelope_hear(&side.envelope, x, delay)
        least = level(side, x, near)
        side.counts.steps += 1
    place = llround((x + least - slot.delay_s) * side.out_hz)
    apart = place - side.line.end
    if side.line.end > 0 and -SNAP_S * side.out_hz <= apart <= SNAP_S * side.out_hz:
        place = side.line.end
    side.run.ahead_s = slot.delay_s
    if run_open(&side.run, slot.hz, slot.clock_hz, head.epoch, head.timestamp, place) == 0:
        concealer_init(&side.concealer, slot.hz)
    side.missing = 0


cdef void note_span(side_t *side, what_t what, int n) noexcept nogil:
    """The next `n` samples of the run; spans that touch become one."""
    cdef int64_t start = side.run.place + side.run.pending
    cdef int64_t end = start + <int64_t>n * side.out_hz // side.run.hz
    spans_add(&side.spans, what, start, end, side.out_hz // 100)


# ---- packets ----


cdef bint make_ready(side_t *side, slot_t *slot) noexcept nogil:
    cdef codec_params_t params
    if slot.is_fresh and slot.row.init_decoder != NULL:
        memset(&params, 0, sizeof(params))
        params.sample_hz = slot.hz
        if slot.row.init_decoder(slot.state, &params) < 0:
            return False
    slot.is_fresh = False
    return True


cdef int made_up(side_t *side, slot_t *slot, int16_t *out, int n) noexcept nogil:
    """In place of lost packets."""
    if slot.kind == VOICE and slot.row.conceal != NULL and make_ready(side, slot):
        return slot.row.conceal(slot.state, out, n)
    conceal_lost(&side.concealer, out, n)
    return n


cdef void fill(side_t *side, slot_t *slot, const head_t *head, const uint8_t *payload, int64_t gap) noexcept nogil:
    """`gap` samples that nobody sent, or that were lost on the way: those as well as may be, the rest noise or silence."""
    cdef int64_t lost = side.missing * side.span
    cdef int64_t concealed
    cdef int64_t done = 0
    cdef int n
    cdef int16_t *out
    if lost > gap + side.span:  # more numbers than time: digits (RFC 4733) that are kept out of the file
        side.counts.events += side.missing
        lost = 0
    lost = gap if lost > gap else lost
    if lost:
        note_span(side, LOST, <int>lost)
        side.counts.lost += side.missing
    concealed = CONCEALED_MS * side.run.hz // 1000 if side.conceals else 0
    concealed = lost if concealed > lost else concealed
    while done < gap:
        out = run_ready(&side.run)
        n = side.run.hz // PIECE_PARTS
        if done < concealed:
            n = <int>(concealed - done) if concealed - done < n else n
            if (
                done + n == lost == gap and side.span == n and slot.kind == VOICE and slot.row.recover != NULL
                and head.length and make_ready(side, slot)
            ):
                n = slot.row.recover(slot.state, payload, head.length, out, n)  # repeated in the packet behind
                n = made_up(side, slot, out, side.span) if n <= 0 else n
            else:
                n = made_up(side, slot, out, n)
            if n <= 0:
                concealed = done
                continue
        else:
            n = <int>(gap - done) if gap - done < n else n
            memset(out, 0, n * sizeof(int16_t))
            if side.is_noisy:
                noise_source_fill(&side.noise, out, n)
            conceal_good(&side.concealer, out, n)
        run_push(&side.run, n)
        flow(side)
        done += n


cdef int length_of(const side_t *side, const slot_t *slot, const head_t *head, const uint8_t *payload) noexcept nogil:
    """Samples that a packet stands for; 0 if it cannot be right."""
    cdef int n
    if slot.row == NULL:
        n = 0
    elif head.flags & PACKET_MASKED and slot.row.unit_bytes == 0:
        n = side.span  # its payload is not there to be asked
    else:
        n = codec_span(slot.row, payload, head.octets, slot.hz)
    if n <= 0 and (slot.kind == MUTE or head.flags & PACKET_MASKED):
        n = side.span if side.span else slot.hz // PIECE_PARTS
    return n if n <= FRAME_SAMPLES_MAX else 0


cdef int decode(side_t *side, slot_t *slot, const head_t *head, const uint8_t *payload, int n) noexcept nogil:
    """Into `run_ready`; samples, or less than 1."""
    cdef int16_t *out = run_ready(&side.run)
    if head.flags & PACKET_MASKED or slot.kind == MUTE:
        memset(out, 0, n * sizeof(int16_t))
        note_span(side, MASKED if head.flags & PACKET_MASKED else UNREADABLE, n)
        side.counts.masked += (head.flags & PACKET_MASKED) != 0
        slot.is_fresh = True
        return n
    if slot.state != NULL and not make_ready(side, slot):
        return -1
    return slot.row.decode(slot.state, payload, head.length, out, FRAME_SAMPLES_MAX)


cdef void restart(side_t *side, const head_t *head) noexcept nogil:
    cdef int i
    run_close(&side.run, &side.line)
    envelope_clear(&side.envelope)
    for i in range(SLOTS):
        side.slots[i].is_fresh = True
    side.is_noisy = False
    side.missing = 0
    side.played_epoch = head.epoch
    side.played_sequence = head.sequence - 1


cdef void play(side_t *side, const head_t *head, const uint8_t *payload) noexcept nogil:
    cdef slot_t *slot = &side.slots[head.codec]
    if head.epoch != side.played_epoch:
        restart(side, head)
    side.missing += head.sequence - side.played_sequence - 1
    while side.breaks_passed < side.break_count and head.arrival_ns >= side.breaks[side.breaks_passed]:
        side.breaks_passed += 1
        run_close(&side.run, &side.line)
        side.is_noisy = False
        side.missing = 0
    side.played_sequence = head.sequence
    side.played_ns = head.arrival_ns
    if slot.kind == EVENT:
        side.counts.events += 1
        play_event(side, slot, head, payload)
    elif slot.kind == NOISE:
        play_noise(side, slot, head, payload)
    else:
        play_sound(side, slot, head, payload)


cdef inline int64_t gap_before(const side_t *side, const head_t *head) noexcept nogil:
    return (head.timestamp - side.run.timestamp) * side.run.hz // side.run.clock_hz - side.run.filled


cdef void play_noise(side_t *side, slot_t *slot, const head_t *head, const uint8_t *payload) noexcept nogil:
    """A description of the silence: it has no length of its own."""
    cdef int64_t gap
    if side.run.is_open and side.run.clock_hz == slot.clock_hz:
        gap = gap_before(side, head)
        if 0 < gap <= (NOISE_S if side.is_noisy else PAUSE_S) * side.run.hz:
            fill(side, slot, head, payload, gap)
    if head.length and not head.flags & PACKET_MASKED:
        noise_source_follow(&side.noise, payload, head.length)
        side.is_noisy = True


cdef void play_event(side_t *side, slot_t *slot, const head_t *head, const uint8_t *payload) noexcept nogil:
    """What of a digit has not been heard yet: each of its packets tells of all of it so far."""
    cdef tone_t *tone = &side.tone
    cdef bint is_ours = side.clock_hz == 0 or side.clock_hz == slot.clock_hz  # its timestamps are those of the audio
    cdef head_t piece = head[0]
    cdef int64_t units, n, gap
    cdef int done
    if not side.has_tones or head.length < EVENT_BYTES or head.flags & PACKET_MASKED or event_code(payload) >= DIGITS:
        return
    tone_follow(tone, head.epoch, head.timestamp, payload)
    units = event_units(payload) - tone.done
    if units <= 0 or not (is_ours or side.run.is_open) or is_astray(side, slot, head, event_units(payload)):
        return
    piece.timestamp += tone.done
    gap = gap_before(side, &piece) if side.run.is_open and is_ours else 0
    if gap > PAUSE_S * side.run.hz:
        run_close(&side.run, &side.line)
    if not side.run.is_open:
        slot.hz = side.out_hz
        begin_run(side, slot, &piece, x_of(side, &piece), delay_of(side, &piece, x_of(side, &piece)))
        gap = 0
    elif gap > 0:
        fill(side, slot, &piece, payload, gap)
    side.is_noisy = False
    side.missing = 0
    n = (tone.done + units) * side.run.hz // slot.clock_hz - tone.done * side.run.hz // slot.clock_hz
    tone.done += units
    if gap < 0:  # audio that came beside it was heard
        done = <int>min(n, -gap)
        tone_pass(tone, done, side.run.hz)
        n -= done
    while n > 0:
        done = <int>min(n, <int64_t>(side.run.hz // PIECE_PARTS))
        tone_say(tone, run_ready(&side.run), done, side.run.hz)
        run_push(&side.run, done)
        flow(side)
        n -= done


cdef bint is_astray(const side_t *side, const slot_t *slot, const head_t *head, int64_t units) noexcept nogil:
    """Whether the time of an event has nothing to do with that of the audio."""
    cdef double x = x_of(side, head)
    cdef double delay = delay_of(side, head, x) - <double>units / slot.clock_hz
    if side.clock_hz and side.clock_hz != slot.clock_hz:
        return False  # it is not asked for it
    return fabs(delay - (run_delay(&side.run) if side.run.is_open else envelope_at(&side.envelope, x, delay))) > ASTRAY_S


cdef void play_sound(side_t *side, slot_t *slot, const head_t *head, const uint8_t *payload) noexcept nogil:
    cdef int n = length_of(side, slot, head, payload)
    cdef double x = x_of(side, head)
    cdef double delay = delay_of(side, head, x)
    cdef int64_t gap = 0
    cdef int16_t *out
    if n <= 0:
        side.counts.malformed += 1
        return
    if side.run.is_open:
        gap = gap_before(side, head)
        if has_jumped(side, head, gap, delay):
            run_close(&side.run, &side.line)
            envelope_clear(&side.envelope)
            side.counts.steps += 1
        elif side.run.hz != slot.hz or gap > (NOISE_S if side.is_noisy else PAUSE_S) * slot.hz:
            run_close(&side.run, &side.line)
    envelope_hear(&side.envelope, x, delay)
    if not side.run.is_open:
        begin_run(side, slot, head, x, delay)
        gap = 0
    elif gap > 0:
        fill(side, slot, head, payload, gap)
    side.is_noisy = False
    side.missing = 0
    side.span = n
    n = decode(side, slot, head, payload, n)
    if n <= 0 or gap + n <= 0:
        side.counts.malformed += n <= 0
        return
    out = run_ready(&side.run)
    if gap < 0:  # what it repeats was heard
        memmove(out, out - gap, (n + gap) * sizeof(int16_t))
        n += <int>gap
    if side.conceals and slot.row != NULL and slot.row.conceal == NULL:
        conceal_good(&side.concealer, out, n)
    run_push(&side.run, n)
    flow(side)


cdef void side_settle(side_t *side, int64_t place) noexcept nogil:
    cdef int64_t left
    if not side.run.is_open or side.run.place >= place:
        return
    if side.start_ns + place // side.out_hz * 1000000000 > side.played_ns + NOISE_MOST_S * <int64_t>1000000000:
        side.is_noisy = False  # it has gone without a word
    if side.is_noisy:
        left = (place - side.run.place - side.run.pending) * side.run.hz // side.out_hz
        while left > 0:
            memset(run_ready(&side.run), 0, side.run.hz // PIECE_PARTS * sizeof(int16_t))
            noise_source_fill(&side.noise, run_ready(&side.run), side.run.hz // PIECE_PARTS)
            run_push(&side.run, side.run.hz // PIECE_PARTS)
            flow(side)
            left -= side.run.hz // PIECE_PARTS
        run_flush(&side.run, &side.line)
        return
    run_close(&side.run, &side.line)


cdef int side_break(side_t *side, int64_t at_ns) noexcept nogil:
    cdef int64_t *breaks = <int64_t *>realloc(side.breaks, (side.break_count + 1) * sizeof(int64_t))
    if breaks == NULL:
        return -1
    breaks[side.break_count] = at_ns
    side.breaks, side.break_count = breaks, side.break_count + 1
    return 0


cdef bint side_is_done(const side_t *side) noexcept nogil:
    return side.waiting.count == 0 and not side.run.is_open and side.line.end <= side.line.base


cdef void side_free(side_t *side) noexcept nogil:
    waiting_free(&side.waiting)
    run_free(&side.run)
    line_free(&side.line)


# ---- Python ----

# By how much what comes out of a decoder is older than the packet's timestamp says: filters' and look-ahead delays.
DELAYS_S = {"G722": 0.001375, "opus": 0.0065}  # 22 samples at 16 kHz, 312 at 48
WHAT = {LOST: "lost", MASKED: "masked", UNREADABLE: "unreadable"}


cdef class Side:
    """The memory of one side. The samples are taken from its line by `mixdown.desk`."""

    def __cinit__(self, int out_hz, int64_t start_ns, bint conceals=True):
        self.side.slots = <slot_t *>calloc(SLOTS, sizeof(slot_t))
        self.side.out_hz, self.side.start_ns, self.side.conceals = out_hz, start_ns, conceals
        self.side.last_ns = start_ns
        waiting_init(&self.side.waiting)
        noise_source_init(&self.side.noise, 1)
        if self.side.slots == NULL or run_init(&self.side.run, out_hz) < 0:
            raise MemoryError
        if line_init(&self.side.line, LINE_S * out_hz) < 0:
            raise MemoryError

    def __init__(self, int out_hz, int64_t start_ns, bint conceals=True):
        self.learnt = {}

    def __dealloc__(self):
        cdef int i
        if self.side.slots != NULL:
            for i in range(SLOTS):
                free(self.side.slots[i].state)
        free(self.side.slots)
        spans_free(&self.side.spans)
        free(self.side.breaks)
        side_free(&self.side)

    def behave(self, *, bint has_tones, bint is_sparse):
        """Whether digits that came as events are heard as their tones; whether there is something now and then only, so
        that nobody waits for it.
        """
        self.side.has_tones, self.side.is_sparse = has_tones, is_sparse

    def learn(self, int number, str key):
        """What the capture calls codec `number`: `PCMU/8000`, `CN/8000`, `telephone-event/8000` …"""
        cdef slot_t *slot
        if not 0 <= number < SLOTS or number in self.learnt:
            return
        self.learnt[number] = key
        slot = &self.side.slots[number]
        name, _, clock = key.partition("/")
        clock = clock.partition("/")[0]
        slot.clock_hz = int(clock) if clock.isascii() and clock.isdigit() and 0 < int(clock) <= 192000 else 8000
        slot.hz = 8000
        slot.is_fresh = True
        if name.lower() == "telephone-event":
            slot.kind = EVENT
        elif name.upper() == "CN":
            slot.kind = NOISE
        else:
            self.hear(slot, key)

    cdef Codec codec_of(self, str key):
        return <Codec?>CODECS[key] if key in CODECS else None

    cdef hear(self, slot_t *slot, str key):
        cdef Codec codec = self.codec_of(key)
        slot.kind = MUTE
        if codec is None:
            return
        slot.row = &codec.row
        slot.clock_hz = codec.row.clock_hz
        slot.hz = codec.row.sample_hz
        slot.delay_s = DELAYS_S.get(codec.name, 0.0)
        if codec_takes_rate(&codec.row, self.side.out_hz):
            slot.hz = self.side.out_hz
        if codec.row.decode == NULL:
            return
        if codec.row.decoder_bytes:
            slot.state = malloc(codec.row.decoder_bytes)
            if slot.state == NULL:
                raise MemoryError
        slot.kind = VOICE

    def spans(self):
        """[(what, first place, place behind)], about in order."""
        cdef const spans_t *s = &self.side.spans
        return [(WHAT[s.spans[i].what], s.spans[i].start, s.spans[i].end) for i in range(s.count)]

    def counts(self):
        """What happened to its packets; `drift_ppm` is how much faster its clock runs than ours, as known last."""
        found = dict(self.side.counts)
        found["refused_samples"] = self.side.line.refused
        found["drift_ppm"] = round(-1e6 * envelope_slope(&self.side.envelope), 1)
        return found
