"""Samples of one side that follow each other without a gap, on their way to their places."""

from libc.stdint cimport int16_t, int64_t, uint32_t

from santral.codecs.shape.resample cimport resampler_t
from santral.recorder.timeline.line cimport line_t

cdef struct run_t:
    bint is_open
    int out_hz
    int hz  # of the samples that come
    int clock_hz  # of the timestamps
    uint32_t epoch
    int64_t timestamp  # of the first sample
    int64_t filled  # samples that came
    int64_t done  # samples that went to their places, before they were slipped
    int64_t place  # where the next of them goes
    int pending  # samples at `out_hz` that wait
    double ahead_s  # so much before its time the codec makes it stand
    int delayed  # samples of the resampler's delay that are still to be passed over
    resampler_t resampler
    int16_t *media  # SLIP_BEFORE samples of history, then those that wait
    int room

cdef int run_init(run_t *run, int out_hz) noexcept nogil
cdef void run_free(run_t *run) noexcept nogil
cdef int run_open(run_t *run, int hz, int clock_hz, uint32_t epoch, int64_t timestamp, int64_t place) noexcept nogil
# Where `n` more samples at `hz` may be put before `run_push` of them; at most FRAME_SAMPLES_MAX.
cdef int16_t *run_ready(run_t *run) noexcept nogil
cdef void run_push(run_t *run, int n) noexcept nogil
# A second waits, and what the slip reads behind it.
cdef bint run_has_second(const run_t *run) noexcept nogil
# The next second goes to its place, `more` samples longer.
cdef void run_emit(run_t *run, line_t *line, int more) noexcept nogil
# All that waits goes to its place as it is; what follows goes on behind it.
cdef void run_flush(run_t *run, line_t *line) noexcept nogil
# The rest goes, and the run ends. Returns the place behind it.
cdef void run_close(run_t *run, line_t *line) noexcept nogil
# Seconds of the sender's clock since `timestamp` 0: of the next sample to be placed, and of the next to come.
cdef double run_x(const run_t *run) noexcept nogil
cdef double run_next_x(const run_t *run) noexcept nogil
# By how much the next sample to come is placed later than its `run_next_x`.
cdef double run_delay(const run_t *run) noexcept nogil
