"""Resampling between 8, 16, 24, 44.1 and 48 kHz by polyphase filters, as a stream.

One Kaiser-windowed low-pass per pair of rates: flat to 0.4325 of the lower rate (3,460 Hz of 8 kHz), nothing above half
of it, so neither what is folded down nor what is mirrored up is heard. It delays by 64 periods of the lower rate less
one half: 4 ms for 8 kHz, less for higher ones. Coefficients have 15 bits; the sums of their magnitudes are checked, so that
half a filter cannot overflow 32 bits whatever comes, and a vector unit can do it.
"""

from libc.math cimport M_PI, fabs, lround, sin, sqrt
from libc.stdint cimport int16_t
from libc.stdlib cimport malloc
from libc.string cimport memcpy, memmove, memset

cdef enum:
    RATES = 5
    LOW_TAPS = 64  # of one phase when the output rate is the higher one
    SUM_MAX = 65000  # of coefficient magnitudes in half a phase: times 32768 and rounded it is still an int

cdef double ATTENUATION_DB = 72.0  # of the design; 15-bit coefficients leave 64 dB and more of it

cdef struct filter_t:
    int in_hz
    int out_hz
    int up
    int down
    int taps  # of one phase; a multiple of eight
    int16_t *phases  # `up` times `taps`, each in the order of the line

cdef int[RATES] HZ = [8000, 16000, 24000, 44100, 48000]
cdef filter_t[RATES * RATES] FILTERS


cdef int index_of(int hz) noexcept nogil:
    cdef int i
    for i in range(RATES):
        if HZ[i] == hz:
            return i
    return -1


cdef int resampler_init(resampler_t *resampler, int in_hz, int out_hz) noexcept nogil:
    cdef int come = index_of(in_hz)
    cdef int go = index_of(out_hz)
    if come < 0 or go < 0:
        return -1
    memset(resampler, 0, sizeof(resampler_t))
    resampler.route = -1 if come == go else come * RATES + go
    return 0


cdef int resampled(const resampler_t *resampler, int n) noexcept nogil:
    cdef const filter_t *row
    if resampler.route < 0:
        return n
    row = &FILTERS[resampler.route]
    if n <= resampler.ahead:
        return 0
    return ((n - resampler.ahead) * row.up - resampler.phase + row.down - 1) // row.down


