"""Carries out commands on the media thread, between two batches of packets."""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

from santral.engine.media.core.backend cimport unwatch, watch
from santral.engine.media.core.deadlines cimport reschedule, unschedule
from santral.engine.media.core.digits cimport forget_digits, reports_t
from santral.engine.media.core.latch cimport latch_t, open_window
from santral.engine.media.core.leg cimport (
    NOBODY, NOTE_CLOSED, NOTE_RELEASED, NOTE_RETURNED, leg_t, media_t, remote_t,
)
from santral.engine.media.core.rewrite cimport begin_stream
from santral.engine.media.core.measure.judge cimport GRADE_GOOD
from santral.engine.media.core.mix.room cimport (
    change_manner, close_room, join_room, leave_room, open_room, part_from_room, play_to_room, stop_room_play, take_room_tap,
)
from santral.engine.media.core.ring cimport ring_oldest, ring_release, ring_room
from santral.engine.media.core.secure.srtp cimport secure_t
from santral.engine.media.core.stage.block cimport PLAY_CLOSED, PLAY_STOPPED, detectors_t, stage_t, voice_t
from santral.engine.media.core.stage.filler cimport begin_filling
from santral.engine.media.core.stage.heard cimport tell_digits
from santral.engine.media.core.stage.keys cimport press_keys, stop_pressing
from santral.engine.media.core.stage.listen cimport begin_listening
from santral.engine.media.core.stage.mouth cimport fall_silent
from santral.engine.media.core.stage.player cimport start_interlude, start_playing, stop_all_playing, stop_playing
from santral.engine.media.core.stage.send cimport tell
from santral.engine.media.core.stage.tap cimport TAP_HEARD, TAP_PLAYED, TAP_SAID, tap_mask, tap_publish, tap_side_t, tap_t
from santral.engine.media.core.stage.wheel cimport lay_aside, take_up
from santral.engine.media.core.upkeep cimport plan_report, say_goodbye, send_keepalive

cdef extern from "<unistd.h>" nogil:
    int close(int fd)

cdef enum:
    MAX_COMMANDS = 64  # in one pass, so that packets never wait long for a burst of calls
    NOTES_OF_A_COMMAND = 4  # at most; without that much room the command waits, so that no acknowledgement is lost
    LOCK_AFTER = 3  # packets
    RTCP_LOCK_AFTER = 1  # five seconds apart: three would be a quarter of a minute
    IN_DOUBT_NS = 100000000  # a tone is known for a digit by then
    FIRST_SEND_AFTER_NS = 1000000000  # a stream under way needs no opening packet


cdef bint run_commands(media_t *m) noexcept nogil:
    """Whether more of them wait: nobody will ring for those again."""
    cdef command_t *command
    cdef int i
    for i in range(MAX_COMMANDS):
        command = <command_t *>ring_oldest(&m.commands)
        if command == NULL or ring_room(&m.notes) < NOTES_OF_A_COMMAND:
            return False
        m.totals.commands += 1
        perform(m, command)
        ring_release(&m.commands)
    return True


cdef void perform(media_t *m, const command_t *command) noexcept nogil:
    cdef leg_t *leg
    if command.kind == COMMAND_STOP:
        m.running = False
        return
    if COMMAND_OPEN_ROOM <= command.kind <= COMMAND_TAKE_ROOM_TAP:
        perform_on_room(m, command)
        return
    leg = &m.legs[command.slot]
    if command.kind == COMMAND_OPEN:
        open_leg(m, leg, command)
    elif leg.id == command.leg and command.kind == COMMAND_ADOPT:
        adopt(m, leg)
    elif leg.id == command.leg and leg.owner == m.number:
        perform_on(m, leg, command)


