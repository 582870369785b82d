"""Tones of networks and fax machines, known by frequency and cadence.

Every 32 ms the spectrum of 64 ms says whether there is one sine, or two, and next to nothing else. The time such a sound
covers, added up over overlapping frames, is its length to some milliseconds: a burst. Bursts and the pauses between
them are compared with the table of `santral.codecs.tones`; what the countries have in common decides, so a ringback of
425 Hz with a cadence of 450 Hz is still one. Speech and music have no such bursts, let alone at such distances.
"""

from libc.math cimport M_PI, atan2f, fabs, floorf, sqrtf
from libc.stdint cimport int16_t, int64_t
from libc.string cimport memcpy, memmove, memset

from collections import namedtuple

from santral.codecs.detect.listener cimport Listener
from santral.codecs.detect.spectrum cimport SPECTRUM_FRAME, spectrum_of, spectrum_t

from santral.codecs.tones import TONES

cdef enum:
    LOWEST_BIN = 13  # 200 Hz: hum is not looked at
    RHYTHMS_MAX = 32
    STEPS_MAX = 8
    OTHER_FRAMES = 4  # loud frames without a tone that make another sound: edges of bursts are shorter
    MS = TONES_HZ // 1000

# ---- what is accepted ----
cdef float BIN_HZ = <float>TONES_HZ / SPECTRUM_FRAME
cdef float PURITY_MIN = 0.80  # share of one or two sines in the power between 200 and 3400 Hz
cdef float SECOND_MIN = 0.10  # of the power of the stronger sine
cdef float LEVEL_MIN = (32767 * 128 * 10 ** ((-40 - 3.14) / 20)) ** 2  # -40 dBm0
cdef float SAME_HZ = 12  # how far a sine of two frames may differ and be the same
cdef float PAIR_OFF = 0.02  # of each of two sines
cdef float SINGLE_MIN_HZ = 390  # single sines of call progress: 400 to 450 Hz, each within 2.5 %
cdef float SINGLE_MAX_HZ = 465
cdef float LENGTH_OFF = 0.15  # of a burst or a pause
cdef int LENGTH_OFF_MS = 40  # but at least
cdef int EVIDENCE_MS = 700  # of sound in the right rhythm
cdef int RHYTHM_ALONE_HOPS = 250  # 8 s without other sounds, so that a single burst may be called ringback
cdef float QUIET = 0.1  # of a burst's power, at most, when it ends in silence
cdef float GAP_HOPS = 1.6  # 50 ms end a burst
cdef int DIAL_MS = 2500  # longer than any burst
cdef int DIAL_PAIR_MS = 1200  # two sines that only a dial tone has
cdef int CED_MS = 450
cdef float CED_OFF_HZ = 25
cdef float CNG_OFF_HZ = 38  # ITU-T T.30 §4.2
cdef int SIT_MIN_MS = 200
cdef int SIT_MAX_MS = 450
cdef int SIT_GAP_MS = 70
cdef float REVERSAL = 2.0  # radians

cdef struct rhythm_t:
    int kind
    float hz[2]
    int steps  # on and off in turn
    int ms[STEPS_MAX]
    int longest_off_ms
    int evidence_ms

cdef rhythm_t RHYTHMS[RHYTHMS_MAX]
cdef int RHYTHM_COUNT = 0

TONE_NAMES = {
    TONE_RINGBACK: "ringback",
    TONE_BUSY: "busy",
    TONE_CONGESTION: "congestion",
    TONE_DIAL: "dial",
    TONE_SIT: "sit",
    TONE_CNG: "cng",
    TONE_CED: "ced",
}


def fill_rhythms():
    """The cadences of the table, each once."""
    global RHYTHM_COUNT
    cdef rhythm_t *row
    kinds = {name: kind for kind, name in TONE_NAMES.items()}
    known = set()
    for tones in TONES.values():
        for name, tone in tones.items():
            if name not in kinds or not tone.repeats or len(tone.bursts) < 2 or (name, tone) in known:
                continue
            known.add((name, tone))
            row = &RHYTHMS[RHYTHM_COUNT]
            row.kind = kinds[name]
            row.steps = len(tone.bursts)
            for i, burst in enumerate(tone.bursts):
                row.ms[i] = burst.ms
            for i, hz in enumerate(tone.bursts[0].hz):
                row.hz[i] = hz
            row.longest_off_ms = max(burst.ms for burst in tone.bursts if not burst.hz)
            row.evidence_ms = 400 if name == "cng" else EVIDENCE_MS
            RHYTHM_COUNT += 1


