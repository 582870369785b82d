"""The block of a leg that does more than relay: what its stages remember. Allocated by the event loop, owned by the media
thread from `give_stage` until the leg is closed; codec states ("voice") come and go with what the leg negotiates.
"""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from santral.codecs.codec cimport codec_params_t, codec_t
from santral.codecs.comfort_noise cimport noise_source_t
from santral.codecs.detect.dtmf cimport dtmf_t
from santral.codecs.detect.tones cimport tones_t
from santral.codecs.detect.voice cimport voice_t as speech_t
from santral.codecs.shape.conceal cimport concealer_t
from santral.codecs.shape.level cimport agc_t
from santral.codecs.shape.resample cimport resampler_t
from santral.engine.media.core.measure.protection cimport expectation_t
from santral.engine.media.core.mix.jitter cimport jitter_t
from santral.engine.media.core.stage.tap cimport tap_t

cdef enum:
    MAX_DECODERS = 8
    MOUTH_SAMPLES = 9600  # 200 ms at 48 kHz: the longest packet and what waits for it to be whole
    MAX_KEYS = 64  # digits of one order
    MAX_PLAYLIST = 64
    MAX_PLAYED = 960  # samples of a frame at 48 kHz
    MAX_ROOM_FRAME = 960  # 20 ms at 48 kHz

cdef enum gate_t:  # for digits the peer sends
    GATE_PASS
    GATE_SWALLOW  # told, but not sent on
    GATE_MASK  # nor tapped

cdef enum:  # who speaks to the leg instead of what is relayed or transcoded to it
    TAKEN_PLAY = 1
    TAKEN_KEYS = 2

cdef struct decoder_t:
    int codec  # number of the codec key
    const codec_t *row
    void *state
    codec_params_t params
    int sample_hz

cdef struct voice_t:
    uint64_t serial
    int n_decoders
    decoder_t decoders[MAX_DECODERS]
    int codec  # what we encode to, 0: nothing we can encode
    const codec_t *row
    void *encoder
    codec_params_t params
    int sample_hz
    int frame  # samples of a packet
    bint is_packed  # constant rate: packets are cut without decoding
    expectation_t expected  # what the encoder knows of the loss its packets meet

cdef struct ear_t:  # hearing the peer: decoding as packets arrive
    bint started
    uint32_t epoch
    int codec
    uint16_t sequence  # of the next packet
    uint32_t timestamp  # of the next packet
    int ticks  # clock units of the last packet
    concealer_t concealer

cdef struct mouth_t:  # speaking to the peer: encoding, and packets of the length it asked for
    uint64_t source  # of our numbering; 0: begin anew
    uint64_t epoch  # counts our turns
    uint16_t sequence
    uint32_t timestamp  # of the next packet, in clock units of the codec
    int fill  # samples waiting; bytes, when `is_wire`
    bint is_wire  # encoded audio is cut anew
    int wire_codec
    int64_t said_ns
    bint marker_due
    int in_hz  # of whoever spoke last, where that needs resampling
    resampler_t resampler
    int16_t pcm[MOUTH_SAMPLES]

cdef struct play_entry_t:
    const int16_t *samples
    int64_t n
    int hz

cdef struct playlist_t:  # owned by the event loop until the note that the play has ended
    int64_t id
    int n_entries
    bint loop
    int gain_q12  # 4096: as it is
    int64_t offset_ms
    uint32_t stop_on  # bit per digit
    play_entry_t entries[MAX_PLAYLIST]

cdef enum play_end_t:
    PLAY_COMPLETED
    PLAY_STOPPED
    PLAY_REPLACED
    PLAY_DIGIT
    PLAY_CLOSED
    PLAY_IMPOSSIBLE

cdef struct play_t:
    const playlist_t *list
    int entry
    int64_t at  # next sample of the entry
    int64_t sent
    int tail_n  # samples of what it has replaced, which its first frame fades out
    int16_t tail[MAX_PLAYED]

