"""G.722: 7 kHz of audio in 64 kbit/s, by two bands of adaptive differential coding (ITU-T G.722, 1988 and 2012).

Written from the recommendation's blocks; the names in brackets are its own. An octet carries two samples: six bits of
the lower band below two of the upper. RTP counts it by 8000 Hz (RFC 3551 4.5.2). On receipt `Parameters.bitrate` of
56000 or 48000 selects modes 2 and 3, where the lowest bits of an octet are not audio.
"""

from libc.stdint cimport int16_t, uint8_t
from libc.string cimport memcpy, memmove, memset

from santral.codecs.codec cimport Codec, codec_params_t, codec_row, codec_t

cdef enum:
    CHUNK = 160  # octets worked on at a time, so that the filter bank runs over straight memory
    LOW_LOG_MAX = 18432
    HIGH_LOG_MAX = 22528
    BAND_MAX = 16383

cdef int16_t[QMF_TAPS] QMF = [
    3, -11, -11, 53, 12, -156, 32, 362, -210, -805, 951, 3876, 3876, 951, -805, -210, 362, 32, -156, 12, 53, -11, -11, 3,
]

# Lower band: decision levels [Q6], scale multipliers [WL] by code, outputs of the 4, 5 and 6-bit inverse quantisers.
cdef int[30] LEVEL = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339,
    1458, 1612, 1765, 1980, 2195, 2557, 2919,
]
cdef int[16] LOW_MULTIPLIER = [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60]
cdef int[16] OUT4 = [
    0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
]
cdef int[32] OUT5 = [
    -280, -280, -23352, -17560, -14120, -11664, -9752, -8184, -6864, -5712, -4696, -3784, -2960, -2208, -1520, -880,
    23352, 17560, 14120, 11664, 9752, 8184, 6864, 5712, 4696, 3784, 2960, 2208, 1520, 880, 280, -280,
]
cdef int[64] OUT6 = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
    -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
    24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464,
    4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
]
# Upper band: outputs [QM2] and multipliers [WH] by code.
cdef int[4] OUT2 = [-7408, -1616, 7408, 1616]
cdef int[4] HIGH_MULTIPLIER = [798, -214, 798, -214]
# A quarter of 2 ** (i / 32) in units of 2 ** -11 [ILB].
cdef int[32] ANTILOG = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025,
    3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
]


cdef inline int clamped(int value, int low, int high) noexcept nogil:
    return low if value < low else high if value > high else value


cdef inline int saturated(int value) noexcept nogil:
    return clamped(value, -32768, 32767)


cdef inline int scale_of(int log, int shift) noexcept nogil:
    """The linear scale of a logarithmic one [SCALEL, SCALEH]."""
    return (ANTILOG[(log >> 6) & 31] >> (shift - (log >> 11)) if log >> 11 <= shift else
            ANTILOG[(log >> 6) & 31] << ((log >> 11) - shift)) << 2


cdef inline void update_zeros(int16_t *b, const int16_t *d, int difference) noexcept nogil:
    """Leaks, and a step towards the sign that each earlier difference has in common with this one [UPZERO]."""
    cdef int16_t sign = <int16_t>(difference >> 31)
    cdef int16_t step = 128 if difference else 0
    cdef int16_t unequal
    cdef int i
    for i in range(6):
        unequal = (d[i] >> 15) ^ sign  # -1 or 0
        b[i] = <int16_t>(((b[i] * 32640) >> 15) + ((step ^ unequal) - unequal))


