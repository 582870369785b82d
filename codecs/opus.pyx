"""Opus (RFC 6716, RTP by RFC 7587) through libopus' own functions, called by address and without the GIL.

RTP counts it by 48,000 Hz and SDP says two channels whatever is sent; on our side it is mono at any of its rates, so a
peer's stereo is mixed down by the decoder. Without the library the row has no encoder and no decoder: pass-through.
"""

import ctypes

from libc.stdint cimport int16_t, int32_t, uint8_t, uintptr_t

from santral.codecs.codec cimport Codec, codec_params_t, codec_row, codec_t

from santral.codecs import libopus

cdef enum:  # opus_defines.h
    APPLICATION_VOIP = 2048
    SIGNAL_VOICE = 3001
    BANDWIDTH_NARROW = 1101
    SET_BITRATE = 4002
    SET_MAX_BANDWIDTH = 4004
    SET_VARIABLE = 4006
    SET_COMPLEXITY = 4010
    SET_PROTECTED = 4012
    SET_LOSS_PERCENT = 4014
    SET_DISCONTINUOUS = 4016
    SET_SIGNAL = 4024

cdef enum:
    PREFERRED_HZ = 48000
    BITRATE_LOW = 24000  # up to 16 kHz
    BITRATE_HIGH = 32000  # above
    PROTECTION_BITRATE = 8000  # more when every packet repeats the one before, so that speech does not pay for it
    BITRATE_MIN = 6000  # RFC 7587 6.1
    BITRATE_MAX = 510000
    COMPLEXITY = 5  # MOS 4.48 at 8 kHz and 24 kbit/s; 0 gives 4.44 for half the cost, 10 gives 4.49 for half as much again
    LEAST_LOSS_PERCENT = 5  # protection without any expected loss would protect nothing
    PACKET_BYTES_MAX = 1275  # RFC 6716 3.4
    NO_PAYLOAD = 2  # bytes of a packet that need not be sent

ctypedef int (*size_f)(int channels) noexcept nogil
ctypedef int (*encoder_init_f)(void *state, int32_t hz, int channels, int application) noexcept nogil
ctypedef int (*decoder_init_f)(void *state, int32_t hz, int channels) noexcept nogil
ctypedef int (*ctl_f)(void *state, int request, ...) noexcept nogil
ctypedef int32_t (*encode_f)(void *state, const int16_t *pcm, int n, uint8_t *data, int32_t room) noexcept nogil
ctypedef int (*decode_f)(void *state, const uint8_t *data, int32_t n, int16_t *pcm, int room, int fec) noexcept nogil

cdef size_f encoder_get_size = NULL
cdef size_f decoder_get_size = NULL
cdef encoder_init_f encoder_init = NULL
cdef decoder_init_f decoder_init = NULL
cdef ctl_f encoder_ctl = NULL
cdef encode_f encode = NULL
cdef decode_f decode = NULL

cdef int[5] BANDS_HZ = [8000, 12000, 16000, 24000, 48000]


cdef int opus_encoder_ready(void *state, const codec_params_t *params) noexcept nogil:
    cdef int hz = params.sample_hz if params.sample_hz else PREFERRED_HZ
    cdef int bitrate = params.bitrate
    cdef int band = 0
    cdef int failed
    if encoder_init(state, hz, 1, APPLICATION_VOIP) != 0:
        return -1
    if bitrate == 0:
        bitrate = (BITRATE_LOW if hz <= 16000 else BITRATE_HIGH) + (PROTECTION_BITRATE if params.is_protected else 0)
    bitrate = BITRATE_MIN if bitrate < BITRATE_MIN else BITRATE_MAX if bitrate > BITRATE_MAX else bitrate
    if params.bandwidth_hz:
        hz = params.bandwidth_hz if params.bandwidth_hz < hz else hz
    while band < 4 and BANDS_HZ[band + 1] <= hz:
        band += 1
    failed = encoder_ctl(state, <int>SET_BITRATE, <int32_t>bitrate)
    failed |= encoder_ctl(state, <int>SET_MAX_BANDWIDTH, <int32_t>(BANDWIDTH_NARROW + band))
    failed |= encoder_ctl(state, <int>SET_VARIABLE, <int32_t>(not params.is_constant))
    failed |= encoder_ctl(state, <int>SET_COMPLEXITY, <int32_t>COMPLEXITY)
    failed |= encoder_ctl(state, <int>SET_PROTECTED, <int32_t>params.is_protected)
    failed |= encoder_ctl(state, <int>SET_DISCONTINUOUS, <int32_t>params.is_discontinuous)
    failed |= encoder_ctl(state, <int>SET_SIGNAL, <int32_t>SIGNAL_VOICE)
    if params.is_protected:
        failed |= opus_expect_loss(state, params.loss_percent)
    return -1 if failed else 0


