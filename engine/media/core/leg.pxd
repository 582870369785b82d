"""What a media thread knows: its legs, its rings, its clock. All memory is taken once, at start."""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from santral.codecs.codec cimport codec_t
from santral.engine.media.core.backend cimport backend_t
from santral.engine.media.core.digits cimport digits_t
from santral.engine.media.core.latch cimport MAX_NETWORKS, latch_t, network_t
from santral.engine.media.core.measure.losses cimport losses_t
from santral.engine.media.core.measure.voip cimport voip_t
from santral.engine.media.core.net cimport endpoint_t
from santral.engine.media.core.reception cimport reception_t
from santral.engine.media.core.rewrite cimport stream_t
from santral.engine.media.core.ring cimport ring_t
from santral.engine.media.core.rtcp cimport MAX_CNAME
from santral.engine.media.core.secure.srtp cimport secure_t
from santral.engine.media.core.stage.block cimport room_t, stage_t

cdef enum:
    NOBODY = -1
    MAX_CODECS = 64
    PAYLOAD_TYPES = 128
    UNMAPPED = 255  # in `sends`: the peer has no number for this codec
    PHASES = 20  # of 1 ms: players are spread over one frame time
    PACKET_BYTES = 2048
    PCM_SAMPLES = 9600  # 200 ms at 48 kHz
    TRAIL = 8  # members of rooms
    WHEEL_PLAY = 1
    WHEEL_KEYS = 2
    WHEEL_FILL = 4

cdef enum note_kind_t:
    NOTE_CLOSED
    NOTE_RELEASED
    NOTE_DIGIT
    NOTE_FIRST_PACKET
    NOTE_SOURCE_CHANGED
    NOTE_SILENT
    NOTE_TIMEOUT
    NOTE_PLAY_FINISHED
    NOTE_RETURNED  # memory that the event loop had given: a = its serial
    NOTE_NEEDS_STAGE  # packets came that cannot be relayed as they are
    NOTE_KEYS_SENT
    NOTE_ROOM_PLAYED
    NOTE_ROOM_RETURNED
    NOTE_SPEAKER
    NOTE_LEVEL
    NOTE_ROOM_CLOSED
    NOTE_TALK_STARTED
    NOTE_TALK_STOPPED
    NOTE_TONE
    NOTE_FAX
    NOTE_QUALITY

cdef enum keys_way_t:  # how the peer wants to be told digits
    KEYS_IN_EVENTS
    KEYS_IN_BAND
    KEYS_BY_OTHERS  # SIP INFO: not the plane's affair

cdef struct note_t:  # goes up to the event loop
    note_kind_t kind
    uint64_t leg
    int64_t a
    int64_t b
    endpoint_t where

cdef struct codec_row_t:
    int32_t clock_hz
    bint is_event
    bint is_noise  # RFC 3389
    const codec_t *row  # NULL: known by name only

cdef struct remote_t:
    bint peer_sends
    bint peer_receives
    bint rtcp_mux
    bint rtcp_on
    bint may_pause
    keys_way_t keys
    int event_codec  # the telephone-event we send, 0: none
    int frame_ms  # packets it asked for; 0: any
    int frame_bytes  # of its first codec, where such packets can be had by cutting; 0: any
    uint8_t sends[MAX_CODECS]  # codec -> payload type
    uint8_t receives[PAYLOAD_TYPES]  # payload type -> codec, 0: not negotiated
    endpoint_t rtp
    endpoint_t rtcp
    network_t networks[MAX_NETWORKS]
    int n_networks
    float ie  # equipment impairment of the codec it speaks (G.113), -1: not known
    float bpl  # its robustness against loss
    uint8_t cname[MAX_CNAME]
    int cname_bytes

cdef struct counters_t:
    uint64_t packets_in
    uint64_t packets_out
    uint64_t octets_in
    uint64_t octets_out
    uint64_t late
    uint64_t duplicate
    uint64_t dropped_source
    uint64_t dropped_payload
    uint64_t dropped_direction
    uint64_t dropped_old
    uint64_t malformed
    uint64_t stun
    uint64_t dtls
    uint64_t send_errors
    uint64_t rtcp_in
    uint64_t rtcp_out
    uint64_t rtcp_malformed
    uint64_t keepalives
    uint64_t source_switches
    uint64_t dropped_forged
    uint64_t dropped_replayed

