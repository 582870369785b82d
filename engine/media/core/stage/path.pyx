"""Relay when the far end takes the packet as it is, else the cheapest thing that helps, decided packet by packet, since a
peer that was granted several codecs changes between them without a word.

Relay: numbers shifted by constants. Translation between the two laws of G.711: byte by byte, in place, and relayed. Other
packet lengths of constant-rate codecs: cut anew without decoding. Everything else: decoded as it arrives and encoded.
"""

from libc.stdint cimport int16_t, int64_t, uint8_t
from libc.string cimport memset

from santral.codecs.codec cimport codec_t, codec_span, codec_ticks
from santral.codecs.g711 cimport pcma_encode, pcma_to_pcmu, pcmu_encode, pcmu_to_pcma
from santral.engine.media.core.digits cimport EVENT_BYTES
from santral.engine.media.core.leg cimport (
    NOTE_NEEDS_STAGE, PCM_SAMPLES, UNMAPPED, leg_t, media_t,
)
from santral.engine.media.core.rewrite cimport input_t
from santral.engine.media.core.rtp cimport get16, rtp_t
from santral.engine.media.core.stage.block cimport DETECT_CONVERT, decoder_t, ear_t
from santral.engine.media.core.stage.ear cimport TOO_LATE, conceal_packet, decode_packet, decoder_for, heard_t, place
from santral.engine.media.core.stage.listen cimport hold_back, observe
from santral.engine.media.core.stage.mouth cimport say, say_wire
from santral.engine.media.core.stage.send cimport emit, tell

cdef enum:
    EPOCH_BITS = 20


cdef void ask_for_stage(media_t *m, leg_t *leg) noexcept nogil:
    """Of either leg: the event loop gives both what the present packets need, within some milliseconds."""
    if not leg.has_asked:
        leg.has_asked = True
        tell(m, leg, NOTE_NEEDS_STAGE, 0, 0)


cdef void relay(
    media_t *m, leg_t *leg, leg_t *to, const rtp_t *header, int codec, int as_codec, uint8_t *packet, int n
) noexcept nogil:
    """`as_codec`: what the payload is by now, with the clock of `codec`."""
    cdef input_t numbers
    numbers.patience = 0
    numbers.source = leg.id << EPOCH_BITS | leg.epoch & ((1 << EPOCH_BITS) - 1)
    numbers.sequence = header.sequence
    numbers.timestamp = header.timestamp
    numbers.clock_hz = m.codecs[codec].clock_hz
    numbers.is_event = m.codecs[codec].is_event
    numbers.marker = header.marker
    numbers.elapsed = 0
    if numbers.is_event and header.payload_bytes >= EVENT_BYTES:
        numbers.elapsed = get16(packet + header.payload_at + 2)
    if not emit(m, to, &numbers, as_codec, to.remote.sends[as_codec], packet, n):
        leg.counters.dropped_old += 1


cdef void forward(
    media_t *m, leg_t *leg, leg_t *to, const rtp_t *header, int codec, uint8_t *packet, int n
) noexcept nogil:
    """A packet that nobody but the far end is interested in."""
    if not to.remote.peer_receives or to.taken:
        leg.counters.dropped_direction += 1
    elif to.remote.sends[codec] == UNMAPPED:
        adapt(m, leg, to, header, codec, packet, n)
    elif to.frame_bytes and header.payload_bytes != to.frame_bytes and not m.codecs[codec].is_event:
        cut(m, leg, to, header, codec, packet, n)
    else:
        relay(m, leg, to, header, codec, codec, packet, n)


cdef void adapt(
    media_t *m, leg_t *leg, leg_t *to, const rtp_t *header, int codec, uint8_t *packet, int n
) noexcept nogil:
    """The far end does not take this codec."""
    cdef const codec_t *row = m.codecs[codec].row
    if m.codecs[codec].is_event or row == NULL:
        leg.counters.dropped_payload += 1
    elif leg.stage == NULL or to.stage == NULL:
        ask_for_stage(m, leg)
        leg.counters.dropped_payload += 1
    elif not translate(m, leg, to, header, codec, packet, n) and not transcode(m, leg, to, header, codec, packet):
        leg.counters.dropped_payload += 1


