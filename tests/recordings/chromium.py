"""A real browser without a window, driven by its DevTools protocol."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp

PROGRAM: Final = "chromium"
OPTIONS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-port=0",
)
START_S: Final = 20.0
ANSWER_S: Final = 15.0
POLL_S: Final = 0.02


class ScriptError(Exception):
    """A script in the page has thrown this."""


class Page:
    """One tab. `responses`: what servers have answered it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.responses: list[dict[str, Any]] = []

    async def listen(self) -> None:
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                self._waiting.pop(said["id"]).set_result(said)
            elif said["method"] == "Network.responseReceived":
                self.responses.append(said["params"]["response"])

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(ANSWER_S):
            said = await answer
        if "error" in said:
            raise ScriptError(f"{method}: {said['error']}")
        return dict(said["result"])

    async def run(self, script: str) -> Any:
        """The value of an expression, awaited when it is a promise. Raises ScriptError."""
        said = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in said:
            raise ScriptError(said["exceptionDetails"]["exception"].get("description", "thrown"))
        return said["result"].get("value")

    async def until(self, script: str) -> Any:
        """The value of an expression as soon as it has one that is neither null nor false."""
        async with asyncio.timeout(ANSWER_S):
            while True:
                value = await self.run(script)
                if value is not None and value is not False:
                    return value
                await asyncio.sleep(POLL_S)


@contextlib.asynccontextmanager
async def browser(profile: Path) -> AsyncIterator[Page]:
    """A browser with one empty page; `profile`: a folder of its own."""
    quiet = {"stdout": asyncio.subprocess.DEVNULL, "stderr": asyncio.subprocess.DEVNULL}
    process = await asyncio.create_subprocess_exec(
        PROGRAM, *OPTIONS, f"--user-data-dir={profile}", "about:blank", **quiet
    )
    try:
        async with aiohttp.ClientSession() as session:
            async with asyncio.timeout(START_S):
                tab = await _first_tab(session, profile)
            async with session.ws_connect(tab, max_msg_size=0) as socket:
                page = Page(socket)
                listening = asyncio.create_task(page.listen())
                for domain in ("Page", "Network", "Runtime"):
                    await page.call(f"{domain}.enable")
                yield page
                listening.cancel()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _first_tab(session: aiohttp.ClientSession, profile: Path) -> str:
    """Where to say what the first tab shall do."""
    address = await asyncio.to_thread(_address, profile)
    while True:
        async with session.get(f"http://{address}/json/list") as answer:
            for one in await answer.json():
                if one["type"] == "page":
                    return str(one["webSocketDebuggerUrl"])
        await asyncio.sleep(POLL_S)


def _address(profile: Path) -> str:
    """The browser writes its port and a path into a file when it listens."""
    told, end = profile / "DevToolsActivePort", time.monotonic() + START_S
    while not (told.exists() and told.read_text().count("\n")):
        if time.monotonic() > end:
            raise TimeoutError("the browser does not start")
        time.sleep(POLL_S)
    return f"127.0.0.1:{told.read_text().split()[0]}"
