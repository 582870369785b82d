"""One packet every 20 ms: the first with the marker, all with the timestamp of the key's beginning and the duration so far, the
end three times (RFC 4733 §2.5.1.4). Audio to the peer is held back meanwhile; sequence and clock go on behind it.

A peer without telephone-event hears the tones themselves, said by the mouth.
"""

from libc.math cimport M_PI, sin
from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from santral.codecs.generate.keypad cimport keypad_high_hz, keypad_low_hz
from santral.engine.media.core.leg cimport (
    KEYS_IN_BAND, NOTE_KEYS_SENT, UNMAPPED, WHEEL_KEYS, leg_t, media_t,
)
from santral.engine.media.core.rewrite cimport input_t
from santral.engine.media.core.rtp cimport RTP_HEADER_BYTES, put16
from santral.engine.media.core.stage.block cimport MAX_KEYS, TAKEN_KEYS, keys_t
from santral.engine.media.core.stage.mouth cimport GAP_BY_CLOCK, say
from santral.engine.media.core.stage.send cimport emit, tell
from santral.engine.media.core.stage.wheel cimport FRAME_MS, dismount, mount

cdef enum:
    END_PACKETS = 3
    END_BIT = 0x80
    VOLUME = 10  # -10 dBm0 (§2.3.3)
    LONGEST_MS = 60000  # a key held longer ends there
    LONGEST_DURATION = 0xFFFF  # of a segment
    LEAST_GAP_MS = 40
    SHORTEST_MS = 40  # a key passed on is at least as long as detectors want
    EVENT_BYTES = 4


cdef uint64_t KEYS_SOURCE = <uint64_t>5 << 61  # apart from legs, mouths and keep-alives
cdef double AMPLITUDE = 5700.0  # per tone: about -9 dBm0


cdef void press_keys(media_t *m, leg_t *leg, const keys_t *order) noexcept nogil:
    """Digits that were being pressed are over."""
    stop_pressing(m, leg, False)
    leg.stage.keys = order[0]
    begin(m, leg)


cdef void begin(media_t *m, leg_t *leg) noexcept nogil:
    cdef keys_t *keys = &leg.stage.keys
    keys.active = True
    keys.in_band = leg.remote.event_codec == 0 or leg.remote.keys == KEYS_IN_BAND
    leg.taken |= TAKEN_KEYS
    mount(m, leg, WHEEL_KEYS)
    begin_key(m, leg)


cdef void begin_key(media_t *m, leg_t *leg) noexcept nogil:
    cdef keys_t *keys = &leg.stage.keys
    keys.in_gap = False
    keys.elapsed_ms = keys.ends = keys.segment = 0
    keys.phase_low = keys.phase_high = 0
    keys.sequence = 0
    keys.source = KEYS_SOURCE | m.keys_begun
    m.keys_begun += 1


cdef void hold_key(media_t *m, leg_t *leg, int code) noexcept nogil:
    """Pass a key on while it is held at the other end, behind those that are not through yet."""
    cdef keys_t *keys = &leg.stage.keys
    if not keys.active:
        memset(keys, 0, sizeof(keys_t))
        keys.is_passed_on = True
        keys.gap_ms = LEAST_GAP_MS
    if keys.n == MAX_KEYS:
        return
    keys.codes[keys.n] = <uint8_t>code
    keys.lengths_ms[keys.n] = 0
    keys.n += 1
    if not keys.active:
        begin(m, leg)


cdef void release_key(leg_t *leg, int ms) noexcept nogil:
    """The key held last was held for so long."""
    cdef keys_t *keys
    if leg.stage == NULL:
        return
    keys = &leg.stage.keys
    if keys.active and keys.lengths_ms[keys.n - 1] == 0:
        keys.lengths_ms[keys.n - 1] = <uint16_t>max(SHORTEST_MS, min(ms, LONGEST_MS))


cdef void stop_pressing(media_t *m, leg_t *leg, bint completed) noexcept nogil:
    cdef keys_t *keys
    if leg.stage == NULL or not leg.stage.keys.active:
        return
    keys = &leg.stage.keys
    dismount(m, leg, WHEEL_KEYS)
    leg.taken &= ~TAKEN_KEYS
    keys.active = False
    if not keys.is_passed_on:
        tell(m, leg, NOTE_KEYS_SENT, keys.id, keys.at << 1 | completed)