cdef void perform_on_room(media_t *m, const command_t *command) noexcept nogil:
    """A room never leaves its thread."""
    cdef room_order_t order = command.argument.room
    if command.kind == COMMAND_OPEN_ROOM:
        open_room(m, order.room)
    elif command.kind == COMMAND_CLOSE_ROOM:
        close_room(m, order.room)
    elif command.kind == COMMAND_PLAY_TO_ROOM:
        play_to_room(m, order.room, order.playlist)
    elif command.kind == COMMAND_STOP_ROOM_PLAY:
        stop_room_play(m, order.room, PLAY_STOPPED)
    elif command.kind == COMMAND_GIVE_ROOM_TAP:
        order.tap.next = order.room.played
        order.room.played = order.tap
    elif command.kind == COMMAND_TAKE_ROOM_TAP:
        take_room_tap(m, order.room, order.serial)


cdef void perform_on(media_t *m, leg_t *leg, const command_t *command) noexcept nogil:
    if command.kind == COMMAND_SET_REMOTE:
        set_remote(m, leg, &command.argument.remote)
    elif command.kind == COMMAND_SET_DIRECTION:
        set_direction(m, leg, command.argument.direction)
    elif command.kind == COMMAND_LINK:
        link(m, leg, command.argument.link)
    elif command.kind == COMMAND_UNLINK:
        unlink(m, leg)
    elif command.kind == COMMAND_ECHO:
        unlink(m, leg)
        leg.peer = leg.slot
    elif command.kind == COMMAND_GIVE_SECURE:
        use_secure(m, leg, command.argument.secure)
    elif command.kind == COMMAND_GIVE_STAGE:
        leg.stage = command.argument.stage
    elif command.kind == COMMAND_RELEASE:
        release(m, leg)
    elif command.kind == COMMAND_CLOSE:
        close_leg(m, leg)
    elif leg.stage != NULL:
        perform_on_stage(m, leg, command)


cdef void perform_on_stage(media_t *m, leg_t *leg, const command_t *command) noexcept nogil:
    if command.kind == COMMAND_GIVE_VOICE:
        use_voice(m, leg, command.argument.voice)
    elif command.kind == COMMAND_PLAY:
        start_playing(m, leg, command.argument.playlist)
    elif command.kind == COMMAND_STOP_PLAY:
        stop_playing(m, leg, PLAY_STOPPED)
    elif command.kind == COMMAND_INTERLUDE:
        start_interlude(m, leg, command.argument.playlist)
    elif command.kind == COMMAND_PRESS:
        press_keys(m, leg, &command.argument.keys)
    elif command.kind == COMMAND_MUTE:
        leg.stage.muted = command.argument.is_muted
    elif command.kind == COMMAND_GATE:
        leg.stage.gate = command.argument.gate
    elif command.kind == COMMAND_LISTEN:
        listen(m, leg, command.argument.listen)
    elif command.kind == COMMAND_PASS_KEYS:
        leg.stage.passes_keys = command.argument.passes_keys
    elif command.kind == COMMAND_FILL:
        begin_filling(m, leg, command.argument.fills)
    elif command.kind == COMMAND_GIVE_TAP:
        give_tap(leg, command.argument.tap)
    elif command.kind == COMMAND_TAKE_TAP:
        take_tap(m, leg, command.argument.tap)
    elif command.kind == COMMAND_TUNE_TAP:
        tune_tap(leg, command.argument.tap)
    elif command.kind == COMMAND_JOIN:
        unlink(m, leg)
        join_room(m, leg, command.argument.join.room, command.argument.join.jitter, &command.argument.join.manner)
    elif command.kind == COMMAND_CHANGE:
        change_manner(m, leg, &command.argument.join.manner)
    elif command.kind == COMMAND_LEAVE:
        leave_room(m, leg)


cdef void use_secure(media_t *m, leg_t *leg, secure_t *secure) noexcept nogil:
    """Other keys from here on, or none."""
    if leg.secure != NULL:
        tell(m, leg, NOTE_RETURNED, <int64_t>leg.secure.serial, 0)
    leg.secure = secure


cdef void use_voice(media_t *m, leg_t *leg, voice_t *voice) noexcept nogil:
    """Other codecs from here on. What had been begun in the old ones is over."""
    if leg.stage.voice != NULL:
        tell(m, leg, NOTE_RETURNED, <int64_t>leg.stage.voice.serial, 0)
    leg.stage.voice = voice
    leg.stage.ear.started = leg.stage.side.started = False
    fall_silent(leg)