cdef struct former_source_t:
    bint known
    uint32_t ssrc
    uint16_t highest
    int returning  # newer packets of it in a row: it is coming back

cdef struct report_state_t:
    int64_t next_ns
    uint64_t sent_before  # packets_out at our last report
    uint32_t last_sr  # of the peer
    int64_t last_sr_ns
    bint has_peer  # the peer has reported on us
    int32_t peer_lost
    int peer_fraction_lost
    uint32_t peer_jitter
    int64_t rtt_ns  # -1: not measured
    bint has_voip  # the peer has rated us
    voip_t voip
    losses_t losses_before  # at our last interval
    double interval_loss  # of that, -1: not measured
    int grade  # of that, as last told

cdef struct leg_t:
    # What every packet touches comes first and close together: with thousands of legs it is cache misses that cost.
    uint64_t id  # 0: the slot is free
    int slot
    int owner  # number of the media thread, NOBODY while moving
    int rtp_fd
    int rtcp_fd
    int peer  # slot the leg is relayed to; its own: echo; NOBODY
    uint32_t epoch  # counts incoming sources
    int64_t heard_ns  # last RTP, RTCP or STUN of the peer
    int64_t sent_ns
    bint timeout_told
    bint has_heard  # audio, in this window
    secure_t *secure  # keys of SRTP, NULL: plain RTP
    stage_t *stage  # NULL: relaying is all that is asked of the leg
    int taken  # bits: who speaks to the peer instead of what is relayed to it
    int frame_bytes  # as in `remote`: packets of another length are not relayed as they are
    stream_t out
    former_source_t former
    reception_t reception
    counters_t counters
    latch_t rtp_latch
    remote_t remote
    # Now and then:
    int on_wheel  # bits: what its turn every 20 ms is for
    int phase
    int after  # slots: neighbours in the list of the phase
    int before
    bint has_asked  # for a stage
    bint has_remote
    bint silence_told
    int event_clock_hz
    int heap_at  # place among the deadlines, NOBODY: none
    int64_t remote_ns  # when the present remote was set
    int64_t deadline_ns
    latch_t rtcp_latch
    digits_t digits
    report_state_t report

cdef struct limits_t:
    int64_t timeout_ns
    int64_t timeout_hold_ns
    int64_t no_audio_ns
    int64_t keepalive_ns
    int64_t rtcp_interval_ns
    int64_t relatch_ns

cdef struct totals_t:
    uint64_t passes
    uint64_t sleeps
    uint64_t packets_in
    uint64_t packets_out
    uint64_t send_errors
    uint64_t unknown_datagrams
    uint64_t commands
    uint64_t notes
    uint64_t notes_dropped
    uint64_t turns
    uint64_t turns_late
    uint64_t turns_lost
    int64_t max_pass_ns

cdef struct media_t:
    int number
    bint running
    leg_t *legs
    int max_legs
    const codec_row_t *codecs
    limits_t limits
    backend_t io
    ring_t commands
    ring_t notes
    int command_fd  # rung by the event loop
    int note_fd  # rung by us
    uint32_t notes_unrung
    int64_t now_ns
    uint64_t random
    uint64_t keys_begun  # digits we pressed, for numbering them apart
    int *heap  # slots by deadline
    int heap_n
    int phase_heads[PHASES]
    int phase_legs[PHASES]
    int on_wheel  # legs
    int64_t next_phase_ns
    int64_t turn_ns  # when the present turn of the wheel should have been
    room_t *rooms[PHASES]
    uint64_t walked  # turns of members
    int trail[TRAIL]  # slots of the last of them
    int hints[TRAIL]  # and who came so many behind each the last time
    bint busy
    int64_t window_ns
    uint64_t window_packets
    totals_t totals
    uint8_t packet[PACKET_BYTES]  # as received
    uint8_t made[PACKET_BYTES]  # of our own making
    int16_t pcm[PCM_SAMPLES]
    int16_t converted[PCM_SAMPLES]  # at another rate

cdef inline uint64_t next_random(media_t *m) noexcept nogil:
    """xorshift64*: spreads timers; nothing that must be hard to guess."""
    m.random ^= m.random >> 12
    m.random ^= m.random << 25
    m.random ^= m.random >> 27
    return m.random * <uint64_t>0x2545F4914F6CDD1D