fill_rhythms()


cdef void tones_init(tones_t *t) noexcept nogil:
    memset(t, 0, sizeof(tones_t))
    t.last_other = -1


# ---- one frame ----


cdef inline float *power_of(tones_t *t, int back) noexcept nogil:
    return t.power[(t.hops - back) & (TONES_FRAMES - 1)]


cdef float hz_of(const float *power, int peak, int neighbour) noexcept nogil:
    """From the ratio of two bins of a Hann window: exact for one sine."""
    cdef float ratio = sqrtf(power[neighbour] / (power[peak] + <float>1e-9))
    cdef float off = (2 * ratio - 1) / (1 + ratio)
    return (peak + (neighbour - peak) * off) * BIN_HZ


cdef inline bint is_top(const float *power, int k) noexcept nogil:
    return power[k] >= power[k - 1] and power[k] > power[k + 1]


cdef int peak_of(const float *power, int apart_from) noexcept nogil:
    cdef int best = 0
    cdef int k
    for k in range(LOWEST_BIN, TONES_BINS - 1):
        if (k < apart_from - 1 or k > apart_from + 1) and is_top(power, k) and (best == 0 or power[k] > power[best]):
            best = k
    return best


cdef float power_near(const float *power, int first, int second) noexcept nogil:
    """Of the bins that a sine at either peak fills; `second` 0 for none."""
    cdef float total = 0
    cdef int k
    for k in range(first - 2, first + 3):
        total += power[k]
    if second:
        for k in range(max(second - 2, first + 3 if second > first else 0), second + 3):
            if second > first or k < first - 2:
                total += power[k]
    return total


cdef void find_sines(const float *power, float total, sines_t *found) noexcept nogil:
    """One sine or two that are nearly everything there is, the lower first."""
    cdef int first = peak_of(power, -9)
    cdef int second = peak_of(power, first) if first else 0
    cdef int swap
    found.count = 0
    if not first or power[first] < LEVEL_MIN:
        return
    if second and power[second] < SECOND_MIN * power[first]:
        second = 0
    if max(first, second) > TONES_BINS - 3 or power_near(power, first, second) < PURITY_MIN * total:
        return
    found.count = 2 if second else 1
    found.hz[1] = 0
    found.bin[1] = 0
    if not second:
        found.bin[0] = first
        found.hz[0] = hz_of(power, first, first + 1 if power[first + 1] > power[first - 1] else first - 1)
        return
    if second < first:
        swap = first
        first = second
        second = swap
    found.bin[0] = first
    found.bin[1] = second
    found.hz[0] = hz_of(power, first, first - 1)  # from the side that the other does not disturb
    found.hz[1] = hz_of(power, second, second + 1)


cdef inline bint is_near(float a, float b, float off) noexcept nogil:
    return a - b <= off and b - a <= off


cdef bint is_same(const sines_t *a, const float *hz) noexcept nogil:
    return a.count > 0 and is_near(a.hz[0], hz[0], SAME_HZ) and is_near(a.hz[1], hz[1], SAME_HZ)


# ---- bursts ----


cdef inline int64_t now_of(const tones_t *t) noexcept nogil:
    """Up to where the newest frame speaks: half a hop behind its centre."""
    return (t.hops - 1) * TONES_HOP + TONES_HOP // 2


cdef float cover_of(const tones_t *t, const float *power) noexcept nogil:
    cdef float cover = min(<float>1.0, sqrtf(power[t.bin[0]]) / t.size[0])
    if t.bin[1]:
        cover = min(cover, sqrtf(power[t.bin[1]]) / t.size[1])
    return cover if cover > <float>0.1 else 0


