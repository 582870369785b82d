"""Time taken out of a stream or put into it, where it is heard least."""

from libc.stdint cimport int16_t

cdef enum:
    STRETCH_MS_MIN = 20  # of samples that are looked at; 30 to 40 find the pitch of deep voices too
    STRETCH_MS_MAX = 60
    STRETCH_CHANGE_MS_MAX = 15  # more or less that may come out

# About one pitch period less or more of `n` samples into `out`, which has room for n + 15 ms and is not `samples`.
# Returns what was written: `n`, unchanged, where no period is alike by `least` (0 to 1; 0: change in any case, silence
# and noise always change by up to 10 ms). -1 for lengths or rates (8000 to 48000) it does not take. No state.
cdef int stretch_shorter(const int16_t *samples, int n, int16_t *out, int hz, float least) noexcept nogil
cdef int stretch_longer(const int16_t *samples, int n, int16_t *out, int hz, float least) noexcept nogil
