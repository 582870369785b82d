"""What a packet or a turn will touch, each by way of the line before: a leg, then its stage, then what that points to.

Whose turn comes is known for packets: the sockets stand in a row. Members of rooms stand in lists through cold memory, so
each remembers who came some places behind it the last time: that holds until somebody joins or leaves, and where it does
not hold any more, the wrong memory is fetched and nothing else happens.
"""

from libc.stdint cimport uint64_t

from santral.codecs.shape.conceal cimport concealer_t
from santral.engine.media.core.command cimport TOKEN_LEGS
from santral.engine.media.core.leg cimport NOBODY, TRAIL, leg_t, media_t
from santral.engine.media.core.mix.jitter cimport JITTER_SLOTS, jitter_t
from santral.engine.media.core.stage.block cimport stage_t, voice_t
from santral.engine.media.core.stage.tap cimport tap_t

cdef extern from *:
    """
    /* The empty statement is an effect: a function that does nothing but prefetch has none, and calls of it would be left out. */
    #define prefetch(address) do { __builtin_prefetch(address); __asm__ volatile (""); } while (0)
    #define prefetch_to_write(address) do { __builtin_prefetch((address), 1); __asm__ volatile (""); } while (0)
    """
    void prefetch(const void *address) noexcept nogil
    void prefetch_to_write(const void *address) noexcept nogil

cdef enum:
    CACHE_LINE = 64
    RECORD_LINES = 4  # of a tap: 20 ms of G.711 and its head
    PAYLOAD_LINES = 3
    SOUND_LINES = 5  # 20 ms at 8 kHz
    STATE_LINES = 6  # of a codec: all of G.722, where Opus begins
    JITTER_LINES = 5  # all but its packets and samples
    AHEAD = 2  # packets: about the time a cache miss takes
    STEP = 2  # members


cdef inline void fetch_lines(const void *first, int lines) noexcept nogil:
    cdef int i
    for i in range(lines):
        prefetch(<const char *>first + i * CACHE_LINE)


cdef inline void fetch_lines_to_write(void *first, int lines) noexcept nogil:
    cdef int i
    for i in range(lines):
        prefetch_to_write(<char *>first + i * CACHE_LINE)


cdef inline void fetch_leg(const leg_t *leg) noexcept nogil:
    """What a relayed packet touches of either leg."""
    prefetch(leg)
    prefetch(&leg.out)
    prefetch(&leg.reception)
    prefetch(&leg.counters)
    prefetch(&leg.rtp_latch)
    prefetch(&leg.rtp_latch.target)
    prefetch(&leg.remote)
    prefetch(&leg.remote.receives)


cdef inline void fetch_stage(const stage_t *stage) noexcept nogil:
    prefetch(stage)
    prefetch(&stage.seat)


cdef inline void fetch_voice(const voice_t *voice) noexcept nogil:
    prefetch(voice)
    prefetch(&voice.codec)
    prefetch(&voice.frame)


cdef inline void fetch_history(concealer_t *concealer) noexcept nogil:
    """Where the next sound is remembered; what it wraps around to is not far."""
    fetch_lines_to_write(concealer.history + concealer.end, SOUND_LINES)


# ---- packets ----


cdef inline const leg_t *leg_of(const media_t *m, int i, int ready) noexcept nogil:
    """Whose socket that is; NULL for none."""
    cdef uint64_t token
    if i >= ready:
        return NULL
    token = m.io.ready[i].data.u64
    return &m.legs[(token - TOKEN_LEGS) >> 1] if token >= TOKEN_LEGS else NULL


cdef void fetch_packet_ahead(const media_t *m, int i, int ready) noexcept nogil:
    """For the sockets behind the one at `i`."""
    cdef const leg_t *leg = leg_of(m, i + 2 * AHEAD, ready)
    if leg != NULL:
        fetch_leg(leg)
    leg = leg_of(m, i + AHEAD, ready)
    if leg != NULL:
        if leg.peer != NOBODY:
            fetch_leg(&m.legs[leg.peer])
        if leg.stage != NULL:
            fetch_stage(leg.stage)
    leg = leg_of(m, i + 1, ready)
    if leg != NULL and leg.owner == m.number:
        fetch_means(m, leg)
    leg = leg_of(m, i, ready)
    if leg != NULL and leg.owner == m.number and leg.stage != NULL:
        fetch_places(m, leg)


