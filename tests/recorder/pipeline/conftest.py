"""A desk: a data folder, captures to put in it, and recorders to let loose on it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from santral.recorder.capture import CaptureHeader, CaptureKey, CaptureWriter
from santral.recorder.pipeline import LOCAL, RetrySettings, Settings, TenantSettings
from santral.recorder.pipeline.layout import Layout
from santral.recorder.pipeline.reading import Library
from santral.recorder.pipeline.recorder import Recorder
from santral.recorder.pipeline.verify import verify
from santral.recorder.storage import StoreSettings

KEY = "11" * 32
OLD_KEY = "22" * 32
QUICK = RetrySettings(attempts=2, first_s=0.01, most_s=0.05)


class Desk:
    """What every test of the pipeline needs. `acme` is not encrypted, `sealed` is; both keep in `local`."""

    def __init__(self, folder: Path, fork: Callable[[Settings], int]) -> None:
        self.folder = folder
        self.layout = Layout(folder / "data")
        self.kept = folder / "kept"
        self._fork = fork
        self._count = 0
        self._recorders: list[Recorder] = []
        self.settings = Settings(
            data_dir=folder / "data",
            node="node-1",
            stores={LOCAL: StoreSettings(self.kept.as_uri(), create=True)},
            tenants={"acme": TenantSettings(), "sealed": TenantSettings(keys=(KEY,))},
            retry=QUICK,
        )
        for each in self.layout.all():
            each.mkdir(parents=True)

    def with_store(self, name: str, store: StoreSettings) -> None:
        """Another store, and both tenants want it."""
        tenants = {tenant: replace(one, store=name) for tenant, one in self.settings.tenants.items()}
        self.settings = replace(self.settings, stores={**self.settings.stores, name: store}, tenants=tenants)

    def capture(self, tenant: str = "acme", *, cut: bool = False, made_days_ago: float = 0.0, **meta: Any) -> str:
        """A finished capture of half a second on two sides; or one whose engine died."""
        recording = self.new_id(made_days_ago)
        header = CaptureHeader.now(recording, tenant, "node-1", {"tenant": tenant, "format": "wav", **meta})
        start = header.monotonic_ns
        key = None
        if self.settings.keyring.encrypts(tenant):
            data_key, wrapped = self.settings.keyring.new(tenant, recording)
            key = CaptureKey(data_key.capture(), wrapped)
        with CaptureWriter(self.layout.capture(recording), header, key) as writer:
            writer.codec(8, "PCMA/8000", start)
            for stream, role in ((1, "originating"), (2, "connected")):
                writer.stream(stream, start, leg=f"leg-{stream}", side="said", role=role)
            for packet in range(25):
                for stream in (1, 2):
                    at = start + packet * 20_000_000
                    payload = bytes([0x55 ^ (packet * stream & 0x3F)]) * 160
                    writer.packet(stream, at, packet * 160, stream, packet, 8, payload)
            if not cut:
                writer.end(start + 500_000_000, "hangup")
        return recording

    def new_id(self, days_ago: float = 0.0) -> str:
        """A UUIDv7, in the order of making."""
        self._count += 1
        milliseconds = int((time.time() - days_ago * 86_400) * 1000)
        digits = f"{milliseconds:012x}7{self._count:03x}8{os.urandom(8).hex()[:15]}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def recorder(self, faults: str = "") -> Recorder:
        recorder = Recorder(replace(self.settings, faults=faults))
        self._recorders.append(recorder)
        return recorder

    def run(self, faults: str = "") -> list[str]:
        """One recorder, in this process, does everything once; what failed."""
        recorder = self.recorder(faults)
        failed = recorder.run_once()
        recorder.stop()
        return failed

    def run_apart(self, faults: str = "") -> int:
        """The same in a process of its own: the count of failures, or minus the signal that ended it."""
        return self._fork(replace(self.settings, faults=faults))

    def reports(self) -> dict[str, dict[str, Any]]:
        outbox = self.recorder().tools.outbox
        return {name: report for name in outbox.names() if (report := outbox.get(name))}

    def findings(self, **options: Any) -> list[str]:
        done = verify(self.settings, **options)
        return [f"{finding.kind}: {finding.text}" for finding in done.findings]

    def audio(self, recording: str, tenant: str = "acme") -> bytes:
        library = Library(self.settings)
        with library.open(tenant, recording) as file:
            data = file.read()
        library.close()
        return data

    def names(self, folder: Path) -> list[str]:
        return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name != "lock")

    def assert_stored_once(self, recording: str, tenant: str = "acme") -> None:
        """Stored, proved, readable; and nothing of the work is left, not even the capture."""
        record = Library(self.settings).record(tenant, recording)
        assert record is not None
        assert record.store == self.settings.tenant(tenant).store
        assert self.audio(recording, tenant)[:4] == b"RIFF"
        assert self.names(self.layout.jobs) == []
        assert self.names(self.layout.captures) == []
        ledger = self.recorder().tools.ledger
        lines = [entry for entry in ledger.entries() if entry.facts.get("recording") == recording]
        assert [line.kind for line in lines].count("stored") == 1
        assert self.findings() == []
        assert f"{recording}.ready" in self.reports()
        assert f"{recording}.failed" not in self.reports()

    def close(self) -> None:
        for recorder in self._recorders:
            recorder.stop()


@pytest.fixture(scope="session")
def fork() -> Iterator[Callable[[Settings], int]]:
    script = Path(__file__).with_name("zygote.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin
        assert process.stdout
        writes, reads = process.stdin, process.stdout

        def run(settings: Settings) -> int:
            writes.write(json.dumps(settings.to_map()) + "\n")
            writes.flush()
            return int(reads.readline())

        yield run
        writes.close()


@pytest.fixture
def desk(tmp_path: Path, fork: Callable[[Settings], int]) -> Iterator[Desk]:
    """In memory where there is such a disk: every step waits for it."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="desk-", dir=memory)) if os.access(memory, os.W_OK) else tmp_path
    desk = Desk(folder, fork)
    yield desk
    desk.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def s3_guard() -> Callable[[Any], Any]:
    """For as long as it is entered, moto looks at credentials."""
    import contextlib  # noqa: PLC0415

    import requests  # noqa: PLC0415

    @contextlib.contextmanager
    def guard(server: Any) -> Iterator[None]:
        url = f"http://127.0.0.1:{server.port}/moto-api/reset-auth"
        if hasattr(server, "bucket"):
            requests.post(url, data=b"0", timeout=5)
        try:
            yield
        finally:
            if hasattr(server, "bucket"):
                requests.post(url, data=b"inf", timeout=5)

    return guard
