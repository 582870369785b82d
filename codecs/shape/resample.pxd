"""Sampling rates, one stream and direction; the state is the caller's, without pointers of its own."""

from libc.stdint cimport int16_t

cdef enum:
    TAPS_MAX = 384  # of one phase, 48 to 8 kHz
    CHUNK = 480  # samples worked on at a time

cdef struct resampler_t:
    int route  # which filter; below zero: the rates are equal
    int phase  # of the next output, in parts of an input sample
    int ahead  # input samples from the start of the next block to the next output
    int16_t line[TAPS_MAX - 1 + CHUNK]  # the latest input, oldest first, and the block at work

# 0, or -1 for rates not among 8000, 16000, 24000, 44100 and 48000. Again on the same memory: afresh.
cdef int resampler_init(resampler_t *resampler, int in_hz, int out_hz) noexcept nogil
# Samples written; -1 when they would not fit `room` (then nothing has happened). Whole 10 ms come out as whole 10 ms.
cdef int resample(resampler_t *resampler, const int16_t *samples, int n, int16_t *out, int room) noexcept nogil
# How many samples the next `n` will become.
cdef int resampled(const resampler_t *resampler, int n) noexcept nogil
# How much later a sample comes out than it came in, in nanoseconds: about 4 ms for every pair, 0 for equal rates.
cdef int resampler_delay_ns(const resampler_t *resampler) noexcept nogil