cdef void fetch_means(const media_t *m, const leg_t *leg) noexcept nogil:
    """What the stages of either leg point to."""
    cdef const leg_t *to = &m.legs[leg.peer] if leg.peer != NOBODY else NULL
    if leg.stage != NULL:
        if leg.stage.said != NULL:
            prefetch(leg.stage.said)
        if leg.stage.seat.room != NULL:
            fetch_lines(leg.stage.seat.jitter, JITTER_LINES)
            prefetch(&leg.stage.seat.jitter.weights)  # most packets come in time
        if leg.stage.voice != NULL:
            prefetch(&leg.stage.ear)
            fetch_voice(leg.stage.voice)
    if to != NULL and to.stage != NULL and to.owner == m.number:
        prefetch(to.stage)
        if to.stage.voice != NULL:
            prefetch(&to.stage.mouth)
            fetch_voice(to.stage.voice)


cdef void fetch_places(const media_t *m, const leg_t *leg) noexcept nogil:
    """Where the packet is going to, while the kernel is asked for it."""
    cdef const leg_t *to
    cdef jitter_t *jitter
    cdef int slot
    if leg.stage.said != NULL:
        fetch_record(leg.stage.said)
    if leg.stage.seat.room != NULL:
        jitter = leg.stage.seat.jitter
        if jitter.n_free:
            slot = jitter.free[jitter.n_free - 1]
            prefetch_to_write(&jitter.slots[slot])
            fetch_lines_to_write(jitter.payloads + <size_t>slot * jitter.slot_bytes, PAYLOAD_LINES)
    elif leg.peer != NOBODY and leg.stage.voice != NULL:
        to = &m.legs[leg.peer]
        if to.owner != m.number or to.stage == NULL or to.stage.voice == NULL:
            return
        fetch_lines(leg.stage.voice.decoders[0].state, STATE_LINES)
        fetch_lines(to.stage.voice.encoder, STATE_LINES)


cdef void fetch_record(const tap_t *tap) noexcept nogil:
    """The next place in the ring."""
    cdef uint64_t at = tap.written & (tap.size - 1)
    cdef int i
    for i in range(RECORD_LINES):
        prefetch_to_write(tap.ring + ((at + i * CACHE_LINE) & (tap.size - 1)))


# ---- members of rooms ----


cdef void fetch_member_ahead(media_t *m, leg_t *leg) noexcept nogil:
    """At the turn of `leg`: for those whose turn came behind it the last time."""
    cdef uint64_t at = m.walked
    cdef leg_t *before = &m.legs[m.trail[at % TRAIL]]
    if before.owner == m.number and before.stage != NULL:
        before.stage.seat.ahead = leg.slot
    m.trail[at % TRAIL] = leg.slot
    m.hints[at % TRAIL] = leg.stage.seat.ahead
    m.walked += 1
    fetch_leg(&m.legs[leg.stage.seat.ahead])
    fetch_seat(m, &m.legs[m.hints[(at + TRAIL - STEP) % TRAIL]])
    fetch_buffer(m, &m.legs[m.hints[(at + TRAIL - 2 * STEP) % TRAIL]])
    fetch_sound(m, &m.legs[m.hints[(at + TRAIL - 3 * STEP) % TRAIL]])


cdef void fetch_seat(const media_t *m, const leg_t *leg) noexcept nogil:
    if leg.owner == m.number and leg.stage != NULL:
        fetch_stage(leg.stage)
        prefetch(&leg.stage.seat.ahead)
        prefetch(&leg.stage.ear.concealer)
        prefetch(&leg.stage.mouth)
        prefetch(&leg.stage.mouth.said_ns)
        prefetch(&leg.remote.sends)


cdef void fetch_buffer(const media_t *m, const leg_t *leg) noexcept nogil:
    if leg.owner == m.number and leg.stage != NULL and leg.stage.seat.room != NULL:
        fetch_lines(leg.stage.seat.jitter, JITTER_LINES)
        if leg.stage.voice != NULL:
            fetch_voice(leg.stage.voice)


cdef void fetch_sound(const media_t *m, const leg_t *leg) noexcept nogil:
    """The packet that is due, and where its samples go."""
    cdef jitter_t *jitter
    cdef int place
    if leg.owner != m.number or leg.stage == NULL or leg.stage.seat.room == NULL:
        return
    jitter = leg.stage.seat.jitter
    place = jitter.places[jitter.next_number % JITTER_SLOTS]
    if place:
        prefetch(&jitter.slots[place - 1])
        fetch_lines(jitter.payloads + <size_t>(place - 1) * jitter.slot_bytes, PAYLOAD_LINES)
    fetch_lines_to_write(jitter.pcm, SOUND_LINES)
    fetch_history(&leg.stage.ear.concealer)