cdef int resampler_delay_ns(const resampler_t *resampler) noexcept nogil:
    cdef const filter_t *row
    if resampler.route < 0:
        return 0
    row = &FILTERS[resampler.route]
    return <int>((row.up * row.taps // 2 - 1) * 1000000000LL // (<long long>row.up * row.in_hz))


cdef inline int16_t filtered(const int16_t *line, const int16_t *phase, int taps) noexcept nogil:
    cdef int first = 1 << 14
    cdef int second = 0
    cdef int i
    cdef long long total
    for i in range(taps >> 1):
        first += line[i] * phase[i]
    for i in range(taps >> 1, taps):
        second += line[i] * phase[i]
    total = (<long long>first + second) >> 15
    return <int16_t>(32767 if total > 32767 else -32768 if total < -32768 else total)


cdef inline int pass_through(
    resampler_t *resampler, const filter_t *row, int part, int taps, int16_t *out
) noexcept nogil:
    """`part` samples of the line, behind those of before. Samples written."""
    cdef int at = resampler.ahead
    cdef int phase = resampler.phase
    cdef int written = 0
    while at < part:
        out[written] = filtered(&resampler.line[at], row.phases + phase * taps, taps)
        written += 1
        phase += row.down
        while phase >= row.up:
            phase -= row.up
            at += 1
    resampler.ahead, resampler.phase = at - part, phase
    return written


cdef int resample(resampler_t *resampler, const int16_t *samples, int n, int16_t *out, int room) noexcept nogil:
    cdef const filter_t *row
    cdef int written = 0
    cdef int done = 0
    cdef int part, taps
    if n < 0 or resampled(resampler, n) > room:
        return -1
    if resampler.route < 0:
        memcpy(out, samples, n * sizeof(int16_t))
        return n
    row = &FILTERS[resampler.route]
    taps = row.taps & ~7
    while done < n:
        part = n - done if n - done < CHUNK else CHUNK
        memcpy(&resampler.line[taps - 1], samples + done, part * sizeof(int16_t))
        if taps == LOW_TAPS:  # the commonest lengths are written out by the compiler
            written += pass_through(resampler, row, part, LOW_TAPS, out + written)
        elif taps == 2 * LOW_TAPS:
            written += pass_through(resampler, row, part, 2 * LOW_TAPS, out + written)
        else:
            written += pass_through(resampler, row, part, taps, out + written)
        memmove(resampler.line, &resampler.line[part], (taps - 1) * sizeof(int16_t))
        done += part
    return written


# ---- design, once, when this module is loaded ----


cdef double bessel(double x) noexcept nogil:
    """Modified, first kind, order zero: by its series."""
    cdef double term = 1.0
    cdef double total = 1.0
    cdef int k = 1
    while term > total * 1e-12:
        term *= (x / (2 * k)) * (x / (2 * k))
        total += term
        k += 1
    return total


cdef int greatest_divisor(int a, int b) noexcept nogil:
    return a if b == 0 else greatest_divisor(b, a % b)


cdef int design(filter_t *row, int in_hz, int out_hz) noexcept nogil:
    cdef int divisor = greatest_divisor(in_hz, out_hz)
    cdef int lower = in_hz if in_hz < out_hz else out_hz
    cdef double beta = 0.1102 * (ATTENUATION_DB - 8.7)
    cdef double transition, cutoff, x, width, value
    cdef int phase, tap, centre
    cdef int[2] total
    row.in_hz, row.out_hz, row.up, row.down = in_hz, out_hz, out_hz // divisor, in_hz // divisor
    row.taps = ((LOW_TAPS * in_hz + lower - 1) // lower + 7) & ~7
    row.phases = <int16_t *>malloc(row.up * row.taps * sizeof(int16_t))
    if row.phases == NULL or row.taps > TAPS_MAX:
        return -1
    centre = row.up * row.taps // 2 - 1  # the last place stays zero, so that the length is odd
    width = centre + 1
    transition = (ATTENUATION_DB - 7.95) / (14.36 * 2 * width)  # in parts of the rate between, up times in_hz
    cutoff = 0.5 * lower / (<double>in_hz * row.up) - transition / 2
    for phase in range(row.up):
        total[0] = total[1] = 0
        for tap in range(row.taps):
            x = phase + row.up * (row.taps - 1 - tap) - centre
            value = 2 * cutoff if x == 0 else sin(2 * M_PI * cutoff * x) / (M_PI * x)
            value *= bessel(beta * sqrt(1 - (x / width) * (x / width))) / bessel(beta) if fabs(x) < width else 0.0
            row.phases[phase * row.taps + tap] = <int16_t>lround(32768 * row.up * value)
            total[2 * tap // row.taps] += <int>fabs(32768 * row.up * value) + 1
        if total[0] > SUM_MAX or total[1] > SUM_MAX:
            return -1
    return 0


cdef int design_all() noexcept nogil:
    cdef int come, go
    for come in range(RATES):
        for go in range(RATES):
            if come != go and design(&FILTERS[come * RATES + go], HZ[come], HZ[go]) < 0:
                return -1
    return 0


if design_all() < 0:
    raise MemoryError("resampling filters")


cdef class Resampler:
    """One stream, for tools and tests; ValueError for rates that are not supported."""

    cdef resampler_t state

    def __cinit__(self, int in_hz, int out_hz):
        if resampler_init(&self.state, in_hz, out_hz) < 0:
            raise ValueError(f"cannot resample from {in_hz} to {out_hz} Hz")

    @property
    def delay_s(self):
        return resampler_delay_ns(&self.state) / 1e9

    def __call__(self, const int16_t[::1] samples not None):
        """What the next samples become, as an array of them."""
        cdef int n = <int>samples.shape[0]
        cdef int room = resampled(&self.state, n)
        cdef int16_t[::1] out
        cdef bytearray memory = bytearray(2 * room)
        if room and n:
            out = memoryview(memory).cast("h")
            with nogil:
                resample(&self.state, &samples[0], n, &out[0], room)
        return bytes(memory)
