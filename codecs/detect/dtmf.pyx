"""In-band DTMF (ITU-T Q.23) heard to the limits of ITU-T Q.24 and of the Bellcore and AT&T receivers.

Every 5 ms a Hann-weighted frame of 10 ms gives, for each of the eight tones, one complex number: its size says how much
of the tone is there, its turning from frame to frame how far the frequency is off. Five neighbouring frames that hold two
tones of right frequency, one of each group, and next to nothing else, are a sighting. What the tones cover, added up over
frames, is their length: exact to some milliseconds although frames are coarse, since the weights of overlapping frames
add up to one. Three sightings and 31.5 ms are a digit, if it began at once and no voice's pitch was below it.
Dial tone, hum and DC are thinned by differencing, x[n] - x[n-2], and by the frame's shape.
"""

from libc.math cimport M_PI, atan2f, cos, cosf, fabsf, log10f, roundf, sin, sinf, sqrtf
from libc.stdint cimport int16_t, int64_t
from libc.string cimport memcpy, memset

from collections import namedtuple

from santral.codecs.detect.listener cimport Listener

cdef extern from *:
    """
    typedef float lanes_t __attribute__((vector_size(16), aligned(4), may_alias));

    /* Eight cosine sums of `even` and eight sine sums of `odd`: 16 products a sample pair, in four registers. */
    static void correlate(const float *even, const float *odd, const float (*table)[16], int n, float *out) {
        lanes_t c0 = {0}, c1 = {0}, s0 = {0}, s1 = {0};
        for (int i = 0; i < n; i++) {
            const lanes_t *row = (const lanes_t *)table[i];
            lanes_t e = {even[i], even[i], even[i], even[i]}, o = {odd[i], odd[i], odd[i], odd[i]};
            c0 += e * row[0];
            c1 += e * row[1];
            s0 += o * row[2];
            s1 += o * row[3];
        }
        lanes_t *sums = (lanes_t *)out;
        sums[0] = c0;
        sums[1] = c1;
        sums[2] = s0;
        sums[3] = s1;
    }
    """
    void correlate(const float *even, const float *odd, const float (*table)[16], int n, float *out) nogil

cdef enum:
    LOWS = 4
    WINDOW = 5  # frames of a sighting: 30 ms from first to last sample, so 40 ms of tone hold at least two
    EARLY = 2  # frames of a suspicion
    TURNS = 200  # in a hop of 5 ms the phase of a tone of whole hertz moves by a multiple of 1/200 turn
    LOOK_BACK = 12  # frames searched for a tone's begin
    UNSURE_MAX = 2  # hops after which a suspicion is dropped

FREQUENCIES = (697, 770, 852, 941, 1209, 1336, 1477, 1633)
cdef int FREQUENCY[DTMF_TONES]
cdef const char *KEYS = b"123A456B789C*0#D"

# ---- what is accepted; each limit lies between what must be taken and what must be refused ----
cdef float OFF_MAX = 0.015  # of a frequency is taken, 3.5 % refused ...
cdef float OFF_MAX_HZ = 3  # ... and so much more for noise in the measurement
cdef float OFF_BOTH_MAX = 0.0235  # both together, root of the sum of squares: 2.1 % for 1.5 % twice
cdef float OFF_EARLY_MAX = 0.035
cdef float LEVEL_MIN_DBM0 = -27.5  # each tone: -25 is taken, -55 refused
cdef float LOW_LOUDER_MAX_DB = 9.5  # 8 is taken
cdef float HIGH_LOUDER_MAX_DB = 6.5  # 4 is taken, which an echo 10 dB down makes 5.7 where it hits 697 Hz
cdef float PURITY_MIN = 0.92  # share of the two tones in the differenced energy: 0.96 at 15 dB of white noise
cdef float EARLY_PURITY_MIN = 0.75
cdef int SIGHTINGS_MIN = 3
cdef float COVER_MIN = 6.3  # hops: 31.5 ms; 40 ms are taken, 23 refused
cdef float GAP_MIN = 4.4  # hops: 22 ms; 10 ms are bridged, 40 separate, also with an echo of 20 ms
cdef float COVER_FULL = 0.8  # from here on a frame counts as filled
cdef float COVER_NONE = 0.25  # up to here as empty
cdef int RISE_MAX = 4  # frames between nothing and all of the tone: three would do, voices take longer
cdef float HUM_MAX = 0.5  # energy below 200 Hz to that of the tones: hum 5 dB below each is 0.16, voices have more
cdef float FULL_SCALE_DBM0 = 3.14

