"""Concealment of lost packets by repeating pitch periods, in the manner of G.711 Appendix I but without its delay.

What was said last is continued: the last pitch period is repeated, later the last two and three so that it does not
buzz, fading to silence. Where Appendix I holds back samples to blend into the repetition, here the difference
between the last period and the one before rings out through a linear prediction filter: the same signal
as driving that filter with the repeated excitation, so there is no seam to blend.
"""

from libc.math cimport M_PI, cosf, lrintf, sqrtf
from libc.stdint cimport int16_t
from libc.string cimport memcpy, memmove, memset

cdef enum:
    GRID_HZ = 8000  # of the coarse search
    GRID_MAX = 256  # what is searched: the longest lag and the match, up to 15.6 kHz
    LAG_MIN = 30  # 3.75 ms: 267 Hz; of higher voices two or three periods are found
    LAG_MAX = 120  # 15 ms
    MATCH = 40  # 5 ms are compared: how the wave goes on matters more than what the voice was

# Chosen by P.862.1 over recorded speech with 3 and 10 % of its packets lost (`santral bench quality`).
cdef enum:
    ONE_PERIOD_MS = 20  # so long the last period alone is repeated, then two of them, then three
    TWO_PERIODS_MS = 40
    FADED_MS = 60
    REENTRY_MS_MAX = 4
    WRAP = 4  # a quarter of a period is blended where the repetition begins again
    REENTRY_GROWTH = 10  # a tenth of what was lost is added to the blend at its end

cdef double SPREAD = 0.994  # of the poles of the prediction: lets the filter ring out


cdef int concealer_init(concealer_t *state, int hz) noexcept nogil:
    memset(state, 0, sizeof(concealer_t))
    state.hz = hz
    return 0 if GRID_HZ <= hz <= CONCEAL_HZ_MAX else -1


cdef inline int span_of(const concealer_t *state) noexcept nogil:
    return state.hz // 20


cdef void remember(concealer_t *state, const int16_t *samples, int n) noexcept nogil:
    """Every good frame passes here: nothing is written but the frame itself."""
    cdef int span = span_of(state)
    cdef int first
    if n > span:
        samples += n - span
        n = span
    first = n if n < span - state.end else span - state.end
    memcpy(state.history + state.end, samples, first * sizeof(int16_t))
    memcpy(state.history, samples + first, (n - first) * sizeof(int16_t))
    state.end = (state.end + n) % span


cdef void unroll(concealer_t *state) noexcept nogil:
    cdef int older = span_of(state) - state.end
    memcpy(state.source, state.history + state.end, older * sizeof(int16_t))
    memcpy(state.source + older, state.history, state.end * sizeof(int16_t))


# ---- what is repeated ----


cdef inline float likeness(const float *now, const float *before, int n) noexcept nogil:
    """Their product, over the size of what lies before."""
    cdef float product = 0.0
    cdef float size = 1.0
    cdef int i
    for i in range(n):
        product += now[i] * before[i]
        size += before[i] * before[i]
    return product / sqrtf(size)


cdef int best_lag(const float *end, int match, int first, int last) noexcept nogil:
    """The lag from `first` to `last` at which the `match` samples before `end` are most alike to earlier ones."""
    cdef int best = last
    cdef float top = -1e30
    cdef float value
    cdef int lag
    for lag in range(first, last + 1):
        value = likeness(end - match, end - match - lag, match)
        if value > top:
            top, best = value, lag
    return best


cdef void find_pitch(concealer_t *state) noexcept nogil:
    """The lag from 3.75 to 15 ms at which the last 5 ms fit best; searched at about 8 kHz, then every sample beside."""
    cdef float[CONCEAL_HISTORY_MAX] line
    cdef float[GRID_MAX] grid
    cdef int factor = state.hz // GRID_HZ
    cdef int points = LAG_MAX + MATCH
    cdef int n = (points + 1) * factor
    cdef int i, j, lag
    for i in range(n):
        line[i] = state.source[span_of(state) - n + i]
    for i in range(points):
        grid[i] = 0.0
        for j in range(factor):
            grid[i] += line[(i + 1) * factor + j]
    lag = best_lag(&grid[points], MATCH, LAG_MIN, LAG_MAX) * factor
    if factor > 1:
        lag = best_lag(&line[n], MATCH * factor, lag - factor, lag + factor - 1)
    state.period = lag


