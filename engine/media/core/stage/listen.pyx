"""Detectors work on copies at 8 kHz. Only where digits heard in band are converted does the audio itself wait, 40 ms, so that
the tone can be taken out of it from its first milliseconds on: a digit is sure at most 43 ms after it began.
"""

from libc.stdint cimport int16_t, int64_t
from libc.string cimport memcpy, memmove, memset

from santral.codecs.detect.dtmf cimport DTMF_DOWN, DTMF_UP, dtmf_feed, dtmf_init, dtmf_report_t
from santral.codecs.detect.tones cimport TONE_CED, TONE_CNG, tone_report_t, tones_feed, tones_init
from santral.codecs.detect.voice cimport VOICE_STARTED, voice_feed, voice_init, voice_report_t
from santral.codecs.shape.resample cimport resample, resampler_init
from santral.engine.media.core.leg cimport (
    NOTE_FAX, NOTE_LEVEL, NOTE_TALK_STARTED, NOTE_TALK_STOPPED, NOTE_TONE, PCM_SAMPLES, leg_t, media_t,
)
from santral.engine.media.core.stage.block cimport (
    DETECT_CONVERT, DETECT_DTMF, DETECT_FAX, DETECT_LEVEL, DETECT_TONES, DETECT_VOICE, LINE_SAMPLES, LOOK_BACK_MS,
    detectors_t,
)
from santral.engine.media.core.stage.heard cimport keep_masking, key_down, key_up
from santral.engine.media.core.stage.send cimport tell

cdef enum:
    DETECT_HZ = 8000
    CHUNK = 1600  # samples at 8 kHz looked at in one go: 200 ms
    REPORTS = 84  # at most, of one chunk
    MARGIN = 5  # ms muted before and behind a digit: the resampler's delay, and a detector's tolerance
    LEVEL_SAMPLES = 8000  # between two levels told


cdef void begin_listening(detectors_t *d) noexcept nogil:
    dtmf_init(&d.dtmf)
    tones_init(&d.tones)
    voice_init(&d.speech)
    d.heard = d.in_hz = d.fill = d.given = 0
    d.key_is_down = False


cdef int code_of(char digit) noexcept nogil:
    """RFC 4733 §2.3.1."""
    if c'0' <= digit <= c'9':
        return digit - c'0'
    if digit == c'*':
        return 10
    return 11 if digit == c'#' else 12 + digit - c'A'


