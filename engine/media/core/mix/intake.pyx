"""Decodes what is due, conceals what is missing, and makes one change of length at a time when the delay is off."""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memmove, memset

from santral.codecs.codec cimport Codec, codec_span
from santral.codecs.shape.stretch cimport stretch_longer, stretch_shorter
from santral.engine.media.core.leg cimport PCM_SAMPLES, codec_row_t, leg_t, media_t
from santral.engine.media.core.memory.pieces cimport Stage, Voice
from santral.engine.media.core.mix.jitter cimport (
    JITTER_PCM, JitterMemory, jitter_begin, jitter_delay, jitter_is_due, jitter_leave, jitter_next, jitter_payload,
    jitter_place, jitter_slot_t, jitter_t, jitter_wants,
)
from santral.engine.media.core.rtp cimport RTP_HEADER_BYTES, rtp_t
from santral.engine.media.core.stage.block cimport decoder_t
from santral.engine.media.core.stage.ear cimport conceal_packet, decode_packet, decoder_for, forget_sound
from santral.engine.media.core.stage.mouth cimport finish_frame, say
from santral.engine.media.core.stage.path cimport forward

cdef enum:
    GRAINS_HZ = 48000
    FRAME_MS = 20
    MAX_MADE_UP_GRAINS = 48000 // 5  # after so much concealment there is only silence
    STRETCH_FRAMES = 2  # of 20 ms: what a change of length looks at
    BEHIND_NS = 5000000  # turns so late: the time there is goes to audio, and the delay may be our own


cdef void take_in(
    media_t *m, leg_t *leg, jitter_t *j, const rtp_t *header, int codec, const uint8_t *packet
) noexcept nogil:
    """A packet arrives. What does not fit a slot is no audio of these codecs, and counted as malformed."""
    cdef const decoder_t *decoder
    cdef jitter_slot_t *slot
    cdef int64_t span = 0
    if not m.codecs[codec].is_event:
        decoder = decoder_for(leg.stage.voice, codec)
        if decoder == NULL:
            leg.counters.dropped_payload += 1
            return
        span = codec_span(decoder.row, packet + header.payload_at, header.payload_bytes, decoder.sample_hz)
        if span <= 0 or span > PCM_SAMPLES or header.payload_bytes > j.slot_bytes:
            leg.counters.malformed += 1
            return
        span = span * GRAINS_HZ // decoder.sample_hz
    slot = jitter_place(
        j, leg.epoch, header.sequence, header.timestamp, m.codecs[codec].clock_hz, span, m.now_ns
    )
    if slot == NULL:
        return
    slot.codec = codec
    slot.marker = header.marker
    slot.payload_type = header.payload_type
    slot.bytes = 0
    if span:
        slot.bytes = header.payload_bytes
        memcpy(jitter_payload(j, slot), packet + header.payload_at, header.payload_bytes)


cdef void set_rate(leg_t *leg, jitter_t *j, int hz) noexcept nogil:
    """Samples decoded at another rate cannot be used any more."""
    if j.hz != hz:
        j.hz = hz
        j.fill = 0
        forget_sound(leg)


cdef void make_up(leg_t *leg, jitter_t *j, int n) noexcept nogil:
    """`n` samples that never came."""
    j.concealed += 1
    if j.starved < MAX_MADE_UP_GRAINS:
        conceal_packet(leg, NULL, j.hz, n, j.pcm + j.fill, NULL, 0)
    else:
        memset(j.pcm + j.fill, 0, n * sizeof(int16_t))
    j.fill += n


