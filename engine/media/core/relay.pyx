"""From a ready socket to the way through the stages: classify, check the source, count, see digits pass.

Nothing here allocates, locks, raises or knows Python. A packet that is not forwarded has been counted as something.
"""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t

from santral.engine.media.core.backend cimport receive
from santral.engine.media.core.deadlines cimport reschedule
from santral.engine.media.core.digits cimport forget_digits, hear_packet, reports_t
from santral.engine.media.core.latch cimport LATCH_LOCKED, LATCH_REFUSED, admit, latch_verdict_t
from santral.engine.media.core.leg cimport (
    NOBODY, NOTE_FIRST_PACKET, NOTE_SOURCE_CHANGED, PACKET_BYTES, codec_row_t, leg_t, media_t,
)
from santral.engine.media.core.net cimport CLOCK_REALTIME, clock_ns, endpoint_t, same_endpoint
from santral.engine.media.core.reception cimport (
    ARRIVED_LATE, ARRIVED_TWICE, arrival_t, count_packet, measure_jitter, restart,
)
from santral.engine.media.core.rtcp cimport ntp_time, peer_report_t, read_report
from santral.engine.media.core.rtp cimport (
    KIND_DTLS, KIND_RTCP, KIND_RTP, KIND_STUN, MAX_DATAGRAM_BYTES, classify, kind_t, parse_rtp, rtp_t,
)
from santral.engine.media.core.secure.srtp cimport SRTP_REPLAYED, unprotect_rtcp, unprotect_rtp
from santral.engine.media.core.stage.carry cimport carry
from santral.engine.media.core.stage.heard cimport key_down, tell_digits
from santral.engine.media.core.stage.mouth cimport protect
from santral.engine.media.core.stage.path cimport forward
from santral.engine.media.core.stage.send cimport tell

cdef enum:
    RETURN_AFTER = 3  # packets in a row of a source left before: it is really back
    MAX_RTT_MS = 30000


cdef void hear(media_t *m, leg_t *leg) noexcept nogil:
    """The peer lives."""
    leg.heard_ns = m.now_ns
    if leg.timeout_told:
        leg.timeout_told = False
        reschedule(m, leg)


cdef bint follow_source(media_t *m, leg_t *leg, const rtp_t *header, int clock_hz, bint just_locked) noexcept nogil:
    """Whether the packet belongs to the source heard now; a new SSRC takes over at once, a former one must insist."""
    cdef reports_t reports
    if leg.reception.started:
        if header.ssrc == leg.reception.ssrc:
            leg.former.returning = 0
            return True
        if leg.former.known and header.ssrc == leg.former.ssrc and not just_locked:
            if <int16_t>(header.sequence - leg.former.highest) <= 0:
                return False
            leg.former.highest = header.sequence
            leg.former.returning += 1
            if leg.former.returning < RETURN_AFTER:
                return False
        leg.former.known = True
        leg.former.ssrc = leg.reception.ssrc
        leg.former.highest = <uint16_t>leg.reception.highest
        leg.counters.source_switches += 1
    leg.former.returning = 0
    leg.epoch += 1
    reports.n = 0
    forget_digits(&leg.digits, &reports)
    tell_digits(m, leg, &reports)
    restart(&leg.reception, header.ssrc, header.sequence, clock_hz)
    return True


cdef void hear_digits(media_t *m, leg_t *leg, const rtp_t *header, const uint8_t *packet, int clock_hz) noexcept nogil:
    cdef reports_t reports
    cdef bint was_open = leg.digits.open
    cdef uint32_t began = leg.digits.first
    cdef int code = leg.digits.code
    leg.event_clock_hz = leg.digits.clock_hz = clock_hz
    reports.n = 0
    hear_packet(
        &leg.digits, packet + header.payload_at, header.payload_bytes, header.sequence, header.timestamp, m.now_ns,
        &reports,
    )
    tell_digits(m, leg, &reports)
    if leg.digits.open and (not was_open or leg.digits.first != began or leg.digits.code != code):
        key_down(m, leg, leg.digits.code)
        reschedule(m, leg)


cdef bint admit_rtp(media_t *m, leg_t *leg, const endpoint_t *source, const rtp_t *header, int codec) noexcept nogil:
    """Source lock, then SSRC. Counts what it refuses."""
    cdef endpoint_t before = leg.rtp_latch.target
    cdef latch_verdict_t verdict = admit(
        &leg.rtp_latch, source, header.ssrc, codec != 0, leg.secure != NULL, m.now_ns
    )
    if verdict == LATCH_REFUSED:
        leg.counters.dropped_source += 1
        return False
    hear(m, leg)
    if verdict == LATCH_LOCKED and not same_endpoint(&before, source):
        leg.counters.source_switches += 1
        tell(m, leg, NOTE_SOURCE_CHANGED, header.ssrc, 0)
    if codec == 0:
        leg.counters.dropped_payload += 1
        return False
    if not follow_source(m, leg, header, m.codecs[codec].clock_hz, verdict == LATCH_LOCKED):
        leg.counters.dropped_old += 1
        return False
    return True


