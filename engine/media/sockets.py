"""Binds the socket pairs of legs. They are handed over as bare descriptors: from then on a media thread owns them."""

import errno
import socket
from typing import Final, NamedTuple

RECEIVE_BUFFER_BYTES: Final = 256 * 1024
EPHEMERAL_TRIES: Final = 64


class SocketPair(NamedTuple):
    """Descriptors and ports of one leg: RTP on the even port, RTCP on the odd one above."""

    rtp_fd: int
    rtcp_fd: int
    port: int


def bind_pair(address: str, port: int) -> SocketPair:
    """Raises `OSError` when one of the two ports is taken, or `address` is not ours."""
    rtp = _bind(address, port)
    try:
        rtcp = _bind(address, port + 1)
    except OSError:
        rtp.close()
        raise
    return SocketPair(rtp.detach(), rtcp.detach(), port)


def bind_any_pair(address: str) -> SocketPair:
    """An even/odd pair of the kernel's choice."""
    for _ in range(EPHEMERAL_TRIES):
        with _bind(address, 0) as probe:
            port = probe.getsockname()[1] & ~1
        try:
            return bind_pair(address, port)
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, "no free port pair")


def _bind(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    udp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if family == socket.AF_INET6:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        udp.bind((address, port))
    except OSError:
        udp.close()
        raise
    return udp
