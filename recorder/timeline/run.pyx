"""Decoded samples, brought to the common rate and placed a second at a time, each a little slower or faster if need be."""

from libc.stdint cimport int16_t, int64_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memmove, memset

from santral.codecs.codec cimport FRAME_SAMPLES_MAX
from santral.codecs.shape.resample cimport resample, resampler_delay_ns, resampler_init
from santral.recorder.timeline.line cimport line_t, line_write
from santral.recorder.timeline.slip cimport SLIP_AFTER, SLIP_BEFORE, slip

cdef enum:
    RATIO_MAX = 6  # 8 to 48 kHz
    MORE_PART = 100  # a second gets longer or shorter by a hundredth at most


cdef int run_init(run_t *run, int out_hz) noexcept nogil:
    memset(run, 0, sizeof(run_t))
    run.out_hz = out_hz
    run.room = SLIP_BEFORE + out_hz + SLIP_AFTER + RATIO_MAX * FRAME_SAMPLES_MAX
    # Three parts: the samples, those of a frame at their own rate, and those of a second when slipped.
    run.media = <int16_t *>calloc(run.room + FRAME_SAMPLES_MAX + out_hz + out_hz // MORE_PART, sizeof(int16_t))
    return -1 if run.media == NULL else 0


cdef void run_free(run_t *run) noexcept nogil:
    free(run.media)
    run.media = NULL


cdef int run_open(run_t *run, int hz, int clock_hz, uint32_t epoch, int64_t timestamp, int64_t place) noexcept nogil:
    if resampler_init(&run.resampler, hz, run.out_hz) < 0:
        return -1
    run.hz, run.clock_hz, run.epoch, run.timestamp, run.place = hz, clock_hz, epoch, timestamp, place
    run.filled = run.done = 0
    run.pending = 0
    run.delayed = <int>(<int64_t>resampler_delay_ns(&run.resampler) * run.out_hz // 1000000000)
    run.is_open = True
    memset(run.media, 0, SLIP_BEFORE * sizeof(int16_t))
    return 0


cdef int16_t *run_ready(run_t *run) noexcept nogil:
    return run.media + (SLIP_BEFORE + run.pending if run.hz == run.out_hz else run.room)


cdef void convert(run_t *run, int n) noexcept nogil:
    cdef int16_t *end = run.media + SLIP_BEFORE + run.pending
    cdef int made = resample(&run.resampler, run.media + run.room, n, end, run.room - SLIP_BEFORE - run.pending)
    cdef int passed = run.delayed if run.delayed < made else made
    if made <= 0:
        return
    if passed:
        memmove(end, end + passed, (made - passed) * sizeof(int16_t))
        run.delayed -= passed
    run.pending += made - passed


cdef void run_push(run_t *run, int n) noexcept nogil:
    run.filled += n
    if run.hz == run.out_hz:
        run.pending += n
    else:
        convert(run, n)


cdef bint run_has_second(const run_t *run) noexcept nogil:
    return run.pending >= run.out_hz + SLIP_AFTER


cdef void go(run_t *run, line_t *line, int n, int more) noexcept nogil:
    cdef int16_t *samples = run.media + SLIP_BEFORE
    cdef int16_t *slipped = run.media + run.room + FRAME_SAMPLES_MAX
    if more:
        slip(samples, n, more, slipped)
        line_write(line, run.place, slipped, n + more)
    else:
        line_write(line, run.place, samples, n)
    run.place += n + more
    run.done += n
    run.pending -= n
    memmove(run.media, run.media + n, (SLIP_BEFORE + run.pending) * sizeof(int16_t))


cdef void run_emit(run_t *run, line_t *line, int more) noexcept nogil:
    go(run, line, run.out_hz, more)


cdef void run_flush(run_t *run, line_t *line) noexcept nogil:
    while run.pending > 0:
        go(run, line, run.pending if run.pending < run.out_hz else run.out_hz, 0)


cdef void run_close(run_t *run, line_t *line) noexcept nogil:
    cdef int held = 0
    if run.is_open and run.hz != run.out_hz:  # what the resampler still holds
        held = <int>(<int64_t>resampler_delay_ns(&run.resampler) * run.hz // 1000000000) + 1
        memset(run.media + run.room, 0, held * sizeof(int16_t))
        convert(run, held)
        held = <int>(run.filled * run.out_hz // run.hz - run.done)
        if run.pending > held:
            run.pending = held
    if run.is_open:
        run_flush(run, line)
    run.is_open = False


cdef double run_x(const run_t *run) noexcept nogil:
    return <double>run.timestamp / run.clock_hz + <double>run.done / run.out_hz


cdef double run_next_x(const run_t *run) noexcept nogil:
    return <double>run.timestamp / run.clock_hz + <double>run.filled / run.hz


cdef double run_delay(const run_t *run) noexcept nogil:
    """As the seconds that wait will go: without a slip."""
    return <double>run.place / run.out_hz - run_x(run) + run.ahead_s
