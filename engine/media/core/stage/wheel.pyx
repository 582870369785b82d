"""Each leg on the wheel has one of twenty phases a millisecond apart, so that a thousand players do not send in one burst.

A leg is on it once, whatever the reasons; when the last reason goes, so does the leg.
"""

from libc.stdint cimport int64_t

from santral.engine.media.core.leg cimport NOBODY, PHASES, leg_t, media_t

cdef enum:
    PHASE_NS = 1000000


cdef int phase_of(int64_t at_ns) noexcept nogil:
    return <int>(at_ns // PHASE_NS % PHASES)


cdef int quietest_phase(media_t *m) noexcept nogil:
    """The next one first, among equals; the wheel begins to turn if it stood still."""
    cdef int first, phase, i
    if not m.on_wheel:
        m.next_phase_ns = (m.now_ns // PHASE_NS + 1) * PHASE_NS
    first = phase = phase_of(m.next_phase_ns)
    for i in range(1, PHASES):
        if m.phase_legs[(first + i) % PHASES] < m.phase_legs[phase]:
            phase = (first + i) % PHASES
    return phase


cdef void take_up(media_t *m, leg_t *leg) noexcept nogil:
    """Into the wheel, for the reasons it has: its first turn comes within 20 ms."""
    cdef int phase = quietest_phase(m)
    leg.phase = phase
    leg.before = NOBODY
    leg.after = m.phase_heads[phase]
    if leg.after != NOBODY:
        m.legs[leg.after].before = leg.slot
    m.phase_heads[phase] = leg.slot
    m.phase_legs[phase] += 1
    m.on_wheel += 1


cdef void lay_aside(media_t *m, leg_t *leg) noexcept nogil:
    """Out of the wheel with its reasons kept (the leg moves to another thread)."""
    if leg.before != NOBODY:
        m.legs[leg.before].after = leg.after
    else:
        m.phase_heads[leg.phase] = leg.after
    if leg.after != NOBODY:
        m.legs[leg.after].before = leg.before
    m.phase_legs[leg.phase] -= 1
    m.on_wheel -= 1


cdef void mount(media_t *m, leg_t *leg, int reason) noexcept nogil:
    if not leg.on_wheel:
        take_up(m, leg)
    leg.on_wheel |= reason


cdef void dismount(media_t *m, leg_t *leg, int reason) noexcept nogil:
    if not leg.on_wheel & reason:
        return
    leg.on_wheel &= ~reason
    if not leg.on_wheel:
        lay_aside(m, leg)
