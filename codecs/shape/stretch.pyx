"""One pitch period more or less, by overlap and add (WSOLA): what a jitter buffer and a drifting clock need.

The lag at which two neighbouring stretches are most alike is one or more periods of the voice; fading from one into the
other over their whole length leaves no seam. First and last sample of the input stay first and last of the output, so
frames before and after fit on.
"""

from libc.math cimport fabsf, sqrtf
from libc.stdint cimport int16_t
from libc.string cimport memcpy

cdef enum:
    SAMPLES_MAX = 2880  # 60 ms at 48 kHz
    GRID_HZ = 8000  # of the coarse search
    POINTS_MAX = 960  # on a grid of up to 16 kHz
    PLACES = 8  # between the places that are tried
    EIGHTS_MAX = 120
    QUIET_POWER = 1000  # -60 dBov: nobody hears what is done to it

cdef float NEARLY = 1e-5  # as alike

cdef struct place_t:
    int at  # where the first of the two stretches begins
    int lag  # how long each of them is
    float likeness


cdef float likeness(const float *one, const float *other, int n) noexcept nogil:
    """Normalised correlation, -1 to 1."""
    cdef float product = 0.0
    cdef float first = 1.0
    cdef float second = 1.0
    cdef int i
    for i in range(n):
        product += one[i] * other[i]
        first += one[i] * one[i]
        second += other[i] * other[i]
    return product / sqrtf(first * second)


cdef inline float product(const float *one, const float *other, int n) noexcept nogil:
    cdef float total = 0.0
    cdef int i
    for i in range(n):
        total += one[i] * other[i]
    return total


cdef place_t best_place(const int16_t *samples, int n, int hz) noexcept nogil:
    """Lags of 2.5 to 15 ms that fit twice: in steps of 0.25 ms on a grid of about 8 kHz, then every sample beside."""
    cdef float[POINTS_MAX] line
    cdef double[POINTS_MAX + 1] energy  # of all before
    cdef place_t best = place_t(0, 0, -4.0)
    cdef int factor = hz // GRID_HZ
    cdef int points = n // factor
    cdef int lag = GRID_HZ // 400
    cdef int lag_max = 15 * GRID_HZ // 1000 if 15 * GRID_HZ // 1000 < points // 2 else points // 2
    cdef int i, j
    energy[0] = 0.0
    for i in range(points):
        line[i] = 0.0
        for j in range(factor):
            line[i] += samples[i * factor + j]
        energy[i + 1] = energy[i] + line[i] * line[i]
    while lag <= lag_max:
        try_lag(line, energy, points, lag, &best)
        lag += 2
    return refined(samples, n, place_t(best.at * factor, best.lag * factor, -2.0), 2 * factor - 1)