cdef inline void adapt(band_t *band, int difference) noexcept nogil:
    """Takes the quantised difference of one sample in and predicts the next [block 4]."""
    cdef int reconstructed = saturated(band.signal + difference)
    cdef int partial = saturated(band.zeros + difference)
    cdef int turns_once = (partial ^ band.p1) >> 31  # -1 when the sign differs from the last one's, else 0
    cdef int turns_twice = (partial ^ band.p2) >> 31
    cdef int step, a1, a2, limit, i, sum_zeros = 0

    step = saturated(4 * band.a1)  # second pole first, since it needs the first as it was [UPPOL2]
    step = step if turns_once else -step
    step = 32767 if step > 32767 else step
    a2 = (step >> 7) + (-128 if turns_twice else 128) + ((band.a2 * 32512) >> 15)
    a2 = clamped(a2, -12288, 12288)
    limit = 15360 - a2  # [UPPOL1]
    a1 = (-192 if turns_once else 192) + ((band.a1 * 32640) >> 15)
    a1 = clamped(a1, -limit, limit)

    update_zeros(band.b, band.d, difference)
    memmove(&band.d[1], &band.d[0], 5 * sizeof(int16_t))
    band.d[0] = <int16_t>saturated(2 * difference)
    for i in range(ZEROS):  # [FILTEZ]
        sum_zeros += (band.b[i] * band.d[i]) >> 15
    band.zeros = saturated(sum_zeros)

    band.r2 = band.r1  # [FILTEP]
    band.r1 = saturated(2 * reconstructed)
    band.p2 = band.p1
    band.p1 = partial
    band.a1 = a1
    band.a2 = a2
    band.signal = saturated(saturated(((a1 * band.r1) >> 15) + ((a2 * band.r2) >> 15)) + band.zeros)


cdef inline void adapt_low(band_t *band, int code4) noexcept nogil:
    """Scale and predictor follow the upper four of the six bits, so that all modes stay in step."""
    cdef int difference = (band.scale * OUT4[code4]) >> 15
    band.scale_log = clamped(((band.scale_log * 127) >> 7) + LOW_MULTIPLIER[code4], 0, LOW_LOG_MAX)
    band.scale = scale_of(band.scale_log, 8)
    adapt(band, difference)


cdef inline void adapt_high(band_t *band, int code) noexcept nogil:
    cdef int difference = (band.scale * OUT2[code]) >> 15
    band.scale_log = clamped(((band.scale_log * 127) >> 7) + HIGH_MULTIPLIER[code], 0, HIGH_LOG_MAX)
    band.scale = scale_of(band.scale_log, 10)
    adapt(band, difference)


cdef inline int quantise_low(const band_t *band, int sample) noexcept nogil:
    """Six bits [QUANTL]: the decision interval by halving, then the code by its sign."""
    cdef int error = saturated(sample - band.signal)
    cdef int magnitude = error if error >= 0 else ~error
    cdef int low = 1
    cdef int high = 30  # the answer lies in low..high
    cdef int middle
    while low < high:
        middle = (low + high) >> 1
        if magnitude < (LEVEL[middle] * band.scale) >> 12:
            high = middle
        else:
            low = middle + 1
    if error >= 0:
        return 62 - low
    return 64 - low if low <= 2 else 34 - low


cdef inline int quantise_high(const band_t *band, int sample) noexcept nogil:
    cdef int error = saturated(sample - band.signal)  # [QUANTH]
    cdef bint is_large = (error if error >= 0 else ~error) >= (564 * band.scale) >> 12
    if error >= 0:
        return 2 if is_large else 3
    return 0 if is_large else 1


cdef inline int low_of(g722_t *coder, int octet) noexcept nogil:
    """The lower band's next sample, limited to 15 bits [block 5L and 6L]."""
    cdef int code = octet & 63
    cdef int difference = OUT6[code] if coder.mode == 1 else OUT5[code >> 1] if coder.mode == 2 else OUT4[code >> 2]
    cdef int sample = clamped(coder.low.signal + ((coder.low.scale * difference) >> 15), -BAND_MAX - 1, BAND_MAX)
    adapt_low(&coder.low, code >> 2)
    return sample


cdef inline int high_of(g722_t *coder, int octet) noexcept nogil:
    cdef int sample = coder.high.signal + ((coder.high.scale * OUT2[octet >> 6]) >> 15)
    adapt_high(&coder.high, octet >> 6)
    return clamped(sample, -BAND_MAX - 1, BAND_MAX)


cdef int g722_init(void *state, const codec_params_t *params) noexcept nogil:
    cdef g722_t *coder = <g722_t *>state
    memset(coder, 0, sizeof(g722_t))
    coder.low.scale = 32
    coder.high.scale = 8
    coder.mode = 1 if params.bitrate in (0, 64000) else 2 if params.bitrate == 56000 else 3
    return 0 if params.bitrate in (0, 64000, 56000, 48000) else -1


