"""Everything about recordings of one node, made and joined: started, told of a new configuration, stopped in order."""

import asyncio
import secrets
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from santral.engine import log, utc
from santral.engine.cdr.store import CdrStore
from santral.engine.config import Config
from santral.engine.events import EventLog
from santral.engine.media import MediaPlane
from santral.engine.recordings.archive import Archive
from santral.engine.recordings.book import Book
from santral.engine.recordings.captures import Captures
from santral.engine.recordings.licences import Licences
from santral.engine.recordings.policy import Manner, Policy
from santral.engine.recordings.recordings import Recordings
from santral.engine.recordings.serving.files import MEMORY, Files, Growing
from santral.engine.recordings.serving.http import RecordingServer
from santral.engine.recordings.serving.urls import Signer
from santral.engine.recordings.supervisor import RecorderProcess
from santral.engine.recordings.supply import recorder_settings
from santral.recorder.keys import DamagedError, KeysError
from santral.recorder.pipeline import Settings
from santral.recorder.storage import StorageError

if TYPE_CHECKING:
    from santral.recorder.pipeline.reading import Library

DRAWN_SECRET_BYTES: Final = 32


class Studio:
    """`recordings` are those under way, `archive` those that are over, `files` their octets."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, config: Config, plane: MediaPlane, cdrs: CdrStore, events: EventLog
    ) -> None:
        self._config = config
        self._drawn: Final = secrets.token_bytes(DRAWN_SECRET_BYTES)
        self._log = log.get("recordings")
        book = Book(cdrs, events, config.engine.node)
        self.captures: Final = Captures(plane, config.engine.data_dir, config.engine.node)
        self.archive: Final = Archive(loop, self.captures, book, config.engine.data_dir)
        self.process: Final = RecorderProcess(loop, self._frame, self.archive.hear, self.archive.standing)
        licences = Licences(book.peaked, lambda: utc.text_of(utc.now_ms())[:10])
        self.recordings: Final = Recordings(loop, self.captures, book, licences, self.process)
        self.files: Final = Files(cdrs, self.recordings.is_running, self._open_stored, self._open_live)
        listen = config.recording.listen
        self.server: Final = (
            None if listen is None else RecordingServer(listen.host, listen.port, self.files, self._signer)
        )
        self._library: Library | None = None
        self._reading: Final = threading.Lock()  # one thread at a time
        self.reconfigure(config)

    # ---- life ----

    async def start(self) -> None:
        """Raises OSError: no folder for captures, or no address to listen on."""
        await self.archive.start(self.process)
        if self.server is not None:
            await self.server.start()

    def reconfigure(self, config: Config) -> None:
        """For recordings that begin from now on, and steps of the recorder that do."""
        self._config = config
        self._policy = Policy.of(config)
        self._settings: Settings = recorder_settings(config)
        self.captures.keyring = self._settings.keyring
        self._library = None
        self.process.reconfigure()

    async def silence(self) -> None:
        """End what is under way: before the media plane stops."""
        await self.recordings.close()

    async def close(self) -> None:
        """What is left is done at the next start."""
        if self.server is not None:
            await self.server.close()
        self.files.close()
        await self.process.close()
        await self.archive.close()

    # ---- what it knows ----

    def manner_of(self, tenant: str) -> Manner:
        return self._policy.manners.get(tenant, Manner())

    @property
    def address(self) -> tuple[str, int] | None:
        """Where recordings are fetched."""
        return None if self.server is None else self.server.address

    @property
    def signer(self) -> Signer | None:
        """Makes URLs; None where nothing is served."""
        return None if self.server is None else self._signer()

    def _signer(self) -> Signer:
        table = self._config.recording
        secret = self._drawn if table.url_secret is None else table.url_secret.get_secret_value().encode()
        host, port = self.address or ("", 0)
        base = table.url or f"http://{f'[{host}]' if ':' in host else host}:{port}"
        return Signer(secret, base, table.url_ttl)

    def status(self) -> dict[str, Any]:
        """Figures for clients and metrics."""
        running = list(self.recordings)
        return {
            "running": len(running),
            "in_trouble": sum(1 for one in running if one.trouble),
            "licences": self.recordings.licences.all_in_use(),
            **{f"recorder_{name}": value for name, value in self.process.counters.items()},
            **{name: int(self.process.alive.get(name) or 0) for name in ("jobs", "waiting", "pending", "unreported")},
            **({} if self.server is None else {f"http_{name}": value for name, value in self.server.counters.items()}),
        }

    # ---- reading; in threads ----

    def _frame(self) -> dict[str, Any]:
        return {"kind": "settings", **self._settings.to_map()}

    def _open_stored(self, tenant: str, recording: str, name: str) -> BinaryIO:
        """Raises FileNotFoundError, or OSError when the store does not give it or the file does not open."""
        from santral.recorder.pipeline.reading import Library, NotFoundError  # noqa: PLC0415 - fsspec is slow to load

        with self._reading:
            if self._library is None:
                self._library = Library(self._settings)
            try:
                return self._library.open(tenant, recording, name)
            except NotFoundError as problem:
                raise FileNotFoundError(str(problem)) from None
            except (StorageError, DamagedError, KeysError) as problem:
                raise OSError(str(problem)) from None

    def _open_live(self, tenant: str, recording: str) -> Growing:
        from santral.recorder.mixdown import Options  # noqa: PLC0415 - an engine that serves none needs it not
        from santral.recorder.mixdown.live import LiveFile  # noqa: PLC0415

        one, settings = self.recordings.active.get(recording), self._settings
        options = Options() if one is None else Options(channels=one.wish.channels, digits=one.wish.manner.digits)
        folder = MEMORY if settings.keyring.encrypts(tenant) else None
        return LiveFile(self.captures.path(recording), settings.unwrap, options, folder)