cdef void try_lag(const float *line, const double *energy, int points, int lag, place_t *best) noexcept nogil:
    """Every eighth place: products are summed up by eights, of which neighbouring places share most. Likeness is squared here,
    its sign kept; the shorter one of two lags that are as good is taken.
    """
    cdef float[EIGHTS_MAX] eights
    cdef int whole = lag // PLACES
    cdef int at = 0
    cdef int i
    cdef float total = 0.0
    cdef float alike, square
    for i in range((points - lag) // PLACES):
        eights[i] = product(&line[i * PLACES], &line[i * PLACES + lag], PLACES)
    for i in range(whole):
        total += eights[i]
    while at + 2 * lag <= points:
        alike = total + product(&line[at + whole * PLACES], &line[at + whole * PLACES + lag], lag % PLACES)
        square = <float>((1.0 + energy[at + lag] - energy[at]) * (1.0 + energy[at + 2 * lag] - energy[at + lag]))
        if alike * fabsf(alike) > (best.likeness + NEARLY) * square:
            best[0] = place_t(at, lag, alike * fabsf(alike) / square)
        at += PLACES
        if at + 2 * lag <= points:
            total += eights[at // PLACES - 1 + whole] - eights[at // PLACES - 1]


cdef place_t refined(const int16_t *samples, int n, place_t near, int reach) noexcept nogil:
    """The best lag within `reach` of a coarse one."""
    cdef float[SAMPLES_MAX] line
    cdef place_t best = near
    cdef int i, lag
    cdef float value
    for i in range(near.at, n):
        line[i] = samples[i]
    for lag in range(near.lag - reach, near.lag + reach + 1):
        if near.at + 2 * lag <= n:
            value = likeness(&line[near.at], &line[near.at + lag], lag)
            if value > best.likeness:
                best = place_t(near.at, lag, value)
    return best


cdef bint is_quiet(const int16_t *samples, int n) noexcept nogil:
    cdef float power = 0.0
    cdef int i
    for i in range(n):
        power += <float>samples[i] * samples[i]
    return power < <float>QUIET_POWER * n


cdef int find(const int16_t *samples, int n, int hz, float least, place_t *place) noexcept nogil:
    """1 with a place, 0 to leave the samples alone, -1 for what cannot be."""
    if not 8000 <= hz <= 48000 or n * 1000LL < <long long>STRETCH_MS_MIN * hz or n * 1000LL > <long long>STRETCH_MS_MAX * hz:
        return -1
    if is_quiet(samples, n):
        place[0] = place_t(0, hz // 100 if hz // 100 <= n // 2 else n // 2, 1.0)
        return 1
    place[0] = best_place(samples, n, hz)
    return place.likeness >= least or least <= 0


cdef inline void fade(const int16_t *out_of, const int16_t *into, int16_t *result, int n) noexcept nogil:
    cdef int i
    for i in range(n):
        result[i] = <int16_t>(((n - 1 - i) * out_of[i] + i * into[i]) // (n - 1))


cdef int stretch_shorter(const int16_t *samples, int n, int16_t *out, int hz, float least) noexcept nogil:
    cdef place_t place
    cdef int found = find(samples, n, hz, least, &place)
    cdef int rest
    if found <= 0:
        if found == 0:
            memcpy(out, samples, n * sizeof(int16_t))
        return n if found == 0 else -1
    memcpy(out, samples, place.at * sizeof(int16_t))
    fade(samples + place.at, samples + place.at + place.lag, out + place.at, place.lag)
    rest = n - place.at - 2 * place.lag
    memcpy(out + place.at + place.lag, samples + n - rest, rest * sizeof(int16_t))
    return n - place.lag


cdef int stretch_longer(const int16_t *samples, int n, int16_t *out, int hz, float least) noexcept nogil:
    cdef place_t place
    cdef int found = find(samples, n, hz, least, &place)
    cdef int half
    if found <= 0:
        if found == 0:
            memcpy(out, samples, n * sizeof(int16_t))
        return n if found == 0 else -1
    half = place.at + place.lag  # the end of the first stretch, after which it is heard again
    memcpy(out, samples, half * sizeof(int16_t))
    fade(samples + half, samples + place.at, out + half, place.lag)
    memcpy(out + half + place.lag, samples + half, (n - half) * sizeof(int16_t))
    return n + place.lag


def stretched(const int16_t[::1] samples not None, int hz, bint longer, float least=0.0):
    """For tests and tools; ValueError for lengths or rates that are not taken."""
    cdef int n = <int>samples.shape[0]
    cdef bytearray memory = bytearray(2 * (n + max(0, hz) // 50))
    cdef int16_t[::1] out = memoryview(memory).cast("h")
    cdef int written = -1
    if n:
        with nogil:
            if longer:
                written = stretch_longer(&samples[0], n, &out[0], hz, least)
            else:
                written = stretch_shorter(&samples[0], n, &out[0], hz, least)
    if written < 0:
        raise ValueError(f"cannot stretch {n} samples at {hz} Hz")
    return bytes(memory[: 2 * written])
