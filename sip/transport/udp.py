"""One UDP socket: datagrams in, datagrams out, and ICMP errors told to the sender (RFC 3261 section 18.4).

A plain non-blocking socket instead of asyncio's datagram endpoint: it drains many datagrams per wake-up, and it learns
from the kernel's error queue which peer is unreachable, so that a dead target fails over at once, not after Timer B.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from santral.sip.events import Hop
from santral.sip.transport import stun
from santral.sip.transport.wire import Listener, Upward, family_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["UdpPort"]

RECEIVE_BUFFER: Final = 8 * 2**20  # octets in the kernel: a second of messages at full load (it grants what it may)
MAX_DATAGRAM: Final = 65535
MAX_QUEUED: Final = 2**20  # octets of our own while the kernel's send buffer is full
MAX_PEERS: Final = 4096  # remembered Hop objects
_BATCH: Final = 64  # datagrams per wake-up, so that timers get their turn

_IP_RECVERR: Final = 11  # linux/in.h
_IPV6_RECVERR: Final = 25  # linux/in6.h
_EXTENDED_ERROR: Final = struct.Struct(
    "=IBBBBII"
)  # struct sock_extended_err: errno, origin, type, code, pad, info, data
_FROM_ICMP: Final = (2, 3)  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6
_FATAL: Final = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES})


class UdpPort:
    """One bound socket of one interface."""

    def __init__(self, listener: Listener, upward: Upward) -> None:
        self._listener = listener
        self._upward = upward
        self._peers: dict[Any, Hop] = {}
        self._buffer = memoryview(bytearray(MAX_DATAGRAM))
        self._queue: deque[tuple[bytes, tuple[str, int]]] = deque()
        self._queued = 0
        self._is_open = False
        family = family_of(listener.host) or socket.AF_INET
        self._family = family
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._poll = select.epoll()

    def open(self) -> tuple[str, int]:
        """Bind and start reading; returns the real address. Raises OSError."""
        sock = self._socket
        if self._family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.bind((self._listener.host, self._listener.port))
        # libuv stops watching a socket for good once poll() reports an error on it, and ICMP errors do that. The loop
        # therefore watches an epoll descriptor, which is only ever readable.
        self._poll.register(sock, select.EPOLLIN)
        self._upward.loop.add_reader(self._poll.fileno(), self._ready)
        self._is_open = True
        host, port = sock.getsockname()[:2]
        return host, port

    def close(self) -> None:
        """Stop reading and give the port back."""
        if self._is_open:
            self._upward.loop.remove_reader(self._poll.fileno())
            self._is_open = False
        self._poll.close()
        self._socket.close()
        self._queue.clear()

    def send(self, hop: Hop, data: bytes) -> None:
        """Send now, or as soon as the kernel takes it; what it refuses for good is reported by `on_failed`."""
        if family_of(hop.host) != self._family:
            self._upward.fail(hop)
        elif self._queue:
            self._enqueue(data, (hop.host, hop.port))
        else:
            self._send_now(data, (hop.host, hop.port))

    def _send_now(self, data: bytes, address: tuple[str, int]) -> bool:
        """False when the kernel's buffer is full and the datagram had to be queued."""
        for _ in range(2):
            try:
                self._socket.sendto(data, address)
            except BlockingIOError:
                self._enqueue(data, address)
                return False
            except (OSError, OverflowError):
                # It may be the error of an earlier datagram to somebody else: take it off the queue, try again.
                self._read_errors()
            else:
                return True
        self._upward.fail(self._hop(address))
        return True

    def _enqueue(self, data: bytes, address: tuple[str, int]) -> None:
        if self._queued + len(data) > MAX_QUEUED:
            self._upward.counters["datagrams_dropped"] += 1
            return
        self._queue.append((data, address))
        self._queued += len(data)
        self._poll.modify(self._socket, select.EPOLLIN | select.EPOLLOUT)

    def _flush(self) -> None:
        waiting, self._queue, self._queued = self._queue, deque(), 0
        while waiting:
            if not self._send_now(*waiting.popleft()):
                for data, address in waiting:
                    self._enqueue(data, address)
                return
        self._poll.modify(self._socket, select.EPOLLIN)

    def _ready(self) -> None:
        if self._queue:
            self._flush()
        receive, buffer = self._socket.recvfrom_into, self._buffer
        for _ in range(_BATCH):
            try:
                size, address = receive(buffer)
            except BlockingIOError:
                return
            except OSError:
                self._read_errors()
                continue
            if size and buffer[0] < stun.FIRST_SIP_OCTET:
                self._answer_stun(bytes(buffer[:size]), address)
            elif size:
                self._upward.on_bytes(bytes(buffer[:size]), self._peers.get(address) or self._hop(address))
                if not self._is_open:
                    return

    def _answer_stun(self, request: bytes, address: Any) -> None:
        response = stun.answer(request, address[0], address[1])
        self._upward.counters["stun_requests" if response else "stun_ignored"] += 1
        if response and not self._queue:
            self._send_now(response, address)

    def _hop(self, address: Any) -> Hop:
        """One Hop object per peer, so that thousands of transactions share it."""
        hop = self._peers.get(address)
        if hop is None:
            if len(self._peers) >= MAX_PEERS:
                self._peers.clear()
            hop = self._peers[address] = Hop("udp", address[0], address[1], self._listener.interface)
        return hop

    def _read_errors(self) -> None:
        """Empty the kernel's error queue; destinations that answered by ICMP "unreachable" are reported."""
        while True:
            try:
                _, ancillary, _, address = self._socket.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            if address and _is_fatal(ancillary):
                self._upward.fail(self._hop(address))


def _is_fatal(ancillary: Iterable[tuple[int, int, bytes]]) -> bool:
    for level, kind, data in ancillary:
        is_error = (level, kind) in {(socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)}
        if is_error and len(data) >= _EXTENDED_ERROR.size:
            number, origin, *_ = _EXTENDED_ERROR.unpack_from(data)
            if origin in _FROM_ICMP and number in _FATAL:
                return True
    return False