cdef void count_arrival(media_t *m, leg_t *leg, const rtp_t *header, const codec_row_t *codec) noexcept nogil:
    cdef arrival_t arrival = count_packet(&leg.reception, header.sequence)
    leg.counters.packets_in += 1
    leg.counters.octets_in += header.payload_bytes
    if arrival == ARRIVED_LATE:
        leg.counters.late += 1
    elif arrival == ARRIVED_TWICE:
        leg.counters.duplicate += 1
    if not codec.is_event:
        measure_jitter(&leg.reception, header.timestamp, m.now_ns, codec.clock_hz)
    if not leg.has_heard:
        leg.has_heard = True
        tell(m, leg, NOTE_FIRST_PACKET, header.ssrc, 0)


cdef void on_rtp(media_t *m, leg_t *leg, const endpoint_t *source, uint8_t *packet, int n) noexcept nogil:
    cdef rtp_t header
    cdef int codec
    if parse_rtp(packet, n, &header) < 0:
        leg.counters.malformed += 1
        return
    codec = leg.remote.receives[header.payload_type]
    if not admit_rtp(m, leg, source, &header, codec):
        return
    if not leg.remote.peer_sends:
        leg.counters.dropped_direction += 1
        return
    count_arrival(m, leg, &header, &m.codecs[codec])
    if m.codecs[codec].is_event:
        hear_digits(m, leg, &header, packet, m.codecs[codec].clock_hz)
    if leg.stage != NULL:
        carry(m, leg, &header, codec, packet, n)
    elif leg.peer != NOBODY:
        forward(m, leg, &m.legs[leg.peer], &header, codec, packet, n)


cdef void on_rtcp(media_t *m, leg_t *leg, const endpoint_t *source, const uint8_t *packet, int n) noexcept nogil:
    cdef peer_report_t report
    cdef int64_t rtt
    if read_report(packet, n, leg.out.ssrc, &report) < 0:
        leg.counters.rtcp_malformed += 1
        return
    if admit(&leg.rtcp_latch, source, report.ssrc, True, leg.secure != NULL, m.now_ns) == LATCH_REFUSED:
        leg.counters.dropped_source += 1
        return
    leg.counters.rtcp_in += 1
    hear(m, leg)
    if report.has_sr:
        leg.report.last_sr = report.sr_middle
        leg.report.last_sr_ns = m.now_ns
    if report.has_voip:
        leg.report.has_voip = True
        leg.report.voip = report.voip
    if report.has_block or report.has_voip:
        protect(leg, report.fraction_lost if report.has_block else report.voip.loss)
    if not report.has_block:
        return
    leg.report.has_peer = True
    leg.report.peer_lost = report.lost
    leg.report.peer_fraction_lost = report.fraction_lost
    leg.report.peer_jitter = report.jitter
    if report.last_sr:
        rtt = <uint32_t>((ntp_time(clock_ns(CLOCK_REALTIME)) >> 16) - report.last_sr - report.delay_since_sr)
        rtt = (rtt * 1000000000) >> 16
        if rtt // 1000000 < MAX_RTT_MS:
            leg.report.rtt_ns = rtt


cdef int opened(leg_t *leg, int n) noexcept nogil:
    """The length that unprotecting gave, with what it refused counted."""
    if n == SRTP_REPLAYED:
        leg.counters.dropped_replayed += 1
    elif n < 0:
        leg.counters.dropped_forged += 1
    return n


cdef void on_rtp_socket(media_t *m, leg_t *leg) noexcept nogil:
    """One datagram of the port that RTP, multiplexed RTCP, STUN and DTLS share (RFC 7983)."""
    cdef endpoint_t source
    cdef int n = receive(leg.rtp_fd, m.packet, PACKET_BYTES, &source)
    cdef kind_t kind
    if n < 0:
        return
    m.totals.packets_in += 1
    kind = classify(m.packet, n)
    if n > MAX_DATAGRAM_BYTES:
        leg.counters.malformed += 1
        return
    if leg.secure != NULL and (kind == KIND_RTP or kind == KIND_RTCP):
        n = opened(leg, unprotect_rtp(leg.secure, m.packet, n) if kind == KIND_RTP else unprotect_rtcp(leg.secure, m.packet, n))
        if n < 0:
            return
    if kind == KIND_RTP:
        on_rtp(m, leg, &source, m.packet, n)
    elif kind == KIND_RTCP and leg.remote.rtcp_mux:
        on_rtcp(m, leg, &source, m.packet, n)
    elif kind == KIND_RTCP:
        leg.counters.rtcp_malformed += 1  # not where RTCP was agreed on
    elif kind == KIND_STUN:
        leg.counters.stun += 1
        if leg.rtp_latch.locked and same_endpoint(&leg.rtp_latch.target, &source):
            hear(m, leg)
    elif kind == KIND_DTLS:
        leg.counters.dtls += 1
    else:
        leg.counters.malformed += 1


cdef void on_rtcp_socket(media_t *m, leg_t *leg) noexcept nogil:
    cdef endpoint_t source
    cdef int n = receive(leg.rtcp_fd, m.packet, PACKET_BYTES, &source)
    if n < 0:
        return
    m.totals.packets_in += 1
    if n > MAX_DATAGRAM_BYTES or classify(m.packet, n) != KIND_RTCP:
        leg.counters.rtcp_malformed += 1
        return
    if leg.secure != NULL:
        n = opened(leg, unprotect_rtcp(leg.secure, m.packet, n))
    if n >= 0:
        on_rtcp(m, leg, &source, m.packet, n)
