"""A piece of samples made a little longer or shorter, by fractions of a sample at a time."""

from libc.stdint cimport int16_t

cdef enum:
    SLIP_TAPS = 32
    SLIP_BEFORE = 15  # samples read before the first
    SLIP_AFTER = 16  # and behind the last

# `n` samples become `n + more`; reads SLIP_BEFORE before and SLIP_AFTER behind them.
cdef void slip(const int16_t *samples, int n, int more, int16_t *out) noexcept nogil
