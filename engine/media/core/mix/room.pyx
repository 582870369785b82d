"""Each frame once round the members: what they say is summed up, then each hears the sum less itself, saturated once.

Who says nothing adds nothing, and whoever says nothing hears the same as others who say nothing: for codecs without a
state that is encoded once for all of them. Two members who need no mixing are relayed to each other; what stands in their
jitter buffers goes out first.
"""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from santral.codecs.codec cimport codec_t
from santral.codecs.shape.level cimport GAIN_ONE, agc_init, agc_run, apply_gain
from santral.codecs.shape.mix cimport mix_add, mix_all, mix_clear, mix_minus
from santral.codecs.shape.resample cimport resample, resampler_init
from santral.engine.media.core.leg cimport (
    NOBODY, NOTE_LEVEL, NOTE_RETURNED, NOTE_ROOM_CLOSED, NOTE_ROOM_PLAYED, NOTE_ROOM_RETURNED, NOTE_SPEAKER, leg_t, media_t,
)
from santral.engine.media.core.memory.ahead cimport fetch_member_ahead
from santral.engine.media.core.mix.intake cimport hand_over, take_out
from santral.engine.media.core.mix.jitter cimport jitter_begin, jitter_t
from santral.engine.media.core.stage.block cimport (
    MAX_ROOM_FRAME, PLAY_COMPLETED, PLAY_REPLACED, TAKEN_KEYS, TAKEN_PLAY, member_t, play_end_t, playlist_t, room_t,
    voice_t,
)
from santral.engine.media.core.stage.listen cimport observe
from santral.engine.media.core.stage.mouth cimport GAP_BY_CLOCK, say, say_frame
from santral.engine.media.core.stage.player cimport begin_play, next_piece
from santral.engine.media.core.stage.send cimport tell, tell_of_room
from santral.engine.media.core.stage.tap cimport tap_publish, tap_put, tap_record_t, tap_t
from santral.engine.media.core.stage.wheel cimport quietest_phase

cdef enum:
    REASON_BITS = 8
    SHARED = 4  # codecs that one frame is encoded with once for all silent listeners
    LEVEL_EVERY = 50  # frames: once a second
    PATIENCE = 4  # frames: an empty jitter buffer's first target, and one frame
    TAKES_OVER = 10  # frames louder than who spoke
    QUIET_MEAN = 10000  # mean square of samples under which nobody speaks: about -50 dBov


cdef float LEVEL_DECAY = 0.9

cdef struct shared_t:  # one frame, encoded
    const codec_t *row
    int frame
    int bytes
    uint8_t wire[2 * MAX_ROOM_FRAME]

cdef struct shared_frames_t:
    int n
    bint is_mixed
    int16_t samples[MAX_ROOM_FRAME]
    shared_t encoded[SHARED]


# ---- who is in ----


cdef void open_room(media_t *m, room_t *room) noexcept nogil:
    room.phase = quietest_phase(m)
    room.first = room.speaker = room.challenger = NOBODY
    room.next = m.rooms[room.phase]
    m.rooms[room.phase] = room
    m.phase_legs[room.phase] += 1
    m.on_wheel += 1


cdef void close_room(media_t *m, room_t *room) noexcept nogil:
    """Its members are sent out; the memory goes back."""
    cdef room_t **at = &m.rooms[room.phase]
    while room.first != NOBODY:
        leave_room(m, &m.legs[room.first])
    stop_room_play(m, room, PLAY_REPLACED)
    while room.played != NULL:
        take_room_tap(m, room, room.played.serial)
    while at[0] != NULL and at[0] != room:
        at = &at[0].next
    if at[0] == room:
        at[0] = room.next
        m.phase_legs[room.phase] -= 1
        m.on_wheel -= 1
    tell_of_room(m, room, NOTE_ROOM_CLOSED, <int64_t>room.serial, 0)


cdef void join_room(media_t *m, leg_t *leg, room_t *room, jitter_t *jitter, const manner_t *manner) noexcept nogil:
    cdef member_t *seat = &leg.stage.seat
    leave_room(m, leg)
    memset(seat, 0, sizeof(member_t))
    seat.room = room
    seat.jitter = jitter
    seat.gain_now = GAIN_ONE
    seat.patience = PATIENCE
    jitter_begin(jitter)
    seat.after = room.first
    room.first = leg.slot
    room.members += 1
    m.phase_legs[room.phase] += 1
    use_manner(seat, manner)
    seat.gain_now = seat.gain
    settle(m, room)