cdef void find_prediction(concealer_t *state) noexcept nogil:
    """Linear prediction of the last 20 ms, and what its filter has in it: the last period against the one before."""
    cdef float[CONCEAL_HISTORY_MAX] line
    cdef double[CONCEAL_ORDER + 1] r
    cdef double[CONCEAL_ORDER + 1] a
    cdef double[CONCEAL_ORDER + 1] was
    cdef int span = span_of(state)
    cdef int n = state.hz // 50
    cdef int i, j
    cdef float total
    cdef double error, k, spread
    for i in range(n):
        line[i] = state.source[span - n + i] * (0.54 - 0.46 * cosf(M_PI * (i + 0.5) / n))
    for j in range(CONCEAL_ORDER + 1):
        total = 0.0
        for i in range(j, n):
            total += line[i] * line[i - j]
        r[j] = total
    error = r[0] * 1.0001 + 1.0
    memset(a, 0, sizeof(a))
    for i in range(1, CONCEAL_ORDER + 1):
        k = r[i]
        for j in range(1, i):
            k -= a[j] * r[i - j]
        k /= error
        memcpy(was, a, sizeof(a))
        a[i] = k
        for j in range(1, i):
            a[j] = was[j] - k * was[i - j]
        error *= 1 - k * k
    spread = SPREAD
    for i in range(CONCEAL_ORDER):
        state.prediction[i] = a[i + 1] * spread
        spread *= SPREAD
        state.ring[i] = <float>state.source[span - 1 - i] - state.source[span - 1 - i - state.period]


cdef inline float ringing(concealer_t *state) noexcept nogil:
    cdef float value = 0.0
    cdef int i
    for i in range(CONCEAL_ORDER):
        value += state.prediction[i] * state.ring[i]
    memmove(&state.ring[1], &state.ring[0], (CONCEAL_ORDER - 1) * sizeof(float))
    state.ring[0] = value
    return value


cdef void make_up(concealer_t *state, float *out, int n) noexcept nogil:
    """The next `n` samples of the continuation, before fading."""
    cdef const int16_t *end = state.source + span_of(state)
    cdef int blend = state.period // WRAP
    cdef int i
    cdef float share
    for i in range(n):
        if state.at == 0:
            if state.lost + i >= TWO_PERIODS_MS * state.hz // 1000:
                state.periods = 3
            elif state.lost + i >= ONE_PERIOD_MS * state.hz // 1000:
                state.periods = 2
            while state.periods * state.period + blend > span_of(state):
                state.periods -= 1
            state.at = state.periods * state.period
        out[i] = end[-state.at]
        if state.at <= blend:
            share = (state.at - 0.5) / blend
            out[i] = share * out[i] + (1 - share) * end[-state.at - state.periods * state.period]
        state.at -= 1
        if state.lost + i < state.hz // 100:
            out[i] += ringing(state)


cdef inline float fading(const concealer_t *state, int at) noexcept nogil:
    cdef int end = FADED_MS * state.hz // 1000
    return 1.0 - <float>at / end if at < end else 0.0


cdef inline int16_t rounded(float value) noexcept nogil:
    return <int16_t>(32767 if value > 32767 else -32768 if value < -32768 else lrintf(value))


cdef void conceal_lost(concealer_t *state, int16_t *samples, int n) noexcept nogil:
    cdef float[480] made
    cdef int done = 0
    cdef int part, i
    if state.lost == 0:
        unroll(state)
        find_pitch(state)
        find_prediction(state)
        state.periods = 1
        state.at = 0
    while done < n:
        part = n - done if n - done < 480 else 480
        make_up(state, made, part)
        for i in range(part):
            samples[done + i] = rounded(made[i] * fading(state, state.lost + i))
        state.lost += part
        done += part
    remember(state, samples, n)


cdef void conceal_good(concealer_t *state, int16_t *samples, int n) noexcept nogil:
    cdef float[960] made
    cdef int blend, i
    cdef float share
    if state.lost:
        blend = state.period // WRAP + state.lost // REENTRY_GROWTH
        if blend > REENTRY_MS_MAX * state.hz // 1000:
            blend = REENTRY_MS_MAX * state.hz // 1000
        blend = n if blend > n else blend
        make_up(state, made, blend)
        for i in range(blend):
            share = (i + 0.5) / blend
            samples[i] = rounded(share * samples[i] + (1 - share) * made[i] * fading(state, state.lost + i))
        state.lost = 0
    remember(state, samples, n)


cdef class Concealer:
    """One stream, for tools and tests; ValueError for rates it does not know."""

    cdef concealer_t state

    def __cinit__(self, int hz):
        if concealer_init(&self.state, hz) < 0:
            raise ValueError(f"cannot conceal at {hz} Hz")

    def good(self, const int16_t[::1] samples not None):
        """The frame as it is to be heard."""
        cdef bytearray memory = bytearray(samples)
        cdef int16_t[::1] out
        if samples.shape[0]:
            out = memoryview(memory).cast("h")
            with nogil:
                conceal_good(&self.state, &out[0], <int>out.shape[0])
        return bytes(memory)

    def lost(self, int n):
        cdef bytearray memory = bytearray(2 * n)
        cdef int16_t[::1] out
        if n:
            out = memoryview(memory).cast("h")
            with nogil:
                conceal_lost(&self.state, &out[0], n)
        return bytes(memory)
