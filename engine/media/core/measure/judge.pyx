"""What a leg's own counting and its peer's reports come to: loss, R and MOS per direction, whole call and last interval.

Delay from mouth to ear is reckoned as half the round trip, one packet, and a jitter buffer of twice the jitter at the listener.
"""

from libc.math cimport fmax
from libc.stdint cimport int64_t, uint32_t

from santral.engine.media.core.leg cimport NOTE_QUALITY, leg_t, media_t
from santral.engine.media.core.measure.losses cimport burst_ratio, end_burst, losses_t
from santral.engine.media.core.measure.rating cimport mos_of_r, rate_r
from santral.engine.media.core.measure.voip cimport UNAVAILABLE, voip_t
from santral.engine.media.core.reception cimport reception_t, settle_all
from santral.engine.media.core.stage.send cimport tell

cdef enum:
    MIN_PACKETS = 25  # half a second: less says nothing
    USUAL_FRAME_MS = 20


cdef int frame_ms(const leg_t *leg) noexcept nogil:
    return leg.remote.frame_ms if leg.remote.frame_ms else USUAL_FRAME_MS


cdef double delay_ms(const leg_t *leg, double jitter_ms) noexcept nogil:
    cdef double rtt_ms = leg.report.rtt_ns / 1e6 if leg.report.has_peer and leg.report.rtt_ns > 0 else 0.0
    return rtt_ms / 2 + frame_ms(leg) + 2 * jitter_ms


cdef double own_jitter_ms(const leg_t *leg) noexcept nogil:
    if not leg.reception.started or leg.reception.clock_hz == 0:
        return 0.0
    return leg.reception.jitter / 16.0 * 1000 / leg.reception.clock_hz


cdef void rate(const leg_t *leg, double ratio, double jitter_ms, figures_t *out) noexcept nogil:
    out.r = out.mos = -1.0
    if leg.remote.ie >= 0:
        out.r = rate_r(leg.remote.ie, leg.remote.bpl, out.loss, ratio, delay_ms(leg, jitter_ms))
        out.mos = mos_of_r(out.r)


cdef void judge_reception(const leg_t *leg, figures_t *out) noexcept nogil:
    """What we heard of the peer, from the start."""
    cdef reception_t r = leg.reception
    out.loss = out.r = out.mos = -1.0
    settle_all(&r)
    if r.losses.counted < MIN_PACKETS:
        return
    out.loss = <double>r.losses.lost / r.losses.counted
    rate(leg, burst_ratio(r.losses.lost, r.losses.runs, r.losses.counted), own_jitter_ms(leg), out)


cdef void judge_sending(const leg_t *leg, figures_t *out) noexcept nogil:
    """What the peer heard of us, by its own rating or else by its reports of loss."""
    out.loss = out.r = out.mos = -1.0
    if not leg.report.has_peer or leg.counters.packets_out < MIN_PACKETS:
        return
    out.loss = fmax(<double>leg.report.peer_lost / leg.counters.packets_out, 0.0)
    if out.loss > 1.0:
        out.loss = 1.0
    rate(leg, 1.0, leg.report.peer_jitter * 1000.0 / leg.out.clock_hz if leg.out.clock_hz else 0.0, out)
    if leg.report.has_voip and leg.report.voip.r != UNAVAILABLE:
        out.r = leg.report.voip.r
        out.mos = mos_of_r(out.r)
        if leg.report.voip.mos_cq != UNAVAILABLE:
            out.mos = leg.report.voip.mos_cq / 10.0


cdef grade_t grade_of(double r) noexcept nogil:
    if r >= 80:
        return GRADE_GOOD
    if r >= 70:
        return GRADE_FAIR
    return GRADE_POOR if r >= 60 else GRADE_BAD


cdef void measure_interval(media_t *m, leg_t *leg) noexcept nogil:
    """Once per report interval: how it was since the last time. Told when its grade is another one."""
    cdef losses_t now = leg.reception.losses
    cdef losses_t before = leg.report.losses_before
    cdef uint32_t counted = now.counted - before.counted, lost = now.lost - before.lost
    cdef figures_t figures
    cdef grade_t grade
    leg.report.losses_before = now
    leg.report.interval_loss = -1.0
    if counted < MIN_PACKETS:
        return
    figures.loss = leg.report.interval_loss = <double>lost / counted
    rate(leg, burst_ratio(lost, now.runs - before.runs, counted), own_jitter_ms(leg), &figures)
    if figures.r < 0:
        return
    grade = grade_of(figures.r)
    if grade != leg.report.grade:
        leg.report.grade = grade
        tell(m, leg, NOTE_QUALITY, <int64_t>(figures.r * 1000), <int64_t>(figures.loss * 1000000) << 8 | grade)


cdef bint describe_voip(const leg_t *leg, voip_t *out) noexcept nogil:
    """The metrics of our reception, once there is any."""
    cdef reception_t r = leg.reception
    cdef losses_t *l = &r.losses
    cdef figures_t figures
    cdef uint32_t gaps
    settle_all(&r)
    end_burst(l)
    if not r.started or l.counted == 0:
        return False
    gaps = l.counted - l.burst_packets
    out.source = r.ssrc
    out.loss = <int>(255 * <int64_t>l.lost // l.counted)
    out.burst_density = <int>(255 * <int64_t>l.burst_lost // l.burst_packets) if l.burst_packets else 0
    out.gap_density = <int>(255 * <int64_t>(l.lost - l.burst_lost) // gaps) if gaps else 0
    out.burst_ms = <int>(<int64_t>l.burst_packets * frame_ms(leg) // l.bursts) if l.bursts else 0
    out.gap_ms = <int>(<int64_t>gaps * frame_ms(leg) // (l.bursts + 1))
    out.rtt_ms = <int>(leg.report.rtt_ns // 1000000) if leg.report.has_peer and leg.report.rtt_ns > 0 else 0
    out.end_ms = 0  # what is relayed does not stay
    judge_reception(leg, &figures)
    out.r = <int>(figures.r + 0.5) if figures.r >= 0 else UNAVAILABLE
    out.mos_cq = out.mos_lq = UNAVAILABLE
    if figures.r >= 0:
        out.mos_cq = <int>(10 * figures.mos + 0.5)
        out.mos_lq = <int>(
            10 * mos_of_r(rate_r(leg.remote.ie, leg.remote.bpl, figures.loss, burst_ratio(l.lost, l.runs, l.counted), 0)) + 0.5
        )
    return True