cdef void use_manner(member_t *seat, const manner_t *manner) noexcept nogil:
    seat.muted = manner.muted
    seat.deaf = manner.deaf
    seat.monitor = manner.monitor
    seat.gain = manner.gain
    seat.whisper_to = manner.whisper_to
    if manner.has_agc and not seat.has_agc:
        agc_init(&seat.agc)
    seat.has_agc = manner.has_agc


cdef void change_manner(media_t *m, leg_t *leg, const manner_t *manner) noexcept nogil:
    if leg.stage.seat.room != NULL:
        use_manner(&leg.stage.seat, manner)
        settle(m, leg.stage.seat.room)


cdef void leave_room(media_t *m, leg_t *leg) noexcept nogil:
    cdef room_t *room
    cdef int *at
    if leg.stage == NULL or leg.stage.seat.room == NULL:
        return
    room = leg.stage.seat.room
    at = &room.first
    while at[0] != leg.slot:
        at = &m.legs[at[0]].stage.seat.after
    at[0] = leg.stage.seat.after
    room.members -= 1
    m.phase_legs[room.phase] -= 1
    if room.speaker == leg.slot:
        room.speaker = NOBODY
    if room.challenger == leg.slot:
        room.challenger = NOBODY
    leg.stage.seat.room = NULL
    tell(m, leg, NOTE_RETURNED, <int64_t>leg.stage.seat.jitter.serial, 0)
    leg.stage.seat.jitter = NULL
    settle(m, room)


cdef void part_from_room(media_t *m, leg_t *one, leg_t *other) noexcept nogil:
    """Two legs are joined to each other: what each has on its way in their room still reaches the other."""
    cdef room_t *room = one.stage.seat.room if one.stage != NULL else NULL
    if room != NULL and not room.is_direct and other.stage != NULL and other.stage.seat.room == room:
        if not (one.stage.seat.muted or one.stage.seat.monitor):
            hand_over(m, one, other, one.stage.seat.jitter)
        if not (other.stage.seat.muted or other.stage.seat.monitor):
            hand_over(m, other, one, other.stage.seat.jitter)
    leave_room(m, one)
    leave_room(m, other)


cdef bint is_plain(const member_t *seat) noexcept nogil:
    return not (
        seat.muted or seat.deaf or seat.monitor or seat.has_agc or seat.whisper_to or seat.gain != GAIN_ONE
    )


cdef void be_patient(media_t *m, room_t *room) noexcept nogil:
    cdef int slot = room.first
    while slot != NOBODY:
        m.legs[slot].stage.seat.patience = PATIENCE
        slot = m.legs[slot].stage.seat.after


cdef void settle(media_t *m, room_t *room) noexcept nogil:
    """Relay between two, or mixing: whichever it is from now on, nothing of what is on its way is lost."""
    cdef bint is_direct = False
    cdef leg_t *one
    cdef leg_t *other
    if room.members == 2 and room.play.list == NULL and not room.tells_levels:
        one = &m.legs[room.first]
        other = &m.legs[one.stage.seat.after]
        is_direct = is_plain(&one.stage.seat) and is_plain(&other.stage.seat)
    if room.is_direct and not is_direct:
        be_patient(m, room)
    if is_direct and not room.is_direct:
        room.is_direct = True
        hand_over(m, one, other, one.stage.seat.jitter)
        hand_over(m, other, one, other.stage.seat.jitter)
    room.is_direct = is_direct


# ---- sounds for all ----


cdef void play_to_room(media_t *m, room_t *room, const playlist_t *what) noexcept nogil:
    stop_room_play(m, room, PLAY_REPLACED)
    begin_play(&room.play, what)
    settle(m, room)


cdef void stop_room_play(media_t *m, room_t *room, play_end_t reason) noexcept nogil:
    cdef const playlist_t *what = room.play.list
    if what == NULL:
        return
    room.play.list = NULL
    tell_of_room(m, room, NOTE_ROOM_PLAYED, what.id, room.play.sent << REASON_BITS | <int64_t>reason)
    settle(m, room)


