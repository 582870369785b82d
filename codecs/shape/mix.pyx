"""Sums of voices: everybody into one total, and each listener's own taken out of it."""

from libc.stdint cimport int16_t, int32_t
from libc.string cimport memset


cdef inline int16_t saturated(int32_t value) noexcept nogil:
    return <int16_t>(32767 if value > 32767 else -32768 if value < -32768 else value)


cdef void mix_clear(int32_t *total, int n) noexcept nogil:
    memset(total, 0, n * sizeof(int32_t))


cdef void mix_add(int32_t *total, const int16_t *samples, int n) noexcept nogil:
    cdef int i
    for i in range(n):
        total[i] += samples[i]


cdef void mix_minus(const int32_t *total, const int16_t *own, int16_t *out, int n) noexcept nogil:
    cdef int i
    for i in range(n):
        out[i] = saturated(total[i] - own[i])


cdef void mix_all(const int32_t *total, int16_t *out, int n) noexcept nogil:
    cdef int i
    for i in range(n):
        out[i] = saturated(total[i])


def heard_by_each(voices):
    """What each of some voices (arrays of equal length) hears of the others, and what a listener hears of all."""
    cdef const int16_t[::1] one
    cdef int32_t[::1] total
    cdef int16_t[::1] out
    cdef int n = <int>len(voices[0])
    if n == 0 or {len(each) for each in voices} != {n}:
        raise ValueError("voices of different lengths")
    total = memoryview(bytearray(4 * n)).cast("i")
    for one in voices:
        mix_add(&total[0], &one[0], n)
    heard = []
    out = memoryview(bytearray(2 * n)).cast("h")
    for one in voices:
        mix_minus(&total[0], &one[0], &out[0], n)
        heard.append(bytes(out))
    mix_all(&total[0], &out[0], n)
    return [*heard, bytes(out)]
