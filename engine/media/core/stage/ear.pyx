"""Decoding as packets arrive: no buffer, losses seen as sequence gaps, what comes too late is left out."""

from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t
from libc.string cimport memset

from santral.codecs.shape.conceal cimport conceal_good, conceal_lost, concealer_init, concealer_t
from santral.engine.media.core.leg cimport leg_t
from santral.engine.media.core.rtp cimport rtp_t
from santral.engine.media.core.stage.block cimport decoder_t, ear_t, voice_t

cdef enum:
    MAX_MISORDER = 100  # packets: further back it is a sender that began anew


cdef const decoder_t *decoder_for(const voice_t *voice, int codec) noexcept nogil:
    cdef int i
    if voice != NULL:
        for i in range(voice.n_decoders):
            if voice.decoders[i].codec == codec:
                return &voice.decoders[i]
    return NULL


cdef int place(const leg_t *leg, ear_t *ear, const rtp_t *header, int codec, int ticks, heard_t *out) noexcept nogil:
    """Where the packet stands behind the last one; `ticks` is its own length. `TOO_LATE`: leave it out."""
    cdef int ahead = <int16_t>(header.sequence - ear.sequence)
    cdef int32_t gap = <int32_t>(header.timestamp - ear.timestamp)
    memset(out, 0, sizeof(heard_t))
    if not ear.started or ear.epoch != leg.epoch or ear.codec != codec or ahead < -MAX_MISORDER:
        ear.started = True
        ear.epoch = leg.epoch
        ear.codec = codec
    elif ahead < 0:
        return TOO_LATE
    elif gap > 0:
        out.is_loss = ahead > 0
        if 0 < ahead <= MAX_CONCEALED and gap <= ahead * ear.ticks:
            out.lost = ahead
            gap -= ahead * ear.ticks
        out.gap = max(gap, 0)
    ear.sequence = <uint16_t>(header.sequence + 1)
    ear.timestamp = header.timestamp + ticks
    ear.ticks = ticks
    return 0


cdef void forget_sound(leg_t *leg) noexcept nogil:
    """What was heard last leads to nothing that comes."""
    leg.stage.ear.concealer.hz = 0


cdef int decode_packet(
    leg_t *leg, const decoder_t *decoder, const uint8_t *wire, int n, int16_t *samples, int room
) noexcept nogil:
    """Samples written; 0 when the payload cannot be right, which is counted."""
    cdef concealer_t *concealer = &leg.stage.ear.concealer
    cdef int got = decoder.row.decode(decoder.state, wire, n, samples, room)
    if got < 0:
        leg.counters.malformed += 1
        return 0
    if decoder.row.conceal == NULL:
        if concealer.hz != decoder.sample_hz:
            concealer_init(concealer, decoder.sample_hz)
        conceal_good(concealer, samples, got)
    return got


cdef void conceal_packet(
    leg_t *leg, const decoder_t *decoder, int hz, int n, int16_t *samples, const uint8_t *following, int following_bytes
) noexcept nogil:
    """`n` samples in place of a lost packet. `following`: the payload of the packet right after it, where it is there."""
    cdef concealer_t *concealer = &leg.stage.ear.concealer
    cdef int got = 0
    if decoder != NULL and decoder.row.recover != NULL and following != NULL:
        got = decoder.row.recover(decoder.state, following, following_bytes, samples, n)
    if got < n and decoder != NULL and decoder.row.conceal != NULL:
        got = n if decoder.row.conceal(decoder.state, samples, n) >= 0 else 0
    if got == n:
        return
    if concealer.hz != hz:
        memset(samples, 0, n * sizeof(int16_t))
    else:
        conceal_lost(concealer, samples, n)