cdef void follow(tones_t *t, const sines_t *sines) noexcept nogil:
    cdef int i
    cdef float cover
    cdef float *power = power_of(t, 0)
    t.following = True
    t.burst.hz[0] = sines.hz[0]
    t.burst.hz[1] = sines.hz[1]
    for i in range(2):
        t.bin[i] = sines.bin[i]
        t.size[i] = sqrtf(power[sines.bin[i]])
    t.missing = 0
    t.covered = 0
    t.reversals = 0
    t.since_full = 0
    for i in range(min(<int64_t>TONES_FRAMES, t.hops)):
        cover = cover_of(t, power_of(t, i))
        t.covered += cover
        if cover == 0:
            break
    t.burst.start = max(<int64_t>0, now_of(t) - <int64_t>(t.covered * TONES_HOP))


cdef void watch_phase(tones_t *t) noexcept nogil:
    """Count reversals: the phase of a filled frame against what the last one and the frequency let expect."""
    cdef float expected = 2 * <float>M_PI * t.burst.hz[0] * t.since_full * TONES_HOP / TONES_HZ
    cdef float off = t.phase - t.full_phase - expected
    off -= 2 * <float>M_PI * floorf(off / (2 * <float>M_PI) + <float>0.5)
    if t.since_full > 1 and fabs(off) > REVERSAL:
        t.reversals += 1
    t.full_phase = t.phase
    t.since_full = 0


cdef void end_burst(tones_t *t) noexcept nogil:
    t.following = False
    t.burst.end = now_of(t) - <int64_t>(t.missing * TONES_HOP)
    if t.bursts == TONES_BURSTS:
        memmove(t.history, &t.history[1], (TONES_BURSTS - 1) * sizeof(burst_t))
        t.bursts -= 1
    t.history[t.bursts] = t.burst
    t.bursts += 1


cdef bint track(tones_t *t, const sines_t *sines) noexcept nogil:
    """Carry the followed burst on by a hop; True when it has just ended."""
    cdef float cover = cover_of(t, power_of(t, 0))
    cdef bint same = is_same(sines, t.burst.hz)
    t.covered += cover
    t.since_full += 1
    t.missing = 0 if cover > <float>0.8 else t.missing + 1 - cover
    if same and cover > <float>0.9:
        t.size[0] = max(t.size[0], sqrtf(power_of(t, 0)[t.bin[0]]))
        if not t.burst.hz[1]:
            t.burst.hz[0] += (sines.hz[0] - t.burst.hz[0]) / 8
        watch_phase(t)
    if t.missing >= GAP_HOPS or (sines.count and not same and cover < <float>0.5):
        end_burst(t)
        return True
    return False


# ---- cadences ----


cdef inline bint is_length(int64_t samples, int ms) noexcept nogil:
    cdef int64_t off = samples - ms * MS
    return fabs(off) <= max(LENGTH_OFF * ms, LENGTH_OFF_MS) * MS


cdef bint sounds_like(const burst_t *burst, const float *hz) noexcept nogil:
    if hz[1]:
        return is_near(burst.hz[0], hz[0], PAIR_OFF * hz[0]) and is_near(burst.hz[1], hz[1], PAIR_OFF * hz[1])
    if burst.hz[1]:
        return False
    if hz[0] > SINGLE_MAX_HZ:
        return is_near(burst.hz[0], hz[0], CNG_OFF_HZ)
    return SINGLE_MIN_HZ <= burst.hz[0] <= SINGLE_MAX_HZ


cdef int evidence_for(const tones_t *t, const rhythm_t *row, int last_step, int *count) noexcept nogil:
    """Milliseconds of sound up to the newest burst that keep the rhythm, if that burst is this step of it."""
    cdef int step = last_step
    cdef int i = t.bursts - 1
    cdef int total = 0
    count[0] = 0
    while i >= 0 and sounds_like(&t.history[i], row.hz) and is_length(
        t.history[i].end - t.history[i].start, row.ms[step]
    ):
        total += row.ms[step]
        count[0] += 1
        step = (step + row.steps - 1) % row.steps
        if i == 0 or not is_length(t.history[i].start - t.history[i - 1].end, row.ms[step]):
            break
        step = (step + row.steps - 1) % row.steps
        i -= 1
    return total