cdef void listen(media_t *m, leg_t *leg, listen_t order) noexcept nogil:
    cdef detectors_t *before = leg.stage.detectors
    if before != order.detectors:
        if before != NULL:
            tell(m, leg, NOTE_RETURNED, <int64_t>before.serial, 0)
        if order.detectors != NULL:
            begin_listening(order.detectors)
        leg.stage.detectors = order.detectors
        leg.stage.side.started = False
    if order.detectors != NULL:
        order.detectors.wanted = order.wanted


cdef tap_t **taps_of(stage_t *stage, tap_side_t side) noexcept nogil:
    if side == TAP_SAID:
        return &stage.said
    return &stage.heard if side == TAP_HEARD else &stage.played


cdef void give_tap(leg_t *leg, tap_order_t order) noexcept nogil:
    cdef tap_t **at = taps_of(leg.stage, order.side)
    order.tap.next = at[0]
    at[0] = order.tap


cdef void come_clean(media_t *m, tap_t *tap) noexcept nogil:
    """Publish what the tap has held back."""
    if tap.hides_keys:  # what might be the beginning of a digit nobody will recognise any more
        tap_mask(tap, m.now_ns - IN_DOUBT_NS, m.now_ns)
    tap.delay_ns = 0
    tap_publish(tap, m.now_ns)


cdef void come_clean_with_all(media_t *m, leg_t *leg) noexcept nogil:
    cdef int side
    cdef tap_t *tap
    if leg.stage == NULL:
        return
    for side in range(TAP_PLAYED + 1):
        tap = taps_of(leg.stage, <tap_side_t>side)[0]
        while tap != NULL:
            come_clean(m, tap)
            tap = tap.next


cdef void take_tap(media_t *m, leg_t *leg, tap_order_t order) noexcept nogil:
    cdef tap_t **at = taps_of(leg.stage, order.side)
    while at[0] != NULL:
        if at[0].serial == order.serial:
            come_clean(m, at[0])
            at[0] = at[0].next
            tell(m, leg, NOTE_RETURNED, <int64_t>order.serial, 0)
            return
        at = &at[0].next


cdef void tune_tap(leg_t *leg, tap_order_t order) noexcept nogil:
    """Whether it hides digits, and how long it waits for them."""
    cdef tap_t *tap = taps_of(leg.stage, order.side)[0]
    while tap != NULL:
        if tap.serial == order.serial:
            tap.hides_keys = order.hides_keys
            tap.delay_ns = order.delay_ns
        tap = tap.next


cdef void begin_latch(latch_t *latch, int lock_after, int64_t relatch_ns) noexcept nogil:
    latch.lock_after = lock_after
    latch.relatch_ns = relatch_ns


cdef void open_leg(media_t *m, leg_t *leg, const command_t *command) noexcept nogil:
    memset(leg, 0, sizeof(leg_t))
    leg.id = command.leg
    leg.slot = command.slot
    leg.rtp_fd = command.argument.open.rtp_fd
    leg.rtcp_fd = command.argument.open.rtcp_fd
    leg.peer = leg.heap_at = leg.before = leg.after = NOBODY
    leg.report.rtt_ns = -1
    leg.report.interval_loss = -1
    leg.report.grade = GRADE_GOOD
    leg.remote.ie = -1
    memset(leg.remote.sends, 0xFF, sizeof(leg.remote.sends))
    begin_latch(&leg.rtp_latch, LOCK_AFTER, m.limits.relatch_ns)
    begin_latch(&leg.rtcp_latch, RTCP_LOCK_AFTER, 3 * m.limits.rtcp_interval_ns)
    begin_stream(
        &leg.out, command.argument.open.ssrc, command.argument.open.sequence, command.argument.open.timestamp
    )
    adopt(m, leg)


