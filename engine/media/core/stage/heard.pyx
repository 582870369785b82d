"""A digit begins: what waits for it stops, and a far end that hears digits in another way begins to be told. It ends: it is told
once, though a gateway may have sent it in band and as events.
"""

from libc.stdint cimport int64_t

from santral.engine.media.core.digits cimport reports_t
from santral.engine.media.core.leg cimport (
    KEYS_BY_OTHERS, KEYS_IN_EVENTS, NOBODY, NOTE_DIGIT, UNMAPPED, leg_t, media_t,
)
from santral.engine.media.core.stage.block cimport GATE_MASK, GATE_PASS, PLAY_DIGIT, stage_t
from santral.engine.media.core.stage.keys cimport hold_key, release_key
from santral.engine.media.core.stage.player cimport stop_playing
from santral.engine.media.core.stage.send cimport tell
from santral.engine.media.core.stage.tap cimport hides_keys, tap_mask, tap_t

cdef enum:
    MASKED = 16  # beside the code of a digit
    IN_BAND = 32
    SAME_NS = 700000000  # a digit that comes both ways comes within this time
    BEFORE_MASK_NS = 200000000  # a gateway's own detector lets so much tone through before the events begin
    BEFORE_MASK_IN_ROOM_NS = 300000000  # detectors of a room are behind the jitter buffer, 200 ms at most
    KEY_NS = 300000000  # masked at a time, again and again while a key is down


cdef leg_t *far_end(media_t *m, leg_t *leg) noexcept nogil:
    """Whom the leg's audio goes to packet by packet; NULL when that is nobody, or itself."""
    if leg.stage != NULL and leg.stage.seat.room != NULL:
        if not leg.stage.seat.room.is_direct:
            return NULL
        if leg.stage.seat.room.first == leg.slot:
            return &m.legs[leg.stage.seat.after]
        return &m.legs[leg.stage.seat.room.first]
    if leg.peer == NOBODY or leg.peer == leg.slot:
        return NULL
    return &m.legs[leg.peer]


cdef bint takes_keys_of(const leg_t *to, int codec) noexcept nogil:
    """Whether events of this codec can be relayed to the leg as they are."""
    return to.remote.keys == KEYS_IN_EVENTS and to.remote.sends[codec] != UNMAPPED


cdef bint is_masking(const stage_t *stage) noexcept nogil:
    return stage.gate == GATE_MASK or stage.said != NULL and hides_keys(stage.said)


cdef void keep_masking(media_t *m, leg_t *leg) noexcept nogil:
    """While a key is down: the tone is kept out of the taps that must not have it."""
    cdef tap_t *tap = leg.stage.said
    cdef bint all = leg.stage.gate == GATE_MASK
    cdef int64_t before_ns = BEFORE_MASK_NS if leg.stage.seat.room == NULL else BEFORE_MASK_IN_ROOM_NS
    while tap != NULL:
        if all or tap.hides_keys:
            tap_mask(tap, m.now_ns - before_ns, m.now_ns + KEY_NS)
        tap = tap.next


cdef void key_down(media_t *m, leg_t *leg, int code) noexcept nogil:
    """Only legs with a stage have anything that a digit could set off."""
    cdef stage_t *stage = leg.stage
    cdef leg_t *to
    if stage == NULL:
        return
    if stage.play.list != NULL and stage.play.list.stop_on >> code & 1:
        stop_playing(m, leg, PLAY_DIGIT)
    keep_masking(m, leg)
    to = far_end(m, leg)
    if to == NULL or to.stage == NULL or stage.gate != GATE_PASS or to.remote.keys == KEYS_BY_OTHERS:
        return
    if stage.passes_keys:
        hold_key(m, to, code)


cdef void key_up(media_t *m, leg_t *leg, int code, int64_t ms, bint in_band) noexcept nogil:
    cdef stage_t *stage = leg.stage
    cdef leg_t *to = far_end(m, leg)
    cdef int64_t flags = 0
    if stage != NULL:
        if stage.passes_keys and to != NULL:
            release_key(to, <int>ms)
        if stage.told_ns and stage.told_code == code and stage.told_in_band != in_band:
            if m.now_ns - stage.told_ns < SAME_NS:
                stage.told_ns = 0
                return
        stage.told_code = code
        stage.told_in_band = in_band
        stage.told_ns = m.now_ns
        if is_masking(stage):
            keep_masking(m, leg)
            flags = MASKED
    tell(m, leg, NOTE_DIGIT, code | flags | (IN_BAND if in_band else 0), ms)


cdef void tell_digits(media_t *m, leg_t *leg, const reports_t *reports) noexcept nogil:
    """Events that have ended."""
    cdef int i
    cdef int64_t clock_hz = leg.event_clock_hz if leg.event_clock_hz else 8000
    for i in range(reports.n):
        key_up(m, leg, reports.digits[i].code, <int64_t>reports.digits[i].duration * 1000 // clock_hz, False)
