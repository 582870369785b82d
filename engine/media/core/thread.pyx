"""The Python face of a media thread: it starts the loop without the GIL, writes commands and reads notes and counters."""

import os
import signal
import socket

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from santral.engine.media.core.backend cimport backend_close, backend_open, watch
from santral.engine.media.core.command cimport (
    COMMAND_ADOPT, COMMAND_CLOSE, COMMAND_ECHO, COMMAND_LINK, COMMAND_OPEN, COMMAND_PLAY, COMMAND_RELEASE,
    COMMAND_SET_DIRECTION, COMMAND_SET_REMOTE, COMMAND_STOP, COMMAND_STOP_PLAY, COMMAND_UNLINK, TOKEN_COMMAND,
    TOKEN_TIMER, command_kind_t, command_t,
)
from santral.engine.media.core.latch cimport MAX_NETWORKS, read_endpoint, read_network
from santral.engine.media.core.leg cimport (
    MAX_CODECS, NOBODY, NOTE_CLOSED, NOTE_DIGIT, NOTE_FIRST_PACKET, NOTE_PLAY_FINISHED, NOTE_RELEASED, NOTE_SILENT,
    NOTE_SOURCE_CHANGED, NOTE_TIMEOUT, PAYLOAD_TYPES, PHASES, codec_row_t, leg_t, media_t, note_t, remote_t,
)
from santral.engine.media.core.loop cimport serve
from santral.engine.media.core.net cimport AF_INET6, endpoint_t, ntohs
from santral.engine.media.core.reception cimport lost_packets
from santral.engine.media.core.ring cimport (
    ring_close, ring_next_free, ring_oldest, ring_open, ring_publish, ring_release,
)
from santral.engine.media.core.rtcp cimport MAX_CNAME



cdef extern from "<unistd.h>" nogil:
    int close(int fd)
    long write(int fd, const void *buffer, size_t size)

cdef enum:
    COMMANDS = 512
    NOTES = 8192
    FRAME_BYTES = 160

DIGITS = "0123456789*#ABCD"


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
        self.legs = <leg_t *>calloc(max_legs, sizeof(leg_t))  # untouched pages cost nothing
        memset(self.codecs, 0, sizeof(self.codecs))
        if self.legs == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.legs)

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
    )


cdef tuple address_of(const endpoint_t *where):
    cdef const uint8_t *v4 = <const uint8_t *>&where.v4.sin_addr
    if where.v4.sin_family == AF_INET6:
        return socket.inet_ntop(socket.AF_INET6, bytes(where.v6.sin6_addr.s6_addr[:16])), ntohs(where.v6.sin6_port)
    return f"{v4[0]}.{v4[1]}.{v4[2]}.{v4[3]}", ntohs(where.v4.sin_port)


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
        )

    def open(self, int slot, uint64_t leg, int rtp_fd, int rtcp_fd, uint32_t ssrc, int sequence, uint32_t timestamp):
        cdef command_t *command = self.begin(COMMAND_OPEN, slot, leg)
        if command == NULL:
            return False
        command.argument.open.rtp_fd = rtp_fd
        command.argument.open.rtcp_fd = rtcp_fd
        command.argument.open.ssrc = ssrc
        command.argument.open.sequence = <unsigned short>sequence
        command.argument.open.timestamp = timestamp
        return self.post()

    def set_remote(self, int slot, uint64_t leg, remote not None):
        cdef command_t *command = self.begin(COMMAND_SET_REMOTE, slot, leg)
        if command == NULL:
            return False
        self.learn_codecs(remote)
        fill_remote(&command.argument.remote, remote)
        return self.post()

    def set_direction(self, int slot, uint64_t leg, bint peer_sends, bint peer_receives):
        cdef command_t *command = self.begin(COMMAND_SET_DIRECTION, slot, leg)
        if command == NULL:
            return False
        command.argument.direction.peer_sends = peer_sends
        command.argument.direction.peer_receives = peer_receives
        return self.post()

    def link(self, int slot, uint64_t leg, int peer_slot, uint64_t peer):
        cdef command_t *command = self.begin(COMMAND_LINK, slot, leg)
        if command == NULL:
            return False
        command.argument.link.slot = self.checked(peer_slot)
        command.argument.link.leg = peer
        return self.post()

    def play(self, int slot, uint64_t leg, int64_t play_id, bytes frames not None, int codec, bint loop):
        """The caller keeps `frames` alive until `play_finished` or the leg's closing."""
        cdef command_t *command = self.begin(COMMAND_PLAY, slot, leg)
        if len(frames) % FRAME_BYTES or not frames or not 0 < codec < MAX_CODECS:
            raise ValueError("whole frames of a known codec are played")
        if command == NULL:
            return False
        command.argument.play.id = play_id
        command.argument.play.frames = <const uint8_t *>PyBytes_AS_STRING(frames)
        command.argument.play.n_frames = len(frames) // FRAME_BYTES
        command.argument.play.codec = codec
        command.argument.play.loop = loop
        return self.post()

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
        return self.begin(kind, slot, leg) != NULL and self.post()

    cdef int checked(self, int slot) except -1:
        if not 0 <= slot < self.table.size:
            raise IndexError(slot)
        return slot

    cdef command_t *begin(self, command_kind_t kind, int slot, uint64_t leg) except? NULL:
        """The next free record with its head filled in; nobody sees it before `post`."""
        self.checked(slot)
        cdef command_t *command = <command_t *>ring_next_free(&self.m.commands)
        if command != NULL:
            command.kind = kind
            command.slot = slot
            command.leg = leg
        return command

    cdef bint post(self):
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
    return 0


cdef tuple described(const note_t *note):
    """(kind, data) as `MediaEvent` documents them."""
    if note.kind == NOTE_CLOSED:
        return "closed", {}
    if note.kind == NOTE_RELEASED:
        return "released", {}
    if note.kind == NOTE_DIGIT:
        return "dtmf", {"digit": DIGITS[note.a], "ms": note.b, "via": "rfc4733"}
    if note.kind == NOTE_SILENT:
        return "silent", {"after_s": note.a / 1e9}
    if note.kind == NOTE_TIMEOUT:
        return "timeout", {"after_s": note.a / 1e9}
    if note.kind == NOTE_PLAY_FINISHED:
        return "play_finished", {"play_id": note.a, "frames": note.b >> 1, "completed": bool(note.b & 1)}
    host, port = address_of(&note.where)
    kind = "first_packet" if note.kind == NOTE_FIRST_PACKET else "source_changed"
    return kind, {"host": host, "port": port, "ssrc": note.a}
