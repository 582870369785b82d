"""A binary heap of slots by deadline. Packets only move a leg's true deadline later, so they never touch the heap: a leg
that comes up early is simply put back. That leaves an idle engine asleep and costs a busy one nothing per packet.
"""

from libc.stdint cimport int64_t

from santral.engine.media.core.digits cimport digit_deadline
from santral.engine.media.core.leg cimport NOBODY, leg_t, media_t


cdef int64_t timeout_deadline(const media_t *m, const leg_t *leg) noexcept nogil:
    """0 while the time-out is not armed: the peer need not send, or has been reported already.

    A peer that only sends holds the call: most phones are silent then, so the time-out of hold is theirs, too.
    """
    cdef bint talks = leg.remote.peer_sends and leg.remote.peer_receives
    cdef int64_t limit = m.limits.timeout_ns if talks else m.limits.timeout_hold_ns
    if not limit or leg.timeout_told or leg.remote.may_pause:
        return 0
    return max(leg.heard_ns, leg.remote_ns) + limit


cdef int64_t silence_deadline(const media_t *m, const leg_t *leg) noexcept nogil:
    """When "no inbound audio yet" is to be said; 0 once it was, or audio came."""
    if leg.has_heard or leg.silence_told or not leg.remote.peer_sends or not m.limits.no_audio_ns:
        return 0
    return leg.remote_ns + m.limits.no_audio_ns


cdef int64_t keepalive_deadline(const media_t *m, const leg_t *leg) noexcept nogil:
    return leg.sent_ns + m.limits.keepalive_ns if m.limits.keepalive_ns else 0


cdef int64_t earlier(int64_t a, int64_t b) noexcept nogil:
    """Of two deadlines of which 0 means none."""
    return b if not a or b and b < a else a


cdef int64_t next_deadline(const media_t *m, const leg_t *leg) noexcept nogil:
    cdef int64_t at = digit_deadline(&leg.digits)
    if leg.has_remote:
        at = earlier(at, timeout_deadline(m, leg))
        at = earlier(at, silence_deadline(m, leg))
        at = earlier(at, keepalive_deadline(m, leg))
        at = earlier(at, leg.report.next_ns)
    return at


cdef void put(media_t *m, int place, int slot) noexcept nogil:
    m.heap[place] = slot
    m.legs[slot].heap_at = place


cdef void rise(media_t *m, int place) noexcept nogil:
    cdef int slot = m.heap[place]
    cdef int64_t deadline = m.legs[slot].deadline_ns
    cdef int above
    while place:
        above = (place - 1) // 2
        if m.legs[m.heap[above]].deadline_ns <= deadline:
            break
        put(m, place, m.heap[above])
        place = above
    put(m, place, slot)


cdef void sink(media_t *m, int place) noexcept nogil:
    cdef int slot = m.heap[place]
    cdef int64_t deadline = m.legs[slot].deadline_ns
    cdef int below
    while True:
        below = 2 * place + 1
        if below >= m.heap_n:
            break
        if below + 1 < m.heap_n and m.legs[m.heap[below + 1]].deadline_ns < m.legs[m.heap[below]].deadline_ns:
            below += 1
        if m.legs[m.heap[below]].deadline_ns >= deadline:
            break
        put(m, place, m.heap[below])
        place = below
    put(m, place, slot)


cdef void reschedule(media_t *m, leg_t *leg) noexcept nogil:
    """To be called when a deadline may have come closer."""
    cdef int64_t deadline = next_deadline(m, leg)
    if not deadline:
        unschedule(m, leg)
        return
    if leg.heap_at == NOBODY:
        m.heap[m.heap_n] = leg.slot
        leg.heap_at = m.heap_n
        m.heap_n += 1
    leg.deadline_ns = deadline
    rise(m, leg.heap_at)
    sink(m, leg.heap_at)


cdef void unschedule(media_t *m, leg_t *leg) noexcept nogil:
    cdef int place = leg.heap_at
    if place == NOBODY:
        return
    leg.heap_at = NOBODY
    m.heap_n -= 1
    if place < m.heap_n:
        put(m, place, m.heap[m.heap_n])
        rise(m, place)
        sink(m, m.legs[m.heap[place]].heap_at)


cdef leg_t *first_due(media_t *m) noexcept nogil:
    """The leg whose deadline has passed longest ago, or NULL."""
    if m.heap_n and m.legs[m.heap[0]].deadline_ns <= m.now_ns:
        return &m.legs[m.heap[0]]
    return NULL


cdef int64_t first_deadline(const media_t *m) noexcept nogil:
    return m.legs[m.heap[0]].deadline_ns if m.heap_n else 0