cdef void adopt(media_t *m, leg_t *leg) noexcept nogil:
    cdef uint64_t token = TOKEN_LEGS + 2 * <uint64_t>leg.slot
    leg.owner = m.number
    watch(&m.io, leg.rtp_fd, token)
    watch(&m.io, leg.rtcp_fd, token + 1)
    if leg.on_wheel:
        take_up(m, leg)
    reschedule(m, leg)


cdef void let_go(media_t *m, leg_t *leg) noexcept nogil:
    """Nothing on this thread refers to the leg afterwards."""
    unlink(m, leg)
    leave_room(m, leg)
    unschedule(m, leg)
    unwatch(&m.io, leg.rtp_fd)
    unwatch(&m.io, leg.rtcp_fd)


cdef void release(media_t *m, leg_t *leg) noexcept nogil:
    if leg.on_wheel:
        lay_aside(m, leg)
    let_go(m, leg)
    leg.owner = NOBODY
    tell(m, leg, NOTE_RELEASED, 0, 0)


cdef void close_leg(media_t *m, leg_t *leg) noexcept nogil:
    cdef reports_t reports
    reports.n = 0
    forget_digits(&leg.digits, &reports)
    tell_digits(m, leg, &reports)
    stop_all_playing(m, leg, PLAY_CLOSED)
    stop_pressing(m, leg, False)
    say_goodbye(m, leg)
    let_go(m, leg)
    come_clean_with_all(m, leg)
    close(leg.rtp_fd)
    close(leg.rtcp_fd)
    tell(m, leg, NOTE_CLOSED, 0, 0)
    leg.owner = NOBODY
    leg.secure = NULL
    leg.stage = NULL
    leg.id = 0


cdef void close_leg_sockets(media_t *m) noexcept nogil:
    """At the end of the thread: whatever it still owns."""
    cdef int i
    for i in range(m.max_legs):
        if m.legs[i].id and m.legs[i].owner == m.number:
            stop_all_playing(m, &m.legs[i], PLAY_CLOSED)
            come_clean_with_all(m, &m.legs[i])
            close(m.legs[i].rtp_fd)
            close(m.legs[i].rtcp_fd)
            m.legs[i].id = 0


cdef void use_networks(latch_t *latch, const remote_t *remote) noexcept nogil:
    memcpy(latch.networks, remote.networks, sizeof(latch.networks))
    latch.n_networks = remote.n_networks


cdef void set_remote(media_t *m, leg_t *leg, const remote_t *remote) noexcept nogil:
    leg.remote = remote[0]
    leg.has_remote = True
    leg.frame_bytes = remote.frame_bytes
    leg.has_asked = False
    leg.remote_ns = m.now_ns
    leg.has_heard = leg.silence_told = leg.timeout_told = False
    use_networks(&leg.rtp_latch, remote)
    use_networks(&leg.rtcp_latch, remote)
    open_window(&leg.rtp_latch, &remote.rtp)
    open_window(&leg.rtcp_latch, &remote.rtcp)
    if m.now_ns - leg.sent_ns > FIRST_SEND_AFTER_NS:
        send_keepalive(m, leg)
    if leg.report.next_ns == 0:
        plan_report(m, leg)
    reschedule(m, leg)


cdef void set_direction(media_t *m, leg_t *leg, direction_t direction) noexcept nogil:
    leg.remote.peer_sends = direction.peer_sends
    leg.remote.peer_receives = direction.peer_receives
    leg.remote_ns = m.now_ns  # time-outs count from here
    leg.timeout_told = False
    reschedule(m, leg)


cdef void link(media_t *m, leg_t *leg, link_t to) noexcept nogil:
    cdef leg_t *peer = &m.legs[to.slot]
    unlink(m, leg)
    if peer.id != to.leg or peer.owner != m.number:
        return
    unlink(m, peer)
    part_from_room(m, leg, peer)
    leg.peer = peer.slot
    peer.peer = leg.slot
    leg.has_asked = peer.has_asked = False


cdef void unlink(media_t *m, leg_t *leg) noexcept nogil:
    if leg.peer != NOBODY:
        m.legs[leg.peer].peer = NOBODY
        leg.peer = NOBODY
