"""The packets of a leg with a stage block: muted, tapped, gated, then to the far end or into the room."""

from libc.stdint cimport int16_t, uint8_t
from libc.string cimport memset

from santral.codecs.codec cimport codec_span, codec_t
from santral.engine.media.core.leg cimport PCM_SAMPLES, UNMAPPED, leg_t, media_t
from santral.engine.media.core.mix.intake cimport take_in
from santral.engine.media.core.rtp cimport rtp_t
from santral.engine.media.core.stage.block cimport GATE_MASK, GATE_PASS, stage_t
from santral.engine.media.core.stage.filler cimport hear_noise
from santral.engine.media.core.stage.heard cimport far_end, keep_masking
from santral.engine.media.core.stage.path cimport carry_over, forward, overhear
from santral.engine.media.core.stage.send cimport tap_packet
from santral.engine.media.core.stage.tap cimport KEY_IN_EVENT, tap_record_t


cdef bint hush(media_t *m, const rtp_t *header, int codec, uint8_t *packet) noexcept nogil:
    """Silence instead of what is in the packet. False for codecs where that takes an encoder."""
    cdef const codec_t *row = m.codecs[codec].row
    cdef int samples
    if row == NULL or row.unit_bytes == 0 or row.encoder_bytes or row.encode == NULL:
        return False
    samples = codec_span(row, packet + header.payload_at, header.payload_bytes, row.sample_hz)
    if not 0 < samples <= PCM_SAMPLES:
        return False
    memset(m.pcm, 0, samples * sizeof(int16_t))
    row.encode(NULL, m.pcm, samples, packet + header.payload_at, header.payload_bytes)
    return True


cdef void tap_said(
    media_t *m, leg_t *leg, const rtp_t *header, int codec, const uint8_t *packet, int key
) noexcept nogil:
    cdef tap_record_t head
    memset(&head, 0, sizeof(head))
    head.payload_bytes = <unsigned short>header.payload_bytes
    head.payload_type = header.payload_type
    head.codec = <uint8_t>codec
    head.arrival_ns = m.now_ns
    head.timestamp = header.timestamp
    head.sequence = header.sequence
    head.ssrc = header.ssrc
    head.marker = header.marker
    head.key = <uint8_t>key
    tap_packet(m, leg.stage.said, &head, packet + header.payload_at)


cdef void carry(media_t *m, leg_t *leg, const rtp_t *header, int codec, uint8_t *packet, int n) noexcept nogil:
    """A packet of a leg with a stage: whoever wants to hear it does, in order; then it goes to the far end."""
    cdef stage_t *stage = leg.stage
    cdef leg_t *to
    if m.codecs[codec].is_event:
        carry_event(m, leg, header, codec, packet, n)
        return
    if m.codecs[codec].is_noise:
        carry_noise(m, leg, header, codec, packet, n)
        return
    stage.spoke_ns = m.now_ns
    stage.silences = stage.muted and not hush(m, header, codec, packet)
    if stage.said != NULL and not stage.silences:
        tap_said(m, leg, header, codec, packet, 0)
    if stage.seat.room != NULL and not stage.seat.room.is_direct:
        take_in(m, leg, stage.seat.jitter, header, codec, packet)
    elif leg.peer == leg.slot:
        forward(m, leg, leg, header, codec, packet, n)
    else:
        to = far_end(m, leg)
        if to != NULL:
            carry_over(m, leg, to, header, codec, packet, n)
        elif stage.detectors != NULL:
            overhear(m, leg, header, codec, packet)


cdef void carry_noise(
    media_t *m, leg_t *leg, const rtp_t *header, int codec, uint8_t *packet, int n
) noexcept nogil:
    """Relayed if the far end takes it; else it says what pauses are to be filled with. In a room they are silence."""
    cdef leg_t *to = far_end(m, leg)
    hear_noise(leg, packet + header.payload_at, header.payload_bytes)
    if to != NULL and to.remote.sends[codec] != UNMAPPED and not leg.stage.muted:
        forward(m, leg, to, header, codec, packet, n)


cdef void carry_event(
    media_t *m, leg_t *leg, const rtp_t *header, int codec, uint8_t *packet, int n
) noexcept nogil:
    cdef stage_t *stage = leg.stage
    cdef leg_t *to
    keep_masking(m, leg)  # tones beside events, for as long as these come
    if stage.said != NULL and stage.gate != GATE_MASK:
        tap_said(m, leg, header, codec, packet, KEY_IN_EVENT)
    if stage.seat.room != NULL and not stage.seat.room.is_direct:
        take_in(m, leg, stage.seat.jitter, header, codec, packet)
        return
    if stage.gate != GATE_PASS or stage.passes_keys:
        return
    to = &m.legs[leg.slot] if leg.peer == leg.slot else far_end(m, leg)
    if to != NULL:
        forward(m, leg, to, header, codec, packet, n)
