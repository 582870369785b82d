"""Who talks and how loud: levels as RFC 6464 defines them, and voice activity against a noise floor that adapts.

Each 10 ms frame has a level without hum and DC (a high-pass at 200 Hz). The floor is the least of its smoothed power in the
last three seconds (minimum statistics): talk has gaps that reach it, steady noise and steady tones become it. Four
of six frames well above the floor start talk, dated back to the first of them; a hangover of quiet frames ends it,
dated back to the last that was not quiet. It hears activity, not words: a tone or music is talk until the floor has followed.
"""

from libc.math cimport log10f
from libc.stdint cimport int16_t, int64_t
from libc.string cimport memcpy, memset

from collections import namedtuple

from santral.codecs.detect.listener cimport Listener

cdef enum:
    STRETCH = 40  # frames that one minimum speaks for: 0.4 s, times VOICE_MINIMA
    HANGOVER = 30
    SETTLED = STRETCH * VOICE_MINIMA  # frames after which a high floor is believed
    RECENT = 6  # frames looked at for a start ...
    ENOUGH = 4  # ... and how many of them must be loud

cdef float START_DB = 9  # above the floor
cdef float STAY_DB = 6
cdef float LEAST_DBOV = -55  # nothing fainter is talk
cdef float FLOOR_MIN_DBOV = -75
cdef float FLOOR_MAX_DBOV = -12
cdef float FLOOR_MAX_EARLY_DBOV = -50  # whoever talks from the first sample on is heard
cdef float FULL_SCALE = 32767.0
cdef float HIGH_PASS = 0.894859  # Butterworth of second order at 200 Hz, twice: 50 Hz is 48 dB down
cdef float RETURN_1 = -1.778631
cdef float RETURN_2 = 0.800803
cdef float SILENCE_DBOV = -127


cdef inline float dbov(float power) noexcept nogil:
    """Of a mean square; 0 dBov is a square wave of full scale."""
    cdef float level = 10 * log10f(power / (FULL_SCALE * FULL_SCALE) + <float>1e-13)
    return max(SILENCE_DBOV, min(<float>0, level))


cdef float level_dbov(const int16_t *samples, int n) noexcept nogil:
    """Level of any stretch of sound, -127 to 0."""
    cdef float power = 0
    cdef int i
    for i in range(n):
        power += <float>samples[i] * samples[i]
    return dbov(power / n) if n else SILENCE_DBOV


cdef void voice_init(voice_t *v) noexcept nogil:
    cdef int i
    memset(v, 0, sizeof(voice_t))
    v.hangover_frames = HANGOVER
    v.level_dbov = v.voice_dbov = SILENCE_DBOV
    v.floor_dbov = FLOOR_MIN_DBOV
    v.minimum = -1
    v.smooth = -1
    for i in range(VOICE_MINIMA):
        v.minima[i] = -1


cdef inline float high_passed(float *past, float sample) noexcept nogil:
    cdef float passed = HIGH_PASS * sample + past[0]
    past[0] = past[1] - 2 * HIGH_PASS * sample - RETURN_1 * passed
    past[1] = HIGH_PASS * sample - RETURN_2 * passed
    return passed


cdef void measure(voice_t *v) noexcept nogil:
    """Both levels of the frame that is full."""
    cdef float power = 0
    cdef float passed
    cdef int i
    v.level_dbov = level_dbov(v.samples, VOICE_FRAME)
    for i in range(VOICE_FRAME):
        passed = high_passed(v.past[1], high_passed(v.past[0], v.samples[i]))
        power += passed * passed
    power /= VOICE_FRAME
    v.voice_dbov = dbov(power)
    v.smooth = power if v.smooth < 0 else v.smooth + (power - v.smooth) / 3
    v.filled = 0
    v.frames += 1


cdef void lower(float *minimum, float power) noexcept nogil:
    if minimum[0] < 0 or power < minimum[0]:
        minimum[0] = power


cdef void follow_floor(voice_t *v) noexcept nogil:
    cdef float least = -1
    cdef int i
    lower(&v.minimum, v.smooth)
    v.stretch += 1
    if v.stretch == STRETCH:
        for i in range(VOICE_MINIMA - 1):
            v.minima[i] = v.minima[i + 1]
        v.minima[VOICE_MINIMA - 1] = v.minimum
        v.minimum = v.smooth
        v.stretch = 0
    lower(&least, v.minimum)
    for i in range(VOICE_MINIMA):
        if v.minima[i] >= 0:
            lower(&least, v.minima[i])
    v.floor_dbov = max(
        FLOOR_MIN_DBOV, min(dbov(least), FLOOR_MAX_DBOV if v.frames > SETTLED else FLOOR_MAX_EARLY_DBOV)
    )


