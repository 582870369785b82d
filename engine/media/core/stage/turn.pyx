"""Turns the wheel: phase after phase, everyone in a phase has its turn."""

from libc.stdint cimport int64_t

from santral.engine.media.core.leg cimport NOBODY, PHASES, WHEEL_FILL, WHEEL_KEYS, WHEEL_PLAY, leg_t, media_t
from santral.engine.media.core.mix.room cimport mix_frame
from santral.engine.media.core.net cimport monotonic_ns
from santral.engine.media.core.stage.block cimport room_t
from santral.engine.media.core.stage.filler cimport fill_frame
from santral.engine.media.core.stage.keys cimport press_frame
from santral.engine.media.core.stage.player cimport play_frame
from santral.engine.media.core.stage.wheel cimport phase_of

cdef enum:
    PHASE_NS = 1000000
    TOO_LATE_NS = 5000000
    AT_A_TIME_NS = 4000000  # then packets and commands get their turn, however many phases wait
    MANY = 32  # legs in a phase, after which it is worth looking at the clock
    GIVE_UP_NS = 200000000  # turns so late are left out: who is told this late has heard a gap already


cdef void take_turn(media_t *m, leg_t *leg) noexcept nogil:
    if leg.on_wheel & WHEEL_PLAY:
        play_frame(m, leg)
    if leg.on_wheel & WHEEL_KEYS:
        press_frame(m, leg)
    if leg.on_wheel & WHEEL_FILL:
        fill_frame(m, leg)


cdef void turn_due(media_t *m) noexcept nogil:
    cdef int64_t until = m.now_ns + AT_A_TIME_NS
    cdef int slot, after, phase
    cdef room_t *room
    if m.on_wheel and m.now_ns - m.next_phase_ns > GIVE_UP_NS:
        m.totals.turns_lost += (m.now_ns - m.next_phase_ns) // PHASE_NS
        m.next_phase_ns = (m.now_ns // PHASE_NS) * PHASE_NS
    while m.on_wheel and m.next_phase_ns <= m.now_ns and m.now_ns < until:
        phase = phase_of(m.next_phase_ns)
        m.turn_ns = m.next_phase_ns
        slot = m.phase_heads[phase]
        if m.phase_legs[phase]:
            m.totals.turns += 1
            m.totals.turns_late += m.now_ns - m.next_phase_ns > TOO_LATE_NS
        while slot != NOBODY:
            after = m.legs[slot].after
            take_turn(m, &m.legs[slot])
            slot = after
        room = m.rooms[phase]
        while room != NULL:
            mix_frame(m, room)
            room = room.next
        m.next_phase_ns += PHASE_NS
        if m.phase_legs[phase] > MANY:
            m.now_ns = monotonic_ns()


cdef int64_t turn_deadline(const media_t *m) noexcept nogil:
    """When the next phase with anybody in it comes; 0 when there is nobody."""
    cdef int i
    if not m.on_wheel:
        return 0
    for i in range(PHASES):
        if m.phase_legs[phase_of(m.next_phase_ns + i * PHASE_NS)]:
            return m.next_phase_ns + i * PHASE_NS
    return 0
