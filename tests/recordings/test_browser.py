"""Recordings in a real browser, by their signed URLs: played, sought in, decoded, opened by themselves, refused."""

import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
import pytest_asyncio
from aiohttp import web
from tests.recorder.scene import Samples, Talk, Tape, two_sides
from tests.recordings.chromium import PROGRAM, Page, ScriptError, browser

from santral.engine.cdr.recordings import RecordingRow
from santral.engine.cdr.store import CdrStore
from santral.engine.ids import new_id
from santral.engine.recordings.serving import files as serving_files
from santral.engine.recordings.serving import http as serving_http
from santral.engine.recordings.serving.files import Files
from santral.engine.recordings.serving.http import RecordingServer
from santral.engine.recordings.serving.urls import Signer
from santral.recorder.encode import save
from santral.recorder.encode.wav import HEADER_BYTES, header
from santral.recorder.mixdown import Mixdown

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORMATS = {"wav": "audio/wav", "flac": "audio/flac", "opus": "audio/ogg", "mp3": "audio/mpeg"}
HZ = 8000
HALF_S = 60
FIRST, SECOND = (440, 700), (940, 1300)  # Hz, left and right, in each half
THROUGHPUT = 400_000  # bytes per second: what was not asked for by a range is not there yet

PLAYING = """
async (url, from, rate) => {
    const player = new Audio();
    const told = name => new Promise((good, bad) => {
        player.addEventListener(name, good, {once: true});
        player.addEventListener("error", () => bad(new Error(player.error.message)), {once: true});
    });
    player.crossOrigin = "anonymous";  // a page may look into the samples of such media only
    player.preload = "metadata";
    player.defaultPlaybackRate = rate;
    const loaded = told("loadedmetadata"), ended = told("ended");
    player.src = url;
    await loaded;
    const duration = player.duration;
    if (from === null) {
        await player.play();
        await ended;
        return {duration, end: player.currentTime};
    }
    const context = new AudioContext({sampleRate: 48000}), splitter = context.createChannelSplitter(2);
    context.createMediaElementSource(player).connect(splitter);
    const ears = [0, 1].map(channel => {
        const ear = new AnalyserNode(context, {fftSize: 16384, smoothingTimeConstant: 0});
        splitter.connect(ear, channel);
        return ear;
    });
    const heard = async at => {
        const sought = told("seeked");
        player.currentTime = at;
        await sought;
        await player.play();
        while (player.currentTime < at + 0.4) await new Promise(go_on => setTimeout(go_on, 20));
        const loudest = ears.map(ear => {
            const levels = new Float32Array(ear.frequencyBinCount);
            ear.getFloatFrequencyData(levels);
            return levels.indexOf(Math.max(...levels)) * context.sampleRate / ear.fftSize;
        });
        player.pause();
        return loudest;
    };
    const result = {duration, heard: []};
    for (const at of from) result.heard.push(await heard(at));
    player.removeAttribute("src");
    player.load();
    await context.close();
    return result;
}
"""

DECODING = """
async (url, hz, from) => {
    const answer = await fetch(url);
    const context = new OfflineAudioContext(2, 1, hz);  // decodes to its own rate
    const audio = await context.decodeAudioData(await answer.arrayBuffer());
    const text = at => Array.from({length: audio.numberOfChannels}, (_, channel) => {
        const second = audio.getChannelData(channel).slice(at * hz, (at + 1) * hz);
        return btoa(Array.from(new Uint8Array(second.buffer), octet => String.fromCharCode(octet)).join(""));
    });
    return {type: answer.headers.get("Content-Type"), duration: audio.duration, seconds: from.map(text)};
}
"""

# Asked again and again, since a page that is a recording may run no scripts, so no timers either.
WATCHING = "url => location.href === url && document.querySelector('video')?.duration"
STATUS = "async url => (await fetch(url)).status"


class Growing:
    """A recording that is being made: a second more at each look."""

    def __init__(self, audio: Samples) -> None:
        self._data = header(HZ, 2) + audio.tobytes()
        self.size = 0
        self.is_finished = False

    def advance(self) -> bool:
        self.size = min(max(self.size, HEADER_BYTES) + HZ * 4, len(self._data))
        self.is_finished = self.size == len(self._data)
        return True

    def read(self, offset: int, length: int) -> bytes:
        return self._data[offset : min(offset + length, self.size)]

    def close(self) -> None:
        pass


class Scene:
    """Serves a recording in every format, and one that still grows; beside it a page of somebody else."""

    def __init__(self, store: CdrStore, folder: Path) -> None:
        self._folder = folder
        self.ids = {name: new_id() for name in (*FORMATS, "live")}
        self.signer = Signer(b"0123456789abcdef", "http://unknown", 60)
        files = Files(store, {self.ids["live"]}.__contains__, self._stored, lambda *_: Growing(tones(6, FIRST)))
        self.server = RecordingServer("127.0.0.1", 0, files, lambda: self.signer)
        left, right = np.concatenate([tones(HALF_S, FIRST), tones(HALF_S, SECOND)]).T
        for name in FORMATS:
            talks = [Talk(0, left, start_s=0), Talk(1, right, start_s=0)]
            save(Mixdown([Tape(talks, two_sides(end_s=2 * HALF_S))]), folder, "call", name)
            entry = {"name": f"acme/call.{name}", "kind": "audio", "format": name}
            store.recorded(RecordingRow(self.ids[name], "n", "acme", 0, state="ready", files=(entry,)))
        store.recorded(RecordingRow(self.ids["live"], "n", "acme", 0, state="recording"))

    def _stored(self, _tenant: str, _recording: str, name: str) -> BinaryIO:
        return (self._folder / name.rpartition("/")[2]).open("rb")

    def url(self, name: str, *, age_s: float = 0) -> str:
        host, port = self.server.address
        return self.signer.url(self.ids[name], "audio", int(time.time() - age_s)).replace("unknown", f"{host}:{port}")


