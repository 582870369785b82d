"""The packets of a leg with a stage block: muted, tapped, gated, then to the far end or into the room."""

from libc.stdint cimport int16_t, uint8_t
from libc.string cimport memset

from santral.codecs.codec cimport codec_span, codec_t
from santral.engine.media.core.leg cimport NOBODY, PCM_SAMPLES, leg_t, media_t
from santral.engine.media.core.mix.intake cimport take_in
from santral.engine.media.core.mix.room cimport counterpart
from santral.engine.media.core.rtp cimport rtp_t
from santral.engine.media.core.stage.block cimport GATE_MASK, GATE_PASS, stage_t
from santral.engine.media.core.stage.path cimport forward
from santral.engine.media.core.stage.send cimport tap_packet
from santral.engine.media.core.stage.tap cimport tap_record_t


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


cdef void tap_said(media_t *m, leg_t *leg, const rtp_t *header, int codec, const uint8_t *packet) noexcept nogil:
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
    tap_packet(m, leg.stage.said, &head, packet + header.payload_at)


cdef void carry(media_t *m, leg_t *leg, const rtp_t *header, int codec, uint8_t *packet, int n) noexcept nogil:
    """A packet of a leg with a stage: whoever wants to hear it does, in order; then it goes to the far end."""
    cdef stage_t *stage = leg.stage
    cdef bint is_event = m.codecs[codec].is_event
    if stage.muted and not is_event and not hush(m, header, codec, packet):
        leg.counters.dropped_direction += 1
        return
    if stage.said != NULL and not (is_event and stage.gate == GATE_MASK):
        tap_said(m, leg, header, codec, packet)
    if is_event and stage.gate != GATE_PASS:
        return
    if stage.seat.room != NULL:
        carry_to_room(m, leg, header, codec, packet, n)
    elif leg.peer != NOBODY:
        forward(m, leg, &m.legs[leg.peer], header, codec, packet, n)


cdef void carry_to_room(
    media_t *m, leg_t *leg, const rtp_t *header, int codec, uint8_t *packet, int n
) noexcept nogil:
    if leg.stage.seat.room.is_direct:
        forward(m, leg, counterpart(m, leg), header, codec, packet, n)
    else:
        take_in(m, leg, leg.stage.seat.jitter, header, codec, packet)
