"""A codec as Python sees it: its row of facts, encoders and decoders with their state, and whole buffers at once."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.limits cimport INT_MAX
from libc.stdint cimport int16_t, uint8_t
from libc.stdlib cimport free
from libc.string cimport memset

cdef extern from "<stdlib.h>" nogil:
    int posix_memalign(void **memory, size_t alignment, size_t size)


cdef codec_t codec_row(
    const char *name, int payload_type, int clock_hz, int sample_hz, int unit_samples, int unit_bytes
) noexcept nogil:
    cdef codec_t row
    memset(&row, 0, sizeof(row))
    row.name = name
    row.payload_type = payload_type
    row.clock_hz = clock_hz
    row.channels = 1
    row.sample_hz = sample_hz
    row.rates[0] = sample_hz
    row.unit_samples = unit_samples
    row.unit_bytes = unit_bytes
    return row


cdef int codec_span(const codec_t *row, const uint8_t *wire, int n, int sample_hz) noexcept nogil:
    """Samples at `sample_hz` that the payload stands for."""
    if row.span != NULL:
        return row.span(wire, n, sample_hz)
    if n < 0 or n % row.unit_bytes:
        return -1
    return n // row.unit_bytes * row.unit_samples


cdef int codec_bytes(const codec_t *row, int samples) noexcept nogil:
    """Bytes that `samples` become: exact for constant-rate codecs, the most it can be for others."""
    if row.unit_bytes == 0:
        return row.frame_bytes_max
    if samples < 0 or samples % row.unit_samples:
        return -1
    return samples // row.unit_samples * row.unit_bytes


cdef int codec_ticks(const codec_t *row, int samples, int sample_hz) noexcept nogil:
    """What `samples` at `sample_hz` add to the RTP timestamp."""
    return <int>(<long long>samples * row.clock_hz // sample_hz)


cdef int codec_frame_ms(const codec_t *row, int wanted_ms) noexcept nogil:
    """The longest frame this codec can encode that is not longer than `wanted_ms`; its shortest if all are longer."""
    cdef int i
    if row.frames_ms[0] == 0:
        return wanted_ms
    for i in range(8):
        if row.frames_ms[i] == 0:
            break
        if row.frames_ms[i] <= wanted_ms:
            return row.frames_ms[i]
    return row.frames_ms[i - 1]


cdef bint codec_takes_rate(const codec_t *row, int sample_hz) noexcept nogil:
    cdef int i
    for i in range(6):
        if row.rates[i] == sample_hz:
            return sample_hz != 0
    return False


cdef class Parameters:
    """What signalling settles for one direction of one leg; the defaults are the codec's own."""

    def __init__(self, int sample_hz=0, int frame_ms=20, *, int bitrate=0, int bandwidth_hz=0, bint constant=False,
                 bint protected=False, bint discontinuous=False, int loss_percent=0):
        self.row = codec_params_t(
            sample_hz, frame_ms, bitrate, bandwidth_hz, constant, protected, discontinuous, loss_percent
        )

    @property
    def sample_hz(self):
        return self.row.sample_hz

    @property
    def frame_ms(self):
        return self.row.frame_ms

    @property
    def bitrate(self):
        return self.row.bitrate

    @property
    def bandwidth_hz(self):
        return self.row.bandwidth_hz

    @property
    def is_constant(self):
        return self.row.is_constant

    @property
    def is_protected(self):
        return self.row.is_protected

    @property
    def is_discontinuous(self):
        return self.row.is_discontinuous

    @property
    def loss_percent(self):
        return self.row.loss_percent


cdef class Codec:
    """Made by a codec's module only. Samples are 16-bit mono in native byte order."""

    @staticmethod
    cdef Codec of(codec_t row):
        cdef Codec codec = Codec.__new__(Codec)
        codec.row = row
        return codec

    @property
    def name(self):
        return self.row.name.decode("ascii")

    @property
    def key(self):
        """`name/clock[/channels]`, as in a=rtpmap."""
        key = f"{self.name}/{self.clock_hz}"
        return key if self.row.channels == 1 else f"{key}/{self.row.channels}"

    @property
    def payload_type(self):
        return self.row.payload_type if self.row.payload_type >= 0 else None

    @property
    def sample_hz(self):
        return self.row.sample_hz

    @property
    def rates(self):
        """Sampling rates that samples can have on our side."""
        return tuple([hz for hz in self.row.rates if hz])

    @property
    def clock_hz(self):
        return self.row.clock_hz

    @property
    def channels(self):
        return self.row.channels

    @property
    def can_transcode(self):
        """False for a codec that is only passed through."""
        return self.row.encode != NULL and self.row.decode != NULL

    @property
    def state_bytes(self):
        """Memory of an encoder's and of a decoder's state."""
        return self.row.encoder_bytes, self.row.decoder_bytes

    def span(self, const unsigned char[::1] wire not None, int sample_hz=0):
        """The samples that a payload stands for; ValueError when it cannot be one."""
        cdef int n = codec_span(&self.row, start(wire), length(wire), sample_hz or self.row.sample_hz)
        if n < 0:
            raise ValueError(f"{self.name}: not a whole frame")
        return n

    def frame_ms(self, int wanted_ms):
        """The longest frame that can be encoded and is not longer than `wanted_ms`."""
        return codec_frame_ms(&self.row, wanted_ms)

    def ticks(self, int samples, int sample_hz=0):
        """What so many samples add to the RTP timestamp."""
        return codec_ticks(&self.row, samples, sample_hz or self.row.sample_hz)

    def encode(self, samples not None):
        """The wire bytes of all of `samples`, from a fresh state; ValueError for what is not a whole frame."""
        return Encoder(self).encode(samples)

    def decode(self, wire not None):
        """The samples of all of `wire`, from a fresh state; ValueError when the codec refuses it."""
        return Decoder(self).decode(wire)

    def __repr__(self):
        return f"<Codec {self.key}>"


