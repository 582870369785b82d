"""The I/O seam of a media thread: watch sockets, receive a batch, send, sleep. epoll now; io_uring would go here."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from santral.engine.media.core.net cimport endpoint_t

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        uint64_t u64
    cdef struct epoll_event:
        uint32_t events
        epoll_data_t data

cdef enum:
    BATCH = 256

cdef struct backend_t:
    int epoll_fd
    int timer_fd
    int64_t armed_ns  # deadline the timer stands at; 0: disarmed
    epoll_event ready[BATCH]

cdef bint backend_open(backend_t *b, uint64_t timer_token) noexcept nogil
cdef void backend_close(backend_t *b) noexcept nogil
cdef bint watch(backend_t *b, int fd, uint64_t token) noexcept nogil
cdef void unwatch(backend_t *b, int fd) noexcept nogil
cdef int poll_ready(backend_t *b) noexcept nogil
cdef int wait_ready(backend_t *b, int64_t deadline_ns) noexcept nogil
cdef void sleep_until(int64_t deadline_ns) noexcept nogil
cdef void disarm(backend_t *b) noexcept nogil
cdef int receive(int fd, uint8_t *packet, int size, endpoint_t *source) noexcept nogil
cdef bint transmit(int fd, const uint8_t *packet, int n, const endpoint_t *target) noexcept nogil
