"""Recordings over HTTP: GET and HEAD of signed URLs, with byte ranges; nothing else is there.

Whoever has the URL may have the file: nobody else learns whether there is one. aiohttp is loaded only when wanted.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from santral.engine import log
from santral.engine.cdr.store import StoreError
from santral.engine.recordings.serving.files import ADVANCE_S, Files, NotThereError, Opened
from santral.engine.recordings.serving.ranges import Span, UnsatisfiableError, wanted
from santral.engine.recordings.serving.urls import PATH, Signer

if TYPE_CHECKING:
    from aiohttp import web

PIECE: Final = 64 * 1024
MAX_REQUESTS: Final = 256  # under way at once
COME_AGAIN_S: Final = 2
STATUS: Final = {"unknown": 404, "erased": 410, "not_yet": 503, "busy": 503}
FORBIDDEN: Final = 403
GONE: Final = 410
UNSATISFIABLE: Final = 416
UNAVAILABLE: Final = 503
BAD_GATEWAY: Final = 502
ALWAYS: Final = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; media-src 'self'; sandbox",
    # The URL is the whole right: no cookie rides along. Without this a browser does not even play a URL that is opened
    # by itself, for the sandbox makes that page nobody's and its player asks as a stranger.
    "Access-Control-Allow-Origin": "*",
}


class Refused(Exception):  # noqa: N818 - an answer
    """Answered with this status and no body."""

    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.headers = status, headers or {}


class RecordingServer:
    """Serves what `files` opens to whoever `signer` lets."""

    def __init__(
        self,
        host: str,
        port: int,
        files: Files,
        signer: Callable[[], Signer],
    ) -> None:
        self._host, self._port, self._files, self._signer = host, port, files, signer
        self._runner: web.AppRunner | None = None
        self._busy = 0
        self.counters = {"served": 0, "refused": 0, "bytes": 0}
        self._log = log.get("recordings")

    @property
    def address(self) -> tuple[str, int]:
        """Where it really listens; OSError before `start`."""
        if self._runner is None or not self._runner.addresses:
            raise OSError("the server of recordings does not listen")
        host, port = self._runner.addresses[0][:2]
        return str(host), int(port)

    async def start(self) -> None:
        """Listen; OSError when the address is taken."""
        from aiohttp import web  # noqa: PLC0415 - 15 MiB that an engine without it does not need

        app = web.Application()
        app.router.add_get(PATH + "/{id}/{name}", self._answer, allow_head=True)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError:
            await self.close()
            raise

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self._files.close()

    async def _answer(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web  # noqa: PLC0415

        try:
            if self._busy >= MAX_REQUESTS:
                raise Refused(UNAVAILABLE, {"Retry-After": str(COME_AGAIN_S)})
            self._busy += 1
            try:
                return await self._serve(request)
            finally:
                self._busy -= 1
        except Refused as refusal:
            self.counters["refused"] += 1
            return web.Response(status=refusal.status, headers={**ALWAYS, **refusal.headers})

    async def _serve(self, request: "web.Request") -> "web.StreamResponse":
        file = await self._open(request)
        try:
            try:
                span = wanted(request.headers.get("Range"), file.size, is_growing=file.is_growing)
            except UnsatisfiableError:
                size = "*" if file.is_growing else str(file.size)
                raise Refused(UNSATISFIABLE, {"Content-Range": f"bytes */{size}"}) from None
            return await self._send(request, file, span)
        finally:
            await file.close()

    async def _open(self, request: "web.Request") -> Opened:
        recording, name = request.match_info["id"], request.match_info["name"]
        query = request.query.get("expires", ""), request.query.get("signature", "")
        objection = self._signer().objection(recording, name, query, int(time.time()))
        if objection is not None:
            raise Refused(GONE if objection == "expired" else FORBIDDEN)
        try:
            row = await self._files.row(recording)
            if row is None:
                raise NotThereError("unknown")
            return await self._files.open(row, name)
        except NotThereError as problem:
            again = {"Retry-After": str(COME_AGAIN_S)} if STATUS[problem.why] == UNAVAILABLE else None
            raise Refused(STATUS[problem.why], again) from None
        except (StoreError, OSError) as problem:
            self._log.error("a recording cannot be read", recording=recording, error=str(problem))
            raise Refused(BAD_GATEWAY) from None

    async def _send(self, request: "web.Request", file: Opened, span: Span | None) -> "web.StreamResponse":
        """The whole as far as it is there and grows, or one part of what is there."""
        from aiohttp import web  # noqa: PLC0415

        response = web.StreamResponse(status=200 if span is None else 206, headers=ALWAYS)
        response.content_type = file.type
        if span is not None:
            size = "*" if file.is_growing else str(file.size)
            response.headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{size}"
            response.content_length = span.end - span.start
        elif not file.is_growing:
            response.content_length = file.size
        self.counters["served"] += 1
        await response.prepare(request)
        if request.method != "HEAD":
            with suppress(ConnectionError):  # it has heard enough
                await self._pour(response, file, span)
        return response

    async def _pour(self, response: "web.StreamResponse", file: Opened, span: Span | None) -> None:
        at, end = span or (0, file.size)
        while True:
            while at < end:
                piece = await file.read(at, min(PIECE, end - at))
                if not piece:
                    return  # shorter than it was: the client sees that the length is missing
                await response.write(piece)
                at += len(piece)
                self.counters["bytes"] += len(piece)
            if span is not None or not file.is_growing:
                return
            await asyncio.sleep(ADVANCE_S)
            await file.advance()
            end = file.size