# ---- tables, filled when the module is loaded ----
cdef float TABLE[DTMF_HOP][16]  # weighted cosines and sines of the eight tones, from the frame's centre outwards
cdef float WEIGHT[DTMF_HOP]
cdef float TURN_COS[TURNS]
cdef float TURN_SIN[TURNS]
cdef float GAIN[DTMF_TONES]  # of the differencing
cdef float TWO_PI = 2 * M_PI
cdef float SIZE_OF_FULL_SCALE = 32767.0 * DTMF_HOP / 2.0  # a frame's magnitude for a full-scale sine, before GAIN
cdef float SIZE_MIN = SIZE_OF_FULL_SCALE * 10 ** ((LEVEL_MIN_DBM0 - FULL_SCALE_DBM0) / 20)
cdef float LOW_LOUDER_MAX = 10 ** (LOW_LOUDER_MAX_DB / 20)
cdef float HIGH_LOUDER_MAX = 10 ** (HIGH_LOUDER_MAX_DB / 20)


def fill_tables():
    cdef int i, t
    cdef double omega
    for t in range(DTMF_TONES):
        FREQUENCY[t] = FREQUENCIES[t]
        omega = 2 * M_PI * FREQUENCY[t] / DTMF_HZ
        GAIN[t] = 2 * sin(omega)
        for i in range(DTMF_HOP):
            WEIGHT[i] = 0.5 * (1 + cos(M_PI * (i + 0.5) / DTMF_HOP))
            TABLE[i][t] = WEIGHT[i] * cos(omega * (i + 0.5))
            TABLE[i][DTMF_TONES + t] = -WEIGHT[i] * sin(omega * (i + 0.5))
    for i in range(TURNS):
        TURN_COS[i] = cos(2 * M_PI * i / TURNS)
        TURN_SIN[i] = sin(2 * M_PI * i / TURNS)


fill_tables()


cdef void dtmf_init(dtmf_t *d) noexcept nogil:
    memset(d, 0, sizeof(dtmf_t))
    d.low = -1


cdef bint dtmf_is_suspected(const dtmf_t *d) noexcept nogil:
    return d.suspected


cdef inline dtmf_frame_t *frame_at(dtmf_t *d, int back) noexcept nogil:
    """The frame `back` hops ago, 0 = the newest."""
    return &d.frames[(d.hops - back) & (DTMF_RING - 1)]


