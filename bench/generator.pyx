# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""RTP load: thousands of legs from one thread, every packet stamped, counted and timed.

One loop without the GIL: each tick sends what is due on a 20 ms wheel, then drains the sockets. Nobody sleeps on the sockets, so
the engine under test never pays for waking us, and arrival times are the kernel's (SO_TIMESTAMPNS), not those of our reading.
Python writes only the fields marked so below; everything else belongs to the loop while it runs.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.errno cimport EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

import random
import time


cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <arpa/inet.h>
    #include <netinet/in.h>
    #include <sys/epoll.h>
    #include <sys/prctl.h>
    #include <sys/socket.h>
    #include <time.h>
    #include <unistd.h>
    """


cdef extern from "time.h" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec *now)
    int clock_nanosleep(int clock, int flags, const timespec *until, timespec *rest)
    const int CLOCK_MONOTONIC
    const int CLOCK_REALTIME
    const int TIMER_ABSTIME

cdef extern from "sys/socket.h" nogil:
    struct iovec:
        void *iov_base
        size_t iov_len
    struct msghdr:
        void *msg_name
        unsigned int msg_namelen
        iovec *msg_iov
        size_t msg_iovlen
        void *msg_control
        size_t msg_controllen
        int msg_flags
    struct cmsghdr:
        size_t cmsg_len
        int cmsg_level
        int cmsg_type
    struct sockaddr:
        pass
    int setsockopt(int fd, int level, int name, const void *value, unsigned int size)
    ssize_t sendto(int fd, const void *data, size_t size, int flags, const sockaddr *to, unsigned int to_size)
    ssize_t recvmsg(int fd, msghdr *message, int flags)
    cmsghdr *CMSG_FIRSTHDR(msghdr *message)
    unsigned char *CMSG_DATA(cmsghdr *control)
    const int SOL_SOCKET
    const int SO_TIMESTAMPNS
    const int MSG_DONTWAIT
    const int MSG_NOSIGNAL
    const int AF_INET

cdef extern from "netinet/in.h" nogil:
    struct in_addr:
        uint32_t s_addr
    struct sockaddr_in:
        unsigned short sin_family
        uint16_t sin_port
        in_addr sin_addr

cdef extern from "arpa/inet.h" nogil:
    uint16_t htons(uint16_t value)
    uint32_t htonl(uint32_t value)

cdef extern from "sys/epoll.h" nogil:
    union epoll_data:
        uint32_t u32
    struct epoll_event:
        uint32_t events
        epoll_data data
    int epoll_create1(int flags)
    int epoll_ctl(int poller, int operation, int fd, epoll_event *event)
    int epoll_wait(int poller, epoll_event *events, int count, int timeout_ms)
    const int EPOLLIN
    const int EPOLL_CTL_ADD

cdef extern from "sys/prctl.h" nogil:
    int prctl(int option, unsigned long value)
    const int PR_SET_TIMERSLACK

cdef extern from "unistd.h" nogil:
    int close(int fd)


cdef enum:
    PAYLOAD = 160
    HEADER = 12
    PACKET = 172
    WHEEL = 80             # slots in 20 ms: one tick is 250 us
    TICK_NS = 250_000
    BATCH = 512
    MOST_READ = 4096       # packets read in one tick before sending goes on
    FINE = 65_536          # latency buckets of 1 us
    COARSE = 4_096         # and of 1 ms beyond them
    MAGIC = 0x53414E54
    LATE_NS = 20_000_000   # sent later than this against the schedule: the run is in doubt
    LISTENED = 50          # frames kept of what a leg hears: one second

cdef struct stamp_t:
    uint32_t magic
    uint32_t run
    uint32_t leg
    uint32_t number        # within the window
    uint64_t sent_ns       # CLOCK_REALTIME, as the kernel's arrival stamps are

cdef struct histogram_t:
    uint64_t count
    uint64_t total_ns
    uint64_t largest_ns
    uint32_t *fine
    uint32_t *coarse

cdef struct leg_t:
    volatile int sending   # written by Python
    sockaddr_in remote     # written by Python while not sending
    int fd
    uint16_t sequence
    uint32_t timestamp
    uint32_t ssrc
    uint32_t sent          # since the start, any window
    uint32_t heard         # stamped packets this leg received since the start, any window
    uint32_t numbered      # sent in the window
    uint32_t arrived       # of those, how many different ones came, wherever they came
    uint32_t failed        # sendto refused
    uint8_t *seen          # one bit per number
    const uint8_t *said    # frames said in turn instead of stamps; NULL: stamps
    uint32_t said_frames
    int size               # of a frame in bytes
    uint32_t ticks         # of a frame
    uint8_t *heard_frames  # the last LISTENED payloads, of a leg that says frames; NULL: it does not listen
    uint32_t heard_at
    uint8_t packet[PACKET]

cdef struct loop_t:
    volatile int halted    # written by Python
    volatile int counting  # written by Python: number what is sent
    volatile uint32_t run  # written by Python: accept stamps of this window, 0 none
    leg_t *legs
    int count
    int peer_mask          # where a packet of leg i belongs: leg i ^ peer_mask
    int poller
    uint32_t most          # numbers one leg has room for in this window
    uint64_t duplicate
    uint64_t misrouted
    uint64_t foreign
    uint64_t late
    uint64_t unstamped
    histogram_t latency
    histogram_t lag


cdef inline uint64_t clock_ns(int clock) noexcept nogil:
    cdef timespec now
    clock_gettime(clock, &now)
    return <uint64_t>now.tv_sec * 1_000_000_000 + <uint64_t>now.tv_nsec


cdef inline void add(histogram_t *histogram, uint64_t value_ns) noexcept nogil:
    cdef uint64_t us = value_ns // 1000
    histogram.count += 1
    histogram.total_ns += value_ns
    if value_ns > histogram.largest_ns:
        histogram.largest_ns = value_ns
    if us < FINE:
        histogram.fine[us] += 1
    else:
        us //= 1000
        histogram.coarse[us if us < COARSE else COARSE - 1] += 1


cdef double quantile_us(histogram_t *histogram, double part) noexcept nogil:
    """Upper edge of the bucket in which the quantile lies."""
    cdef uint64_t wanted = <uint64_t>(part * histogram.count)
    cdef uint64_t before = 0
    cdef int at
    for at in range(FINE):
        before += histogram.fine[at]
        if before > wanted:
            return at + 1.0
    for at in range(COARSE):
        before += histogram.coarse[at]
        if before > wanted:
            return (at + 1.0) * 1000.0
    return histogram.largest_ns / 1000.0


cdef void send_one(loop_t *loop, int which, uint64_t due_ns) noexcept nogil:
    cdef leg_t *leg = &loop.legs[which]
    cdef uint8_t *packet = leg.packet
    cdef stamp_t stamp
    cdef uint64_t now_ns = clock_ns(CLOCK_MONOTONIC)
    cdef bint counted = loop.counting and leg.numbered < loop.most
    packet[2] = <uint8_t>(leg.sequence >> 8)
    packet[3] = <uint8_t>(leg.sequence & 0xFF)
    cdef uint32_t timestamp = htonl(leg.timestamp)
    memcpy(packet + 4, &timestamp, 4)
    stamp.magic = MAGIC
    stamp.run = loop.run if counted else 0
    stamp.leg = <uint32_t>which
    stamp.number = leg.numbered
    stamp.sent_ns = clock_ns(CLOCK_REALTIME)
    if leg.said != NULL:
        memcpy(packet + HEADER, leg.said + (leg.sent % leg.said_frames) * leg.size, leg.size)
    else:
        memcpy(packet + HEADER, &stamp, sizeof(stamp))
    leg.sequence += 1
    leg.timestamp += leg.ticks
    if sendto(leg.fd, packet, HEADER + leg.size, MSG_DONTWAIT | MSG_NOSIGNAL, <sockaddr *>&leg.remote, sizeof(leg.remote)) < 0:
        leg.failed += 1
        return
    leg.sent += 1
    if counted:
        leg.numbered += 1
        add(&loop.lag, now_ns - due_ns if now_ns > due_ns else 0)
        if now_ns > due_ns + LATE_NS:
            loop.late += 1


cdef void receive_one(loop_t *loop, int which) noexcept nogil:
    cdef uint8_t packet[2048]
    cdef uint8_t control[64]
    cdef iovec vector
    cdef msghdr message
    cdef cmsghdr *header
    cdef timespec came
    cdef stamp_t stamp
    cdef uint64_t came_ns
    cdef leg_t *sender
    cdef uint8_t bit
    vector.iov_base = packet
    vector.iov_len = sizeof(packet)
    memset(&message, 0, sizeof(message))
    message.msg_iov = &vector
    message.msg_iovlen = 1
    message.msg_control = control
    message.msg_controllen = sizeof(control)
    cdef ssize_t length = recvmsg(loop.legs[which].fd, &message, MSG_DONTWAIT)
    if length < 0:
        return
    if length < <ssize_t>(HEADER + sizeof(stamp)):
        loop.foreign += 1
        return
    if loop.legs[which].heard_frames != NULL and length == PACKET:
        memcpy(loop.legs[which].heard_frames + (loop.legs[which].heard_at % LISTENED) * PAYLOAD, packet + HEADER, PAYLOAD)
        loop.legs[which].heard_at += 1
    memcpy(&stamp, packet + HEADER, sizeof(stamp))
    if stamp.magic != MAGIC or stamp.leg >= <uint32_t>loop.count:
        loop.foreign += 1
        return
    loop.legs[which].heard += 1
    if stamp.leg != <uint32_t>(which ^ loop.peer_mask):
        loop.misrouted += 1
    if stamp.run == 0 or stamp.run != loop.run or stamp.number >= loop.most:
        return
    sender = &loop.legs[stamp.leg]
    bit = <uint8_t>(1 << (stamp.number & 7))
    if sender.seen[stamp.number >> 3] & bit:
        loop.duplicate += 1
        return
    sender.seen[stamp.number >> 3] |= bit
    sender.arrived += 1
    header = CMSG_FIRSTHDR(&message)
    if header == NULL or header.cmsg_level != SOL_SOCKET or header.cmsg_type != SO_TIMESTAMPNS:
        loop.unstamped += 1
        return
    memcpy(&came, CMSG_DATA(header), sizeof(came))
    came_ns = <uint64_t>came.tv_sec * 1_000_000_000 + <uint64_t>came.tv_nsec
    add(&loop.latency, came_ns - stamp.sent_ns if came_ns > stamp.sent_ns else 0)


cdef void drain(loop_t *loop) noexcept nogil:
    cdef epoll_event ready[BATCH]
    cdef int count, at, read = 0
    while read < MOST_READ:
        count = epoll_wait(loop.poller, ready, BATCH, 0)
        if count <= 0:
            return
        for at in range(count):
            receive_one(loop, <int>ready[at].data.u32)
        read += count


cdef void turn(loop_t *loop) noexcept nogil:
    """The thread: tick after tick until halted. A tick that comes late is followed at once by the next."""
    cdef uint64_t start_ns, due_ns, tick = 0
    cdef timespec until
    cdef int which
    prctl(PR_SET_TIMERSLACK, 1)
    start_ns = clock_ns(CLOCK_MONOTONIC)
    while not loop.halted:
        due_ns = start_ns + tick * TICK_NS
        if clock_ns(CLOCK_MONOTONIC) < due_ns:
            until.tv_sec = <long>(due_ns // 1_000_000_000)
            until.tv_nsec = <long>(due_ns % 1_000_000_000)
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL)
        which = <int>(tick % WHEEL)
        while which < loop.count:
            if loop.legs[which].sending:
                send_one(loop, which, due_ns)
            which += WHEEL
        drain(loop)
        tick += 1


cdef class Generator:
    """RTP legs over UDP sockets that the caller owns and keeps open. Leg i talks to leg i ^ 1, or to itself when `echo`.

    `run()` blocks its thread (without the GIL) until `halt()`. All other methods are for one other thread.
    """

    cdef loop_t loop
    cdef int payload_type
    cdef uint32_t runs
    cdef bint running
    cdef dict said

    def __cinit__(self, fds, *, int payload_type=8, bint echo=False):
        cdef int which, on = 1
        cdef epoll_event wanted
        memset(&self.loop, 0, sizeof(self.loop))
        self.payload_type = payload_type
        self.said = {}
        self.loop.poller = -1
        self.loop.count = len(fds)
        self.loop.peer_mask = 0 if echo else 1
        if self.loop.count == 0 or (not echo and self.loop.count % 2):
            raise ValueError("an even number of legs is needed")
        self.loop.legs = <leg_t *>calloc(self.loop.count, sizeof(leg_t))
        self.loop.latency.fine = <uint32_t *>calloc(FINE, sizeof(uint32_t))
        self.loop.latency.coarse = <uint32_t *>calloc(COARSE, sizeof(uint32_t))
        self.loop.lag.fine = <uint32_t *>calloc(FINE, sizeof(uint32_t))
        self.loop.lag.coarse = <uint32_t *>calloc(COARSE, sizeof(uint32_t))
        if (
            self.loop.legs == NULL or self.loop.latency.fine == NULL or self.loop.latency.coarse == NULL
            or self.loop.lag.fine == NULL or self.loop.lag.coarse == NULL
        ):
            raise MemoryError()
        self.loop.poller = epoll_create1(0)
        if self.loop.poller < 0:
            raise OSError(errno, "epoll_create1")
        for which in range(self.loop.count):
            self.loop.legs[which].fd = fds[which]
            setsockopt(self.loop.legs[which].fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on))
            wanted.events = EPOLLIN
            wanted.data.u32 = which
            if epoll_ctl(self.loop.poller, EPOLL_CTL_ADD, self.loop.legs[which].fd, &wanted) < 0:
                raise OSError(errno, "epoll_ctl")

    def __dealloc__(self):
        cdef int which
        if self.loop.poller >= 0:
            close(self.loop.poller)
        if self.loop.legs != NULL:
            for which in range(self.loop.count):
                free(self.loop.legs[which].seen)
                free(self.loop.legs[which].heard_frames)
            free(self.loop.legs)
        free(self.loop.latency.fine)
        free(self.loop.latency.coarse)
        free(self.loop.lag.fine)
        free(self.loop.lag.coarse)

    def start(self, int leg, int port, bytes said=b"", *, int payload_type=-1, int size=PAYLOAD, int ticks=PAYLOAD) -> None:
        """Send a packet every 20 ms from `leg` to 127.0.0.1:`port`, from a new SSRC.

        `said` is whole frames of `size` bytes and `ticks` of the RTP clock, which the leg says in turn; what it hears is kept
        for `listened`. Without, it says stamps. `payload_type` -1: that of the generator.
        """
        if not 0 <= leg < self.loop.count or not 0 < port < 65536 or not -1 <= payload_type < 128:
            raise ValueError(f"leg {leg}, port {port}, payload type {payload_type}")
        if not <int>sizeof(stamp_t) <= size <= PAYLOAD or len(said) % size or not said and size != PAYLOAD:
            raise ValueError(f"frames of {size} bytes out of {len(said)}")
        cdef leg_t *one = &self.loop.legs[leg]
        cdef uint32_t ssrc = random.getrandbits(32)
        if one.sending:
            raise ValueError(f"leg {leg} is sending")
        one.said = NULL
        one.size = size
        one.ticks = ticks
        if said:
            self.said[leg] = said
            one.said = <const uint8_t *>PyBytes_AS_STRING(said)
            one.said_frames = <uint32_t>(len(said) // size)
            if one.heard_frames == NULL:
                one.heard_frames = <uint8_t *>calloc(LISTENED, PAYLOAD)
        memset(&one.remote, 0, sizeof(one.remote))
        one.remote.sin_family = AF_INET
        one.remote.sin_port = htons(<uint16_t>port)
        one.remote.sin_addr.s_addr = htonl(0x7F000001)
        memset(one.packet, 0xD5, PACKET)
        one.packet[0] = 0x80
        one.packet[1] = <uint8_t>(self.payload_type if payload_type < 0 else payload_type)
        memcpy(one.packet + 8, &ssrc, 4)
        one.sequence = random.getrandbits(15)
        one.timestamp = random.getrandbits(32)
        one.sending = 1

    def listened(self, int leg) -> bytes:
        """The last second of what a leg that says frames heard, in order; while the loop runs, its newest frame may be torn."""
        if not 0 <= leg < self.loop.count or self.loop.legs[leg].heard_frames == NULL:
            raise ValueError(f"leg {leg} does not listen")
        cdef leg_t *one = &self.loop.legs[leg]
        cdef uint32_t first = one.heard_at % LISTENED
        kept = (<const char *>one.heard_frames)[:LISTENED * PAYLOAD]
        return kept[first * PAYLOAD:] + kept[:first * PAYLOAD]

    def stop(self, int leg) -> None:
        """No more packets from `leg`. A packet being sent at this moment still leaves."""
        if not 0 <= leg < self.loop.count:
            raise ValueError(f"leg {leg}")
        self.loop.legs[leg].sending = 0

    def run(self) -> None:
        """The media thread: returns after `halt()`."""
        if self.running:
            raise RuntimeError("runs already")
        self.running = True
        self.loop.halted = 0
        with nogil:
            turn(&self.loop)
        self.running = False

    def halt(self) -> None:
        self.loop.halted = 1

    def open_window(self, double longest_s) -> None:
        """Forget the counts and number what is sent from now on; room for `longest_s` seconds."""
        cdef int which
        cdef leg_t *one
        self.loop.counting = 0
        self.loop.run = 0
        time.sleep(0.02)  # the loop is through with the old window
        self.loop.most = <uint32_t>(longest_s * 50) + 50
        for which in range(self.loop.count):
            one = &self.loop.legs[which]
            free(one.seen)
            one.seen = <uint8_t *>calloc(self.loop.most // 8 + 1, 1)
            if one.seen == NULL:
                raise MemoryError()
            one.numbered = one.arrived = one.failed = 0
        self._forget(&self.loop.latency)
        self._forget(&self.loop.lag)
        self.loop.duplicate = self.loop.misrouted = self.loop.foreign = self.loop.late = self.loop.unstamped = 0
        self.runs += 1
        self.loop.run = self.runs
        self.loop.counting = 1

    cdef void _forget(self, histogram_t *histogram) noexcept:
        memset(histogram.fine, 0, FINE * sizeof(uint32_t))
        memset(histogram.coarse, 0, COARSE * sizeof(uint32_t))
        histogram.count = histogram.total_ns = histogram.largest_ns = 0

    def close_window(self) -> None:
        """Number no more packets. Those on their way still count as arrived: leave them a moment before `counts()`."""
        self.loop.counting = 0

    def counts(self) -> dict[str, float]:
        """The window's figures. Latencies in microseconds, from just before sendto to the kernel's stamp on arrival."""
        cdef uint64_t sent = 0, arrived = 0, failed = 0
        cdef int which, speaking = 0, unheard = 0
        for which in range(self.loop.count):
            sent += self.loop.legs[which].numbered
            arrived += self.loop.legs[which].arrived
            failed += self.loop.legs[which].failed
            if self.loop.legs[which].numbered:
                speaking += 1
                if not self.loop.legs[which].arrived:
                    unheard += 1
        return {
            "legs": speaking,
            "sent": sent,
            "arrived": arrived,
            "lost": sent - arrived,
            "legs_unheard": unheard,
            "send_failed": failed,
            "duplicate": self.loop.duplicate,
            "misrouted": self.loop.misrouted,
            "foreign": self.loop.foreign,
            "sent_late": self.loop.late,
            "unstamped": self.loop.unstamped,
            "p50_us": quantile_us(&self.loop.latency, 0.5),
            "p99_us": quantile_us(&self.loop.latency, 0.99),
            "p999_us": quantile_us(&self.loop.latency, 0.999),
            "max_us": self.loop.latency.largest_ns / 1000.0,
            "lag_p50_us": quantile_us(&self.loop.lag, 0.5),
            "lag_p999_us": quantile_us(&self.loop.lag, 0.999),
        }

    def histogram(self) -> list[tuple[float, int]]:
        """Latency buckets that are not empty: upper edge in microseconds, packets."""
        fine = [(at + 1.0, self.loop.latency.fine[at]) for at in range(FINE) if self.loop.latency.fine[at]]
        coarse = [((at + 1) * 1000.0, self.loop.latency.coarse[at]) for at in range(COARSE) if self.loop.latency.coarse[at]]
        return fine + coarse

    def heard(self, int leg) -> int:
        """Packets of ours that reached `leg` since the start, whatever window."""
        if not 0 <= leg < self.loop.count:
            raise ValueError(f"leg {leg}")
        return self.loop.legs[leg].heard
