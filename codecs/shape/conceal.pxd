"""Concealment of lost packets in decoded samples; the state is the caller's and holds no pointers."""

from libc.stdint cimport int16_t

cdef enum:
    CONCEAL_HZ_MAX = 48000
    CONCEAL_HISTORY_MAX = 2400  # 50 ms at 48 kHz
    CONCEAL_ORDER = 16  # of the linear prediction that lets the last sound ring out

cdef struct concealer_t:
    int hz
    int lost  # samples concealed since the last good one
    int period  # of the pitch, in samples
    int periods  # how many of them are repeated
    int at  # where the next sample is taken from, in samples before the end of the history
    int end  # of the history: the newest sample lies before it, the oldest one here
    float prediction[CONCEAL_ORDER]
    float ring[CONCEAL_ORDER]  # what the prediction filter still has in it, newest first
    int16_t history[CONCEAL_HISTORY_MAX]  # good or concealed samples, the last `hz // 20` in a ring
    int16_t source[CONCEAL_HISTORY_MAX]  # the history when the loss began, oldest first

# 0, or -1 for rates outside 8000 to 48000.
cdef int concealer_init(concealer_t *state, int hz) noexcept nogil
# Every decoded frame, in place and without delay; the first after a loss is blended with what was made up.
cdef void conceal_good(concealer_t *state, int16_t *samples, int n) noexcept nogil
# `n` samples for a lost frame.
cdef void conceal_lost(concealer_t *state, int16_t *samples, int n) noexcept nogil
