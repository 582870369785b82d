"""What the event loop asks of a media thread: one record of the command ring."""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from santral.engine.media.core.leg cimport media_t, remote_t
from santral.engine.media.core.mix.jitter cimport jitter_t
from santral.engine.media.core.mix.room cimport manner_t
from santral.engine.media.core.secure.srtp cimport secure_t
from santral.engine.media.core.stage.block cimport detectors_t, gate_t, keys_t, playlist_t, room_t, stage_t, voice_t
from santral.engine.media.core.stage.tap cimport tap_side_t, tap_t

cdef enum command_kind_t:
    COMMAND_OPEN
    COMMAND_SET_REMOTE
    COMMAND_SET_DIRECTION
    COMMAND_GIVE_SECURE
    COMMAND_LINK
    COMMAND_UNLINK
    COMMAND_ECHO
    COMMAND_PLAY
    COMMAND_STOP_PLAY
    COMMAND_INTERLUDE
    COMMAND_GIVE_STAGE
    COMMAND_GIVE_VOICE
    COMMAND_GIVE_TAP
    COMMAND_TAKE_TAP
    COMMAND_TUNE_TAP
    COMMAND_MUTE
    COMMAND_GATE
    COMMAND_PRESS
    COMMAND_LISTEN
    COMMAND_PASS_KEYS
    COMMAND_FILL
    COMMAND_OPEN_ROOM
    COMMAND_CLOSE_ROOM
    COMMAND_PLAY_TO_ROOM
    COMMAND_STOP_ROOM_PLAY
    COMMAND_GIVE_ROOM_TAP
    COMMAND_TAKE_ROOM_TAP
    COMMAND_JOIN
    COMMAND_CHANGE
    COMMAND_LEAVE
    COMMAND_RELEASE
    COMMAND_ADOPT
    COMMAND_CLOSE
    COMMAND_STOP

cdef struct open_t:
    int rtp_fd
    int rtcp_fd
    uint32_t ssrc
    uint16_t sequence
    uint32_t timestamp

cdef struct tap_order_t:
    tap_t *tap  # to be given
    uint64_t serial  # to be taken back, or tuned
    tap_side_t side
    bint hides_keys
    int64_t delay_ns

cdef struct link_t:
    int slot
    uint64_t leg

cdef struct direction_t:
    bint peer_sends
    bint peer_receives

cdef struct listen_t:
    detectors_t *detectors  # NULL: nobody listens any more
    int wanted

cdef struct room_order_t:
    room_t *room
    const playlist_t *playlist
    tap_t *tap  # to be given
    uint64_t serial  # to be taken back

cdef struct join_t:
    room_t *room
    jitter_t *jitter
    manner_t manner

cdef union argument_t:
    open_t open
    remote_t remote
    direction_t direction
    link_t link
    const playlist_t *playlist
    stage_t *stage
    secure_t *secure  # NULL: plain from here on
    voice_t *voice
    tap_order_t tap
    bint is_muted
    bint passes_keys
    bint fills
    listen_t listen
    gate_t gate
    keys_t keys
    room_order_t room
    join_t join

cdef struct command_t:
    command_kind_t kind
    int slot
    uint64_t leg  # checked against the slot: a command may arrive after its leg is gone
    argument_t argument

cdef enum:
    TOKEN_COMMAND = 1
    TOKEN_TIMER = 2
    TOKEN_LEGS = 4  # token of a socket: TOKEN_LEGS + 2 * slot, plus 1 for RTCP

cdef bint run_commands(media_t *m) noexcept nogil
cdef void close_leg_sockets(media_t *m) noexcept nogil
