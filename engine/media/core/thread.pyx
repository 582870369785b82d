"""The Python face of a media thread: it starts the loop without the GIL, writes commands and reads notes and counters."""

import os
import signal

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from santral.codecs.codec cimport Codec
from santral.codecs.shape.level cimport gain_of_db
from santral.engine.media.core.backend cimport backend_close, backend_open, watch
from santral.engine.media.core.command cimport (
    COMMAND_ADOPT, COMMAND_CHANGE, COMMAND_CLOSE, COMMAND_CLOSE_ROOM, COMMAND_ECHO, COMMAND_FILL, COMMAND_GATE, COMMAND_GIVE_ROOM_TAP,
    COMMAND_GIVE_SECURE, COMMAND_GIVE_STAGE, COMMAND_GIVE_TAP, COMMAND_GIVE_VOICE, COMMAND_INTERLUDE, COMMAND_JOIN, COMMAND_LEAVE, COMMAND_LINK, COMMAND_LISTEN,
    COMMAND_MUTE, COMMAND_OPEN, COMMAND_OPEN_ROOM, COMMAND_PASS_KEYS, COMMAND_PLAY, COMMAND_PLAY_TO_ROOM, COMMAND_PRESS,
    COMMAND_RELEASE, COMMAND_SET_DIRECTION,
    COMMAND_SET_REMOTE, COMMAND_STOP, COMMAND_STOP_PLAY, COMMAND_STOP_ROOM_PLAY, COMMAND_TAKE_ROOM_TAP, COMMAND_TAKE_TAP,
    COMMAND_TUNE_TAP, COMMAND_UNLINK,
    TOKEN_COMMAND, TOKEN_TIMER, command_kind_t, command_t,
)
from santral.engine.media.core.latch cimport MAX_NETWORKS, read_endpoint, read_network
from santral.engine.media.core.leg cimport (
    MAX_CODECS, NOBODY, PAYLOAD_TYPES, PHASES, codec_row_t, keys_way_t, leg_t, media_t, note_t, remote_t,
)
from santral.engine.media.core.loop cimport serve
from santral.engine.media.core.measure.judge cimport figures_t, judge_reception, judge_sending
from santral.engine.media.core.measure.losses cimport end_burst, losses_t
from santral.engine.media.core.memory.pages cimport map_pages, unmap_pages
from santral.engine.media.core.memory.pieces cimport Detectors, Playlist, Room, Stage, Voice
from santral.engine.media.core.mix.jitter cimport JitterMemory
from santral.engine.media.core.mix.room cimport manner_t
from santral.engine.media.core.note cimport address_of, described
from santral.engine.media.core.reception cimport lost_packets, reception_t, settle_all
from santral.engine.media.core.ring cimport (
    ring_close, ring_next_free, ring_oldest, ring_open, ring_publish, ring_release,
)
from santral.engine.media.core.rtcp cimport MAX_CNAME
from santral.engine.media.core.secure.srtp cimport Secure
from santral.engine.media.core.stage.block cimport MAX_KEYS, gate_t
from santral.engine.media.core.stage.tap cimport TapRing, tap_side_t

cdef extern from "<unistd.h>" nogil:
    int close(int fd)
    long write(int fd, const void *buffer, size_t size)

cdef enum:
    COMMANDS = 512
    NOTES = 8192

DIGITS = b"0123456789*#ABCD"


