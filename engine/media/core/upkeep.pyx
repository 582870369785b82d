"""Runs the legs whose deadline has come.

The keep-alive is an empty RTP packet of a payload type that nobody negotiates (RFC 6263 §4.6): it needs no agreement with the
peer, opens the same pinhole as the audio, and stays in our own numbering. It is also what we send first, so that two
peers that both wait to learn the other's address do not wait for ever.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from santral.engine.media.core.deadlines cimport (
    first_due, keepalive_deadline, reschedule, silence_deadline, timeout_deadline,
)
from santral.engine.media.core.digits cimport expire_digit, reports_t
from santral.engine.media.core.leg cimport NOTE_SILENT, NOTE_TIMEOUT, leg_t, media_t, next_random
from santral.engine.media.core.measure.judge cimport describe_voip, measure_interval
from santral.engine.media.core.measure.voip cimport voip_t, write_voip
from santral.engine.media.core.net cimport CLOCK_REALTIME, clock_ns
from santral.engine.media.core.reception cimport FIRST_ROUND, fraction_lost, expected_packets
from santral.engine.media.core.rewrite cimport input_t, output_t, rewrite, stream_clock
from santral.engine.media.core.rtcp cimport MAX_REPORT_BYTES, ntp_time, own_report_t, write_goodbye, write_report
from santral.engine.media.core.rtp cimport RTP_HEADER_BYTES, put_header
from santral.engine.media.core.stage.heard cimport tell_digits
from santral.engine.media.core.stage.send cimport tell, transmit_rtcp, transmit_rtp

cdef enum:
    KEEPALIVE_PAYLOAD_TYPE = 20  # unassigned in RFC 3551
    MAX_DUE = 256  # legs looked after in one pass


cdef uint64_t KEEPALIVE_SOURCE = <uint64_t>1 << 62  # apart from every leg's and player's numbering


cdef void run_due(media_t *m) noexcept nogil:
    cdef leg_t *leg
    cdef int i
    for i in range(MAX_DUE):
        leg = first_due(m)
        if leg == NULL:
            return
        look_after(m, leg)
        reschedule(m, leg)


cdef bint has_come(const media_t *m, int64_t deadline) noexcept nogil:
    return deadline and deadline <= m.now_ns


cdef void look_after(media_t *m, leg_t *leg) noexcept nogil:
    cdef reports_t reports
    reports.n = 0
    expire_digit(&leg.digits, m.now_ns, &reports)
    tell_digits(m, leg, &reports)
    if not leg.has_remote:
        return
    if has_come(m, silence_deadline(m, leg)):
        leg.silence_told = True
        tell(m, leg, NOTE_SILENT, m.now_ns - leg.remote_ns, 0)
    if has_come(m, timeout_deadline(m, leg)):
        leg.timeout_told = True
        tell(m, leg, NOTE_TIMEOUT, m.now_ns - max(leg.heard_ns, leg.remote_ns), 0)
    if has_come(m, keepalive_deadline(m, leg)):
        send_keepalive(m, leg)
    if has_come(m, leg.report.next_ns):
        measure_interval(m, leg)
        if leg.remote.rtcp_on:
            send_report(m, leg, False)
        plan_report(m, leg)


cdef void send_keepalive(media_t *m, leg_t *leg) noexcept nogil:
    cdef input_t numbers
    cdef output_t out
    leg.sent_ns = m.now_ns  # also when it cannot be sent: the next try is due a whole interval later
    if leg.rtp_latch.target.v4.sin_port == 0:
        return
    numbers.patience = 0
    numbers.source = KEEPALIVE_SOURCE | leg.counters.keepalives  # its own source each: what follows is numbered behind it
    numbers.sequence = 0
    numbers.timestamp = numbers.elapsed = 0
    numbers.clock_hz = leg.out.clock_hz
    numbers.is_event = True  # no marker
    numbers.marker = False
    rewrite(&leg.out, &numbers, m.now_ns, &out)
    m.packet[0] = 0x80
    put_header(m.packet, False, KEEPALIVE_PAYLOAD_TYPE, out.sequence, out.timestamp, leg.out.ssrc)
    leg.counters.keepalives += 1
    if not transmit_rtp(leg, m.packet, RTP_HEADER_BYTES):
        leg.counters.send_errors += 1


cdef void plan_report(media_t *m, leg_t *leg) noexcept nogil:
    """Half to one and a half intervals ahead (RFC 3550 §6.2), so that reports of many legs do not meet."""
    cdef int64_t interval = m.limits.rtcp_interval_ns
    leg.report.next_ns = 0
    if interval:
        leg.report.next_ns = m.now_ns + interval // 2 + <int64_t>(next_random(m) % <uint64_t>interval)


cdef void describe_reception(media_t *m, leg_t *leg, own_report_t *report) noexcept nogil:
    report.has_source = leg.reception.started
    if not report.has_source:
        return
    report.source = leg.reception.ssrc
    report.fraction_lost = fraction_lost(&leg.reception)
    report.lost = <int64_t>expected_packets(&leg.reception) - leg.reception.received
    report.highest_sequence = leg.reception.highest - FIRST_ROUND
    report.jitter = leg.reception.jitter >> 4
    report.last_sr = leg.report.last_sr
    report.delay_since_sr = 0
    if report.last_sr:
        report.delay_since_sr = <uint32_t>(((m.now_ns - leg.report.last_sr_ns) // 1000 << 16) // 1000000)


cdef void say_goodbye(media_t *m, leg_t *leg) noexcept nogil:
    """The last report, with BYE; whoever was never sent anything needs none (RFC 3550 §6.3.7)."""
    if m.limits.rtcp_interval_ns and leg.has_remote and leg.remote.rtcp_on:
        if leg.counters.packets_out or leg.counters.rtcp_out:
            send_report(m, leg, True)


cdef void send_report(media_t *m, leg_t *leg, bint is_last) noexcept nogil:
    cdef own_report_t report
    cdef voip_t voip
    cdef uint8_t packet[MAX_REPORT_BYTES]
    cdef int n
    if leg.rtcp_latch.target.v4.sin_port == 0:
        return
    report.ssrc = leg.out.ssrc
    report.is_sender = leg.counters.packets_out > leg.report.sent_before
    leg.report.sent_before = leg.counters.packets_out
    report.ntp = ntp_time(clock_ns(CLOCK_REALTIME))
    report.timestamp = stream_clock(&leg.out, m.now_ns)
    report.packets = <uint32_t>(leg.counters.packets_out + leg.counters.keepalives)
    report.octets = <uint32_t>leg.counters.octets_out
    describe_reception(m, leg, &report)
    n = write_report(&report, leg.remote.cname, leg.remote.cname_bytes, packet)
    if describe_voip(leg, &voip):
        n += write_voip(&voip, leg.out.ssrc, packet + n)
    if is_last:
        n += write_goodbye(leg.out.ssrc, packet + n)
    if transmit_rtcp(leg, packet, n):
        leg.counters.rtcp_out += 1
    else:
        leg.counters.send_errors += 1
