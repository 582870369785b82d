"""Whoever speaks to a leg with samples (transcoding, a player, a room, a tone) speaks through its mouth: one encoder, one packet
length, one numbering. Speakers follow one another without a seam; what one left over of a frame is filled up by the next.

The mouth numbers its packets by itself and `rewrite` fits them to whatever was sent before, so a relay and a mouth can take
turns as well.
"""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset

from santral.codecs.codec cimport codec_t, codec_ticks
from santral.codecs.shape.resample cimport resample, resampler_init
from santral.engine.media.core.leg cimport PACKET_BYTES, PCM_SAMPLES, UNMAPPED, leg_t, media_t
from santral.engine.media.core.measure.protection cimport expect
from santral.engine.media.core.rewrite cimport input_t
from santral.engine.media.core.rtp cimport RTP_HEADER_BYTES
from santral.engine.media.core.stage.block cimport MOUTH_SAMPLES, mouth_t, voice_t
from santral.engine.media.core.stage.send cimport emit

cdef enum:
    EPOCH_BITS = 20
    MOUTH_PATIENCE = 4  # spans: a room needs so long to begin behind a relay
    PAUSE_FRAMES_X2 = 5  # half frames of silence after which a speaker by the clock begins anew


cdef uint64_t MOUTH_SOURCE = <uint64_t>1 << 63  # apart from every leg's numbering


cdef void fall_silent(leg_t *leg) noexcept nogil:
    """What is left of a frame is not said any more, and the rate may be another from here on."""
    leg.stage.mouth.fill = leg.stage.mouth.in_hz = 0


cdef void turn_to(media_t *m, leg_t *leg, mouth_t *mouth, int frame_ns) noexcept nogil:
    """Begin a numbering of our own when somebody else has spoken meanwhile."""
    if mouth.source and leg.out.source == mouth.source:
        return
    if m.now_ns - mouth.said_ns > <int64_t>frame_ns * PAUSE_FRAMES_X2 // 2:
        mouth.fill = 0
    mouth.epoch += 1
    mouth.source = MOUTH_SOURCE | leg.id << EPOCH_BITS | mouth.epoch & ((1 << EPOCH_BITS) - 1)
    mouth.sequence = 0
    mouth.timestamp = 0
    mouth.marker_due = False  # the switch sets one


cdef void begin_anew_after_pause(media_t *m, mouth_t *mouth, int64_t frame_ns) noexcept nogil:
    """A speaker by the clock that said nothing for a while goes on by the clock. A turn that comes late is no pause: the
    turns that were missed follow at once."""
    if m.turn_ns - mouth.said_ns > frame_ns * PAUSE_FRAMES_X2 // 2:
        mouth.source = 0


cdef void send(media_t *m, leg_t *leg, mouth_t *mouth, int codec, int n, uint32_t ticks) noexcept nogil:
    """`n` payload bytes stand in `m.made`; the clock moves on by `ticks`, sent or not."""
    cdef input_t numbers
    cdef uint8_t payload_type = leg.remote.sends[codec]
    if n > 0 and payload_type != UNMAPPED:
        numbers.source = mouth.source
        numbers.sequence = mouth.sequence
        numbers.timestamp = mouth.timestamp
        numbers.elapsed = 0
        numbers.clock_hz = m.codecs[codec].clock_hz
        numbers.is_event = False
        numbers.marker = mouth.marker_due
        numbers.patience = MOUTH_PATIENCE
        m.made[0] = 0x80
        emit(m, leg, &numbers, codec, payload_type, m.made, RTP_HEADER_BYTES + n)
        leg.out.span = ticks  # whoever comes next goes on behind it
        mouth.sequence += 1
        mouth.marker_due = False
    else:
        mouth.marker_due = True
    mouth.timestamp += ticks


