"""A player says one file after the other into a leg's mouth. A frame the peer must not hear (hold, our own digits) is skipped,
not put off: the file keeps its time. An interlude is said first, whatever is played: that goes on behind it where it stood.
"""

from libc.stdint cimport int16_t, int64_t
from libc.string cimport memcpy, memset

from santral.engine.media.core.leg cimport NOTE_PLAY_FINISHED, WHEEL_PLAY, leg_t, media_t
from santral.engine.media.core.stage.block cimport (
    MAX_PLAYED, PLAY_COMPLETED, PLAY_REPLACED, TAKEN_KEYS, TAKEN_PLAY, play_end_t, play_entry_t, play_t, playlist_t,
)
from santral.engine.media.core.stage.mouth cimport GAP_BY_CLOCK, say
from santral.engine.media.core.stage.send cimport tell
from santral.engine.media.core.stage.wheel cimport FRAME_MS, dismount, mount

cdef enum:
    UNITY_Q12 = 4096
    REASON_BITS = 8


cdef void begin_play(play_t *play, const playlist_t *what) noexcept nogil:
    cdef int64_t skip = what.offset_ms
    memset(play, 0, sizeof(play_t))
    play.list = what
    while play.entry < what.n_entries - 1 and skip >= length_ms(&what.entries[play.entry]):
        skip -= length_ms(&what.entries[play.entry])
        play.entry += 1
    play.at = min(skip * what.entries[play.entry].hz // 1000, what.entries[play.entry].n)


cdef void start_playing(media_t *m, leg_t *leg, const playlist_t *what) noexcept nogil:
    """The first frame goes out within 20 ms; what was played before is over, and fades out under it."""
    cdef int16_t tail[MAX_PLAYED]
    cdef const int16_t *samples = NULL
    cdef int n = 0, hz = 0
    if leg.stage.play.list != NULL and leg.stage.interlude.list == NULL:
        samples = next_piece(&leg.stage.play, m.pcm, &n, &hz)
        if samples != NULL:
            memcpy(tail, samples, n * sizeof(int16_t))
    stop_playing(m, leg, PLAY_REPLACED)
    begin_play(&leg.stage.play, what)
    if samples != NULL and hz == what.entries[0].hz:
        memcpy(leg.stage.play.tail, tail, n * sizeof(int16_t))
        leg.stage.play.tail_n = n
    leg.taken |= TAKEN_PLAY
    mount(m, leg, WHEEL_PLAY)


cdef int64_t length_ms(const play_entry_t *entry) noexcept nogil:
    return entry.n * 1000 // entry.hz


cdef void stop_playing(media_t *m, leg_t *leg, play_end_t reason) noexcept nogil:
    """Ends it; the samples may be freed once the note has arrived."""
    if leg.stage != NULL:
        end_play(m, leg, &leg.stage.play, reason)


cdef void stop_all_playing(media_t *m, leg_t *leg, play_end_t reason) noexcept nogil:
    """The interlude as well."""
    if leg.stage != NULL:
        end_play(m, leg, &leg.stage.play, reason)
        end_play(m, leg, &leg.stage.interlude, reason)


cdef void end_play(media_t *m, leg_t *leg, play_t *play, play_end_t reason) noexcept nogil:
    if play.list == NULL:
        return
    tell(m, leg, NOTE_PLAY_FINISHED, play.list.id, play.sent << REASON_BITS | <int64_t>reason)
    play.list = NULL
    if leg.stage.play.list == NULL and leg.stage.interlude.list == NULL:
        dismount(m, leg, WHEEL_PLAY)
        leg.taken &= ~TAKEN_PLAY


cdef void start_interlude(media_t *m, leg_t *leg, const playlist_t *what) noexcept nogil:
    end_play(m, leg, &leg.stage.interlude, PLAY_REPLACED)
    begin_play(&leg.stage.interlude, what)
    leg.taken |= TAKEN_PLAY
    mount(m, leg, WHEEL_PLAY)


cdef bint find_frame(play_t *play) noexcept nogil:
    """To the next file when this one is over, round again in a loop. False: all has been said."""
    cdef int tried
    for tried in range(play.list.n_entries + 1):
        if play.at < play.list.entries[play.entry].n:
            return True
        play.at = 0
        play.entry += 1
        if play.entry == play.list.n_entries:
            play.entry = 0
            if not play.list.loop:
                play.entry = play.list.n_entries - 1
                play.at = play.list.entries[play.entry].n
                return False
    return False


cdef const int16_t *next_piece(play_t *play, int16_t *scratch, int *n, int *hz) noexcept nogil:
    """20 ms at the rate of the file that is on, its end filled up with silence; NULL when all has been said."""
    cdef const play_entry_t *entry
    cdef const int16_t *samples
    cdef int there, i, value
    if not find_frame(play):
        return NULL
    entry = &play.list.entries[play.entry]
    samples = entry.samples + play.at
    hz[0] = entry.hz
    n[0] = entry.hz * FRAME_MS // 1000
    there = <int>min(<int64_t>n[0], entry.n - play.at)
    play.at += there
    if there == n[0] and play.list.gain_q12 == UNITY_Q12:
        return samples
    memcpy(scratch, samples, there * sizeof(int16_t))
    memset(scratch + there, 0, (n[0] - there) * sizeof(int16_t))
    if play.list.gain_q12 != UNITY_Q12:
        for i in range(there):
            value = scratch[i] * play.list.gain_q12 >> 12
            scratch[i] = <int16_t>(32767 if value > 32767 else -32768 if value < -32768 else value)
    return scratch


cdef void fade(const int16_t *to, const int16_t *from_, int16_t *out, int n) noexcept nogil:
    """From one to the other in a straight line; `out` may be `to`."""
    cdef int i
    for i in range(n):
        out[i] = <int16_t>((to[i] * i + from_[i] * (n - i)) // n)


cdef void play_frame(media_t *m, leg_t *leg) noexcept nogil:
    cdef play_t *play = &leg.stage.interlude if leg.stage.interlude.list != NULL else &leg.stage.play
    cdef int n, hz
    cdef const int16_t *samples = next_piece(play, m.pcm, &n, &hz)
    if samples == NULL and play == &leg.stage.interlude and leg.stage.play.list != NULL:
        end_play(m, leg, play, PLAY_COMPLETED)
        play = &leg.stage.play
        samples = next_piece(play, m.pcm, &n, &hz)
    if samples == NULL:
        end_play(m, leg, play, PLAY_COMPLETED)  # 20 ms after the last frame: it has been heard
        return
    if play.tail_n == n:
        fade(samples, play.tail, m.pcm, n)
        samples = m.pcm
    play.tail_n = 0
    if leg.remote.peer_receives and not leg.taken & TAKEN_KEYS:
        say(m, leg, samples, n, hz, GAP_BY_CLOCK)
        play.sent += 1