cdef void decode_slot(leg_t *leg, jitter_t *j, jitter_slot_t *slot) noexcept nogil:
    cdef const decoder_t *decoder = decoder_for(leg.stage.voice, slot.codec)
    cdef int wanted, got = 0
    jitter_leave(j, slot)
    if decoder != NULL:
        set_rate(leg, j, decoder.sample_hz)
        got = decode_packet(leg, decoder, jitter_payload(j, slot), slot.bytes, j.pcm + j.fill, JITTER_PCM - j.fill)
    if got == 0 and j.hz:
        wanted = <int>(<int64_t>slot.span * j.hz // GRAINS_HZ)
        make_up(leg, j, min(wanted, JITTER_PCM - j.fill))
    j.fill += got
    j.heard = True
    j.next_number = slot.number + 1
    j.next_at = slot.at + slot.span


cdef void fill_gap(leg_t *leg, jitter_t *j, jitter_slot_t *slot, int need) noexcept nogil:
    """Up to the next packet, which stands further on: packets lost on the way are concealed, a pause is silence."""
    cdef const decoder_t *decoder = decoder_for(leg.stage.voice, slot.codec)
    cdef int64_t gap = slot.at - j.next_at
    cdef int64_t missing = slot.number - j.next_number
    cdef int64_t grains = min(gap, <int64_t>(need - j.fill) * GRAINS_HZ // j.hz)
    cdef int n
    if missing > 0:
        grains = min(gap, max(gap // missing, <int64_t>GRAINS_HZ // 200))
        n = <int>min(grains * j.hz // GRAINS_HZ, <int64_t>(JITTER_PCM - j.fill))
        j.concealed += 1
        if missing == 1 and decoder != NULL:
            conceal_packet(leg, decoder, j.hz, n, j.pcm + j.fill, jitter_payload(j, slot), slot.bytes)
        else:
            conceal_packet(leg, decoder, j.hz, n, j.pcm + j.fill, NULL, 0)
        j.next_number += 1
    else:
        n = <int>min(grains * j.hz // GRAINS_HZ, <int64_t>(JITTER_PCM - j.fill))
        memset(j.pcm + j.fill, 0, n * sizeof(int16_t))
    j.fill += n
    j.next_at += max(grains, 1)


cdef bint fetch(leg_t *leg, jitter_t *j, int need) noexcept nogil:
    """At least `need` samples decoded, if there are packets for it. False: the buffer ran dry."""
    cdef jitter_slot_t *slot
    while j.fill < need:
        slot = jitter_next(j)
        if slot == NULL:
            return False
        if slot.at <= j.next_at or not j.hz:
            decode_slot(leg, j, slot)
        else:
            fill_gap(leg, j, slot, need)
    return True


cdef void change_length(leg_t *leg, jitter_t *j, int way, int need, int16_t *scratch) noexcept nogil:
    cdef int looked_at = need * STRETCH_FRAMES
    cdef int n
    if not fetch(leg, j, looked_at):
        if way < 0 or j.fill < need:
            return
        looked_at = min(j.fill, looked_at)  # what runs dry is stretched before it has
    if way < 0:
        n = stretch_shorter(j.pcm, looked_at, scratch, j.hz, 0)
        j.shortened += 1
    else:
        n = stretch_longer(j.pcm, looked_at, scratch, j.hz, 0)
        j.lengthened += 1
    if n <= 0 or j.fill - looked_at + n > JITTER_PCM:
        return
    memmove(j.pcm + n, j.pcm + looked_at, (j.fill - looked_at) * sizeof(int16_t))
    memcpy(j.pcm, scratch, n * sizeof(int16_t))
    j.fill += n - looked_at
    j.since_change = 0


cdef int16_t *take_out(media_t *m, leg_t *leg, jitter_t *j, int *n) noexcept nogil:
    """The next 20 ms at `j.hz`, and how many samples that is; NULL with 0 when there is nobody to be heard.

    They stay where they are until `take_out` is called again.
    """
    cdef const jitter_slot_t *slot
    cdef int need, way
    n[0] = 0
    if j.taken:
        memmove(j.pcm, j.pcm + j.taken, (j.fill - j.taken) * sizeof(int16_t))
        j.fill -= j.taken
        j.taken = 0
    if not j.started:
        return NULL
    if not j.hz:
        slot = jitter_next(j)
        if slot == NULL or decoder_for(leg.stage.voice, slot.codec) == NULL:
            return NULL
        set_rate(leg, j, decoder_for(leg.stage.voice, slot.codec).sample_hz)
    need = j.hz * FRAME_MS // 1000
    if j.waiting and not jitter_is_due(j, m.turn_ns) and j.fill < need:
        return made_up(leg, j, need, n)
    way = jitter_wants(j, m.turn_ns)
    if way and m.now_ns - m.turn_ns < BEHIND_NS:
        change_length(leg, j, way, need, m.converted)
    if not fetch(leg, j, need):
        j.waiting = True
        return made_up(leg, j, need, n)
    n[0] = j.taken = need
    return j.pcm


cdef int16_t *made_up(leg_t *leg, jitter_t *j, int need, int *n) noexcept nogil:
    """Dry: what was said last rings out, then there is nothing."""
    if j.starved >= MAX_MADE_UP_GRAINS or not j.heard:
        j.fill = 0
        return NULL
    make_up(leg, j, need - j.fill)
    j.starved += GRAINS_HZ * FRAME_MS // 1000
    n[0] = j.taken = need
    return j.pcm


cdef void hand_over(media_t *m, leg_t *leg, leg_t *to, jitter_t *j) noexcept nogil:
    """The leg is relayed from now on: what was decoded is said, what was not is sent as it came, nothing twice."""
    cdef jitter_slot_t *slot
    cdef rtp_t header
    if j.taken:
        memmove(j.pcm, j.pcm + j.taken, (j.fill - j.taken) * sizeof(int16_t))
        j.fill -= j.taken
        j.taken = 0
    if to.stage != NULL and j.hz and j.fill and not j.waiting:
        say(m, to, j.pcm, j.fill, j.hz, 0)
        finish_frame(m, to)
    while j.started:
        slot = jitter_next(j)
        if slot == NULL:
            break
        jitter_leave(j, slot)
        j.next_number = slot.number + 1
        header.payload_type = slot.payload_type
        header.marker = slot.marker
        header.sequence = slot.sequence
        header.timestamp = slot.timestamp
        header.ssrc = leg.reception.ssrc
        header.payload_at = RTP_HEADER_BYTES
        header.payload_bytes = slot.bytes
        m.packet[0] = 0x80
        memcpy(m.packet + RTP_HEADER_BYTES, jitter_payload(j, slot), slot.bytes)
        forward(m, leg, to, &header, slot.codec, m.packet, RTP_HEADER_BYTES + slot.bytes)
    jitter_begin(j)


cdef class Intake:
    """One leg's way into a room, driven by hand: for tests. One codec, given as codec number 1; number 2 are events."""

    cdef media_t *m
    cdef leg_t leg
    cdef codec_row_t codecs[3]
    cdef Stage stage
    cdef Voice voice
    cdef JitterMemory memory

    def __cinit__(self, Codec codec not None, *, int sample_hz=0, int least_ms=20, int most_ms=200):
        self.m = <media_t *>calloc(1, sizeof(media_t))
        if self.m == NULL:
            raise MemoryError
        self.stage = Stage(1)
        self.voice = Voice(2, [(1, codec, sample_hz or codec.row.sample_hz)], None)
        self.memory = JitterMemory(3, 1472, least_ms, most_ms)
        memset(self.codecs, 0, sizeof(self.codecs))
        self.codecs[1].row = &codec.row
        self.codecs[1].clock_hz = self.codecs[2].clock_hz = codec.row.clock_hz
        self.codecs[2].is_event = True
        self.m.codecs = self.codecs
        memset(&self.leg, 0, sizeof(leg_t))
        self.leg.stage = self.stage.block
        self.leg.stage.voice = self.voice.block

    def __dealloc__(self):
        free(self.m)

    def put(self, const unsigned char[::1] payload not None, int sequence, uint32_t timestamp, int64_t now_ns, *,
            uint32_t epoch=1, bint event=False):
        cdef rtp_t header
        memset(&header, 0, sizeof(header))
        header.sequence = <uint16_t>sequence
        header.timestamp = timestamp
        header.payload_bytes = <int>payload.shape[0]
        self.m.now_ns = now_ns
        self.leg.epoch = epoch
        take_in(self.m, &self.leg, self.memory.block, &header, 2 if event else 1, &payload[0])

    def take(self, int64_t now_ns):
        """20 ms of samples, or None."""
        cdef int n
        cdef int16_t *samples
        self.m.now_ns = self.m.turn_ns = now_ns
        samples = take_out(self.m, &self.leg, self.memory.block, &n)
        return None if samples == NULL else (<const char *>samples)[: 2 * n]

    def delay_ms(self, int64_t now_ns):
        """How old what is heard next is, against the fastest packets."""
        return jitter_delay(self.memory.block, now_ns) / 1e6

    @property
    def target_ms(self):
        return self.memory.block.target_ns / 1e6

    @property
    def counts(self):
        cdef const jitter_t *j = self.memory.block
        return {
            "late": j.late, "concealed": j.concealed, "shortened": j.shortened, "lengthened": j.lengthened,
            "overflowed": j.overflowed,
        }
