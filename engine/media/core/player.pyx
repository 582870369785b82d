"""Each player has one of twenty phases a millisecond apart and sends when its phase comes round, so that a thousand players
do not send in one burst. A frame the peer must not hear (hold) is skipped, not put off: the file keeps its time.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from santral.engine.media.core.leg cimport NOBODY, NOTE_PLAY_FINISHED, PHASES, UNMAPPED, leg_t, media_t
from santral.engine.media.core.relay cimport emit, tell
from santral.engine.media.core.rewrite cimport input_t
from santral.engine.media.core.rtp cimport RTP_HEADER_BYTES

cdef enum:
    PHASE_NS = 1000000
    FRAME_BYTES = 160  # 20 ms of G.711
    FRAME_CLOCK = 160


cdef uint64_t PLAYER_SOURCE = <uint64_t>1 << 63  # apart from every leg's numbering


cdef int phase_of(int64_t at_ns) noexcept nogil:
    return <int>(at_ns // PHASE_NS % PHASES)


cdef void start_playing(media_t *m, leg_t *leg) noexcept nogil:
    """`leg.play` is filled in; the first frame goes out within 20 ms, in the phase with the fewest players."""
    cdef int first, phase, i
    if not m.players:
        m.next_phase_ns = (m.now_ns // PHASE_NS + 1) * PHASE_NS
    first = phase_of(m.next_phase_ns)
    phase = first
    for i in range(1, PHASES):
        if m.phase_players[(first + i) % PHASES] < m.phase_players[phase]:
            phase = (first + i) % PHASES
    leg.play.phase = phase
    leg.play.before = NOBODY
    leg.play.after = m.phase_heads[phase]
    if leg.play.after != NOBODY:
        m.legs[leg.play.after].play.before = leg.slot
    m.phase_heads[phase] = leg.slot
    m.phase_players[phase] += 1
    m.players += 1
    leg.play.active = True


cdef void pause_playing(media_t *m, leg_t *leg) noexcept nogil:
    """Out of the wheel, with its place in the file kept (the leg moves to another thread)."""
    if leg.play.before != NOBODY:
        m.legs[leg.play.before].play.after = leg.play.after
    else:
        m.phase_heads[leg.play.phase] = leg.play.after
    if leg.play.after != NOBODY:
        m.legs[leg.play.after].play.before = leg.play.before
    m.phase_players[leg.play.phase] -= 1
    m.players -= 1


cdef void stop_playing(media_t *m, leg_t *leg) noexcept nogil:
    """Ends it, whether or not all was played; the frames may be freed once the note has arrived."""
    if not leg.play.active:
        return
    pause_playing(m, leg)
    leg.play.active = False
    leg.play.frames = NULL
    tell(m, leg, NOTE_PLAY_FINISHED, leg.play.id, leg.play.sent << 1 | (leg.play.next == leg.play.n_frames))


cdef void play_frame(media_t *m, leg_t *leg) noexcept nogil:
    cdef uint8_t payload_type = leg.remote.sends[leg.play.codec]
    cdef input_t numbers
    if leg.play.next == leg.play.n_frames:
        if not leg.play.loop:
            stop_playing(m, leg)  # 20 ms after the last frame: it has been heard
            return
        leg.play.next = 0
    if leg.remote.peer_receives and payload_type != UNMAPPED:
        numbers.source = PLAYER_SOURCE | <uint64_t>leg.play.id
        numbers.sequence = <uint16_t>leg.play.sent
        numbers.timestamp = <uint32_t>(leg.play.ticks * FRAME_CLOCK)
        numbers.clock_hz = m.codecs[leg.play.codec].clock_hz
        numbers.elapsed = 0
        numbers.is_event = numbers.marker = False
        m.packet[0] = 0x80
        memcpy(m.packet + RTP_HEADER_BYTES, leg.play.frames + leg.play.next * FRAME_BYTES, FRAME_BYTES)
        emit(m, leg, &numbers, payload_type, m.packet, RTP_HEADER_BYTES + FRAME_BYTES)
        leg.play.sent += 1
    leg.play.next += 1
    leg.play.ticks += 1


cdef void play_due(media_t *m) noexcept nogil:
    cdef int slot, after
    while m.players and m.next_phase_ns <= m.now_ns:
        slot = m.phase_heads[phase_of(m.next_phase_ns)]
        while slot != NOBODY:
            after = m.legs[slot].play.after
            play_frame(m, &m.legs[slot])
            slot = after
        m.next_phase_ns += PHASE_NS


cdef int64_t play_deadline(const media_t *m) noexcept nogil:
    """When the next phase with players comes; 0 when nobody plays."""
    cdef int i
    if not m.players:
        return 0
    for i in range(PHASES):
        if m.phase_players[phase_of(m.next_phase_ns + i * PHASE_NS)]:
            return m.next_phase_ns + i * PHASE_NS
    return 0
