"""Comfort noise (RFC 3389): a level and a spectrum instead of the background noise itself.

The first octet of a payload is the level in -dBov (0 dBov: a square wave of full scale), the others are reflection
coefficients of an all-pole filter in steps of 258 / 32768 around 127. Their sign is that of A(z) = 1 + sum a z^-i, so
low-pass noise has a negative first one, as ffmpeg and WebRTC have it. Noise is made by the lattice form of the filter,
which stays stable while coefficients glide.
"""

from libc.math cimport cos, fabs, lround, M_PI, log10, pow, sqrt
from libc.stdint cimport int16_t, uint8_t, uint32_t
from libc.string cimport memset

cdef enum:
    LEVEL_MAX = 127
    INDEX_ZERO = 127
    INDEX_MAX = 254
    HISTORY = 10  # frames that a measurement looks back over, about

cdef double STEP = 258.0 / 32768.0
cdef double FULL_SCALE = 32768.0
cdef float GLIDE = 0.004  # part of the way to a new description that each sample goes: half of it in 22 ms at 8 kHz
cdef double WHITE_FLOOR = 1e-4  # of the power, as white noise: keeps the filter tame


cdef void noise_source_init(noise_source_t *source, uint32_t seed) noexcept nogil:
    memset(source, 0, sizeof(noise_source_t))
    source.random = seed if seed else 1


cdef int noise_source_follow(noise_source_t *source, const uint8_t *payload, int n) noexcept nogil:
    cdef double left = 1.0  # of the power, after each coefficient
    cdef double level, k
    cdef int i
    if n < 1:
        return -1
    level = pow(10.0, -(payload[0] & LEVEL_MAX) / 20.0) * FULL_SCALE
    for i in range(COMFORT_ORDER_MAX):
        k = 0.0
        if i + 1 < n and payload[i + 1] <= INDEX_MAX:  # 255 is reserved
            k = STEP * (payload[i + 1] - INDEX_ZERO)
        k = 0.99 if k > 0.99 else -0.99 if k < -0.99 else k
        source.reflection_wanted[i] = k
        left *= 1.0 - k * k
    drive(source, level * sqrt(left))
    return 0


cdef void noise_source_imitate(noise_source_t *source, const noise_measure_t *measure) noexcept nogil:
    cdef double[COMFORT_ORDER_MAX] k
    cdef double left = reflections(measure, k, COMFORT_ORDER)
    cdef int i
    for i in range(COMFORT_ORDER_MAX):
        source.reflection_wanted[i] = k[i] if i < COMFORT_ORDER else 0.0
    drive(source, sqrt(measure.correlation[0] * left))


cdef void drive(noise_source_t *source, double gain) noexcept nogil:
    cdef int i
    source.gain_wanted = gain
    if not source.is_running:  # the first description holds at once
        source.is_running = True
        source.gain = gain
        for i in range(COMFORT_ORDER_MAX):
            source.reflection[i] = source.reflection_wanted[i]


cdef inline float white(noise_source_t *source) noexcept nogil:
    """Nearly Gaussian, variance one: the sum of four uniform bytes of a xorshift generator."""
    cdef uint32_t x = source.random
    x ^= x << 13
    x ^= x >> 17
    x ^= x << 5
    source.random = x
    return <float>(<int>((x & 255) + ((x >> 8) & 255) + ((x >> 16) & 255) + (x >> 24)) - 510) * 0.0067658


cdef void noise_source_fill(noise_source_t *source, int16_t *samples, int n) noexcept nogil:
    cdef int at, i
    cdef float forward
    if not source.is_running:
        memset(samples, 0, n * sizeof(int16_t))
        return
    for at in range(n):
        if at & 15 == 0:
            source.gain += 16 * GLIDE * (source.gain_wanted - source.gain)
            for i in range(COMFORT_ORDER_MAX):
                source.reflection[i] += 16 * GLIDE * (source.reflection_wanted[i] - source.reflection[i])
        forward = source.gain * white(source)
        for i in range(COMFORT_ORDER_MAX - 1, -1, -1):
            forward -= source.reflection[i] * source.backward[i]
            source.backward[i + 1] = source.backward[i] + source.reflection[i] * forward
        source.backward[0] = forward
        samples[at] = <int16_t>(32767 if forward > 32767 else -32768 if forward < -32768 else lround(forward))


cdef void noise_measure_init(noise_measure_t *measure) noexcept nogil:
    memset(measure, 0, sizeof(noise_measure_t))