def tones(seconds: int, hz: tuple[int, int]) -> Samples:
    """A tone for each ear."""
    return np.asarray(8000 * np.sin(2 * np.pi * np.outer(np.arange(seconds * HZ) / HZ, hz)), np.int16)


def strength(samples: Any, hz: float) -> float:
    return float(2 * abs(np.mean(samples * np.exp(-2j * np.pi * hz * np.arange(len(samples)) / HZ))))


def with_arguments(function: str, *arguments: object) -> str:
    return f"({function})({', '.join(map(json.dumps, arguments))})"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    folder = tmp_path_factory.mktemp("recordings")
    store = CdrStore(f"sqlite:///{folder}/cdr.db", node="n")
    await store.start()
    made = Scene(store, folder)
    await store.flush()
    await made.server.start()
    yield made
    await made.server.close()
    await store.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tab(tmp_path_factory: pytest.TempPathFactory, need: Callable[[str], None]) -> AsyncIterator[Page]:
    """One browser for all tests."""
    need(PROGRAM)
    async with browser(tmp_path_factory.mktemp("profile")) as made:
        yield made


async def empty(_: web.Request) -> web.Response:
    return web.Response(text="<!doctype html><link rel=icon href=data:,>", content_type="text/html")


@pytest_asyncio.fixture(loop_scope="module")
async def page(tab: Page) -> AsyncIterator[Page]:
    """An empty web page of whoever was given the URLs: not of the server's origin."""
    app = web.Application()
    app.router.add_get("/", empty)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await tab.call("Page.navigate", url=f"http://127.0.0.1:{runner.addresses[0][1]}/")
    await tab.until("document.readyState === 'complete'")
    yield tab
    await runner.cleanup()


async def test_every_format_is_played_and_decoded(scene: Scene, page: Page) -> None:
    slow = {"offline": False, "latency": 0, "downloadThroughput": THROUGHPUT, "uploadThroughput": -1}
    for name, content_type in FORMATS.items():
        page.responses.clear()
        await page.call("Network.emulateNetworkConditions", **slow)
        played = await page.run(with_arguments(PLAYING, scene.url(name), [HALF_S + 45, 10], 1))
        assert played["duration"] == pytest.approx(2 * HALF_S, abs=0.05), name
        for ears, expected in zip(played["heard"], (SECOND, FIRST), strict=True):
            assert ears == pytest.approx(expected, abs=4), (name, played)
        assert {(answer["status"], answer["mimeType"]) for answer in page.responses} == {(206, content_type)}
        ranges = [answer["headers"]["Content-Range"] for answer in page.responses]
        assert any(not one.startswith("bytes 0-") for one in ranges), (name, ranges)  # it went there, and not all along
        await page.call("Network.emulateNetworkConditions", **{**slow, "downloadThroughput": -1})
        decoded = await page.run(with_arguments(DECODING, scene.url(name), HZ, [30, HALF_S + 30]))
        assert decoded["type"] == content_type
        assert decoded["duration"] == pytest.approx(2 * HALF_S, abs=0.05), name
        for ears, expected in zip(decoded["seconds"], (FIRST, SECOND), strict=True):
            left, right = (np.frombuffer(base64.b64decode(ear), np.float32) * 32768 for ear in ears)
            assert min(strength(left, expected[0]), strength(right, expected[1])) > 6500, name
            assert max(strength(left, expected[1]), strength(right, expected[0])) < 400, name


async def test_a_url_that_is_opened_by_itself(scene: Scene, page: Page) -> None:
    for name in FORMATS:
        url = scene.url(name)
        await page.call("Page.navigate", url=url)
        assert await page.until(with_arguments(WATCHING, url)) == pytest.approx(2 * HALF_S, abs=0.05), name


async def test_a_recording_that_is_still_made_is_played_to_its_end(
    scene: Scene, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_http, "ADVANCE_S", 0.1)
    monkeypatch.setattr(serving_files, "ADVANCE_S", 0.0)
    played = await page.run(with_arguments(PLAYING, scene.url("live"), None, 4))
    assert played["end"] == pytest.approx(6, abs=0.2)


async def test_what_is_refused(scene: Scene, page: Page) -> None:
    altered = scene.url("wav").replace("signature=", "signature=x")
    for url, status in ((altered, 403), (scene.url("wav", age_s=61), 410)):
        assert await page.run(with_arguments(STATUS, url)) == status
        with pytest.raises(ScriptError):
            await page.run(with_arguments(PLAYING, url, None, 1))