cdef bint translate(
    media_t *m, leg_t *leg, leg_t *to, const rtp_t *header, int codec, uint8_t *packet, int n
) noexcept nogil:
    """Law to law. False: it takes more than that."""
    cdef uint8_t *payload = packet + header.payload_at
    if not can_translate(m, leg, to, header, codec):
        return False
    if m.codecs[codec].row.encode == pcmu_encode:
        pcmu_to_pcma(payload, header.payload_bytes, payload)
    else:
        pcma_to_pcmu(payload, header.payload_bytes, payload)
    relay(m, leg, to, header, codec, to.stage.voice.codec, packet, n)
    return True


cdef bint can_translate(media_t *m, const leg_t *leg, const leg_t *to, const rtp_t *header, int codec) noexcept nogil:
    cdef const codec_t *row = m.codecs[codec].row
    if to.stage.voice == NULL or not to.stage.voice.codec or to.remote.sends[to.stage.voice.codec] == UNMAPPED:
        return False
    if to.frame_bytes and header.payload_bytes != to.frame_bytes:
        return False
    if row.encode == pcmu_encode:
        return to.stage.voice.row.encode == pcma_encode
    return row.encode == pcma_encode and to.stage.voice.row.encode == pcmu_encode


cdef void cut(
    media_t *m, leg_t *leg, leg_t *to, const rtp_t *header, int codec, uint8_t *packet, int n
) noexcept nogil:
    """The far end takes this codec, but asked for packets of another length."""
    cdef const codec_t *row = m.codecs[codec].row
    cdef heard_t heard
    cdef int frame
    if row == NULL or not row.unit_bytes or header.payload_bytes % row.unit_bytes:
        relay(m, leg, to, header, codec, codec, packet, n)
        return
    frame = to.remote.frame_ms * row.sample_hz // 1000 // row.unit_samples * row.unit_bytes
    if frame == header.payload_bytes:
        relay(m, leg, to, header, codec, codec, packet, n)
        return
    if leg.stage == NULL or to.stage == NULL:
        ask_for_stage(m, leg)
        relay(m, leg, to, header, codec, codec, packet, n)
        return
    if place(leg, &leg.stage.ear, header, codec, ticks_of(row, header.payload_bytes), &heard) == TOO_LATE:
        leg.counters.dropped_old += 1
        return
    if heard.lost:
        heard.gap += heard.lost * leg.stage.ear.ticks
    say_wire(
        m, to, codec, frame, packet + header.payload_at, header.payload_bytes, units_of(row, heard.gap), heard.is_loss
    )