cdef class Encoder:
    """One direction of one stream; ValueError for a codec that cannot encode, or not with these parameters."""

    def __cinit__(self, Codec codec not None, Parameters parameters=None):
        self.codec, self.parameters = codec, parameters or Parameters()
        if codec.row.encode == NULL:
            raise ValueError(f"{codec.name} cannot be encoded here")
        self.state = fresh(codec, codec.row.encoder_bytes, codec.row.init_encoder, self.parameters)

    def __dealloc__(self):
        free(self.state)

    def encode(self, const unsigned char[::1] samples not None):
        """The wire bytes of `samples`, nothing for a frame that need not be sent; ValueError for half a sample."""
        cdef int n = length(samples)
        cdef int room, written = 0
        cdef uint8_t *out
        if n % 2:
            raise ValueError(f"{self.codec.name}: {n} bytes")
        n //= 2
        room = codec_bytes(&self.codec.row, n)
        if room < 0:
            raise ValueError(f"{self.codec.name}: {n} samples")
        wire = PyBytes_FromStringAndSize(NULL, room)
        out = <uint8_t *>PyBytes_AS_STRING(wire)
        if n:
            with nogil:
                written = self.codec.row.encode(self.state, <const int16_t *>&samples[0], n, out, room)
        return cut(self.codec, wire, written)

    def expect_loss(self, int percent):
        """What share of its packets is lost, by the far end's reports; ValueError for a codec that cannot heed it."""
        if self.codec.row.expect_loss == NULL or self.codec.row.expect_loss(self.state, percent) < 0:
            raise ValueError(f"{self.codec.name}: a loss of {percent} %")


cdef class Decoder:
    """One direction of one stream; ValueError for a codec that cannot decode, or not with these parameters."""

    def __cinit__(self, Codec codec not None, Parameters parameters=None):
        self.codec, self.parameters = codec, parameters or Parameters()
        if codec.row.decode == NULL:
            raise ValueError(f"{codec.name} cannot be decoded here")
        self.state = fresh(codec, codec.row.decoder_bytes, codec.row.init_decoder, self.parameters)

    def __dealloc__(self):
        free(self.state)

    def decode(self, const unsigned char[::1] wire not None):
        """The samples of one payload; ValueError when the codec refuses it."""
        return self.run(self.codec.row.decode, wire)

    def recover(self, const unsigned char[::1] following not None):
        """What the packet after a lost one repeats of it; ValueError when the codec has no such thing."""
        if self.codec.row.recover == NULL:
            raise ValueError(f"{self.codec.name} repeats nothing")
        return self.run(self.codec.row.recover, following)

    def conceal(self, int n):
        """`n` samples in place of a lost packet; ValueError when the codec has no concealment of its own."""
        cdef int written
        if self.codec.row.conceal == NULL or n < 0:
            raise ValueError(f"{self.codec.name} conceals nothing")
        samples = PyBytes_FromStringAndSize(NULL, 2 * n)
        written = self.codec.row.conceal(self.state, <int16_t *>PyBytes_AS_STRING(samples), n)
        return cut(self.codec, samples, 2 * written)

    cdef bytes run(self, decode_t decode, const unsigned char[::1] wire):
        cdef int n = length(wire)
        cdef int room = codec_span(&self.codec.row, start(wire), n, self.parameters.row.sample_hz or
                                   self.codec.row.sample_hz)
        cdef int written = 0
        cdef int16_t *out
        if not 0 <= room <= INT_MAX // 4:
            raise ValueError(f"{self.codec.name}: not a whole frame")
        samples = PyBytes_FromStringAndSize(NULL, 2 * room)
        out = <int16_t *>PyBytes_AS_STRING(samples)
        if n:
            with nogil:
                written = decode(self.state, &wire[0], n, out, room)
        return cut(self.codec, samples, 2 * written)


cdef void *fresh(Codec codec, int size, init_t init, Parameters parameters) except? NULL:
    """Memory for a state, made ready; the caller frees it. NULL without an exception: the codec has none."""
    cdef void *state = NULL
    if parameters.row.sample_hz and not codec_takes_rate(&codec.row, parameters.row.sample_hz):
        raise ValueError(f"{codec.name} cannot work at {parameters.row.sample_hz} Hz")
    if size == 0:
        return NULL
    if posix_memalign(&state, STATE_ALIGNMENT, size):
        raise MemoryError
    if init(state, &parameters.row) < 0:
        free(state)
        raise ValueError(f"{codec.name} cannot work with these parameters")
    return state


cdef bytes cut(Codec codec, bytes buffer, int length):
    if length < 0:
        raise ValueError(f"{codec.name}: not a whole frame")
    return buffer if length == len(buffer) else buffer[:length]


cdef inline const uint8_t *start(const unsigned char[::1] buffer) noexcept:
    return &buffer[0] if buffer.shape[0] else NULL


cdef int length(const unsigned char[::1] buffer) except -1:
    """As an int with room for what the bytes become."""
    if buffer.shape[0] > INT_MAX // 8:
        raise ValueError(f"{buffer.shape[0]} bytes at once")
    return <int>buffer.shape[0]