cdef void protect(leg_t *leg, int lost) noexcept nogil:
    """The peer has reported that it lost so many 256ths of what it was sent: an encoder whose packets repeat what was in the
    one before repeats it better."""
    cdef voice_t *voice = leg.stage.voice if leg.stage != NULL else NULL
    if voice == NULL or voice.encoder == NULL or voice.row.expect_loss == NULL or not voice.params.is_protected:
        return
    if expect(&voice.expected, (lost * 100 + 255) // 256):
        voice.row.expect_loss(voice.encoder, voice.expected.percent)


cdef void encode_frame(media_t *m, leg_t *leg, const voice_t *voice, const int16_t *samples, int n) noexcept nogil:
    cdef int written = voice.row.encode(
        voice.encoder, samples, n, m.made + RTP_HEADER_BYTES, PACKET_BYTES - RTP_HEADER_BYTES
    )
    send(m, leg, &leg.stage.mouth, voice.codec, written, <uint32_t>codec_ticks(voice.row, n, voice.sample_hz))


cdef void finish_frame(media_t *m, leg_t *leg) noexcept nogil:
    """What waits for its packet to be whole goes out as a shorter one, where the codec has such: packets follow that are not ours."""
    cdef mouth_t *mouth = &leg.stage.mouth
    cdef const voice_t *voice = leg.stage.voice
    if mouth.is_wire:
        finish_wire(m, leg)
    elif mouth.fill and voice.row.unit_bytes and mouth.fill % voice.row.unit_samples == 0:
        encode_frame(m, leg, voice, mouth.pcm, mouth.fill)
    mouth.fill = 0


cdef void leave_gap(media_t *m, leg_t *leg, const voice_t *voice, int64_t gap) noexcept nogil:
    """So many samples were never said: the frame begun is filled up with silence, the clock moves over the rest."""
    cdef mouth_t *mouth = &leg.stage.mouth
    cdef int missing = voice.frame - mouth.fill
    if mouth.fill and gap >= missing:
        memset(mouth.pcm + mouth.fill, 0, missing * sizeof(int16_t))
        mouth.fill = 0
        encode_frame(m, leg, voice, mouth.pcm, voice.frame)
        gap -= missing
    mouth.timestamp += <uint32_t>(gap * voice.row.clock_hz // voice.sample_hz)
    mouth.marker_due = True


cdef int convert(media_t *m, mouth_t *mouth, const int16_t *samples, int n, int hz, int to_hz) noexcept nogil:
    """Into `m.converted`, at the rate of the encoder."""
    if mouth.in_hz != hz:
        mouth.in_hz = hz
        if resampler_init(&mouth.resampler, hz, to_hz) < 0:
            mouth.in_hz = 0
            return 0
    return max(0, resample(&mouth.resampler, samples, n, m.converted, PCM_SAMPLES))


cdef void say(media_t *m, leg_t *leg, const int16_t *samples, int n, int hz, int gap) noexcept nogil:
    """Say `n` samples at `hz`. `gap`: samples missing before them, or `GAP_BY_CLOCK` when the clock is to tell."""
    cdef mouth_t *mouth = &leg.stage.mouth
    cdef const voice_t *voice = leg.stage.voice
    cdef int64_t frame_ns
    cdef int done
    if voice == NULL or voice.codec == 0:
        return
    if not leg.remote.peer_receives:
        mouth.fill = 0
        return
    frame_ns = <int64_t>voice.frame * 1000000000 // voice.sample_hz
    if hz != voice.sample_hz:
        n = convert(m, mouth, samples, n, hz, voice.sample_hz)
        samples = m.converted
        gap = <int>(<int64_t>gap * voice.sample_hz // hz) if gap > 0 else gap
    if gap == GAP_BY_CLOCK:
        begin_anew_after_pause(m, mouth, frame_ns)
    turn_to(m, leg, mouth, <int>frame_ns)
    mouth.said_ns = m.turn_ns if gap == GAP_BY_CLOCK else m.now_ns
    if mouth.is_wire:
        finish_wire(m, leg)
    if gap > 0:
        leave_gap(m, leg, voice, gap)
    while n:
        if not mouth.fill and n >= voice.frame:  # whole frames need no copy
            encode_frame(m, leg, voice, samples, voice.frame)
            samples += voice.frame
            n -= voice.frame
            continue
        done = min(n, voice.frame - mouth.fill)
        memcpy(mouth.pcm + mouth.fill, samples, done * sizeof(int16_t))
        mouth.fill += done
        samples += done
        n -= done
        if mouth.fill == voice.frame:
            mouth.fill = 0
            encode_frame(m, leg, voice, mouth.pcm, voice.frame)


cdef void say_frame(media_t *m, leg_t *leg, const uint8_t *wire, int n) noexcept nogil:
    """A whole packet, encoded already as the voice of this leg would have done, said by the clock."""
    cdef mouth_t *mouth = &leg.stage.mouth
    cdef const voice_t *voice = leg.stage.voice
    cdef int64_t frame_ns = <int64_t>voice.frame * 1000000000 // voice.sample_hz
    if not leg.remote.peer_receives:
        mouth.fill = 0
        return
    begin_anew_after_pause(m, mouth, frame_ns)
    turn_to(m, leg, mouth, <int>frame_ns)
    mouth.said_ns = m.turn_ns
    if mouth.fill:
        finish_frame(m, leg)
    mouth.is_wire = False
    memcpy(m.made + RTP_HEADER_BYTES, wire, n)
    send(m, leg, mouth, voice.codec, n, <uint32_t>codec_ticks(voice.row, voice.frame, voice.sample_hz))


cdef void send_bytes(media_t *m, leg_t *leg, int codec, const uint8_t *wire, int n) noexcept nogil:
    cdef const codec_t *row = m.codecs[codec].row
    memcpy(m.made + RTP_HEADER_BYTES, wire, n)
    send(
        m, leg, &leg.stage.mouth, codec, n,
        <uint32_t>codec_ticks(row, n // row.unit_bytes * row.unit_samples, row.sample_hz),
    )


cdef void finish_wire(media_t *m, leg_t *leg) noexcept nogil:
    """Encoded audio that waits for its packet to be whole goes out as it is: samples come next."""
    cdef mouth_t *mouth = &leg.stage.mouth
    if mouth.is_wire and mouth.fill:
        send_bytes(m, leg, mouth.wire_codec, <const uint8_t *>mouth.pcm, mouth.fill)
        mouth.fill = 0
    mouth.is_wire = False


cdef void say_wire(
    media_t *m, leg_t *leg, int codec, int frame, const uint8_t *wire, int n, int gap_units, bint is_loss
) noexcept nogil:
    """Say encoded audio of a constant rate in packets of the length the peer asked for, without decoding it: `frame` bytes.

    At a gap what had been begun goes out as a shorter packet; after a loss the sequence shows it, too, so that the peer
    conceals it as it would have done with the packets that came.
    """
    cdef mouth_t *mouth = &leg.stage.mouth
    cdef uint8_t *kept = <uint8_t *>mouth.pcm
    cdef const codec_t *row = m.codecs[codec].row
    cdef int done
    if not leg.remote.peer_receives:
        mouth.fill = 0
        return
    turn_to(m, leg, mouth, <int>(<int64_t>frame // row.unit_bytes * row.unit_samples * 1000000000 // row.sample_hz))
    mouth.said_ns = m.now_ns
    if not mouth.is_wire or mouth.wire_codec != codec:
        finish_wire(m, leg)
        mouth.fill = 0  # samples that filled no packet
        mouth.is_wire = True
        mouth.wire_codec = codec
    if gap_units:
        if mouth.fill:
            send_bytes(m, leg, codec, kept, mouth.fill)
            mouth.fill = 0
        mouth.timestamp += <uint32_t>codec_ticks(row, gap_units * row.unit_samples, row.sample_hz)
        if is_loss:
            mouth.sequence += <uint16_t>max(1, gap_units * row.unit_bytes // frame)
    while n:
        if not mouth.fill and n >= frame:
            send_bytes(m, leg, codec, wire, frame)
            wire += frame
            n -= frame
            continue
        done = min(n, frame - mouth.fill)
        memcpy(kept + mouth.fill, wire, done)
        mouth.fill += done
        wire += done
        n -= done
        if mouth.fill == frame:
            mouth.fill = 0
            send_bytes(m, leg, codec, kept, frame)
