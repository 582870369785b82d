"""Recordings over HTTP, by a real client: ranges, what is refused, and files that grow while they are read."""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp
import pytest

from santral.engine.cdr.recordings import RecordingRow
from santral.engine.cdr.store import CdrStore
from santral.engine.ids import new_id
from santral.engine.recordings.serving import files as serving_files
from santral.engine.recordings.serving import http as serving_http
from santral.engine.recordings.serving.files import Files, NotThereError
from santral.engine.recordings.serving.http import RecordingServer
from santral.engine.recordings.serving.urls import Signer

DATA = bytes(range(256)) * 1000
STORED = {
    "name": "acme/2026/11/22/x.wav",
    "kind": "audio",
    "format": "wav",
    "bytes": len(DATA),
    "sha256": "",
    "seconds": 1.0,
}
PICTURE = {"name": "x.png", "kind": "picture", "format": "png", "bytes": 3, "sha256": "", "seconds": 1.0}


class Growing:
    """Grows by a piece at each look, and ends after three."""

    def __init__(self) -> None:
        self.size = 1000
        self.is_finished = False
        self.closed = 0

    def advance(self) -> bool:
        self.size = min(self.size + 1000, 4000)
        self.is_finished = self.size == 4000
        return not self.is_finished

    def read(self, offset: int, length: int) -> bytes:
        return DATA[offset : min(offset + length, self.size)]

    def close(self) -> None:
        self.closed += 1


class Scene:
    def __init__(self, store: CdrStore) -> None:
        self.running: set[str] = set()
        self.growing = Growing()
        self.lives = 0
        self.error: Exception | None = None
        self.files = Files(store, self.running.__contains__, self._stored, self._live)
        self.signer = Signer(b"0123456789abcdef", "http://unknown", 60)
        self.server = RecordingServer("127.0.0.1", 0, self.files, lambda: self.signer)
        self.ids = {state: new_id() for state in ("ready", "recording", "processing", "failed", "erased")}
        for state, identifier in self.ids.items():
            entries = (STORED, PICTURE) if state == "ready" else ()
            store.recorded(RecordingRow(identifier, "n", "acme", 0, state=state, files=entries))

    def _stored(self, tenant: str, recording: str, name: str) -> BinaryIO:
        if self.error is not None:
            raise self.error
        assert (tenant, recording) == ("acme", self.ids["ready"])
        return io.BytesIO(DATA if name.endswith("/x.wav") else b"png")

    def _live(self, _tenant: str, _recording: str) -> Growing:
        self.lives += 1
        return self.growing

    def url(self, state: str, name: str = "audio", *, now: float | None = None) -> str:
        host, port = self.server.address
        signed = self.signer.url(self.ids.get(state, state), name, int(time.time() if now is None else now))
        return signed.replace("http://unknown", f"http://{host}:{port}")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    store = CdrStore(f"sqlite:///{tmp_path}/cdr.db", node="n")
    await store.start()
    made = Scene(store)
    await store.flush()
    await made.server.start()
    yield made
    await made.server.close()
    await store.close()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
    await asyncio.sleep(0)


async def got(client: aiohttp.ClientSession, url: str, **more: Any) -> tuple[int, Any, bytes]:
    async with client.request(more.pop("method", "GET"), url, **more) as response:
        return response.status, response.headers, await response.read()


