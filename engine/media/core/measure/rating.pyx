"""The E-model (ITU-T G.107) at its default values: R = 93.2 - Idd - Ie,eff, and the mean opinion score of it."""

from libc.math cimport cbrt, fmax, fmin, log2, pow, sqrt

cdef double DEFAULT_RATING = 93.2  # clause 7.7: R with every default, before delay and equipment
cdef double EQUIPMENT_LIMIT = 95.0  # equation 7-29
cdef double DELAY_FREE_MS = 100.0  # one-way delay that costs nothing


cdef double delay_impairment(double delay_ms) noexcept nogil:
    """Idd of equations 7-27 and 7-28."""
    cdef double x
    if delay_ms <= DELAY_FREE_MS:
        return 0.0
    x = log2(delay_ms / DELAY_FREE_MS)
    return 25.0 * (sqrt(cbrt(1 + pow(x, 6))) - 3.0 * sqrt(cbrt(1 + pow(x / 3, 6))) + 2.0)


cdef double rate_r(double ie, double bpl, double loss, double ratio, double delay_ms) noexcept nogil:
    """R of one direction: 0 to 100. `loss` is a fraction, `ratio` the burst ratio."""
    cdef double percent = 100.0 * fmin(fmax(loss, 0.0), 1.0)
    cdef double equipment = ie + (EQUIPMENT_LIMIT - ie) * percent / (percent / fmax(ratio, 1.0) + bpl)
    return fmin(fmax(DEFAULT_RATING - delay_impairment(delay_ms) - equipment, 0.0), 100.0)


cdef double mos_of_r(double r) noexcept nogil:
    """Annex B, equation B-4; not below 1, where the polynomial dips for small R."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return fmax(1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6, 1.0)


def rating(double ie, double bpl, double loss, double ratio, double delay_ms):
    return rate_r(ie, bpl, loss, ratio, delay_ms)


def mos(double r):
    return mos_of_r(r)