cdef const rhythm_t *rhythm_heard(const tones_t *t, int64_t *start) noexcept nogil:
    cdef int r, step, evidence, count
    cdef bint alone = t.last_other < 0 or t.hops - t.last_other > RHYTHM_ALONE_HOPS
    cdef const rhythm_t *row
    for r in range(RHYTHM_COUNT):
        row = &RHYTHMS[r]
        for step in range(0, row.steps, 2):
            evidence = evidence_for(t, row, step, &count)
            if evidence >= row.evidence_ms and (count > 1 or (alone and t.quiet) or row.kind == TONE_CNG):
                start[0] = t.history[t.bursts - count].start
                return row
    return NULL


cdef bint is_sit(const tones_t *t) noexcept nogil:
    cdef const burst_t *b
    cdef int i
    if t.bursts < 3:
        return False
    b = &t.history[t.bursts - 3]
    for i in range(3):
        if b[i].hz[1] or not SIT_MIN_MS * MS <= b[i].end - b[i].start <= SIT_MAX_MS * MS:
            return False
        if i and b[i].start - b[i - 1].end > SIT_GAP_MS * MS:
            return False
    return 895 <= b[0].hz[0] <= 1005 and 1340 <= b[1].hz[0] <= 1460 and 1740 <= b[2].hz[0] <= 1835


cdef bint is_dial(const tones_t *t) noexcept nogil:
    cdef const float *hz = t.burst.hz
    if not hz[1]:
        return SINGLE_MIN_HZ <= hz[0] <= SINGLE_MAX_HZ and t.covered * TONES_HOP >= DIAL_MS * MS
    return (
        is_near(hz[0], 350, 350 * PAIR_OFF)
        and is_near(hz[1], 445, 445 * PAIR_OFF + 5)  # 440 or 450
        and t.covered * TONES_HOP >= DIAL_PAIR_MS * MS
    )


cdef inline bint is_ced(const tones_t *t) noexcept nogil:
    return (
        not t.burst.hz[1]
        and is_near(t.burst.hz[0], 2100, CED_OFF_HZ)
        and t.covered * TONES_HOP >= CED_MS * MS
    )


# ---- reports ----


cdef inline int put(const tone_report_t *report, tone_report_t *out, int used, int room) noexcept nogil:
    if used >= room:
        return used
    out[used] = report[0]
    return used + 1


cdef int begin(tones_t *t, int kind, int64_t start, int patience_ms, tone_report_t *out, int used, int room) noexcept nogil:
    if t.now.kind:
        used = finish(t, out, used, room)
    memset(&t.now, 0, sizeof(tone_report_t))
    t.now.kind = kind
    t.now.start = start
    t.now.hz[0] = t.burst.hz[0]
    t.now.hz[1] = t.burst.hz[1]
    if kind == TONE_SIT:
        t.now.hz[0] = t.history[t.bursts - 3].hz[0]
        t.now.hz[1] = t.history[t.bursts - 2].hz[0]
        t.now.hz[2] = t.history[t.bursts - 1].hz[0]
    t.patience = patience_ms * MS
    used = put(&t.now, out, used, room)
    t.now.end = t.burst.end if not t.following else 0
    return used


cdef int finish(tones_t *t, tone_report_t *out, int used, int room) noexcept nogil:
    t.now.ended = True
    used = put(&t.now, out, used, room)
    t.now.kind = 0
    return used


