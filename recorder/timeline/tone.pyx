"""Digits that came as events (RFC 4733), as the tones they stand for: both of one power, as loud as the sender says."""

from libc.math cimport M_PI, fmod, pow, sin
from libc.stdint cimport int16_t, int64_t, uint8_t, uint32_t
from libc.string cimport memset

from santral.codecs.generate.keypad cimport keypad_high_hz, keypad_low_hz

cdef enum:
    VOLUME_MASK = 0x3F  # section 2.3: 0 to -63 dBm0, of both tones together

cdef double FULL_DBM0 = 3.14  # of a sine at full scale (G.711)


cdef void tone_follow(tone_t *tone, uint32_t epoch, int64_t timestamp, const uint8_t *payload) noexcept nogil:
    cdef int code = event_code(payload)
    if tone.is_known and tone.epoch == epoch and tone.timestamp == timestamp and tone.code == code:
        return
    memset(tone, 0, sizeof(tone_t))
    tone.is_known = True
    tone.epoch, tone.timestamp, tone.code = epoch, timestamp, code
    tone.amplitude = 32767 * pow(10, (-(payload[1] & VOLUME_MASK) - FULL_DBM0) / 20) / pow(2, 0.5)


cdef void tone_say(tone_t *tone, int16_t *out, int n, int hz) noexcept nogil:
    cdef double low = 2 * M_PI * keypad_low_hz[tone.code] / hz
    cdef double high = 2 * M_PI * keypad_high_hz[tone.code] / hz
    cdef int i
    for i in range(n):
        out[i] = <int16_t>(tone.amplitude * (sin(tone.low + i * low) + sin(tone.high + i * high)))
    tone_pass(tone, n, hz)


cdef void tone_pass(tone_t *tone, int64_t n, int hz) noexcept nogil:
    tone.low = fmod(tone.low + n * 2 * M_PI * keypad_low_hz[tone.code] / hz, 2 * M_PI)
    tone.high = fmod(tone.high + n * 2 * M_PI * keypad_high_hz[tone.code] / hz, 2 * M_PI)
