"""The way out of a leg: whoever speaks to the peer ends here. Also how the event loop is told.

`transmit_rtp` and `transmit_rtcp` are the last step of everything that leaves the two ports.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

from santral.engine.media.core.backend cimport transmit
from santral.engine.media.core.leg cimport leg_t, media_t, note_kind_t, note_t
from santral.engine.media.core.rewrite cimport input_t, output_t, rewrite
from santral.engine.media.core.ring cimport ring_next_free, ring_publish
from santral.engine.media.core.rtcp cimport MAX_REPORT_BYTES
from santral.engine.media.core.rtp cimport MAX_DATAGRAM_BYTES, RTP_HEADER_BYTES, get16, put_header
from santral.engine.media.core.secure.srtp cimport (
    SRTCP_TRAILER_BYTES, SRTP_TRAILER_BYTES, protect_rtcp, protect_rtp,
)
from santral.engine.media.core.stage.block cimport TAKEN_KEYS, TAKEN_PLAY, room_t
from santral.engine.media.core.stage.tap cimport KEY_IN_EVENT, KEY_IN_TONES, tap_put, tap_record_t, tap_t

cdef void tell(media_t *m, const leg_t *leg, note_kind_t kind, int64_t a, int64_t b) noexcept nogil:
    cdef note_t *note = <note_t *>ring_next_free(&m.notes)
    if note == NULL:
        m.totals.notes_dropped += 1
        return
    note.kind = kind
    note.leg = leg.id
    note.a = a
    note.b = b
    note.where = leg.rtp_latch.target
    ring_publish(&m.notes)
    m.notes_unrung += 1
    m.totals.notes += 1


cdef void tell_of_room(media_t *m, const room_t *room, note_kind_t kind, int64_t a, int64_t b) noexcept nogil:
    cdef note_t *note = <note_t *>ring_next_free(&m.notes)
    if note == NULL:
        m.totals.notes_dropped += 1
        return
    note.kind = kind
    note.leg = room.id
    note.a = a
    note.b = b
    ring_publish(&m.notes)
    m.notes_unrung += 1
    m.totals.notes += 1


cdef bint transmit_rtp(leg_t *leg, uint8_t *packet, int n) noexcept nogil:
    cdef uint8_t protected[MAX_DATAGRAM_BYTES + SRTP_TRAILER_BYTES]
    if leg.secure == NULL:
        return transmit(leg.rtp_fd, packet, n, &leg.rtp_latch.target)
    if n > MAX_DATAGRAM_BYTES:
        return False
    memcpy(protected, packet, n)
    n = protect_rtp(leg.secure, protected, n)
    return n > 0 and transmit(leg.rtp_fd, protected, n, &leg.rtp_latch.target)


cdef bint transmit_rtcp(leg_t *leg, uint8_t *packet, int n) noexcept nogil:
    """On the RTP port when the two are multiplexed (RFC 5761)."""
    cdef uint8_t protected[MAX_REPORT_BYTES + SRTCP_TRAILER_BYTES]
    if leg.secure != NULL:
        if n > MAX_REPORT_BYTES:
            return False
        memcpy(protected, packet, n)
        n = protect_rtcp(leg.secure, protected, n)
        if n < 0:
            return False
        packet = protected
    if leg.remote.rtcp_mux:
        return transmit(leg.rtp_fd, packet, n, &leg.rtp_latch.target)
    return transmit(leg.rtcp_fd, packet, n, &leg.rtcp_latch.target)


cdef void tap_packet(
    media_t *m, tap_t *taps, const tap_record_t *head, const uint8_t *payload
) noexcept nogil:
    while taps != NULL:
        tap_put(taps, head, payload, m.now_ns)
        taps = taps.next


cdef void tap_heard(
    media_t *m, leg_t *leg, const output_t *out, int codec, uint8_t payload_type, const uint8_t *packet, int n
) noexcept nogil:
    """What the peer hears, as it is about to be sent.

    What is played has numbers of its own: between two sounds packets of others went out, and none were lost.
    """
    cdef tap_record_t head
    cdef int at = RTP_HEADER_BYTES + 4 * (packet[0] & 15)
    memset(&head, 0, sizeof(head))
    if packet[0] & 0x10:
        at += 4 + 4 * get16(packet + at + 2)
    head.payload_bytes = <uint16_t>(n - at - (packet[n - 1] if packet[0] & 0x20 else 0))
    head.payload_type = payload_type
    head.codec = <uint8_t>codec
    head.arrival_ns = m.now_ns
    head.timestamp = out.timestamp
    head.sequence = out.sequence
    head.ssrc = leg.out.ssrc
    head.marker = out.marker
    tap_packet(m, leg.stage.heard, &head, packet + at)
    if leg.stage.played != NULL and is_of_ours(leg):
        if leg.taken & TAKEN_KEYS:
            head.key = KEY_IN_EVENT if m.codecs[codec].is_event else KEY_IN_TONES
        leg.stage.played_packets += 1
        head.sequence = leg.stage.played_packets
        tap_packet(m, leg.stage.played, &head, packet + at)


cdef bint is_of_ours(const leg_t *leg) noexcept nogil:
    """Whether nobody else has said what the leg is sent now: digits passed on to it were said by the other one."""
    if leg.taken & TAKEN_KEYS:
        return not leg.stage.keys.is_passed_on
    return (leg.taken & TAKEN_PLAY) != 0


cdef bint emit(
    media_t *m, leg_t *leg, const input_t *numbers, int codec, uint8_t payload_type, uint8_t *packet, int n
) noexcept nogil:
    """Number the packet for the leg's own stream and send it. False: it is from before a source switch."""
    cdef output_t out
    if leg.rtp_latch.target.v4.sin_port == 0:
        return True
    if rewrite(&leg.out, numbers, m.now_ns, &out) < 0:
        return False
    put_header(packet, out.marker, payload_type, out.sequence, out.timestamp, leg.out.ssrc)
    leg.sent_ns = m.now_ns
    if leg.stage != NULL and (leg.stage.heard != NULL or leg.stage.played != NULL):
        tap_heard(m, leg, &out, codec, payload_type, packet, n)
    if transmit_rtp(leg, packet, n):
        leg.counters.packets_out += 1
        leg.counters.octets_out += n - 12
        m.totals.packets_out += 1
    else:
        leg.counters.send_errors += 1
        m.totals.send_errors += 1
    return True
