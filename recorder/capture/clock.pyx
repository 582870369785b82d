"""Whether the kernel believes that UTC here is kept in step with a reference (ntp_adjtime, RFC 5905 appendix)."""

cdef extern from "<sys/timex.h>" nogil:
    cdef struct timex:
        unsigned int modes
        int status
    int adjtimex(timex *state)
    int TIME_ERROR
    int STA_UNSYNC


def is_synchronised():
    """None: the kernel does not say."""
    cdef timex state
    cdef int answer
    state.modes = 0
    answer = adjtimex(&state)
    if answer < 0:
        return None
    return answer != TIME_ERROR and not state.status & STA_UNSYNC