cdef void noise_measure_hear(noise_measure_t *measure, const int16_t *samples, int n) noexcept nogil:
    """Autocorrelation under a Hann window, blended into the running mean."""
    cdef double[COMFORT_ORDER_MAX + 1] window_line  # the last windowed samples, newest first
    cdef double[COMFORT_ORDER_MAX + 1] total
    cdef double value, weight, share
    cdef double weights = 0.0
    cdef int at, lag
    if n < 1:
        return
    memset(window_line, 0, sizeof(window_line))
    memset(total, 0, sizeof(total))
    for at in range(n):
        weight = 0.5 - 0.5 * cos(2 * M_PI * (at + 0.5) / n)
        weights += weight * weight
        value = weight * samples[at]
        for lag in range(COMFORT_ORDER_MAX, 0, -1):
            window_line[lag] = window_line[lag - 1]
        window_line[0] = value
        for lag in range(COMFORT_ORDER_MAX + 1):
            total[lag] += value * window_line[lag]
    measure.count = measure.count + 1 if measure.count < HISTORY else HISTORY
    share = 1.0 / measure.count
    for lag in range(COMFORT_ORDER_MAX + 1):
        measure.correlation[lag] += share * (total[lag] / weights - measure.correlation[lag])


cdef double reflections(const noise_measure_t *measure, double *k, int order) noexcept nogil:
    """Reflection coefficients by Schur's recursion; returns the part of the power that they do not explain."""
    cdef double[COMFORT_ORDER_MAX + 1] upper
    cdef double[COMFORT_ORDER_MAX + 1] lower
    cdef double power = measure.correlation[0] * (1 + WHITE_FLOOR)
    cdef double left = 1.0
    cdef double before
    cdef int i, j
    for i in range(order + 1):
        upper[i] = lower[i] = measure.correlation[i]
    upper[0] = lower[0] = power
    for i in range(order):
        k[i] = 0.0
        if lower[0] > 1e-9:
            k[i] = -upper[i + 1] / lower[0]
            k[i] = 0.99 if k[i] > 0.99 else -0.99 if k[i] < -0.99 else k[i]
        left *= 1.0 - k[i] * k[i]
        for j in range(order - i):  # upper[i + 1 + j] and lower[j] are one lag apart
            before = upper[i + 1 + j]
            upper[i + 1 + j] = before + k[i] * lower[j]
            lower[j] = lower[j] + k[i] * before
    return left


cdef int noise_measure_payload(const noise_measure_t *measure, uint8_t *wire, int room) noexcept nogil:
    cdef double[COMFORT_ORDER_MAX] k
    cdef double power = measure.correlation[0] / (FULL_SCALE * FULL_SCALE)
    cdef long level = lround(-10.0 * log10(power)) if power > 1e-13 else LEVEL_MAX
    cdef int i
    if room < COMFORT_BYTES:
        return -1
    reflections(measure, k, COMFORT_ORDER)
    wire[0] = <uint8_t>(0 if level < 0 else LEVEL_MAX if level > LEVEL_MAX else level)
    for i in range(COMFORT_ORDER):
        wire[i + 1] = <uint8_t>(INDEX_ZERO + lround(k[i] / STEP))
    return COMFORT_BYTES


# ---- for tests and tools ----


def described(const int16_t[::1] samples not None, int frame):
    """The payload for these samples, heard in frames of `frame`."""
    cdef noise_measure_t measure
    cdef uint8_t[COMFORT_BYTES] wire
    cdef Py_ssize_t at
    noise_measure_init(&measure)
    for at in range(0, samples.shape[0] - frame + 1, frame):
        noise_measure_hear(&measure, &samples[at], frame)
    noise_measure_payload(&measure, wire, COMFORT_BYTES)
    return bytes(wire[:COMFORT_BYTES])


cdef class NoiseSource:
    """Noise as payloads describe it."""

    cdef noise_source_t state

    def __cinit__(self, uint32_t seed=1):
        noise_source_init(&self.state, seed)

    def follow(self, const unsigned char[::1] payload not None):
        """ValueError for an empty payload."""
        if noise_source_follow(&self.state, &payload[0] if payload.shape[0] else NULL, <int>payload.shape[0]) < 0:
            raise ValueError("an empty comfort noise payload")

    def imitate(self, const int16_t[::1] samples not None, int frame):
        """Sounds like these samples, heard in frames of `frame`."""
        cdef noise_measure_t measure
        cdef Py_ssize_t at
        noise_measure_init(&measure)
        for at in range(0, samples.shape[0] - frame + 1, frame):
            noise_measure_hear(&measure, &samples[at], frame)
        noise_source_imitate(&self.state, &measure)

    def fill(self, int n):
        cdef bytearray memory = bytearray(2 * n)
        cdef int16_t[::1] out
        if n:
            out = memoryview(memory).cast("h")
            noise_source_fill(&self.state, &out[0], n)
        return bytes(memory)
