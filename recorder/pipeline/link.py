"""The recorder as a process of the engine's: settings and orders come by one socket, reports go by it.

Frames are msgpack maps back to back, each with `kind`. Reports are sent again at every start until they were noted, so
the engine may meet one twice. The loop here waits for no store and no recording, only for folders: `alive` means that.
"""

import os
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import FrameType
from typing import Any, Final

import msgpack

from santral.recorder.keys import KeysError
from santral.recorder.pipeline.layout import is_id
from santral.recorder.pipeline.recorder import SCAN_S, Recorder, Says, silence
from santral.recorder.pipeline.settings import Settings

NICENESS: Final = 10
NOBODY_ELSE: Final = 0o077  # recordings are for who runs the engine
MAX_FRAME_BYTES: Final = 1 << 20
READ_BYTES: Final = 1 << 16
ALIVE_S: Final = 2.0
MAX_UNSENT_BYTES: Final = 1 << 18  # of reports on their way; the others wait in the outbox
TURN_S: Final = 0.5


class Link:
    """One life of the process: from the first settings until the engine's end of the socket closes."""

    def __init__(self, engine: socket.socket, say: Says = silence) -> None:
        engine.setblocking(False)
        self._engine = engine
        self._say = say
        self._frames = msgpack.Unpacker(max_buffer_size=MAX_FRAME_BYTES)
        self._unsent = bytearray()
        self._to_send: dict[str, None] = {}  # names of reports, in order
        self._recorder: Recorder | None = None
        self._settings: Settings | None = None
        self._leaving: list[threading.Thread] = []  # recorders of earlier settings, at their last steps
        self._is_over = False
        self._bell, self._rope = socket.socketpair()
        self._bell.setblocking(False)
        self._rope.setblocking(False)
        self._next_alive = self._next_scan = 0.0

    def run(self) -> None:
        """Until the socket closes, `stop`, or SIGTERM."""
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, self._on_signal)
        with selectors.DefaultSelector() as selector:
            selector.register(self._engine, selectors.EVENT_READ)
            selector.register(self._bell, selectors.EVENT_READ)
            while not self._is_over:
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
                selector.modify(self._engine, wanted)
                for key, ready in selector.select(TURN_S):
                    if key.fileobj is self._bell:
                        self._bell.recv(READ_BYTES)
                    elif ready & selectors.EVENT_READ:
                        self._read()
                self._turn(time.monotonic())
                self._write()
        self._end()

    def _turn(self, now: float) -> None:
        recorder = self._recorder
        if recorder is None:
            return
        if now >= self._next_scan:
            self._next_scan = now + SCAN_S
            recorder.tick()
        self._to_send.update(dict.fromkeys(recorder.tools.outbox.fresh()))
        while self._to_send and len(self._unsent) < MAX_UNSENT_BYTES:
            name = next(iter(self._to_send))
            del self._to_send[name]
            report = recorder.tools.outbox.get(name)
            if report is not None:
                self._unsent += msgpack.packb(report)
        if now >= self._next_alive:
            self._next_alive = now + ALIVE_S
            said = {"kind": "alive", **recorder.counts(), "unreported": len(self._to_send)}
            self._unsent += msgpack.packb(said)

    def _read(self) -> None:
        try:
            data = self._engine.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._is_over = True
            return
        self._frames.feed(data)
        for frame in self._frames:
            if isinstance(frame, dict):
                self._take(frame)

    def _write(self) -> None:
        if self._unsent:
            try:
                sent = self._engine.send(self._unsent)
                del self._unsent[:sent]
            except BlockingIOError:
                pass
            except OSError:
                self._is_over = True

    def _take(self, frame: Mapping[str, Any]) -> None:
        kind = frame.get("kind")
        recorder = self._recorder
        try:
            if kind == "settings":
                self._set(Settings.from_map(frame))
            elif kind == "stop":
                self._is_over = True
            elif recorder is not None:
                ORDERS.get(str(kind), _ignore)(recorder, frame)
            else:
                self._say("a frame came before the settings", kind=kind)
        except (KeysError, ValueError, KeyError, TypeError, OSError) as problem:
            self._say("a frame was not understood", kind=kind, error=f"{type(problem).__name__}: {problem}")
            self._tell(kind="rejected", of=kind, recording=frame.get("recording", ""), why=str(problem))

    def _set(self, settings: Settings) -> None:
        """Take settings. Others than before: steps under way end by the old ones, everything else goes on by these."""
        if settings == self._settings:
            return
        if self._recorder is not None:
            leaving = threading.Thread(target=self._recorder.stop, name="leaving")
            leaving.start()
            self._leaving.append(leaving)
        outbox = self._recorder.tools.outbox if self._recorder else None
        self._settings = settings
        self._recorder = Recorder(settings, say=self._say, outbox=outbox)
        self._recorder.on_change = self._ring
        self._to_send.update(dict.fromkeys(self._recorder.tools.outbox.names()))
        self._next_alive = self._next_scan = 0.0

    def _tell(self, **said: Any) -> None:
        self._unsent += msgpack.packb(said)

    def _ring(self) -> None:
        with suppress(OSError):  # it rings already, or nobody listens any more
            self._rope.send(b"!")

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._is_over = True
        self._ring()

    def _end(self) -> None:
        if self._recorder is not None:
            self._recorder.stop()
            for each in self._leaving:
                each.join()
            self._turn(time.monotonic())
            self._write()
        self._engine.close()
        self._bell.close()
        self._rope.close()


def _process(recorder: Recorder, frame: Mapping[str, Any]) -> None:
    if not is_id(str(frame["recording"])):
        raise ValueError("not the id of a recording")
    recorder.process(str(frame["recording"]))


def _order(recorder: Recorder, frame: Mapping[str, Any]) -> None:
    recorder.orders.take(str(frame["kind"]), str(frame["recording"]), frame)
    recorder.start(str(frame["recording"]))


def _rewrap(recorder: Recorder, frame: Mapping[str, Any]) -> None:
    recorder.rewrap(str(frame["tenant"]))


def _noted(recorder: Recorder, frame: Mapping[str, Any]) -> None:
    recorder.tools.outbox.drop(str(frame["report"]))


def _ignore(_recorder: Recorder, _frame: Mapping[str, Any]) -> None:
    """A frame of an engine that is newer."""


ORDERS: Final[Mapping[str, Callable[[Recorder, Mapping[str, Any]], None]]] = {
    "process": _process,
    "erase": _order,
    "hold": _order,
    "release": _order,
    "rewrap": _rewrap,
    "noted": _noted,
}


def serve(descriptor: int, say: Says = silence) -> None:
    """Work for the engine at the other end of this descriptor."""
    os.nice(NICENESS)
    os.umask(NOBODY_ELSE)
    Link(socket.socket(fileno=descriptor), say).run()