cdef void take_hop(dtmf_t *d) noexcept nogil:
    """Difference the samples that have just filled a hop, and weigh what lies below the tones before that is gone."""
    cdef int i
    cdef int first = 0
    cdef int second = 0
    cdef float *side = d.sides[d.hops & 1]
    d.hops += 1
    for i in range(DTMF_HOP):
        side[i] = d.samples[i + 2] - d.samples[i]
    for i in range(DTMF_HOP // 2):
        first += d.samples[i + 2]
        second += d.samples[i + 2 + DTMF_HOP // 2]
    frame_at(d, 0).hum = (<float>first * first + <float>second * second) * <float>(2.0 / DTMF_HOP)
    d.samples[0] = d.samples[DTMF_HOP]
    d.samples[1] = d.samples[DTMF_HOP + 1]
    d.filled = 0


cdef void measure(dtmf_t *d) noexcept nogil:
    """The frame over the last two hops; its centre lies between the two."""
    cdef float even[DTMF_HOP]
    cdef float odd[DTMF_HOP]
    cdef float sums[2 * DTMF_TONES]
    cdef float energy = 0
    cdef float left, right, c, s
    cdef int i, t, turn
    cdef float *before = d.sides[d.hops & 1]
    cdef float *after = d.sides[(d.hops - 1) & 1]
    cdef dtmf_frame_t *frame = frame_at(d, 0)
    for i in range(DTMF_HOP):
        left = before[DTMF_HOP - 1 - i]
        right = after[i]
        even[i] = right + left
        odd[i] = right - left
        energy += WEIGHT[i] * (left * left + right * right)
    correlate(even, odd, TABLE, DTMF_HOP, sums)
    frame.energy = energy
    for t in range(DTMF_TONES):
        turn = (FREQUENCY[t] * d.turn) % TURNS
        c = TURN_COS[turn]
        s = TURN_SIN[turn]
        frame.re[t] = sums[t] * c + sums[DTMF_TONES + t] * s
        frame.im[t] = sums[DTMF_TONES + t] * c - sums[t] * s
        frame.power[t] = frame.re[t] * frame.re[t] + frame.im[t] * frame.im[t]
    d.turn = (d.turn + 1) % TURNS


cdef inline float dbm0(int tone, float size) noexcept nogil:
    return 20 * log10f(size / (GAIN[tone] * SIZE_OF_FULL_SCALE) + <float>1e-10) + FULL_SCALE_DBM0


cdef inline int strongest(const float *power, int first) noexcept nogil:
    cdef int t
    cdef int best = first
    for t in range(first + 1, first + LOWS):
        if power[t] > power[best]:
            best = t
    return best


cdef struct pair_t:
    int low, high
    float low_size, high_size  # mean magnitude a frame


cdef inline bint levels_fit(const pair_t *pair) noexcept nogil:
    cdef float low = pair.low_size / GAIN[pair.low]
    cdef float high = pair.high_size / GAIN[pair.high]
    return low >= SIZE_MIN and high >= SIZE_MIN and low <= high * LOW_LOUDER_MAX and high <= low * HIGH_LOUDER_MAX


cdef float turning(dtmf_t *d, int tone, int frames, int apart) noexcept nogil:
    """By what angle the tone turns between frames that many hops apart: the mean over the last frames."""
    cdef float re = 0, im = 0
    cdef int k
    cdef dtmf_frame_t *now
    cdef dtmf_frame_t *before
    for k in range(frames - apart):
        now = frame_at(d, k)
        before = frame_at(d, k + apart)
        re += now.re[tone] * before.re[tone] + now.im[tone] * before.im[tone]
        im += now.im[tone] * before.re[tone] - now.re[tone] * before.im[tone]
    return atan2f(im, re)


cdef float size_of(dtmf_t *d, int tone, int frames, float *off) noexcept nogil:
    """Mean magnitude of a tone over the last frames, added up along its own frequency. `off` becomes its deviation."""
    cdef float angle = turning(d, tone, frames, 1)  # a hop
    cdef int apart = frames // 2 + 1
    cdef float re = 0, im = 0, x, c, s, turned_re = 1, turned_im = 0
    cdef float base, missed
    cdef int k
    cdef dtmf_frame_t *frame
    if frames > 2:  # a longer base, now that it is known how many whole turns it holds
        base = turning(d, tone, frames, apart)
        missed = angle * apart - base
        angle = (base + TWO_PI * roundf(missed / TWO_PI)) / apart
    off[0] = angle * DTMF_HZ / (TWO_PI * DTMF_HOP) / FREQUENCY[tone]
    c = cosf(angle)
    s = sinf(angle)
    for k in range(frames):
        frame = frame_at(d, k)
        re += frame.re[tone] * turned_re - frame.im[tone] * turned_im
        im += frame.im[tone] * turned_re + frame.re[tone] * turned_im
        x = turned_re * c - turned_im * s
        turned_im = turned_im * c + turned_re * s
        turned_re = x
    x = angle / <float>M_PI  # in widths of the frame's spectrum, whose top is a parabola
    return sqrtf(re * re + im * im) / (frames * (1 - <float>0.604 * x * x))


cdef bint sees(dtmf_t *d, int frames, float purity_min, float off_max, float both_max, pair_t *pair) noexcept nogil:
    """Whether the last frames hold one tone of each group and next to nothing else. The cheap question comes first."""
    cdef float power[DTMF_TONES]
    cdef float energy = 1e-9
    cdef float low_off, high_off, whole
    cdef int k, t
    cdef dtmf_frame_t *frame
    memset(power, 0, sizeof(power))
    for k in range(frames):
        frame = frame_at(d, k)
        energy += frame.energy
        for t in range(DTMF_TONES):
            power[t] += frame.power[t]
    pair.low = strongest(power, 0)
    pair.high = strongest(power, LOWS)
    whole = energy * (DTMF_HOP / 2)  # what a pure tone's powers would add up to
    if power[pair.low] + power[pair.high] < whole * purity_min * <float>0.85:  # a frequency that is off costs some
        return False
    pair.low_size = size_of(d, pair.low, frames, &low_off)
    pair.high_size = size_of(d, pair.high, frames, &high_off)
    return (
        fabsf(low_off) <= off_max + OFF_MAX_HZ / FREQUENCY[pair.low]
        and fabsf(high_off) <= off_max + OFF_MAX_HZ / FREQUENCY[pair.high]
        and low_off * low_off + high_off * high_off <= both_max * both_max
        and levels_fit(pair)
        and (pair.low_size * pair.low_size + pair.high_size * pair.high_size) * frames >= whole * purity_min
    )


cdef float cover_of(dtmf_t *d, dtmf_frame_t *frame) noexcept nogil:
    """How much of a frame the followed pair fills, 0..1: the weaker tone decides."""
    cdef float low = sqrtf(frame.power[d.low]) / d.low_size
    cdef float high = sqrtf(frame.power[d.high]) / d.high_size
    cdef float cover = min(low, high, <float>1.0)
    cdef float share = (frame.power[d.low] + frame.power[d.high]) / (frame.energy * (DTMF_HOP / 2) + 1e-9)
    return cover if share > 0.5 * cover else 0  # a part-filled frame of a pure tone has share = cover


cdef inline int64_t now_of(const dtmf_t *d) noexcept nogil:
    """Up to where the newest frame speaks for the tone: half a hop behind its centre."""
    return (d.hops - 1) * DTMF_HOP + DTMF_HOP // 2


cdef inline int put(
    dtmf_t *d, dtmf_report_t *out, int used, int room, int kind, int64_t start, int64_t end
) noexcept nogil:
    cdef dtmf_report_t *report
    if used >= room:
        return used
    report = &out[used]
    memset(report, 0, sizeof(dtmf_report_t))
    report.kind = kind
    report.start = start
    report.end = end
    if kind == DTMF_DOWN or kind == DTMF_UP:
        report.digit = KEYS[d.low * LOWS + d.high - LOWS]
        report.low_dbm0 = dbm0(d.low, d.low_size)
        report.high_dbm0 = dbm0(d.high, d.high_size)
    return used + 1


cdef void follow(dtmf_t *d, const pair_t *pair) noexcept nogil:
    """Begin with a pair just sighted: find where it began."""
    cdef int k
    cdef int rising = 0
    cdef float cover
    d.low = pair.low
    d.high = pair.high
    d.low_size = pair.low_size
    d.high_size = pair.high_size
    d.covered = d.missing = 0
    d.sightings = 0
    d.down = False
    d.hum = 0
    for k in range(min(<int64_t>LOOK_BACK, d.hops)):
        cover = cover_of(d, frame_at(d, k))
        d.covered += cover
        d.hum += cover * frame_at(d, k).hum
        if cover < COVER_NONE and k >= WINDOW:
            break
        rising += cover < COVER_FULL
    d.abrupt = rising <= RISE_MAX
    d.start = max(<int64_t>0, now_of(d) - <int64_t>(d.covered * DTMF_HOP))


cdef int let_go(dtmf_t *d, dtmf_report_t *out, int used, int room) noexcept nogil:
    """The followed pair has ended."""
    if d.down:
        used = put(d, out, used, room, DTMF_UP, d.start, now_of(d) - <int64_t>(d.missing * DTMF_HOP))
        d.unsure = UNSURE_MAX  # no suspicion outlives its digit
    d.low = -1
    d.down = False
    return used


cdef int suspect(dtmf_t *d, dtmf_report_t *out, int used, int room) noexcept nogil:
    cdef pair_t pair
    if d.low >= 0 or sees(d, EARLY, EARLY_PURITY_MIN, OFF_EARLY_MAX, 2 * OFF_EARLY_MAX, &pair):
        d.unsure = 0
        if not d.suspected:
            d.suspected = True
            d.suspected_from = max(<int64_t>0, (d.hops - 1 - EARLY) * DTMF_HOP)
            used = put(d, out, used, room, DTMF_MAYBE, d.suspected_from, 0)
    elif d.suspected:
        d.unsure += 1
        if d.unsure >= UNSURE_MAX:
            d.suspected = False
            used = put(d, out, used, room, DTMF_CLEAR, d.suspected_from, 0)
    return used


cdef inline float settled(float size, float seen) noexcept nogil:
    """Up at once, since the first window may hold less than all of the tone; down slowly: an echo may weaken it."""
    return seen if seen > size else size + (seen - size) / 4


cdef bint hums(const dtmf_t *d) noexcept nogil:
    """Whether there was more below the tones than hum and dial tone are: the pitch of a voice."""
    cdef float low = d.low_size / GAIN[d.low]
    cdef float high = d.high_size / GAIN[d.high]
    return d.hum > HUM_MAX * d.covered * (low * low + high * high) / (DTMF_HOP / 2)


cdef int decide(dtmf_t *d, dtmf_report_t *out, int used, int room) noexcept nogil:
    """After each hop. While a digit that has been told sounds on, nothing else needs to be looked for."""
    cdef pair_t pair
    cdef float cover = cover_of(d, frame_at(d, 0)) if d.low >= 0 else 0
    cdef bint seen = not (d.down and cover > COVER_FULL) and sees(d, WINDOW, PURITY_MIN, OFF_MAX, OFF_BOTH_MAX, &pair)
    if seen and d.low >= 0 and (pair.low != d.low or pair.high != d.high):
        used = let_go(d, out, used, room)
    if seen and d.low < 0:
        follow(d, &pair)
    elif d.low >= 0:
        d.covered += cover
        d.hum += cover * frame_at(d, 0).hum
        d.missing = 0 if cover > COVER_FULL else d.missing + 1 - cover
    if d.low < 0:
        return used
    if seen:
        d.sightings += 1
        d.low_size = settled(d.low_size, pair.low_size)
        d.high_size = settled(d.high_size, pair.high_size)
    if not d.down and d.abrupt and not hums(d) and d.covered >= COVER_MIN and d.sightings >= SIGHTINGS_MIN:
        d.down = True
        used = put(d, out, used, room, DTMF_DOWN, d.start, 0)
    if d.missing >= GAP_MIN:
        used = let_go(d, out, used, room)
    return used


cdef int dtmf_feed(dtmf_t *d, const int16_t *samples, int n, dtmf_report_t *out, int room) noexcept nogil:
    """Hear `n` samples; returns how many reports were written, at most `room`."""
    cdef int used = 0
    cdef int done = 0
    cdef int count
    while done < n:
        count = min(DTMF_HOP - d.filled, n - done)
        memcpy(&d.samples[2 + d.filled], samples + done, count * sizeof(int16_t))
        done += count
        d.filled += count
        if d.filled == DTMF_HOP:
            take_hop(d)
            measure(d)
            used = decide(d, out, used, room)
            used = suspect(d, out, used, room)
    return used


cdef int dtmf_finish(dtmf_t *d, dtmf_report_t *out, int room) noexcept nogil:
    """The stream has ended, and with it the digit that is down."""
    cdef int used = 0
    if d.low >= 0:
        used = let_go(d, out, used, room)
    if d.suspected:
        d.suspected = False
        used = put(d, out, used, room, DTMF_CLEAR, d.suspected_from, 0)
    return used


# ---- for Python ----

Digit = namedtuple("Digit", "digit start end low_dbm0 high_dbm0")
Report = namedtuple("Report", "kind digit start end low_dbm0 high_dbm0")
KINDS = {DTMF_MAYBE: "maybe", DTMF_CLEAR: "clear", DTMF_DOWN: "down", DTMF_UP: "up"}

cdef enum:
    ROOM = 40


cdef list listed(const dtmf_report_t *reports, int n):
    return [
        Report(
            KINDS[reports[i].kind],
            chr(reports[i].digit) if reports[i].digit else "",
            reports[i].start,
            reports[i].end,
            reports[i].low_dbm0,
            reports[i].high_dbm0,
        )
        for i in range(n)
    ]


cdef class DtmfDetector(Listener):
    """Samples are 16-bit mono at 8 kHz in native byte order; times count samples."""

    cdef dtmf_t state
    cdef dtmf_report_t out[ROOM]

    def __cinit__(self):
        dtmf_init(&self.state)

    @property
    def is_suspected(self):
        return bool(dtmf_is_suspected(&self.state))

    cdef int feed_some(self, const int16_t *samples, int n) noexcept nogil:
        return dtmf_feed(&self.state, samples, n, self.out, ROOM)

    cdef int end(self) noexcept nogil:
        return dtmf_finish(&self.state, self.out, ROOM)

    cdef list told(self, int n):
        return listed(self.out, n)


def digits(samples):
    """Every digit of a whole recording, as `Digit`."""
    detector = DtmfDetector()
    return [Digit(*report[1:]) for report in detector.feed(samples) + detector.finish() if report.kind == "up"]
