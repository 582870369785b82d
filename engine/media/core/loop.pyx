"""Sleep, carry out commands, take what the sockets have, play, look after what is due. The same order in every pass.

Under load the sockets are visited once a tick: a pass then serves many legs for one wake-up, and a pass that takes
longer than a tick is followed by the next at once. With little to do the thread sleeps in the kernel until a packet, a command or a deadline wakes it, which costs nothing when there is no leg.
"""

from libc.stdint cimport int64_t, uint64_t

from santral.engine.media.core.backend cimport disarm, poll_ready, sleep_until, wait_ready
from santral.engine.media.core.command cimport (
    TOKEN_COMMAND, TOKEN_LEGS, TOKEN_TIMER, close_leg_sockets, run_commands,
)
from santral.engine.media.core.deadlines cimport first_deadline
from santral.engine.media.core.leg cimport leg_t, media_t
from santral.engine.media.core.memory.ahead cimport fetch_packet_ahead
from santral.engine.media.core.net cimport monotonic_ns
from santral.engine.media.core.relay cimport on_rtcp_socket, on_rtp_socket
from santral.engine.media.core.stage.turn cimport turn_deadline, turn_due
from santral.engine.media.core.upkeep cimport run_due

cdef extern from "<unistd.h>" nogil:
    long read(int fd, void *buffer, size_t size)
    long write(int fd, const void *buffer, size_t size)

cdef extern from "<sys/prctl.h>" nogil:
    int PR_SET_TIMERSLACK
    int prctl(int option, unsigned long argument)

cdef enum:
    TICK_NS = 1000000
    TIMER_SLACK_NS = 1000  # the usual 50 us would be a twentieth of a tick
    MAX_DRAIN_NS = 2000000  # then commands and players get their turn, whatever a flooded socket still holds
    WINDOW_NS = 20000000  # load is judged over one frame time
    BUSY_PACKETS = 40  # in a window: 2,000 packets/s, two a tick


cdef void serve(media_t *m) noexcept nogil:
    """Returns after the stop command, with every socket of this thread closed."""
    cdef int ready
    cdef int64_t began
    cdef bint has_more = False  # the last pass left commands or packets behind: no sleep before the next
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS)
    began = m.now_ns = m.window_ns = monotonic_ns()
    while m.running:
        ready = poll_ready(&m.io) if has_more else wait(m, began + TICK_NS)
        began = m.now_ns = monotonic_ns()
        has_more = run_commands(m)  # first: what was asked before a packet came holds for that packet
        has_more |= take_packets(m, ready)
        turn_due(m)
        run_due(m)
        ring_up(m)
        judge_load(m)
        m.totals.passes += 1
        m.totals.max_pass_ns = max(m.totals.max_pass_ns, monotonic_ns() - began)
    close_leg_sockets(m)
    ring_up(m)


cdef int64_t next_wakeup(const media_t *m) noexcept nogil:
    cdef int64_t due = first_deadline(m)
    cdef int64_t turn = turn_deadline(m)
    return turn if not due or turn and turn < due else due


cdef int wait(media_t *m, int64_t tick_ns) noexcept nogil:
    """Sleeps until there is work, under load until the tick, and returns how many sockets are ready."""
    if m.busy:
        sleep_until(tick_ns)
        return poll_ready(&m.io)
    m.totals.sleeps += 1
    return wait_ready(&m.io, next_wakeup(m))


cdef bint take_packets(media_t *m, int ready) noexcept nogil:
    """Under load until nothing is left: what was emptied leaves the kernel's ready list, and is not asked again.

    Returns whether it stopped before that, to let commands and players have their turn.
    """
    cdef int64_t until = m.now_ns + MAX_DRAIN_NS
    while ready > 0:
        take_batch(m, ready)
        if not m.busy:
            return False
        m.now_ns = monotonic_ns()
        if m.now_ns > until:
            return True
        ready = poll_ready(&m.io)
    return False


cdef void take_batch(media_t *m, int ready) noexcept nogil:
    cdef uint64_t token
    cdef leg_t *leg
    cdef int i
    for i in range(ready):
        fetch_packet_ahead(m, i, ready)
        token = m.io.ready[i].data.u64
        if token >= TOKEN_LEGS:
            leg = &m.legs[(token - TOKEN_LEGS) >> 1]
            if leg.owner != m.number:
                continue  # closed or moved by a command of this pass
            if token & 1:
                on_rtcp_socket(m, leg)
            else:
                on_rtp_socket(m, leg)
        elif token == TOKEN_TIMER:
            disarm(&m.io)
        elif token == TOKEN_COMMAND:
            answer_bell(m)


cdef void answer_bell(media_t *m) noexcept nogil:
    cdef uint64_t times
    read(m.command_fd, &times, sizeof(times))


cdef void ring_up(media_t *m) noexcept nogil:
    """Wake the event loop, once a pass however many notes there are."""
    cdef uint64_t one = 1
    if m.notes_unrung:
        m.notes_unrung = 0
        write(m.note_fd, &one, sizeof(one))


cdef void judge_load(media_t *m) noexcept nogil:
    if m.now_ns - m.window_ns < WINDOW_NS:
        return
    m.busy = m.totals.packets_in - m.window_packets >= BUSY_PACKETS
    m.window_packets = m.totals.packets_in
    m.window_ns = m.now_ns
