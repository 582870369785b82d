"""Sums of voices: 32 bits wide, saturated once. Exact for up to 65,535 of them."""

from libc.stdint cimport int16_t, int32_t

cdef void mix_clear(int32_t *total, int n) noexcept nogil
cdef void mix_add(int32_t *total, const int16_t *samples, int n) noexcept nogil
# What a listener hears who is part of `total` by `own`; `out` may be `own`.
cdef void mix_minus(const int32_t *total, const int16_t *own, int16_t *out, int n) noexcept nogil
# What a listener hears who says nothing.
cdef void mix_all(const int32_t *total, int16_t *out, int n) noexcept nogil