cdef int g722_encode(void *state, const int16_t *samples, int n, uint8_t *wire, int room) noexcept nogil:
    cdef g722_t *coder = <g722_t *>state
    cdef int16_t[QMF_TAPS - 2 + 2 * CHUNK] line
    cdef int octets = n // 2
    cdef int done = 0
    cdef int part, i, tap, even, odd, low, high
    if n % 2 or octets > room:
        return -1
    memcpy(line, coder.past, sizeof(coder.past))
    while done < octets:
        part = CHUNK if octets - done > CHUNK else octets - done
        memcpy(&line[QMF_TAPS - 2], samples + 2 * done, 4 * part)
        for i in range(part):
            even = odd = 0
            for tap in range(0, QMF_TAPS, 2):
                even += line[2 * i + tap] * QMF[tap]
                odd += line[2 * i + tap + 1] * QMF[tap + 1]
            low = saturated((even + odd) >> 14)
            high = saturated((odd - even) >> 14)
            even = quantise_low(&coder.low, low)
            odd = quantise_high(&coder.high, high)
            adapt_low(&coder.low, even >> 2)
            adapt_high(&coder.high, odd)
            wire[done + i] = <uint8_t>(odd << 6 | even)
        memmove(line, &line[2 * part], sizeof(coder.past))
        done += part
    memcpy(coder.past, line, sizeof(coder.past))
    return octets


cdef int g722_decode(void *state, const uint8_t *wire, int n, int16_t *samples, int room) noexcept nogil:
    cdef g722_t *coder = <g722_t *>state
    cdef int16_t[QMF_TAPS - 2 + 2 * CHUNK] line
    cdef int done = 0
    cdef int part, i, tap, even, odd, low, high
    if 2 * n > room:
        return -1
    memcpy(line, coder.past, sizeof(coder.past))
    while done < n:
        part = CHUNK if n - done > CHUNK else n - done
        for i in range(part):
            low = low_of(coder, wire[done + i])
            high = high_of(coder, wire[done + i])
            line[QMF_TAPS - 2 + 2 * i] = <int16_t>(low + high)
            line[QMF_TAPS - 1 + 2 * i] = <int16_t>(low - high)
        for i in range(part):
            even = odd = 0
            for tap in range(0, QMF_TAPS, 2):
                even += line[2 * i + tap] * QMF[tap]
                odd += line[2 * i + tap + 1] * QMF[tap + 1]
            samples[2 * (done + i)] = <int16_t>saturated(odd >> 11)
            samples[2 * (done + i) + 1] = <int16_t>saturated(even >> 11)
        memmove(line, &line[2 * part], sizeof(coder.past))
        done += part
    memcpy(coder.past, line, sizeof(coder.past))
    return 2 * n


def encoded_bands(const int16_t[::1] samples not None):
    """The octets of `samples` fed to both bands at once, without the filter bank: how the ITU tests an encoder."""
    cdef g722_t coder
    cdef codec_params_t params
    cdef Py_ssize_t i
    cdef int low, high
    cdef bytearray octets = bytearray(samples.shape[0])
    memset(&params, 0, sizeof(params))
    g722_init(&coder, &params)
    for i in range(samples.shape[0]):
        low = quantise_low(&coder.low, samples[i])
        high = quantise_high(&coder.high, samples[i])
        adapt_low(&coder.low, low >> 2)
        adapt_high(&coder.high, high)
        octets[i] = high << 6 | low
    return bytes(octets)


def decoded_bands(const unsigned char[::1] wire not None, int mode):
    """The samples of the lower and of the upper band before the filter bank: how the ITU tests a decoder."""
    cdef g722_t coder
    cdef codec_params_t params
    cdef Py_ssize_t i
    memset(&params, 0, sizeof(params))
    g722_init(&coder, &params)
    coder.mode = mode
    bands = []
    for i in range(wire.shape[0]):
        bands.append((low_of(&coder, wire[i]), high_of(&coder, wire[i])))
    return bands


cdef Codec made():
    cdef codec_t row = codec_row(b"G722", 9, 8000, 16000, 2, 1)
    row.encoder_bytes = row.decoder_bytes = sizeof(g722_t)
    row.init_encoder = row.init_decoder = g722_init
    row.encode = g722_encode
    row.decode = g722_decode
    return Codec.of(row)


G722 = made()
