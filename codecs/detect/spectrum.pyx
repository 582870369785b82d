"""A Fourier transform of 512 real samples, weighted by a Hann window: complex of half the length, taken apart after.

Phases are those at the frame's centre, so that a steady sine turns from frame to frame by its frequency alone. A full-scale
sine on a bin has the size 32767 * 128.
"""

from libc.math cimport M_PI, cos, sin
from libc.stdint cimport int16_t

cdef enum:
    HALF = SPECTRUM_FRAME // 2
    STAGES = 8  # 2 ** 8 = HALF

cdef float WINDOW[SPECTRUM_FRAME]
cdef float COS[HALF]  # of the whole transform
cdef float SIN[HALF]
cdef int REVERSED[HALF]


def fill_tables():
    cdef int i, bit, turned
    for i in range(SPECTRUM_FRAME):
        WINDOW[i] = 0.5 - 0.5 * cos(2 * M_PI * (i + 0.5) / SPECTRUM_FRAME)
    for i in range(HALF):
        COS[i] = cos(2 * M_PI * i / SPECTRUM_FRAME)
        SIN[i] = sin(2 * M_PI * i / SPECTRUM_FRAME)
        turned = 0
        for bit in range(STAGES):
            turned |= (i >> bit & 1) << (STAGES - 1 - bit)
        REVERSED[i] = turned


fill_tables()


cdef void transform(float *re, float *im) noexcept nogil:
    """In place, decimation in time, input in bit-reversed order."""
    cdef int span = 1
    cdef int step = HALF
    cdef int k, a, b
    cdef float c, s, x, y
    while span < HALF:
        for k in range(span):
            c = COS[k * step]
            s = -SIN[k * step]
            a = k
            while a < HALF:
                b = a + span
                x = re[b] * c - im[b] * s
                y = re[b] * s + im[b] * c
                re[b] = re[a] - x
                im[b] = im[a] - y
                re[a] += x
                im[a] += y
                a += 2 * span
        span *= 2
        step //= 2


cdef void spectrum_of(const int16_t *samples, spectrum_t *out) noexcept nogil:
    cdef float re[HALF]
    cdef float im[HALF]
    cdef int i, j
    cdef float even_re, even_im, odd_re, odd_im, x, y, sign
    for i in range(HALF):
        j = REVERSED[i]
        re[i] = samples[2 * j] * WINDOW[2 * j]
        im[i] = samples[2 * j + 1] * WINDOW[2 * j + 1]
    transform(re, im)
    out.re[0] = re[0] + im[0]
    out.re[HALF] = re[0] - im[0]
    out.im[0] = out.im[HALF] = 0
    for i in range(1, HALF):
        j = HALF - i
        even_re = (re[i] + re[j]) / 2
        even_im = (im[i] - im[j]) / 2
        odd_re = (im[i] + im[j]) / 2
        odd_im = (re[j] - re[i]) / 2
        x = even_re + odd_re * COS[i] + odd_im * SIN[i]
        y = even_im + odd_im * COS[i] - odd_re * SIN[i]
        sign = -1 if i & 1 else 1  # the phase at the centre, half a frame on
        out.re[i] = x * sign
        out.im[i] = y * sign


def spectrum(const unsigned char[::1] samples not None):
    """For tests: the 257 bins of 512 samples as complex numbers."""
    cdef spectrum_t out
    if samples.shape[0] != 2 * SPECTRUM_FRAME:
        raise ValueError("512 samples")
    spectrum_of(<const int16_t *>&samples[0], &out)
    return [complex(out.re[i], out.im[i]) for i in range(HALF + 1)]