cdef struct keys_t:  # digits we press, one after the other
    int64_t id
    int n
    int at
    uint8_t codes[MAX_KEYS]
    uint16_t lengths_ms[MAX_KEYS]  # 0: held still, at the other end of a bridge
    int gap_ms
    bint active
    bint in_band
    bint is_passed_on  # keys of another leg, as they come: nobody is told when they are done
    int elapsed_ms  # of the present key, or of the gap behind it
    bint in_gap
    int ends  # end packets sent
    int segment  # RFC 4733 §2.5.1.3
    uint16_t sequence
    uint64_t source
    double phase_low
    double phase_high

cdef enum:  # what is listened for
    DETECT_DTMF = 1
    DETECT_TONES = 2
    DETECT_FAX = 4
    DETECT_VOICE = 8
    DETECT_LEVEL = 16
    DETECT_CONVERT = 32  # digits heard in band are muted, and passed on as the other leg needs them
    LOOK_BACK_MS = 40
    LINE_SAMPLES = 8640  # 180 ms at 48 kHz

cdef struct detectors_t:  # on a side copy, or in the way of the audio when digits are converted
    uint64_t serial
    int wanted
    int in_hz
    int64_t heard  # samples at 8 kHz since the detectors began
    bint key_is_down
    int code
    int64_t key_start
    int64_t talking_since  # samples
    float power  # mean square, of the frames since the level was told
    int frames
    resampler_t resampler
    dtmf_t dtmf
    tones_t tones
    speech_t speech
    int line_hz
    int fill
    int given  # of `fill`: passed on already
    int16_t line[LINE_SAMPLES]

cdef struct room_t:
    uint64_t id
    uint64_t serial
    room_t *next
    int phase
    int hz
    int n  # samples of a frame
    int first  # slot of a member
    int members
    bint is_direct  # two who need nothing of us: relayed to each other
    bint tells_levels
    int64_t frames
    int speakers  # in this frame
    int speaker  # slot, -1: nobody
    int challenger
    int challenged  # frames that somebody else has been louder
    play_t play  # to all
    int32_t total[MAX_ROOM_FRAME]
    tap_t *played  # on what is played to all
    uint16_t played_packets
    uint8_t wire_codec  # number of L16 at its rate

cdef struct member_t:
    room_t *room  # NULL: in none
    jitter_t *jitter
    int after  # slot of the next member
    bint muted
    bint deaf
    bint monitor  # hears all, is heard by nobody
    uint64_t whisper_to  # id of the only leg that hears it, 0: everybody
    int gain
    int gain_now
    bint has_agc
    agc_t agc
    bint speaks  # in this frame
    int16_t *samples  # what it says in it, at the room's rate
    int ahead  # slot of the member that had its turn TRAIL turns later the last time: a hint
    int patience  # frames that silence is not said yet: what the leg heard before goes on behind it without a gap
    float level  # mean square of its last frames
    int in_hz  # of what the resampler takes
    resampler_t resampler
    int16_t frame[MAX_ROOM_FRAME]  # of a leg that speaks at another rate

cdef struct stage_t:
    uint64_t serial
    bint muted
    bint silences  # what it says now is decoded, to be replaced by silence
    gate_t gate
    detectors_t *detectors  # NULL: nobody listens
    tap_t *said  # taps on what the peer says
    tap_t *heard  # on what it hears
    tap_t *played  # and on what of that is of our own making
    uint16_t played_packets  # their numbers there
    voice_t *voice
    int64_t spoke_ns  # its last packet of audio
    int told_code  # the digit told last, which a gateway may bring in both ways
    bint told_in_band
    bint passes_keys  # digits are pressed anew at the far end, which hears them in another way
    int64_t told_ns
    member_t seat  # its room is looked at by every packet
    ear_t side  # where a side copy is
    noise_source_t noise  # what its pauses are filled with, for a far end that takes no comfort noise
    ear_t ear
    play_t play
    play_t interlude  # what waits for nothing: `play` stands still meanwhile
    keys_t keys
    mouth_t mouth
