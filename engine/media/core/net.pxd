"""The few system calls and address types of the plane, as C sees them. Declarations only."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "<sys/types.h>" nogil:
    ctypedef long ssize_t

cdef extern from "<sys/socket.h>" nogil:
    ctypedef unsigned int socklen_t
    ctypedef unsigned short sa_family_t
    cdef struct sockaddr:
        pass
    int AF_INET, AF_INET6, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_TRUNC
    ssize_t recvfrom(int fd, void *buffer, size_t size, int flags, sockaddr *source, socklen_t *length)
    ssize_t sendto(int fd, const void *buffer, size_t size, int flags, const sockaddr *target, socklen_t length)

cdef extern from "<netinet/in.h>" nogil:
    cdef struct in_addr:
        uint32_t s_addr
    cdef struct in6_addr:
        uint8_t s6_addr[16]
    cdef struct sockaddr_in:
        sa_family_t sin_family
        uint16_t sin_port
        in_addr sin_addr
    cdef struct sockaddr_in6:
        sa_family_t sin6_family
        uint16_t sin6_port
        in6_addr sin6_addr
    uint16_t htons(uint16_t value)
    uint16_t ntohs(uint16_t value)

cdef extern from "<time.h>" nogil:
    ctypedef long time_t
    cdef struct timespec:
        time_t tv_sec
        long tv_nsec
    cdef struct itimerspec:
        timespec it_interval
        timespec it_value
    int CLOCK_MONOTONIC, CLOCK_REALTIME, TIMER_ABSTIME
    int clock_gettime(int clock, timespec *now)
    int clock_nanosleep(int clock, int flags, const timespec *until, timespec *left)

cdef extern from *:
    """
    #include <netinet/in.h>
    #include <string.h>

    typedef union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        uint64_t head; /* family, port and, of IPv4, the address: one comparison */
    } endpoint_t;

    static inline int same_endpoint(const endpoint_t *a, const endpoint_t *b) {
        if (a->any.sa_family != AF_INET6)
            return a->head == b->head;
        return b->any.sa_family == AF_INET6 && a->v6.sin6_port == b->v6.sin6_port &&
               memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, 16) == 0;
    }

    static inline socklen_t endpoint_size(const endpoint_t *a) {
        return a->any.sa_family == AF_INET6 ? sizeof a->v6 : sizeof a->v4;
    }
    """
    ctypedef union endpoint_t:
        sockaddr any
        sockaddr_in v4
        sockaddr_in6 v6
        uint64_t head
    bint same_endpoint(const endpoint_t *a, const endpoint_t *b) nogil
    socklen_t endpoint_size(const endpoint_t *endpoint) nogil

cdef inline int64_t clock_ns(int clock) noexcept nogil:
    cdef timespec now
    clock_gettime(clock, &now)
    return <int64_t>now.tv_sec * 1000000000 + now.tv_nsec

cdef inline int64_t monotonic_ns() noexcept nogil:
    return clock_ns(CLOCK_MONOTONIC)

cdef inline void mapped_address(const endpoint_t *endpoint, uint8_t *out) noexcept nogil:
    """16 bytes: an IPv6 address, or an IPv4 one as ::ffff:a.b.c.d."""
    cdef int i
    cdef const uint8_t *v4 = <const uint8_t *>&endpoint.v4.sin_addr
    if endpoint.v4.sin_family == AF_INET6:
        for i in range(16):
            out[i] = endpoint.v6.sin6_addr.s6_addr[i]
        return
    for i in range(10):
        out[i] = 0
    out[10] = out[11] = 0xFF
    for i in range(4):
        out[12 + i] = v4[i]
