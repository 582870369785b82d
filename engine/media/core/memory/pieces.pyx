"""Blocks that the event loop allocates and a media thread uses. Whoever holds the Python object keeps the memory: a facade
does so until the media thread has returned it.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int16_t, int64_t, uint8_t, uint32_t, uint64_t

from santral.codecs.codec cimport STATE_ALIGNMENT, Codec, Parameters, codec_frame_ms, codec_t
from santral.engine.media.core.memory.pages cimport give_back, take
from santral.engine.media.core.stage.block cimport (
    MAX_DECODERS, MAX_PLAYLIST, decoder_t, detectors_t, playlist_t, room_t, stage_t, voice_t,
)


cdef size_t aligned(size_t size) noexcept:
    return (size + STATE_ALIGNMENT - 1) & ~<size_t>(STATE_ALIGNMENT - 1)


cdef class Stage:
    """The stage block of one leg."""

    def __cinit__(self, uint64_t serial):
        self.block = <stage_t *>take(sizeof(stage_t))
        self.block.serial = serial

    def __dealloc__(self):
        give_back(self.block, sizeof(stage_t))


cdef class Voice:
    """Decoders for what a peer may send and the encoder for what it is sent, ready for use.

    `decoders`: (number of the codec key, Codec, samples per second); `encoder` the same, with the packet time in milliseconds
    and the codec's parameters; or None.
    """

    def __cinit__(self, uint64_t serial, decoders, encoder):
        cdef size_t size = aligned(sizeof(voice_t))
        cdef uint8_t *at
        cdef Codec codec
        self.codecs = tuple(row[1] for row in decoders[:MAX_DECODERS])
        for codec in self.codecs:
            size += aligned(codec.row.decoder_bytes)
        if encoder is not None:
            codec = encoder[1]
            self.codecs += (codec,)
            size += aligned(codec.row.encoder_bytes)
        self.bytes = size
        self.block = <voice_t *>take(size)
        self.block.serial = serial
        at = <uint8_t *>self.block + aligned(sizeof(voice_t))
        for number, codec, sample_hz in decoders[:MAX_DECODERS]:
            at = self.add_decoder(number, codec, sample_hz, at)
        if encoder is not None:
            self.add_encoder(encoder, at)

    def __dealloc__(self):
        give_back(self.block, self.bytes)

    cdef uint8_t *add_decoder(self, int number, Codec codec, int sample_hz, uint8_t *at) except NULL:
        cdef decoder_t *decoder = &self.block.decoders[self.block.n_decoders]
        decoder.codec = number
        decoder.row = &codec.row
        decoder.sample_hz = decoder.params.sample_hz = sample_hz
        decoder.state = at if codec.row.decoder_bytes else NULL
        if codec.row.init_decoder != NULL and codec.row.init_decoder(decoder.state, &decoder.params) < 0:
            raise ValueError(f"{codec.key} cannot be decoded at {sample_hz} Hz")
        self.block.n_decoders += 1
        return at + aligned(codec.row.decoder_bytes)

    cdef int add_encoder(self, tuple encoder, uint8_t *at) except -1:
        cdef Codec codec
        cdef Parameters parameters
        number, codec, frame_ms, parameters = encoder
        cdef int sample_hz = parameters.row.sample_hz
        self.block.params = parameters.row
        self.block.params.frame_ms = codec_frame_ms(&codec.row, frame_ms)
        self.block.codec = number
        self.block.row = &codec.row
        self.block.sample_hz = sample_hz
        self.block.frame = self.block.params.frame_ms * sample_hz // 1000
        self.block.encoder = at if codec.row.encoder_bytes else NULL
        if codec.row.init_encoder != NULL and codec.row.init_encoder(self.block.encoder, &self.block.params) < 0:
            raise ValueError(f"{codec.key} cannot be encoded at {sample_hz} Hz")
        return 0

    @property
    def sample_hz(self):
        """Of what the leg is to be told; 0 without an encoder."""
        return self.block.sample_hz

    @property
    def n_decoders(self):
        return self.block.n_decoders


cdef class Playlist:
    """What one `play` says: (samples, samples per second) one after the other."""

    def __cinit__(self, int64_t play_id, sounds, *, bint loop, double gain, int64_t offset_ms, uint32_t stop_on):
        cdef int i
        cdef bytes samples
        if not 0 < len(sounds) <= MAX_PLAYLIST:
            raise ValueError(f"1 to {MAX_PLAYLIST} files are played in a row")
        if not 0 <= gain <= 16 or offset_ms < 0:
            raise ValueError("gain 0 to 16, offset from 0 up")
        self.sounds = tuple(sounds)
        self.block = <playlist_t *>take(sizeof(playlist_t))
        self.block.id = play_id
        self.block.loop = loop
        self.block.gain_q12 = <int>(gain * 4096 + 0.5)
        self.block.offset_ms = offset_ms
        self.block.stop_on = stop_on
        for i in range(len(sounds)):
            samples, hz = sounds[i]
            if not samples or len(samples) % 2 or hz not in (8000, 16000, 24000, 48000):
                raise ValueError("whole 16-bit samples at 8, 16, 24 or 48 kHz are played")
            self.block.entries[i].samples = <const int16_t *>PyBytes_AS_STRING(samples)
            self.block.entries[i].n = len(samples) // 2
            self.block.entries[i].hz = hz
        self.block.n_entries = <int>len(sounds)

    def __dealloc__(self):
        give_back(self.block, sizeof(playlist_t))


cdef class Room:
    """A conference's own memory; its members' is in their stage blocks and jitter buffers."""

    def __cinit__(self, uint64_t serial, uint64_t room_id, int rate_hz, bint tells_levels, int wire_codec):
        if rate_hz not in (8000, 16000, 24000, 48000):
            raise ValueError("a room mixes at 8, 16, 24 or 48 kHz")
        self.block = <room_t *>take(sizeof(room_t))
        self.block.id = room_id
        self.block.serial = serial
        self.block.hz = rate_hz
        self.block.n = rate_hz // 50
        self.block.tells_levels = tells_levels
        self.block.wire_codec = <uint8_t>wire_codec

    def __dealloc__(self):
        give_back(self.block, sizeof(room_t))


cdef class Detectors:
    """What listens to one leg."""

    def __cinit__(self, uint64_t serial):
        self.block = <detectors_t *>take(sizeof(detectors_t))
        self.block.serial = serial

    def __dealloc__(self):
        give_back(self.block, sizeof(detectors_t))