cdef void hear_keys(media_t *m, leg_t *leg, detectors_t *d, const int16_t *samples, int n) noexcept nogil:
    cdef dtmf_report_t reports[REPORTS]
    cdef int found = dtmf_feed(&d.dtmf, samples, n, reports, REPORTS)
    cdef int i
    for i in range(found):
        if reports[i].kind == DTMF_DOWN:
            d.key_is_down = True
            d.code = code_of(reports[i].digit)
            d.key_start = reports[i].start
            key_down(m, leg, d.code)
        elif reports[i].kind == DTMF_UP:
            mute_line(d, d.key_start, reports[i].end)
            d.key_is_down = False
            key_up(m, leg, d.code, (reports[i].end - reports[i].start) * 1000 // DETECT_HZ, True)


cdef void hear_tones(media_t *m, leg_t *leg, detectors_t *d, const int16_t *samples, int n) noexcept nogil:
    cdef tone_report_t reports[REPORTS]
    cdef int found = tones_feed(&d.tones, samples, n, reports, REPORTS)
    cdef int i, kind
    for i in range(found):
        kind = reports[i].kind
        if kind == TONE_CNG or kind == TONE_CED:
            if d.wanted & DETECT_FAX and not reports[i].ended:
                tell(m, leg, NOTE_FAX, kind, 0)
        elif d.wanted & DETECT_TONES:
            tell(m, leg, NOTE_TONE, kind, (reports[i].end - reports[i].start) // 8 if reports[i].ended else 0)


cdef void hear_speech(media_t *m, leg_t *leg, detectors_t *d, const int16_t *samples, int n) noexcept nogil:
    cdef voice_report_t reports[REPORTS]
    cdef int found = voice_feed(&d.speech, samples, n, reports, REPORTS)
    cdef int i
    for i in range(found):
        if reports[i].kind == VOICE_STARTED:
            d.talking_since = reports[i].at
            tell(m, leg, NOTE_TALK_STARTED, 0, 0)
        else:
            tell(m, leg, NOTE_TALK_STOPPED, (reports[i].at - d.talking_since) // 8, 0)


cdef void weigh(media_t *m, leg_t *leg, detectors_t *d, const int16_t *samples, int n) noexcept nogil:
    cdef int i
    for i in range(n):
        d.power += <float>samples[i] * samples[i]
    d.frames += n
    if d.frames >= LEVEL_SAMPLES:
        tell(m, leg, NOTE_LEVEL, <int64_t>(d.power / d.frames), 0)
        d.power = 0
        d.frames = 0


cdef void observe(media_t *m, leg_t *leg, const int16_t *samples, int n, int hz) noexcept nogil:
    """Show the detectors what the leg said next; gaps are to be filled before."""
    cdef detectors_t *d = leg.stage.detectors
    cdef int16_t at_8k[CHUNK]
    if hz != DETECT_HZ:
        if d.in_hz != hz:
            if resampler_init(&d.resampler, hz, DETECT_HZ) < 0:
                return
            d.in_hz = hz
        n = resample(&d.resampler, samples, n, at_8k, CHUNK)
        samples = at_8k
    if n <= 0 or n > CHUNK:
        return
    if d.wanted & (DETECT_TONES | DETECT_FAX):
        hear_tones(m, leg, d, samples, n)
    if d.wanted & DETECT_VOICE:
        hear_speech(m, leg, d, samples, n)
    if d.wanted & DETECT_LEVEL:
        weigh(m, leg, d, samples, n)
    d.heard += n
    if d.wanted & (DETECT_DTMF | DETECT_CONVERT):
        hear_keys(m, leg, d, samples, n)
        if d.key_is_down:
            keep_masking(m, leg)


cdef int place_in_line(const detectors_t *d, int64_t at) noexcept nogil:
    """Where a time of the detectors, in their samples, stands among what is held back."""
    cdef int64_t place = d.fill - (d.heard - at) * d.line_hz // DETECT_HZ
    return <int>max(0, min(place, <int64_t>d.fill))


cdef void mute_line(detectors_t *d, int64_t from_, int64_t until) noexcept nogil:
    cdef int first, last
    if not d.wanted & DETECT_CONVERT or not d.line_hz:
        return
    first = place_in_line(d, from_ - MARGIN * DETECT_HZ // 1000)
    last = place_in_line(d, until + MARGIN * DETECT_HZ // 1000)
    memset(d.line + first, 0, (last - first) * sizeof(int16_t))


cdef int hold_back(
    media_t *m, leg_t *leg, const int16_t *samples, int n, int hz, int16_t **out
) noexcept nogil:
    """Takes in `n` samples, and gives out how many are old enough to be passed on, without the digits in them.

    They stay in place until the next call.
    """
    cdef detectors_t *d = leg.stage.detectors
    cdef int ready
    if d.given:
        memmove(d.line, d.line + d.given, (d.fill - d.given) * sizeof(int16_t))
        d.fill -= d.given
        d.given = 0
    if d.line_hz != hz:
        d.line_hz = hz
        d.fill = 0
    n = min(n, LINE_SAMPLES - d.fill)
    memcpy(d.line + d.fill, samples, n * sizeof(int16_t))
    d.fill += n
    observe(m, leg, samples, n, hz)
    if d.key_is_down:
        mute_line(d, d.key_start, d.heard)
    ready = d.fill - hz * LOOK_BACK_MS // 1000
    out[0] = d.line
    d.given = max(0, ready)
    return d.given