def block_signals():
    """In the media thread, before its loop: signals are for the main thread, and would only cut its sleep short."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


cdef class LegTable:
    """The slots of all legs, shared by the media threads; a slot belongs to one thread at a time."""

    cdef leg_t *legs
    cdef codec_row_t codecs[MAX_CODECS]
    cdef readonly int size

    def __cinit__(self, int max_legs):
        if max_legs < 1:
            raise ValueError("at least one leg")
        self.size = max_legs
        memset(self.codecs, 0, sizeof(self.codecs))
        self.legs = <leg_t *>map_pages(max_legs * sizeof(leg_t))

    def __dealloc__(self):
        unmap_pages(self.legs, self.size * sizeof(leg_t))

    def stats(self, int slot):
        """The fields of `LegStats`; also of a leg just closed, until its slot is taken again."""
        cdef const leg_t *leg
        if not 0 <= slot < self.size:
            raise IndexError(slot)
        leg = &self.legs[slot]
        fields = counter_fields(leg)
        fields.update(
            lost=lost_packets(&leg.reception),
            jitter_ms=leg.reception.jitter / 16.0 * 1000 / leg.reception.clock_hz if leg.reception.started else 0.0,
            ssrc=leg.out.ssrc,
            remote_ssrc=leg.reception.ssrc if leg.reception.started else None,
            remote=address_of(&leg.rtp_latch.target) if leg.has_remote else None,
            locked=bool(leg.rtp_latch.locked),
            rtt_ms=leg.report.rtt_ns / 1e6 if leg.report.rtt_ns >= 0 and leg.report.has_peer else None,
            remote_lost=leg.report.peer_lost if leg.report.has_peer else None,
            remote_fraction_lost=leg.report.peer_fraction_lost / 256.0 if leg.report.has_peer else None,
            remote_jitter_ms=self.peer_jitter_ms(leg),
        )
        fields.update(quality_fields(leg))
        return fields

    def close_orphans(self):
        """Once no thread runs: sockets of legs that were between two threads."""
        cdef int i
        for i in range(self.size):
            if self.legs[i].id and self.legs[i].owner == NOBODY:
                close(self.legs[i].rtp_fd)
                close(self.legs[i].rtcp_fd)
                self.legs[i].id = 0

    cdef object peer_jitter_ms(self, const leg_t *leg):
        if not leg.report.has_peer:
            return None
        return leg.report.peer_jitter * 1000.0 / leg.out.clock_hz


cdef object measured(double value, int digits):
    """None for what is not known yet."""
    return None if value < 0 else round(value, digits)


cdef dict quality_fields(const leg_t *leg):
    cdef figures_t heard, said
    cdef losses_t losses
    cdef reception_t reception = leg.reception
    settle_all(&reception)
    losses = reception.losses
    end_burst(&losses)
    judge_reception(leg, &heard)
    judge_sending(leg, &said)
    return dict(
        loss=measured(heard.loss, 4),
        interval_loss=measured(leg.report.interval_loss, 4),
        bursts=losses.bursts,
        burst_lost=losses.burst_lost,
        burst_packets=losses.burst_packets,
        r=measured(heard.r, 1),
        mos=measured(heard.mos, 2),
        remote_r=measured(said.r, 1),
        remote_mos=measured(said.mos, 2),
    )


cdef dict counter_fields(const leg_t *leg):
    return dict(
        packets_in=leg.counters.packets_in,
        packets_out=leg.counters.packets_out,
        octets_in=leg.counters.octets_in,
        octets_out=leg.counters.octets_out,
        late=leg.counters.late,
        duplicate=leg.counters.duplicate,
        dropped_source=leg.counters.dropped_source,
        dropped_payload=leg.counters.dropped_payload,
        dropped_direction=leg.counters.dropped_direction,
        dropped_old=leg.counters.dropped_old,
        malformed=leg.counters.malformed,
        stun=leg.counters.stun,
        dtls=leg.counters.dtls,
        send_errors=leg.counters.send_errors,
        rtcp_in=leg.counters.rtcp_in,
        rtcp_out=leg.counters.rtcp_out,
        rtcp_malformed=leg.counters.rtcp_malformed,
        keepalives=leg.counters.keepalives,
        source_switches=leg.counters.source_switches,
        dropped_forged=leg.counters.dropped_forged,
        dropped_replayed=leg.counters.dropped_replayed,
    )


cdef class MediaThread:
    """One media thread. Each command returns False, with nothing posted, while the command ring is full."""

    cdef media_t *m
    cdef LegTable table
    cdef readonly int event_fd

    def __cinit__(self, LegTable table not None, int number, **limits):
        cdef int i
        self.table = table
        self.m = <media_t *>calloc(1, sizeof(media_t))
        if self.m == NULL:
            raise MemoryError
        self.m.number = number
        self.m.legs = table.legs
        self.m.max_legs = table.size
        self.m.codecs = table.codecs
        self.m.random = int.from_bytes(os.urandom(8), "big") | 1
        self.m.heap = <int *>calloc(table.size, sizeof(int))
        for i in range(PHASES):
            self.m.phase_heads[i] = NOBODY
        if self.m.heap == NULL or not ring_open(&self.m.commands, COMMANDS, sizeof(command_t)):
            raise MemoryError
        if not ring_open(&self.m.notes, NOTES, sizeof(note_t)):
            raise MemoryError

    def __init__(
        self, LegTable table, int number, *, double timeout_s, double timeout_hold_s, double no_audio_s,
        double keepalive_s, double rtcp_interval_s, double relatch_s,
    ):
        self.m.limits.timeout_ns = <int64_t>(timeout_s * 1e9)
        self.m.limits.timeout_hold_ns = <int64_t>(timeout_hold_s * 1e9)
        self.m.limits.no_audio_ns = <int64_t>(no_audio_s * 1e9)
        self.m.limits.keepalive_ns = <int64_t>(keepalive_s * 1e9)
        self.m.limits.rtcp_interval_ns = <int64_t>(rtcp_interval_s * 1e9)
        self.m.limits.relatch_ns = <int64_t>(relatch_s * 1e9)
        self.m.command_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.event_fd = self.m.note_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        if not backend_open(&self.m.io, TOKEN_TIMER) or not watch(&self.m.io, self.m.command_fd, TOKEN_COMMAND):
            raise OSError("no epoll for the media thread")
        self.m.running = True

    def __dealloc__(self):
        if self.m != NULL:
            ring_close(&self.m.commands)
            ring_close(&self.m.notes)
            free(self.m.heap)
            free(self.m)

    def run(self):
        """The loop itself; returns after `stop`."""
        with nogil:
            serve(self.m)

    def close(self):
        """After the thread has ended."""
        backend_close(&self.m.io)
        os.close(self.m.command_fd)
        os.close(self.m.note_fd)
        self.m.command_fd = self.m.note_fd = self.event_fd = -1  # nobody may ring a bell that is somebody else's by then

    def events(self):
        """What has happened since the last call: (leg id, kind, data)."""
        cdef const note_t *note
        found = []
        try:
            os.eventfd_read(self.event_fd)
        except BlockingIOError:
            pass
        while True:
            note = <const note_t *>ring_oldest(&self.m.notes)
            if note == NULL:
                break
            found.append((note.leg, *described(note)))
            ring_release(&self.m.notes)
        if ring_oldest(&self.m.commands) != NULL:  # they may have waited for room among the notes
            self.ring_bell()
        return found

    def counters(self):
        return dict(
            packets_in=self.m.totals.packets_in,
            packets_out=self.m.totals.packets_out,
            send_errors=self.m.totals.send_errors,
            passes=self.m.totals.passes,
            sleeps=self.m.totals.sleeps,
            commands=self.m.totals.commands,
            events=self.m.totals.notes,
            events_dropped=self.m.totals.notes_dropped,
            max_pass_ns=self.m.totals.max_pass_ns,
            turns=self.m.totals.turns,
            turns_late=self.m.totals.turns_late,
            turns_lost=self.m.totals.turns_lost,
        )

    def open(self, int slot, uint64_t leg, int rtp_fd, int rtcp_fd, uint32_t ssrc, int sequence, uint32_t timestamp):
        cdef command_t command = self.about(COMMAND_OPEN, slot, leg)
        command.argument.open.rtp_fd = rtp_fd
        command.argument.open.rtcp_fd = rtcp_fd
        command.argument.open.ssrc = ssrc
        command.argument.open.sequence = <unsigned short>sequence
        command.argument.open.timestamp = timestamp
        return self.post(&command)

    def set_remote(self, int slot, uint64_t leg, remote not None):
        cdef command_t command = self.about(COMMAND_SET_REMOTE, slot, leg)
        self.learn_codecs(remote)
        fill_remote(&command.argument.remote, remote)
        return self.post(&command)

    def set_direction(self, int slot, uint64_t leg, bint peer_sends, bint peer_receives):
        cdef command_t command = self.about(COMMAND_SET_DIRECTION, slot, leg)
        command.argument.direction.peer_sends = peer_sends
        command.argument.direction.peer_receives = peer_receives
        return self.post(&command)

    def link(self, int slot, uint64_t leg, int peer_slot, uint64_t peer):
        cdef command_t command = self.about(COMMAND_LINK, slot, leg)
        command.argument.link.slot = self.checked(peer_slot)
        command.argument.link.leg = peer
        return self.post(&command)

    def play(self, int slot, uint64_t leg, Playlist what not None):
        """The caller keeps `what` until `play_finished` or the leg's closing; so with all that is given below."""
        cdef command_t command = self.about(COMMAND_PLAY, slot, leg)
        command.argument.playlist = what.block
        return self.post(&command)

    def interlude(self, int slot, uint64_t leg, Playlist what not None):
        cdef command_t command = self.about(COMMAND_INTERLUDE, slot, leg)
        command.argument.playlist = what.block
        return self.post(&command)

    def give_secure(self, int slot, uint64_t leg, Secure keys):
        """None: plain from here on. The one before comes back by `returned`."""
        cdef command_t command = self.about(COMMAND_GIVE_SECURE, slot, leg)
        command.argument.secure = NULL if keys is None else &keys.keys
        return self.post(&command)

    def give_stage(self, int slot, uint64_t leg, Stage stage not None):
        cdef command_t command = self.about(COMMAND_GIVE_STAGE, slot, leg)
        command.argument.stage = stage.block
        return self.post(&command)

    def give_voice(self, int slot, uint64_t leg, Voice voice not None):
        """The one before comes back by `returned`."""
        cdef command_t command = self.about(COMMAND_GIVE_VOICE, slot, leg)
        command.argument.voice = voice.block
        return self.post(&command)

    def give_tap(self, int slot, uint64_t leg, TapRing ring not None, int side):
        cdef command_t command = self.about(COMMAND_GIVE_TAP, slot, leg)
        command.argument.tap.tap = ring.tap
        command.argument.tap.side = <tap_side_t>side
        return self.post(&command)

    def take_tap(self, int slot, uint64_t leg, uint64_t serial, int side):
        """It comes back by `returned`."""
        cdef command_t command = self.about(COMMAND_TAKE_TAP, slot, leg)
        command.argument.tap.serial = serial
        command.argument.tap.side = <tap_side_t>side
        return self.post(&command)

    def tune_tap(self, int slot, uint64_t leg, uint64_t serial, int side, bint hides_keys, int64_t delay_ns):
        cdef command_t command = self.about(COMMAND_TUNE_TAP, slot, leg)
        command.argument.tap.serial = serial
        command.argument.tap.side = <tap_side_t>side
        command.argument.tap.hides_keys = hides_keys
        command.argument.tap.delay_ns = delay_ns
        return self.post(&command)

    def mute(self, int slot, uint64_t leg, bint on):
        cdef command_t command = self.about(COMMAND_MUTE, slot, leg)
        command.argument.is_muted = on
        return self.post(&command)

    def gate(self, int slot, uint64_t leg, int which):
        cdef command_t command = self.about(COMMAND_GATE, slot, leg)
        command.argument.gate = <gate_t>which
        return self.post(&command)

    def listen(self, int slot, uint64_t leg, Detectors detectors, int wanted):
        """Detectors given before come back by `returned` when others, or None, take their place."""
        cdef command_t command = self.about(COMMAND_LISTEN, slot, leg)
        command.argument.listen.detectors = detectors.block if detectors is not None else NULL
        command.argument.listen.wanted = wanted
        return self.post(&command)

    def pass_keys(self, int slot, uint64_t leg, bint on):
        cdef command_t command = self.about(COMMAND_PASS_KEYS, slot, leg)
        command.argument.passes_keys = on
        return self.post(&command)

    def fill(self, int slot, uint64_t leg, bint on):
        cdef command_t command = self.about(COMMAND_FILL, slot, leg)
        command.argument.fills = on
        return self.post(&command)

    def press(self, int slot, uint64_t leg, int64_t send_id, bytes digits not None, int ms, int gap_ms):
        cdef command_t command = self.about(COMMAND_PRESS, slot, leg)
        cdef int i
        if not 0 < len(digits) <= MAX_KEYS or not 0 < ms <= 0xFFFF:
            raise ValueError("digits to press, or their length")
        command.argument.keys.id = send_id
        command.argument.keys.gap_ms = gap_ms
        command.argument.keys.n = <int>len(digits)
        for i in range(command.argument.keys.n):
            command.argument.keys.codes[i] = <uint8_t>DIGITS.index(digits[i])
            command.argument.keys.lengths_ms[i] = <unsigned short>ms
        return self.post(&command)

    def open_room(self, Room room not None):
        return self.order_room(COMMAND_OPEN_ROOM, room, None)

    def close_room(self, Room room not None):
        """It is no longer used once `room_closed` has been told."""
        return self.order_room(COMMAND_CLOSE_ROOM, room, None)

    def play_to_room(self, Room room not None, Playlist what not None):
        return self.order_room(COMMAND_PLAY_TO_ROOM, room, what)

    def stop_room_play(self, Room room not None):
        return self.order_room(COMMAND_STOP_ROOM_PLAY, room, None)

    def give_room_tap(self, Room room not None, TapRing ring not None):
        cdef command_t command = self.about(COMMAND_GIVE_ROOM_TAP, 0, 0)
        command.argument.room.room = room.block
        command.argument.room.tap = ring.tap
        return self.post(&command)

    def take_room_tap(self, Room room not None, uint64_t serial):
        """It comes back by `room_returned`."""
        cdef command_t command = self.about(COMMAND_TAKE_ROOM_TAP, 0, 0)
        command.argument.room.room = room.block
        command.argument.room.serial = serial
        return self.post(&command)

    cdef object order_room(self, command_kind_t kind, Room room, Playlist what):
        cdef command_t command = self.about(kind, 0, 0)
        command.argument.room.room = room.block
        command.argument.room.playlist = what.block if what is not None else NULL
        return self.post(&command)

    def join(self, int slot, uint64_t leg, Room room not None, JitterMemory jitter not None, manner not None):
        """The jitter buffer comes back by `returned`."""
        cdef command_t command = self.about(COMMAND_JOIN, slot, leg)
        command.argument.join.room = room.block
        command.argument.join.jitter = jitter.block
        fill_manner(&command.argument.join.manner, manner)
        return self.post(&command)

    def change(self, int slot, uint64_t leg, manner not None):
        cdef command_t command = self.about(COMMAND_CHANGE, slot, leg)
        fill_manner(&command.argument.join.manner, manner)
        return self.post(&command)

    def leave(self, int slot, uint64_t leg):
        return self.order(COMMAND_LEAVE, slot, leg)

    def unlink(self, int slot, uint64_t leg):
        return self.order(COMMAND_UNLINK, slot, leg)

    def echo(self, int slot, uint64_t leg):
        return self.order(COMMAND_ECHO, slot, leg)

    def stop_play(self, int slot, uint64_t leg):
        return self.order(COMMAND_STOP_PLAY, slot, leg)

    def release(self, int slot, uint64_t leg):
        return self.order(COMMAND_RELEASE, slot, leg)

    def adopt(self, int slot, uint64_t leg):
        return self.order(COMMAND_ADOPT, slot, leg)

    def close_leg(self, int slot, uint64_t leg):
        return self.order(COMMAND_CLOSE, slot, leg)

    def stop(self):
        return self.order(COMMAND_STOP, 0, 0)

    cdef object order(self, command_kind_t kind, int slot, uint64_t leg):
        cdef command_t command = self.about(kind, slot, leg)
        return self.post(&command)

    cdef int checked(self, int slot) except -1:
        if not 0 <= slot < self.table.size:
            raise IndexError(slot)
        return slot

    cdef command_t about(self, command_kind_t kind, int slot, uint64_t leg) except *:
        """A command with its head filled in, for `post`."""
        cdef command_t command
        memset(&command, 0, sizeof(command))
        command.kind = kind
        command.slot = self.checked(slot)
        command.leg = leg
        return command

    cdef object post(self, const command_t *command):
        """Into the ring, if there is room: whether there was."""
        cdef command_t *free = <command_t *>ring_next_free(&self.m.commands)
        if free == NULL:
            return False
        free[0] = command[0]
        ring_publish(&self.m.commands)
        return True

    cpdef void ring_bell(self) noexcept:
        """Wake the thread to what was posted: once for several commands, since each wake-up costs two switches."""
        cdef uint64_t one = 1
        write(self.m.command_fd, &one, sizeof(one))

    cdef int learn_codecs(self, remote) except -1:
        """Rows only ever get the one value their key implies, so a media thread may read them meanwhile."""
        cdef int i
        for i in range(MAX_CODECS):
            if remote.clocks[i]:
                self.table.codecs[i].clock_hz = remote.clocks[i]
                self.table.codecs[i].is_event = remote.events[i]
                self.table.codecs[i].is_noise = remote.noises[i]
                if remote.rows[i] is not None:
                    self.table.codecs[i].row = &(<Codec?>remote.rows[i]).row
        return 0


