"""The audio of one call: an RTP/RTCP socket pair, a thread that speaks on a 20 ms schedule, a thread that listens."""

import random
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from santral.bench.peer.rtp import FRAME_MS, Packet, Script, pack

TICK_NS: Final = FRAME_MS * 1_000_000
POLL_S: Final = 0.1
ATTEMPTS: Final = 200
RECEIVE_BUFFER: Final = 1 << 20


def even_pair(host: str) -> tuple[socket.socket, socket.socket]:
    """An even RTP port and the odd one above it for RTCP (RFC 3550 11)."""
    for _ in range(ATTEMPTS):
        port = random.randrange(20_000, 64_000, 2)
        rtp, rtcp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        try:
            rtp.bind((host, port))
            rtcp.bind((host, port + 1))
        except OSError:
            rtp.close()
            rtcp.close()
            continue
        rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        return rtp, rtcp
    raise OSError(f"no free RTP port pair on {host}")


class Line:
    """Open from construction to `close()`. `packets` may be read once closed."""

    def __init__(self, host: str, on_said: Callable[[], None]) -> None:
        """`on_said` is called once, on the speaking thread, when the script is over and only silence follows."""
        self._rtp, self._rtcp = even_pair(host)
        self.port: int = self._rtp.getsockname()[1]
        self.packets: list[Packet] = []
        self.not_rtp = 0
        self.sent = 0
        self.latest_ns = 0  # worst lateness of a sent packet against the schedule
        self.started_ns = 0  # monotonic time of the script's sample 0
        self._on_said = on_said
        self._stopping = threading.Event()
        self._remote: tuple[str, int] | None = None
        self._threads: list[threading.Thread] = [threading.Thread(target=self._listen, name="listen")]
        self._rtp.settimeout(POLL_S)
        self._threads[0].start()

    def speak(self, remote: tuple[str, int], script: Script) -> None:
        """Start the script toward `remote`; a second call only changes where the packets go."""
        self._remote = remote
        if len(self._threads) == 1:
            speaker = threading.Thread(target=self._speak, args=(script,), name="speak")
            self._threads.append(speaker)
            speaker.start()

    def _speak(self, script: Script) -> None:
        sequence, timestamp_base, ssrc = random.getrandbits(15), random.getrandbits(32), random.getrandbits(32)
        self.started_ns = time.monotonic_ns()
        last_tick = script.ticks()
        for number, frame in enumerate(script.frames()):
            due_ns = self.started_ns + frame.tick * TICK_NS
            wait_ns = due_ns - time.monotonic_ns()
            if wait_ns > 0 and self._stopping.wait(wait_ns / 1e9):
                return
            if self._stopping.is_set() or self._remote is None:
                return
            self._rtp.sendto(pack(frame, sequence + number, timestamp_base, ssrc), self._remote)
            self.sent += 1
            self.latest_ns = max(self.latest_ns, time.monotonic_ns() - due_ns)
            if frame.tick == last_tick:
                self._on_said()

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                data, source = self._rtp.recvfrom(2048)
            except TimeoutError:
                continue
            packet = Packet.parse(data, time.monotonic_ns(), source[:2])
            if packet is None:
                self.not_rtp += 1
            else:
                self.packets.append(packet)

    def rtcp_packets(self) -> int:
        """How many RTCP datagrams came so far; reads them away."""
        self._rtcp.setblocking(False)
        count = 0
        while True:
            try:
                self._rtcp.recv(2048)
            except BlockingIOError:
                return count
            count += 1

    def close(self) -> None:
        """Stop both threads and free the ports."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._rtp.close()
        self._rtcp.close()