cdef void add_sound(media_t *m, room_t *room) noexcept nogil:
    """Only what stands at the room's own rate is played: the event loop sees to that."""
    cdef const int16_t *samples
    cdef int n, hz
    if room.play.list == NULL:
        return
    samples = next_piece(&room.play, m.pcm, &n, &hz)
    if samples == NULL:
        stop_room_play(m, room, PLAY_COMPLETED)
    elif n == room.n:
        room.play.sent += 1
        mix_add(room.total, samples, n)
        if room.played != NULL:
            tap_sound(m, room, samples)


# ---- what is played to all, tapped ----


cdef void tap_sound(media_t *m, room_t *room, const int16_t *samples) noexcept nogil:
    """As L16, since it goes out to everybody in a codec of their own."""
    cdef tap_record_t head
    cdef uint8_t wire[2 * MAX_ROOM_FRAME]
    cdef tap_t *tap = room.played
    cdef int i
    for i in range(room.n):
        wire[2 * i] = <uint8_t>((<uint16_t>samples[i]) >> 8)
        wire[2 * i + 1] = <uint8_t>(<uint16_t>samples[i])
    memset(&head, 0, sizeof(head))
    room.played_packets += 1
    head.sequence = room.played_packets
    head.timestamp = <uint32_t>(room.frames * room.n)
    head.ssrc = <uint32_t>room.id
    head.codec = room.wire_codec
    head.payload_bytes = <uint16_t>(2 * room.n)
    head.arrival_ns = m.now_ns
    while tap != NULL:
        tap_put(tap, &head, wire, m.now_ns)
        tap = tap.next


cdef void take_room_tap(media_t *m, room_t *room, uint64_t serial) noexcept nogil:
    cdef tap_t **at = &room.played
    while at[0] != NULL:
        if at[0].serial == serial:
            tap_publish(at[0], m.now_ns)
            at[0] = at[0].next
            tell_of_room(m, room, NOTE_ROOM_RETURNED, <int64_t>serial, 0)
            return
        at = &at[0].next


# ---- a frame ----


cdef bint bring_to_rate(room_t *room, member_t *seat, int16_t *samples, int n, int hz) noexcept nogil:
    """`seat.samples`, at the room's rate."""
    seat.samples = samples
    if hz == room.hz:
        return True
    seat.samples = seat.frame
    if seat.in_hz != hz:
        seat.in_hz = hz
        if resampler_init(&seat.resampler, hz, room.hz) < 0:
            seat.in_hz = 0
            return False
    return resample(&seat.resampler, samples, n, seat.frame, MAX_ROOM_FRAME) == room.n


cdef void weigh(room_t *room, member_t *seat) noexcept nogil:
    cdef float sum = 0
    cdef int i
    for i in range(0, room.n, 2):
        sum += <float>seat.samples[i] * seat.samples[i]
    seat.level = seat.level * LEVEL_DECAY + (1 - LEVEL_DECAY) * 2 * sum / room.n


cdef void listen(media_t *m, room_t *room, leg_t *leg) noexcept nogil:
    """What this member says in this frame."""
    cdef member_t *seat = &leg.stage.seat
    cdef int n
    cdef int16_t *samples
    fetch_member_ahead(m, leg)
    samples = take_out(m, leg, seat.jitter, &n)
    seat.speaks = False
    if samples == NULL or seat.muted or seat.monitor or leg.stage.muted:
        seat.level *= LEVEL_DECAY
        return
    if leg.stage.detectors != NULL:
        observe(m, leg, samples, n, seat.jitter.hz)
    if not bring_to_rate(room, seat, samples, n, seat.jitter.hz):
        return
    if seat.has_agc:
        agc_run(&seat.agc, seat.samples, room.n, room.hz)
    if seat.gain != GAIN_ONE or seat.gain_now != GAIN_ONE:
        apply_gain(seat.samples, room.n, seat.gain_now, seat.gain)
        seat.gain_now = seat.gain
    seat.speaks = True
    if room.tells_levels:
        weigh(room, seat)
    room.speakers += 1
    if not seat.whisper_to:
        mix_add(room.total, seat.samples, room.n)


cdef bint hear_whispers(media_t *m, room_t *room, leg_t *leg, int16_t *out) noexcept nogil:
    """Adds what others say to this leg alone. Whether anybody did."""
    cdef int slot = room.first
    cdef member_t *other
    cdef int32_t value
    cdef bint any = False
    cdef int i
    while slot != NOBODY:
        other = &m.legs[slot].stage.seat
        slot = other.after
        if other.whisper_to == leg.id and other.speaks:
            any = True
            for i in range(room.n):
                value = out[i] + other.samples[i]
                out[i] = <int16_t>(32767 if value > 32767 else -32768 if value < -32768 else value)
    return any


