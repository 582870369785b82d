"""For C callers: the state of one direction, and the row's functions."""

from libc.stdint cimport int16_t, uint8_t

from santral.codecs.codec cimport codec_params_t

cdef enum:
    QMF_TAPS = 24  # of the filter bank that splits and joins the two bands
    ZEROS = 8  # taps of the predictor's zero section: six, and two that stay zero so that a vector is full

# One band's adaptive differential coder: quantiser scale and predictor (ITU-T G.722 3.4 to 3.6).
cdef struct band_t:
    int signal  # predicted, s
    int zeros  # its part by the zero section, sz
    int a1
    int a2
    int r1  # reconstructed signals before, doubled
    int r2
    int p1  # partially reconstructed signals before; only their signs matter
    int p2
    int scale_log  # nabla
    int scale  # delta
    int16_t b[ZEROS]
    int16_t d[ZEROS]  # quantised differences before, doubled

cdef struct g722_t:
    band_t low
    band_t high
    int mode  # 1, 2, 3: 64, 56 or 48 kbit/s of an octet are audio
    int16_t past[QMF_TAPS - 2]  # samples, or sums and differences of the bands, oldest first

cdef int g722_init(void *state, const codec_params_t *params) noexcept nogil
cdef int g722_encode(void *state, const int16_t *samples, int n, uint8_t *wire, int room) noexcept nogil
cdef int g722_decode(void *state, const uint8_t *wire, int n, int16_t *samples, int room) noexcept nogil
