"""Digits and tones as sines in turn: exact frequencies and lengths, edges that do not click.

A sine is a number on the unit circle turned once a sample, in double precision, begun afresh by each segment; so a tone
of hours keeps its frequency and its level. Rise and fall are halves of a cosine inside the segment's own length.
"""

from libc.math cimport M_PI, cos, lrint, pow, sin
from libc.stdint cimport int16_t, int64_t
from libc.string cimport memset

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

cdef enum:
    DIGITS_MAX = 64  # characters of a string: SCORE_SEGMENTS holds each with its pause

MAX_DIGITS = DIGITS_MAX
LOWS = (697, 770, 852, 941)  # ITU-T Q.23
HIGHS = (1209, 1336, 1477, 1633)
KEYS = "123A456B789C*0#D"
PAUSES_MS = {"w": 500, "W": 1000}  # as users of Twilio write them
RAMP_MS = 2.5  # ITU-T Q.23 asks for no less than a digit that is there within 5 ms
FULL_SCALE_DBM0 = 3.14
RATES_HZ = (8000, 16000, 24000, 32000, 44100, 48000)


cdef void score_start(score_player_t *p) noexcept nogil:
    memset(p, 0, sizeof(score_player_t))


cdef void score_release(const score_t *score, score_player_t *p) noexcept nogil:
    """Let it end within the next few milliseconds, without a click."""
    if not p.released:
        p.released = True
        p.fading = score.ramp


cdef inline double rise(int64_t done, int ramp) noexcept nogil:
    return 0.5 - 0.5 * cos(M_PI * (done + 0.5) / ramp) if done < ramp else 1.0


cdef inline double gain_at(const score_t *score, const segment_t *row, const score_player_t *p) noexcept nogil:
    cdef double gain = rise(p.done, score.ramp)
    if row.samples >= 0:
        gain *= rise(row.samples - 1 - p.done, score.ramp)
    if p.released:
        gain *= rise(p.fading - 1, score.ramp)
    return gain


cdef bint at_segment(const score_t *score, score_player_t *p) noexcept nogil:
    """Step over what is done; False at the end. The sines of a segment start at nought."""
    cdef int i
    if p.released and p.fading == 0:
        return False
    while p.segment < score.segments and score.row[p.segment].samples == p.done:
        p.segment += 1
        p.done = 0
        if p.segment == score.segments and score.repeats:
            p.segment = 0
    if p.segment == score.segments:
        return False
    if p.done == 0:
        for i in range(SCORE_SINES):
            p.re[i] = 1
            p.im[i] = 0
    return True


cdef int score_render(const score_t *score, score_player_t *p, int16_t *out, int n) noexcept nogil:
    """Write the next `n` samples; returns how many there were: fewer at the end, then 0."""
    cdef int done = 0
    cdef int i
    cdef double sample, re
    cdef double turn_re[SCORE_SINES]
    cdef double turn_im[SCORE_SINES]
    cdef const segment_t *row
    while done < n and at_segment(score, p):
        row = &score.row[p.segment]
        for i in range(row.sines):
            turn_re[i] = cos(row.turn[i])
            turn_im[i] = sin(row.turn[i])
        while done < n and p.done != row.samples and not (p.released and p.fading == 0):
            sample = 0
            for i in range(row.sines):
                sample += row.amplitude[i] * p.im[i]
                re = p.re[i] * turn_re[i] - p.im[i] * turn_im[i]
                p.im[i] = p.im[i] * turn_re[i] + p.re[i] * turn_im[i]
                p.re[i] = re
            sample *= gain_at(score, row, p)
            out[done] = <int16_t>max(-32768, min(32767, lrint(sample)))
            p.done += 1
            p.fading -= p.released
            done += 1
    return done


cdef class Score:
    """Digits or a tone as sines in turn. Immutable once made."""

    @staticmethod
    def digits(text, *, sample_hz=8000, tone_ms=100, gap_ms=100, low_dbm0=-9, high_dbm0=-7):
        """Keys 0-9 * # A-D, `w` and `W` for pauses of half a second and a second. ValueError for anything else."""
        cdef Score score = written(sample_hz)
        if not 1 <= len(text) <= DIGITS_MAX:
            raise ValueError(f"1 to {DIGITS_MAX} digits, not {len(text)}")
        if not (tone_ms >= 40 and gap_ms >= 0):
            raise ValueError("a digit lasts at least 40 ms")
        for digit in text:
            if digit in PAUSES_MS:
                score.add((), PAUSES_MS[digit], ())
            elif digit.upper() in KEYS:
                row, column = divmod(KEYS.index(digit.upper()), 4)
                score.add((LOWS[row], HIGHS[column]), tone_ms, (low_dbm0, high_dbm0))
                score.add((), gap_ms, ())
            else:
                raise ValueError("digits are 0-9 * # A-D, pauses w and W")
        return score

    @staticmethod
    def tone(tone, *, sample_hz=8000, dbm0=None):
        """A row of `santral.codecs.tones.TONES`, at its own level or at this one a frequency."""
        cdef Score score = written(sample_hz)
        level = tone.dbm0 if dbm0 is None else dbm0
        for burst in tone.bursts:
            score.add(tuple(burst.hz), burst.ms, (level,) * len(burst.hz))
        if not any(burst.hz for burst in tone.bursts):
            raise ValueError("a tone without a sound")
        score.c.repeats = tone.repeats and score.c.row[score.c.segments - 1].samples >= 0
        return score

    @property
    def ms(self):
        """How long it lasts; None when it has no end."""
        cdef int i
        cdef int64_t samples = 0
        for i in range(self.c.segments):
            if self.c.row[i].samples < 0:
                return None
            samples += self.c.row[i].samples
        return None if self.c.repeats else samples * 1000 / self.sample_hz

    cdef void add(self, tuple hz, double ms, tuple dbm0):
        cdef segment_t *row = &self.c.row[self.c.segments]
        row.samples = <int64_t>lrint(ms * self.sample_hz / 1000) if ms else (-1 if hz else 0)
        row.sines = len(hz)
        for i in range(len(hz)):
            row.amplitude[i] = 32767 * pow(10, (dbm0[i] - FULL_SCALE_DBM0) / 20)
            row.turn[i] = 2 * M_PI * hz[i] / self.sample_hz
        self.c.segments += 1


cdef Score written(int sample_hz):
    cdef Score score = Score.__new__(Score)
    if sample_hz not in RATES_HZ:
        raise ValueError(f"rates are {', '.join(map(str, RATES_HZ))} Hz")
    score.sample_hz = sample_hz
    score.c.ramp = <int>lrint(RAMP_MS * sample_hz / 1000)
    return score


cdef class ScorePlayer:
    """A score read from its beginning: for offline use and for tests."""

    cdef Score score
    cdef score_player_t place

    def __init__(self, Score score not None):
        self.score = score
        score_start(&self.place)

    def render(self, int samples):
        """The next samples as 16-bit mono: fewer at the end, none after it."""
        cdef bytes out = PyBytes_FromStringAndSize(NULL, 2 * max(0, samples))
        cdef int16_t *wanted = <int16_t *>PyBytes_AS_STRING(out)
        cdef int made
        with nogil:
            made = score_render(&self.score.c, &self.place, wanted, samples)
        return out[: 2 * made]

    def release(self):
        score_release(&self.score.c, &self.place)
