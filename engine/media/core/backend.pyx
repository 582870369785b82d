"""epoll, level-triggered: one datagram per ready socket and pass, so that no leg can starve the others."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from santral.engine.media.core.net cimport (
    CLOCK_MONOTONIC, MSG_DONTWAIT, MSG_TRUNC, TIMER_ABSTIME, clock_nanosleep, endpoint_size, endpoint_t, itimerspec,
    recvfrom, sendto, socklen_t, timespec,
)

cdef extern from "<sys/epoll.h>" nogil:
    int EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLLIN
    int epoll_create1(int flags)
    int epoll_ctl(int epoll_fd, int operation, int fd, epoll_event *event)
    int epoll_wait(int epoll_fd, epoll_event *events, int size, int timeout_ms)

cdef extern from "<sys/timerfd.h>" nogil:
    int TFD_CLOEXEC, TFD_NONBLOCK, TFD_TIMER_ABSTIME
    int timerfd_create(int clock, int flags)
    int timerfd_settime(int fd, int flags, const itimerspec *new, itimerspec *old)

cdef extern from "<unistd.h>" nogil:
    int close(int fd)
    long read(int fd, void *buffer, size_t size)


cdef bint backend_open(backend_t *b, uint64_t timer_token) noexcept nogil:
    b.armed_ns = 0
    b.epoll_fd = epoll_create1(EPOLL_CLOEXEC)
    b.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)
    return b.epoll_fd >= 0 and b.timer_fd >= 0 and watch(b, b.timer_fd, timer_token)


cdef void backend_close(backend_t *b) noexcept nogil:
    close(b.timer_fd)
    close(b.epoll_fd)


cdef bint watch(backend_t *b, int fd, uint64_t token) noexcept nogil:
    cdef epoll_event event
    event.events = EPOLLIN
    event.data.u64 = token
    return epoll_ctl(b.epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0


cdef void unwatch(backend_t *b, int fd) noexcept nogil:
    cdef epoll_event unused
    epoll_ctl(b.epoll_fd, EPOLL_CTL_DEL, fd, &unused)


cdef int poll_ready(backend_t *b) noexcept nogil:
    """Fills `ready` and returns how many, at once."""
    return epoll_wait(b.epoll_fd, b.ready, BATCH, 0)


cdef void arm(backend_t *b, int64_t deadline_ns) noexcept nogil:
    cdef itimerspec when
    if deadline_ns == b.armed_ns:
        return
    when.it_interval.tv_sec = when.it_interval.tv_nsec = 0
    when.it_value.tv_sec = deadline_ns // 1000000000
    when.it_value.tv_nsec = deadline_ns % 1000000000
    timerfd_settime(b.timer_fd, TFD_TIMER_ABSTIME, &when, NULL)
    b.armed_ns = deadline_ns


cdef int wait_ready(backend_t *b, int64_t deadline_ns) noexcept nogil:
    """As `poll_ready`, but sleeps until something is ready or the deadline (0: none) has come."""
    arm(b, deadline_ns)
    return epoll_wait(b.epoll_fd, b.ready, BATCH, -1)


cdef void disarm(backend_t *b) noexcept nogil:
    """The timer fired: take note, or it stays ready."""
    cdef uint64_t times
    read(b.timer_fd, &times, sizeof(times))
    b.armed_ns = 0


cdef void sleep_until(int64_t deadline_ns) noexcept nogil:
    cdef timespec until
    until.tv_sec = deadline_ns // 1000000000
    until.tv_nsec = deadline_ns % 1000000000
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL)


cdef int receive(int fd, uint8_t *packet, int size, endpoint_t *source) noexcept nogil:
    """The datagram's true length, perhaps more than `size`; -1 when there is none (or an ICMP error was pending)."""
    cdef socklen_t length = sizeof(endpoint_t)
    return <int>recvfrom(fd, packet, size, MSG_DONTWAIT | MSG_TRUNC, &source.any, &length)


cdef bint transmit(int fd, const uint8_t *packet, int n, const endpoint_t *target) noexcept nogil:
    return sendto(fd, packet, n, MSG_DONTWAIT, &target.any, endpoint_size(target)) == n