cdef void say_shared(media_t *m, room_t *room, leg_t *leg, shared_frames_t *shared) noexcept nogil:
    """The sum of all to a member who is no part of it."""
    cdef const voice_t *voice = leg.stage.voice
    cdef shared_t *one
    cdef int i
    if not shared.is_mixed:
        shared.is_mixed = True
        mix_all(room.total, shared.samples, room.n)
    if voice == NULL or voice.row == NULL or voice.encoder != NULL or voice.sample_hz != room.hz or voice.frame != room.n:
        say(m, leg, shared.samples, room.n, room.hz, GAP_BY_CLOCK)
        return
    for i in range(shared.n):
        if shared.encoded[i].row == voice.row:
            say_frame(m, leg, shared.encoded[i].wire, shared.encoded[i].bytes)
            return
    if shared.n == SHARED:
        say(m, leg, shared.samples, room.n, room.hz, GAP_BY_CLOCK)
        return
    one = &shared.encoded[shared.n]
    one.row = voice.row
    one.bytes = voice.row.encode(NULL, shared.samples, room.n, one.wire, sizeof(one.wire))
    shared.n += 1
    say_frame(m, leg, one.wire, one.bytes)


cdef void speak(media_t *m, room_t *room, leg_t *leg, shared_frames_t *shared, bint has_whispers) noexcept nogil:
    cdef member_t *seat = &leg.stage.seat
    cdef bint is_part = seat.speaks and not seat.whisper_to
    if leg.taken & (TAKEN_PLAY | TAKEN_KEYS):
        return
    if seat.patience:
        seat.patience -= 1
        if room.speakers == seat.speaks and room.play.list == NULL:
            return
        seat.patience = 0
    if seat.deaf:
        memset(m.pcm, 0, room.n * sizeof(int16_t))
    elif is_part:
        mix_minus(room.total, seat.samples, m.pcm, room.n)
    elif has_whispers:
        mix_all(room.total, m.pcm, room.n)
    else:
        say_shared(m, room, leg, shared)
        return
    if has_whispers and not seat.deaf:
        hear_whispers(m, room, leg, m.pcm)
    say(m, leg, m.pcm, room.n, room.hz, GAP_BY_CLOCK)


cdef void mix_frame(media_t *m, room_t *room) noexcept nogil:
    cdef shared_frames_t shared
    cdef bint has_whispers = False
    cdef int slot = room.first
    cdef int after
    room.frames += 1
    if room.is_direct or room.members == 0:
        return
    mix_clear(room.total, room.n)
    add_sound(m, room)
    if room.is_direct:
        return  # the sound has ended, and what the two said stands with the other already
    room.speakers = 0
    while slot != NOBODY:
        listen(m, room, &m.legs[slot])
        has_whispers |= m.legs[slot].stage.seat.whisper_to != 0
        slot = m.legs[slot].stage.seat.after
    shared.n = 0
    shared.is_mixed = False
    slot = room.first
    while slot != NOBODY:
        after = m.legs[slot].stage.seat.after
        speak(m, room, &m.legs[slot], &shared, has_whispers)
        slot = after
    if room.tells_levels:
        tell_levels(m, room)


cdef void tell_levels(media_t *m, room_t *room) noexcept nogil:
    """Who speaks loudest, once that has been so for a while; and how loud each is, once a second."""
    cdef int slot = room.first
    cdef int loudest = NOBODY
    cdef float level = QUIET_MEAN
    cdef const member_t *seat
    while slot != NOBODY:
        seat = &m.legs[slot].stage.seat
        if seat.level > level and not seat.whisper_to:
            level = seat.level
            loudest = slot
        if room.frames % LEVEL_EVERY == 0:
            tell(m, &m.legs[slot], NOTE_LEVEL, <int64_t>seat.level, 0)
        slot = seat.after
    if loudest == room.speaker:
        room.challenged = 0
        return
    room.challenged = room.challenged + 1 if loudest == room.challenger else 1
    room.challenger = loudest
    if room.challenged < TAKES_OVER:
        return
    room.speaker = loudest
    room.challenged = 0
    tell_of_room(m, room, NOTE_SPEAKER, <int64_t>m.legs[loudest].id if loudest != NOBODY else 0, 0)
