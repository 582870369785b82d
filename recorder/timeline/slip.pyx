"""Resampling by a ratio next to one, for clocks that run apart: a windowed sinc at 1024 places between two samples.

The kernel at a whole sample is that sample alone, so a piece that is slipped fits its neighbours that are not, without
a seam. The places stand so close that taking the nearest costs less than 16-bit rounding does at telephone levels.
"""

from libc.math cimport M_PI, fabs, lround, sin, sqrt
from libc.stdint cimport int16_t, int32_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    PLACE_BITS = 10
    PLACES = 1024
    ONE = 16384  # of a coefficient: leaves room for the sum of a full-scale signal in 32 bits

cdef double BETA = 7.0  # of the Kaiser window: 70 dB

cdef int16_t[(PLACES + 1) * SLIP_TAPS] KERNELS


cdef inline int16_t between(const int16_t *line, const int16_t *kernel) noexcept nogil:
    cdef int32_t total = ONE >> 1
    cdef int i
    for i in range(SLIP_TAPS):
        total += <int32_t>line[i] * kernel[i]
    total >>= 14
    return <int16_t>(32767 if total > 32767 else -32768 if total < -32768 else total)


cdef void slip(const int16_t *samples, int n, int more, int16_t *out) noexcept nogil:
    cdef uint64_t step, at
    cdef uint32_t place
    cdef int i
    if more == 0:
        memcpy(out, samples, n * sizeof(int16_t))
        return
    step = ((<uint64_t>n << 32) + <uint64_t>(n + more) // 2) // <uint64_t>(n + more)
    at = (<uint64_t>1) << (31 - PLACE_BITS)  # the nearest place
    for i in range(n + more):
        place = <uint32_t>at >> (32 - PLACE_BITS)
        out[i] = between(samples + <int>(at >> 32) - SLIP_BEFORE, &KERNELS[place * SLIP_TAPS])
        at += step


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


cdef void design() noexcept nogil:
    cdef int place, tap, sum_of_all, largest
    cdef double x, value
    for place in range(PLACES + 1):
        sum_of_all = 0
        largest = place * SLIP_TAPS + SLIP_BEFORE
        for tap in range(SLIP_TAPS):
            x = tap - SLIP_BEFORE - <double>place / PLACES
            value = 1.0 if x == 0 else sin(M_PI * x) / (M_PI * x)
            x /= SLIP_TAPS // 2
            value *= bessel(BETA * sqrt(1 - x * x)) / bessel(BETA) if fabs(x) < 1 else 0.0
            KERNELS[place * SLIP_TAPS + tap] = <int16_t>lround(ONE * value)
            sum_of_all += KERNELS[place * SLIP_TAPS + tap]
        if place > PLACES // 2:
            largest += 1
        KERNELS[largest] = <int16_t>(KERNELS[largest] + ONE - sum_of_all)  # a constant stays what it is


design()


def slipped(const int16_t[::1] samples not None, int n, int more):
    """`n` samples from SLIP_BEFORE on, made `more` longer; for tests."""
    if n < 1 or n + more < 1 or samples.shape[0] < n + SLIP_TAPS - 1 or abs(more) > n // 8:
        raise ValueError("too few samples around")
    memory = bytearray(2 * (n + more))
    cdef int16_t[::1] out = memoryview(memory).cast("h")
    slip(&samples[SLIP_BEFORE], n, more, &out[0])
    return bytes(memory)