cdef int opus_expect_loss(void *encoder, int percent) noexcept nogil:
    cdef int32_t expected = percent if percent > LEAST_LOSS_PERCENT else LEAST_LOSS_PERCENT
    return -1 if encoder_ctl(encoder, <int>SET_LOSS_PERCENT, expected) else 0


cdef int opus_decoder_ready(void *state, const codec_params_t *params) noexcept nogil:
    return -1 if decoder_init(state, params.sample_hz if params.sample_hz else PREFERRED_HZ, 1) else 0


cdef int opus_encode(void *state, const int16_t *samples, int n, uint8_t *wire, int room) noexcept nogil:
    cdef int written = encode(state, samples, n, wire, PACKET_BYTES_MAX if room > PACKET_BYTES_MAX else room)
    return -1 if written < 0 else 0 if written <= NO_PAYLOAD else written


cdef int opus_decode(void *state, const uint8_t *wire, int n, int16_t *samples, int room) noexcept nogil:
    cdef int written = decode(state, wire, n, samples, room, 0) if n > 0 else -1
    return -1 if written < 0 else written


cdef int opus_conceal(void *state, int16_t *samples, int n) noexcept nogil:
    cdef int written = decode(state, NULL, 0, samples, n, 0)
    return -1 if written < 0 else written


cdef int opus_recover(void *state, const uint8_t *following, int n, int16_t *samples, int room) noexcept nogil:
    """Fills all of `room`, the length of what was lost; what the packet does not repeat is concealed."""
    cdef int written = decode(state, following, n, samples, room, 1) if n > 0 else -1
    return -1 if written < 0 else written


cdef int opus_span(const uint8_t *wire, int n, int sample_hz) noexcept nogil:
    """By the table of contents alone (RFC 6716 3.1), so it works without the library too."""
    cdef int config, frames, quarter_ms
    if n < 1:
        return 0 if n == 0 else -1
    config = wire[0] >> 3
    if config < 12:  # SILK: 10, 20, 40, 60 ms
        quarter_ms = 240 if config & 3 == 3 else 40 << (config & 3)
    elif config < 16:  # hybrid: 10, 20 ms
        quarter_ms = 40 << (config & 1)
    else:  # CELT: 2.5, 5, 10, 20 ms
        quarter_ms = 10 << (config & 3)
    frames = 1 if wire[0] & 3 == 0 else 2
    if wire[0] & 3 == 3:
        if n < 2:
            return -1
        frames = wire[1] & 63
    if frames * quarter_ms > 480 or frames == 0:  # 120 ms
        return -1
    return <int>(<long long>frames * quarter_ms * sample_hz // 4000)


cdef void *address(object library, str name) except NULL:
    return <void *><uintptr_t>ctypes.cast(getattr(library, name), ctypes.c_void_p).value


def load():
    """Takes libopus' functions; returns its version and where it was found. OSError when there is none."""
    global encoder_get_size, decoder_get_size, encoder_init, decoder_init, encoder_ctl, encode, decode
    library, path = libopus.open_library()
    encoder_get_size = <size_f>address(library, "opus_encoder_get_size")
    decoder_get_size = <size_f>address(library, "opus_decoder_get_size")
    encoder_init = <encoder_init_f>address(library, "opus_encoder_init")
    decoder_init = <decoder_init_f>address(library, "opus_decoder_init")
    encoder_ctl = <ctl_f>address(library, "opus_encoder_ctl")
    encode = <encode_f>address(library, "opus_encode")
    decode = <decode_f>address(library, "opus_decode")
    library.opus_get_version_string.restype = ctypes.c_char_p
    return library.opus_get_version_string().decode("ascii"), path


cdef Codec made():
    cdef codec_t row = codec_row(b"opus", -1, 48000, PREFERRED_HZ, 0, 0)
    cdef int i
    row.channels = 2
    for i in range(5):
        row.rates[i] = BANDS_HZ[i]
    row.frame_bytes_max = PACKET_BYTES_MAX
    for i, frame_ms in enumerate((60, 40, 20, 10)):  # longer ones are several frames in one packet and gain nothing
        row.frames_ms[i] = frame_ms
    row.span = opus_span
    if IS_THERE:
        row.encoder_bytes, row.decoder_bytes = encoder_get_size(1), decoder_get_size(1)
        row.init_encoder, row.init_decoder = opus_encoder_ready, opus_decoder_ready
        row.encode, row.decode = opus_encode, opus_decode
        row.conceal, row.recover = opus_conceal, opus_recover
        row.expect_loss = opus_expect_loss
    return Codec.of(row)


try:
    VERSION, FOUND_AT = load()
    IS_THERE = True
except (OSError, AttributeError) as problem:  # not there, or not libopus
    VERSION, FOUND_AT = "", str(problem)
    IS_THERE = False

OPUS = made()