cdef int fill_manner(manner_t *out, manner) except -1:
    """From `Manner`."""
    out.muted = manner.muted
    out.deaf = manner.deaf
    out.monitor = manner.monitor
    out.has_agc = manner.agc
    out.gain = gain_of_db(manner.gain_db)
    out.whisper_to = manner.whisper_to
    return 0


cdef int fill_remote(remote_t *out, remote) except -1:
    """From `RemoteWire`, whose lengths are checked once more: this is where Python ends."""
    cdef bytes receives = remote.receives
    cdef bytes sends = remote.sends
    cdef bytes cname = remote.cname
    if len(receives) != PAYLOAD_TYPES or len(sends) != MAX_CODECS or max(receives) >= MAX_CODECS:
        raise ValueError("payload tables")
    if len(remote.networks) > MAX_NETWORKS or len(cname) > MAX_CNAME:
        raise ValueError("too many networks, or a CNAME too long")
    read_endpoint(remote.address, remote.port, &out.rtp)
    read_endpoint(remote.rtcp_address, remote.rtcp_port, &out.rtcp)
    out.n_networks = 0
    for prefix, bits in remote.networks:
        read_network(prefix, bits, &out.networks[out.n_networks])
        out.n_networks += 1
    memcpy(out.receives, <const uint8_t *>receives, PAYLOAD_TYPES)
    memcpy(out.sends, <const uint8_t *>sends, MAX_CODECS)
    memcpy(out.cname, <const char *>cname, len(cname))
    out.cname_bytes = <int>len(cname)
    out.peer_sends = remote.peer_sends
    out.peer_receives = remote.peer_receives
    out.rtcp_mux = remote.rtcp_mux
    out.rtcp_on = remote.rtcp
    out.may_pause = remote.may_pause
    out.ie, out.bpl = remote.ie, remote.bpl
    out.keys = <keys_way_t><int>remote.keys
    out.event_codec = remote.event_codec
    out.frame_ms = remote.frame_ms
    out.frame_bytes = 0
    if remote.first_codec and remote.frame_ms:
        out.frame_bytes = frame_bytes(remote.rows[remote.first_codec], remote.frame_ms)
    return 0


cdef int frame_bytes(Codec codec, int frame_ms) except -1:
    """Of packets so long; 0 when they cannot be had by cutting."""
    if codec is None or not codec.row.unit_bytes:
        return 0
    return frame_ms * codec.row.sample_hz // 1000 // codec.row.unit_samples * codec.row.unit_bytes