cdef int consider_burst(tones_t *t, tone_report_t *out, int used, int room) noexcept nogil:
    """A burst has ended: is it the next of what is known, or does it make something known?"""
    cdef int64_t start = 0
    cdef const rhythm_t *row
    if t.now.kind == TONE_DIAL or t.now.kind == TONE_CED:
        t.now.end = t.burst.end
        t.now.reversals = t.reversals if t.now.kind == TONE_CED else 0
        return finish(t, out, used, room)
    if is_sit(t):
        used = begin(t, TONE_SIT, t.history[t.bursts - 3].start, 0, out, used, room)
        return finish(t, out, used, room)
    row = rhythm_heard(t, &start)
    if row == NULL:
        return used
    if t.now.kind == row.kind:
        t.now.end = t.burst.end
        return used
    return begin(t, row.kind, start, row.longest_off_ms * 5 // 4 + 200, out, used, room)


cdef int consider_time(tones_t *t, tone_report_t *out, int used, int room) noexcept nogil:
    """What is known by its length alone, and what has not come again."""
    if t.following and t.now.kind != TONE_DIAL and t.now.kind != TONE_CED:
        if is_dial(t):
            used = begin(t, TONE_DIAL, t.burst.start, 0, out, used, room)
        elif is_ced(t):
            used = begin(t, TONE_CED, t.burst.start, 0, out, used, room)
    elif t.now.kind and not t.following and now_of(t) - t.now.end > t.patience:
        used = finish(t, out, used, room)
    return used


cdef bint look(tones_t *t, sines_t *sines) noexcept nogil:
    """Take the newest frame's spectrum; True when it is loud."""
    cdef spectrum_t spectrum
    cdef float total = 0
    cdef float *power = power_of(t, 0)
    cdef int k
    spectrum_of(t.samples, &spectrum)
    for k in range(TONES_BINS):
        power[k] = spectrum.re[k] * spectrum.re[k] + spectrum.im[k] * spectrum.im[k]
        if k >= LOWEST_BIN - 2:
            total += power[k]
    t.quiet = total < QUIET * t.size[0] * t.size[0]
    find_sines(power, total, sines)
    k = t.bin[0] if t.following else sines.bin[0]
    t.phase = atan2f(spectrum.im[k], spectrum.re[k]) if t.following or sines.count else 0
    return total > LEVEL_MIN


cdef int hear_hop(tones_t *t, tone_report_t *out, int used, int room) noexcept nogil:
    cdef sines_t sines
    cdef bint loud
    t.hops += 1
    loud = look(t, &sines)
    if t.following:
        if track(t, &sines):
            used = consider_burst(t, out, used, room)
    elif sines.count and is_same(&t.before, sines.hz):
        follow(t, &sines)
        t.full_phase = t.phase
    t.others = t.others + 1 if loud and not sines.count and not t.following else 0
    if t.others >= OTHER_FRAMES:
        t.last_other = t.hops
    t.before = sines
    return consider_time(t, out, used, room)


cdef int tones_feed(tones_t *t, const int16_t *samples, int n, tone_report_t *out, int room) noexcept nogil:
    """Hear `n` samples; returns how many reports were written, at most `room`. There are at most 5 a hop of 256 samples."""
    cdef int used = 0
    cdef int done = 0
    cdef int count
    while done < n:
        count = min(TONES_HOP - t.filled, n - done)
        memcpy(&t.samples[TONES_HOP + t.filled], samples + done, count * sizeof(int16_t))
        done += count
        t.filled += count
        if t.filled == TONES_HOP:
            t.filled = 0
            used = hear_hop(t, out, used, room)
            memcpy(t.samples, &t.samples[TONES_HOP], TONES_HOP * sizeof(int16_t))
    return used


cdef int tones_finish(tones_t *t, tone_report_t *out, int room) noexcept nogil:
    """The stream has ended, and with it the tone that sounds."""
    cdef int used = 0
    if t.following:
        end_burst(t)
        used = consider_burst(t, out, used, room)
    if t.now.kind:
        used = finish(t, out, used, room)
    return used


# ---- for Python ----

ToneReport = namedtuple("ToneReport", "kind ended start end hz reversals")

cdef enum:
    ROOM = 16


cdef list listed(const tone_report_t *reports, int n):
    return [
        ToneReport(
            TONE_NAMES[reports[i].kind],
            bool(reports[i].ended),
            reports[i].start,
            reports[i].end if reports[i].ended else 0,
            tuple(round(reports[i].hz[k], 1) for k in range(3) if reports[i].hz[k]),
            reports[i].reversals,
        )
        for i in range(n)
    ]


cdef class ToneDetector(Listener):
    """Samples are 16-bit mono at 8 kHz in native byte order; times count samples."""

    cdef tones_t state
    cdef tone_report_t out[ROOM]

    def __cinit__(self):
        tones_init(&self.state)

    cdef int feed_some(self, const int16_t *samples, int n) noexcept nogil:
        return tones_feed(&self.state, samples, n, self.out, ROOM)

    cdef int end(self) noexcept nogil:
        return tones_finish(&self.state, self.out, ROOM)

    cdef list told(self, int n):
        return listed(self.out, n)


def tones(samples):
    """Every tone of a whole recording, each once, from its first burst to the end of its last."""
    detector = ToneDetector()
    return [report for report in detector.feed(samples) + detector.finish() if report.ended]