async def test_the_whole_a_part_and_the_head(scene: Scene, client: aiohttp.ClientSession) -> None:
    status, headers, body = await got(client, scene.url("ready"))
    assert (status, headers["Content-Type"], headers["Accept-Ranges"]) == (200, "audio/wav", "bytes")
    assert body == DATA
    status, headers, body = await got(client, scene.url("ready"), headers={"Range": "bytes=100000-199999"})
    assert (status, headers["Content-Range"]) == (206, f"bytes 100000-199999/{len(DATA)}")
    assert body == DATA[100_000:200_000]
    status, headers, body = await got(client, scene.url("ready"), headers={"Range": "bytes=-10"})
    assert body == DATA[-10:]
    status, headers, body = await got(client, scene.url("ready"), headers={"Range": f"bytes={len(DATA)}-"})
    assert (status, headers["Content-Range"], body) == (416, f"bytes */{len(DATA)}", b"")
    status, headers, body = await got(client, scene.url("ready"), method="HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len(DATA)), b"")
    status, headers, body = await got(client, scene.url("ready", "picture"))
    assert (status, headers["Content-Type"], body) == (200, "image/png", b"png")
    assert (await got(client, scene.url("ready", "x.png")))[2] == b"png"


async def test_who_has_no_url_learns_nothing(scene: Scene, client: aiohttp.ClientSession) -> None:
    good = scene.url("ready")
    for url in (
        good[:-1],
        good.replace("expires=", "expires=1"),
        good.replace("/audio?", "/picture?"),
        good.partition("?")[0],
        scene.url(new_id()).replace("audio", "other"),
    ):
        assert (await got(client, url))[0] == 403, url
    assert (await got(client, scene.url("ready", now=time.time() - 61)))[0] == 410
    host, port = scene.server.address
    for path in ("/", "/recordings", "/recordings/../../etc/passwd", "/recordings/a/b/c", "/metrics"):
        assert (await got(client, f"http://{host}:{port}{path}"))[0] == 404, path
    assert (await got(client, good, method="POST"))[0] == 405
    assert scene.server.counters["served"] == 0


async def test_what_is_not_there(scene: Scene, client: aiohttp.ClientSession) -> None:
    for state, status in (("processing", 503), ("recording", 503), ("failed", 404), ("erased", 410), (new_id(), 404)):
        assert (await got(client, scene.url(state)))[0] == status, state
    assert (await got(client, scene.url("ready", "peaks")))[0] == 404
    scene.error = FileNotFoundError("gone")
    assert (await got(client, scene.url("ready")))[0] == 404
    scene.error = OSError("away")
    assert (await got(client, scene.url("ready")))[0] == 502


async def test_a_growing_file_is_followed_to_its_end(
    scene: Scene, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_http, "ADVANCE_S", 0.01)
    monkeypatch.setattr(serving_files, "ADVANCE_S", 0.0)
    scene.running.add(scene.ids["recording"])
    status, headers, body = await got(client, scene.url("recording"))
    assert (status, body) == (200, DATA[:4000])
    assert "Content-Length" not in headers
    assert scene.lives == 1


async def test_a_part_of_a_growing_file(scene: Scene, client: aiohttp.ClientSession) -> None:
    scene.running.add(scene.ids["recording"])
    status, headers, body = await got(client, scene.url("recording"), headers={"Range": "bytes=500-"})
    assert (status, headers["Content-Range"], body) == (206, "bytes 500-1999/*", DATA[500:2000])
    status, headers, _ = await got(client, scene.url("recording"), headers={"Range": "bytes=9000-"})
    assert (status, headers["Content-Range"]) == (416, "bytes */*")
    assert (await got(client, scene.url("recording", "picture")))[0] == 503
    assert scene.lives == 1  # one look at the capture for all who listen


async def test_growing_files_are_bounded_and_closed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_files, "MAX_LIVE", 1)
    monkeypatch.setattr(serving_files, "LINGER_S", 0.0)
    scene.running.update({"a", "b"})
    row = {"id": "a", "state": "recording", "tenant": "acme", "files": []}
    opened = await scene.files.open(row, "audio")
    again = await scene.files.open(row, "audio")
    with pytest.raises(NotThereError, match="busy"):
        await scene.files.open({**row, "id": "b"}, "audio")
    await opened.close()
    await asyncio.sleep(0.01)
    assert scene.growing.closed == 0
    await again.close()
    await asyncio.sleep(0.01)
    assert scene.growing.closed == 1
    await (await scene.files.open({**row, "id": "b"}, "audio")).close()