cdef void next_key(media_t *m, leg_t *leg) noexcept nogil:
    cdef keys_t *keys = &leg.stage.keys
    keys.at += 1
    if keys.at == keys.n:
        stop_pressing(m, leg, True)
    else:
        begin_key(m, leg)


cdef void press_frame(media_t *m, leg_t *leg) noexcept nogil:
    """What the leg's turn brings: a piece of a key, or of the pause behind it."""
    cdef keys_t *keys = &leg.stage.keys
    cdef int length_ms = keys.lengths_ms[keys.at] if keys.lengths_ms[keys.at] else LONGEST_MS
    if keys.in_gap:
        keys.elapsed_ms += FRAME_MS
        if keys.in_band:
            say_tone(m, leg, 0)
    elif keys.in_band:
        say_tone(m, leg, min(FRAME_MS, length_ms - keys.elapsed_ms))
        keys.elapsed_ms += FRAME_MS
        if keys.elapsed_ms >= length_ms:
            keys.in_gap = True
            keys.elapsed_ms = 0
    elif keys.elapsed_ms < length_ms:
        keys.elapsed_ms = min(keys.elapsed_ms + FRAME_MS, length_ms)
        send_event(m, leg, keys.elapsed_ms == length_ms)
    else:
        send_event(m, leg, True)
    if keys.ends == END_PACKETS:
        keys.ends = 0
        keys.in_gap = True
        keys.elapsed_ms = (END_PACKETS - 1) * FRAME_MS
    if keys.in_gap and keys.elapsed_ms >= keys.gap_ms:
        next_key(m, leg)


cdef void send_event(media_t *m, leg_t *leg, bint is_end) noexcept nogil:
    cdef keys_t *keys = &leg.stage.keys
    cdef int codec = leg.remote.event_codec
    cdef uint8_t *payload = m.made + RTP_HEADER_BYTES
    cdef int64_t duration = <int64_t>keys.elapsed_ms * m.codecs[codec].clock_hz // 1000
    cdef int segment = keys.segment
    cdef input_t numbers
    duration -= <int64_t>segment * LONGEST_DURATION
    if duration > LONGEST_DURATION:  # this packet closes the segment, the next one begins another
        duration = LONGEST_DURATION
        keys.segment += 1
        is_end = False
    if is_end:
        keys.ends += 1
    if not leg.remote.peer_receives or leg.remote.sends[codec] == UNMAPPED:
        return
    payload[0] = keys.codes[keys.at]
    payload[1] = <uint8_t>(VOLUME | (END_BIT if is_end else 0))
    put16(payload + 2, <uint16_t>duration)
    numbers.patience = 0
    numbers.source = keys.source
    numbers.sequence = keys.sequence
    numbers.timestamp = <uint32_t>(segment * LONGEST_DURATION)
    numbers.elapsed = <uint32_t>duration if keys.sequence else 0  # the key begins where the audio ended
    numbers.clock_hz = m.codecs[codec].clock_hz
    numbers.is_event = True
    numbers.marker = keys.sequence == 0
    m.made[0] = 0x80
    emit(m, leg, &numbers, codec, leg.remote.sends[codec], m.made, RTP_HEADER_BYTES + EVENT_BYTES)
    keys.sequence += 1


cdef void say_tone(media_t *m, leg_t *leg, int tone_ms) noexcept nogil:
    """20 ms, of which `tone_ms` are the key's two tones."""
    cdef keys_t *keys = &leg.stage.keys
    cdef int hz = leg.stage.voice.sample_hz if leg.stage.voice != NULL else 8000
    cdef int n = hz * FRAME_MS // 1000
    cdef int tone = hz * tone_ms // 1000
    cdef double low = 2 * M_PI * keypad_low_hz[keys.codes[keys.at]] / hz
    cdef double high = 2 * M_PI * keypad_high_hz[keys.codes[keys.at]] / hz
    cdef int i
    for i in range(tone):
        m.pcm[i] = <int16_t>(AMPLITUDE * (sin(keys.phase_low) + sin(keys.phase_high)))
        keys.phase_low += low
        keys.phase_high += high
    memset(m.pcm + tone, 0, (n - tone) * sizeof(int16_t))
    say(m, leg, m.pcm, n, hz, GAP_BY_CLOCK)