cdef int ticks_of(const codec_t *row, int payload_bytes) noexcept nogil:
    return codec_ticks(row, payload_bytes // row.unit_bytes * row.unit_samples, row.sample_hz)


cdef int units_of(const codec_t *row, int64_t ticks) noexcept nogil:
    return <int>(ticks * row.sample_hz // row.clock_hz // row.unit_samples)


cdef bint transcode(
    media_t *m, leg_t *leg, leg_t *to, const rtp_t *header, int codec, const uint8_t *packet
) noexcept nogil:
    """Decode and have it said by the other leg. False: there is no decoder."""
    cdef const decoder_t *decoder = decoder_for(leg.stage.voice, codec)
    cdef const uint8_t *payload = packet + header.payload_at
    cdef int n, hz, i, lost_samples, gap
    cdef heard_t heard
    if decoder == NULL or to.stage.voice == NULL or not to.stage.voice.codec:
        return False
    hz = decoder.sample_hz
    n = codec_span(decoder.row, payload, header.payload_bytes, hz)
    if n <= 0 or n > PCM_SAMPLES:
        leg.counters.malformed += 1
        return True
    lost_samples = <int>(<int64_t>leg.stage.ear.ticks * hz // decoder.row.clock_hz)
    if place(leg, &leg.stage.ear, header, codec, codec_ticks(decoder.row, n, hz), &heard) == TOO_LATE:
        leg.counters.dropped_old += 1
        return True
    gap = <int>(<int64_t>heard.gap * hz // decoder.row.clock_hz)
    for i in range(heard.lost):
        conceal_packet(
            leg, decoder, hz, lost_samples, m.pcm, payload if i == heard.lost - 1 else NULL, header.payload_bytes
        )
        hand_on(m, leg, to, lost_samples, hz, 0)
    n = decode_packet(leg, decoder, payload, header.payload_bytes, m.pcm, PCM_SAMPLES)
    if n:
        hand_on(m, leg, to, n, hz, gap)
    return True


cdef void hand_on(media_t *m, leg_t *leg, leg_t *to, int n, int hz, int gap) noexcept nogil:
    """`n` samples in `m.pcm`, to whoever listens and to the far end."""
    cdef int16_t *samples = m.pcm
    if leg.stage.silences:
        memset(samples, 0, n * sizeof(int16_t))
    if leg.stage.detectors != NULL:
        if leg.stage.detectors.wanted & DETECT_CONVERT:
            n = hold_back(m, leg, samples, n, hz, &samples)
        else:
            observe(m, leg, samples, n, hz)
    if n and not to.taken and to.remote.peer_receives:
        say(m, to, samples, n, hz, gap)


cdef bint is_transcoded(media_t *m, const leg_t *leg, const leg_t *to, const rtp_t *header, int codec) noexcept nogil:
    """Whether `carry_over` would decode this packet for the far end."""
    if m.codecs[codec].is_event or m.codecs[codec].row == NULL or leg.stage == NULL or to.stage == NULL:
        return False
    if leg.stage.silences or leg.stage.detectors != NULL and leg.stage.detectors.wanted & DETECT_CONVERT:
        return True
    return to.remote.sends[codec] == UNMAPPED and not can_translate(m, leg, to, header, codec)


cdef void carry_over(
    media_t *m, leg_t *leg, leg_t *to, const rtp_t *header, int codec, uint8_t *packet, int n
) noexcept nogil:
    """As `forward`, of a leg with a stage block: its detectors may want it decoded though the far end does not need that."""
    if is_transcoded(m, leg, to, header, codec):
        if not transcode(m, leg, to, header, codec, packet):
            leg.counters.dropped_payload += 1
        return
    if leg.stage.detectors != NULL and not m.codecs[codec].is_event:
        overhear(m, leg, header, codec, packet)
    forward(m, leg, to, header, codec, packet, n)


cdef void overhear(media_t *m, leg_t *leg, const rtp_t *header, int codec, const uint8_t *packet) noexcept nogil:
    """Detectors hear a copy; what comes too late for them goes its way all the same."""
    cdef const decoder_t *decoder = decoder_for(leg.stage.voice, codec)
    cdef const uint8_t *payload = packet + header.payload_at
    cdef ear_t *side = &leg.stage.side
    cdef int n, hz, i, before
    cdef heard_t heard
    if decoder == NULL:
        return
    hz = decoder.sample_hz
    n = codec_span(decoder.row, payload, header.payload_bytes, hz)
    before = <int>(<int64_t>side.ticks * hz // decoder.row.clock_hz)
    if not 0 < n <= PCM_SAMPLES or place(leg, side, header, codec, codec_ticks(decoder.row, n, hz), &heard) == TOO_LATE:
        return
    for i in range(heard.lost):
        conceal_packet(leg, decoder, hz, before, m.pcm, NULL, 0)
        observe(m, leg, m.pcm, before, hz)
    n = decode_packet(leg, decoder, payload, header.payload_bytes, m.pcm, PCM_SAMPLES)
    if n:
        observe(m, leg, m.pcm, n, hz)