cdef inline int loud_frames(int bits) noexcept nogil:
    cdef int count = 0
    while bits:
        count += bits & 1
        bits >>= 1
    return count


cdef inline int put(voice_report_t *out, int used, int room, int kind, int64_t frame) noexcept nogil:
    if used >= room:
        return used
    out[used].kind = kind
    out[used].at = max(<int64_t>0, frame * VOICE_FRAME)
    return used + 1


cdef int decide(voice_t *v, voice_report_t *out, int used, int room) noexcept nogil:
    cdef float above = v.voice_dbov - v.floor_dbov
    cdef bint loud = above >= (STAY_DB if v.is_speech else START_DB) and v.voice_dbov >= LEAST_DBOV
    cdef int first = RECENT
    v.loud = (v.loud << 1 | loud) & ((1 << RECENT) - 1)
    v.quiet_frames = 0 if loud else v.quiet_frames + 1
    if not v.is_speech and loud_frames(v.loud) >= ENOUGH:
        while not v.loud >> (first - 1):
            first -= 1
        v.is_speech = True
        used = put(out, used, room, VOICE_STARTED, v.frames - first)
    elif v.is_speech and v.quiet_frames >= v.hangover_frames:
        v.is_speech = False
        v.loud = 0
        used = put(out, used, room, VOICE_STOPPED, v.frames - v.quiet_frames)
    return used


cdef int voice_feed(voice_t *v, const int16_t *samples, int n, voice_report_t *out, int room) noexcept nogil:
    """Hear `n` samples; returns how many reports were written, at most `room`: one a frame at most."""
    cdef int used = 0
    cdef int done = 0
    cdef int count
    while done < n:
        count = min(VOICE_FRAME - v.filled, n - done)
        memcpy(&v.samples[v.filled], samples + done, count * sizeof(int16_t))
        done += count
        v.filled += count
        if v.filled == VOICE_FRAME:
            measure(v)
            follow_floor(v)
            used = decide(v, out, used, room)
    return used


cdef int voice_finish(voice_t *v, voice_report_t *out, int room) noexcept nogil:
    """The stream has ended, and with it the talk."""
    if not v.is_speech:
        return 0
    v.is_speech = False
    return put(out, 0, room, VOICE_STOPPED, v.frames - v.quiet_frames)


# ---- for Python ----

VoiceReport = namedtuple("VoiceReport", "kind at")
KINDS = {VOICE_STARTED: "started", VOICE_STOPPED: "stopped"}

cdef enum:
    ROOM = 32
    HANGOVER_MAX_MS = 10000


cdef list listed(const voice_report_t *reports, int n):
    return [VoiceReport(KINDS[reports[i].kind], reports[i].at) for i in range(n)]


cdef class VoiceDetector(Listener):
    """Samples are 16-bit mono at 8 kHz in native byte order; times count samples."""

    cdef voice_t state
    cdef voice_report_t out[ROOM]

    def __init__(self, int hangover_ms=300):
        voice_init(&self.state)
        if not 10 <= hangover_ms <= HANGOVER_MAX_MS:
            raise ValueError(f"hangover of 10 to {HANGOVER_MAX_MS} ms")
        self.state.hangover_frames = hangover_ms // 10

    @property
    def is_speech(self):
        return bool(self.state.is_speech)

    @property
    def level_dbov(self):
        return self.state.level_dbov

    @property
    def floor_dbov(self):
        return self.state.floor_dbov

    cdef int feed_some(self, const int16_t *samples, int n) noexcept nogil:
        return voice_feed(&self.state, samples, n, self.out, ROOM)

    cdef int end(self) noexcept nogil:
        return voice_finish(&self.state, self.out, ROOM)

    cdef list told(self, int n):
        return listed(self.out, n)


def level(const unsigned char[::1] samples not None):
    """Level of 16-bit mono samples in dBov, -127 to 0."""
    cdef Py_ssize_t n = min(samples.shape[0] // 2, 1 << 30)
    return level_dbov(<const int16_t *>&samples[0], <int>n) if n else SILENCE_DBOV


def speech(samples, hangover_ms=300):
    """Where somebody talks in a whole recording: [(from, to)] in samples."""
    detector = VoiceDetector(hangover_ms)
    times = [report.at for report in detector.feed(samples) + detector.finish()]
    return list(zip(times[::2], times[1::2]))
