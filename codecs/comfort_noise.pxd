"""Comfort noise, both ways; states are the caller's and hold no pointers."""

from libc.stdint cimport int16_t, uint8_t, uint32_t

cdef enum:
    COMFORT_ORDER_MAX = 12  # reflection coefficients kept; the rest of a longer payload is finer than an ear
    COMFORT_ORDER = 8  # what we send
    COMFORT_BYTES = 9  # of our payloads: level and coefficients
    COMFORT_PAYLOAD_TYPE = 13  # RFC 3389 4, with a clock of 8000

cdef struct noise_source_t:
    uint32_t random
    bint is_running  # something has been described: before, there is only silence
    float gain  # of the white noise that drives the filter
    float gain_wanted
    float reflection[COMFORT_ORDER_MAX]
    float reflection_wanted[COMFORT_ORDER_MAX]
    float backward[COMFORT_ORDER_MAX + 1]  # the lattice's memory

cdef struct noise_measure_t:
    int count  # frames taken in
    double correlation[COMFORT_ORDER_MAX + 1]  # a running mean, per sample

cdef void noise_source_init(noise_source_t *source, uint32_t seed) noexcept nogil
# Takes a payload's description; 0, or -1 for an empty one. Noise moves there within tens of milliseconds.
cdef int noise_source_follow(noise_source_t *source, const uint8_t *payload, int n) noexcept nogil
# The same from a measurement of our own, for gaps that nobody described.
cdef void noise_source_imitate(noise_source_t *source, const noise_measure_t *measure) noexcept nogil
cdef void noise_source_fill(noise_source_t *source, int16_t *samples, int n) noexcept nogil

cdef void noise_measure_init(noise_measure_t *measure) noexcept nogil
# Takes in one frame of background noise: 10 to 60 ms, any rate.
cdef void noise_measure_hear(noise_measure_t *measure, const int16_t *samples, int n) noexcept nogil
# The payload that describes it: COMFORT_BYTES of `wire`, or -1 when they do not fit.
cdef int noise_measure_payload(const noise_measure_t *measure, uint8_t *wire, int room) noexcept nogil
