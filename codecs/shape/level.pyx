"""Loudness: gain with saturation, and an automatic gain for voices that are too quiet or too loud in a conference.

The automatic one brings speech to -26 dBov, by at most 12 dB up and 18 dB down. Only what stands out of the background
counts as speech, so pauses are not pumped up; it rises slowly, falls fast, and never so far that a frame would clip.
"""

from libc.math cimport fabsf, log10f, lrintf, powf
from libc.stdint cimport int16_t

cdef enum:
    PEAK_MAX = 29000  # what a frame may reach by added gain

cdef float TARGET_DB = -26.0  # of speech, in dBov
cdef float UP_MAX_DB = 12.0
cdef float DOWN_MAX_DB = -18.0
cdef float UP_DB_PER_S = 4.0
cdef float DOWN_DB_PER_S = 40.0
cdef float SPEECH_MEMORY_S = 1.5
cdef float NOISE_RISE_PER_S = 1.6  # factor of power by which the background may seem to grow
cdef float STANDS_OUT = 8.0  # 9 dB above the background
cdef float LEAST_POWER = 1600.0  # -58 dBov: nobody whispers below
cdef float FULL_POWER = 32768.0 * 32768.0


cdef int gain_of_db(float db) noexcept nogil:
    cdef float gain = GAIN_ONE * powf(10.0, (24.0 if db > 24.0 else -66.0 if db < -66.0 else db) / 20.0)
    return GAIN_MAX if gain > GAIN_MAX else <int>lrintf(gain)


cdef inline int16_t saturated(int value) noexcept nogil:
    return <int16_t>(32767 if value > 32767 else -32768 if value < -32768 else value)


cdef void apply_gain(int16_t *samples, int n, int gain_from, int gain_to) noexcept nogil:
    cdef int i
    cdef int gain, step
    if gain_from == gain_to:
        if gain_to == GAIN_ONE:
            return
        for i in range(n):
            samples[i] = saturated((samples[i] * gain_to + GAIN_ONE // 2) >> 11)
        return
    gain = gain_from << 15  # 26 bits of gain and a sign: steps of a 48 kHz frame do not vanish
    step = ((gain_to - gain_from) << 15) // n
    for i in range(n):
        gain += step
        samples[i] = saturated((samples[i] * (gain >> 15) + GAIN_ONE // 2) >> 11)


cdef void agc_init(agc_t *state) noexcept nogil:
    state.gain = GAIN_ONE
    state.gain_db = 0.0
    state.speech_power = 0.0
    state.noise_power = 0.0


cdef void agc_run(agc_t *state, int16_t *samples, int n, int hz) noexcept nogil:
    cdef float seconds = <float>n / hz
    cdef float power = 0.0
    cdef float wanted, share
    cdef int peak = 0
    cdef int i, size, gain
    for i in range(n):
        power += <float>samples[i] * samples[i]
        size = samples[i] if samples[i] >= 0 else -samples[i]
        peak = size if size > peak else peak
    power = power / n + 1.0
    if state.noise_power == 0.0 or power < state.noise_power:
        state.noise_power = power
    else:
        state.noise_power *= powf(NOISE_RISE_PER_S, seconds)
    if power > LEAST_POWER and power > STANDS_OUT * state.noise_power:
        share = seconds / SPEECH_MEMORY_S
        if state.speech_power == 0.0 or share > 1.0:
            share = 1.0
        state.speech_power += share * (power - state.speech_power)
        wanted = TARGET_DB - 10 * log10f(state.speech_power / FULL_POWER)
        wanted = UP_MAX_DB if wanted > UP_MAX_DB else DOWN_MAX_DB if wanted < DOWN_MAX_DB else wanted
        if wanted > state.gain_db + UP_DB_PER_S * seconds:
            wanted = state.gain_db + UP_DB_PER_S * seconds
        elif wanted < state.gain_db - DOWN_DB_PER_S * seconds:
            wanted = state.gain_db - DOWN_DB_PER_S * seconds
        state.gain_db = wanted
    gain = gain_of_db(state.gain_db)
    if gain > GAIN_ONE and <long long>gain * peak > <long long>PEAK_MAX * GAIN_ONE:
        gain = PEAK_MAX * GAIN_ONE // peak
        gain = GAIN_ONE if gain < GAIN_ONE else gain
        state.gain_db = 20 * log10f(<float>gain / GAIN_ONE)
        apply_gain(samples, n, gain, gain)  # a loud sound sets in: at once, or it clips
    else:
        apply_gain(samples, n, state.gain, gain)
    state.gain = gain


# ---- for tests and tools ----


def amplified(const int16_t[::1] samples not None, float from_db, float to_db):
    """The samples louder by `from_db` at their start and `to_db` at their end."""
    cdef bytearray memory = bytearray(samples)
    cdef int16_t[::1] out
    if samples.shape[0]:
        out = memoryview(memory).cast("h")
        apply_gain(&out[0], <int>out.shape[0], gain_of_db(from_db), gain_of_db(to_db))
    return bytes(memory)


cdef class AutomaticGain:
    """One stream."""

    cdef agc_t state
    cdef int hz

    def __cinit__(self, int hz):
        agc_init(&self.state)
        self.hz = hz

    @property
    def gain_db(self):
        return self.state.gain_db

    def __call__(self, const int16_t[::1] frame not None):
        cdef bytearray memory = bytearray(frame)
        cdef int16_t[::1] out
        if frame.shape[0]:
            out = memoryview(memory).cast("h")
            agc_run(&self.state, &out[0], <int>out.shape[0], self.hz)
        return bytes(memory)
