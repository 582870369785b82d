"""Stores on files of their own, and records to put into them."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from santral.engine import ids
from santral.engine.cdr.record import CallOpen, CallRecord, LegRecord
from santral.engine.cdr.store import CdrStore

NOW = 1_795_255_200_123  # 2026-11-21T10:00:00.123Z


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/data/cdr.db"


@pytest.fixture
async def store(url: str) -> AsyncIterator[CdrStore]:
    store = CdrStore(url, node="n1", close_s=1.0)
    await store.start()
    yield store
    await store.close()


def open_call(identifier: str | None = None, **fields: Any) -> CallOpen:
    identifier = identifier or ids.new_id()
    known = {"id": identifier, "node": "n1", "tenant": "acme", "trunk_in": "carrier", "caller": "100", "called": "200"}
    return CallOpen(
        **{**known, "started": NOW, "leg": ids.new_id(), "sip_call_id": "a@b", "linked": identifier, **fields}
    )


def finished(identifier: str | None = None, **fields: Any) -> CallRecord:
    legs = (
        LegRecord(ids.new_id(), "originating", "in", NOW, "carrier", "a@b", status=200, q850=16, codec="PCMA/8000"),
        LegRecord(ids.new_id(), "connected", "out", NOW + 5, "pbx", "c@d", "udp:192.0.2.1:5060", 200, jitter_ms=1.5),
    )
    known = {"id": identifier or ids.new_id(), "node": "n1", "tenant": "acme", "cause": "normal", "legs": legs}
    return CallRecord(**{**known, "started": NOW, "ended": NOW + 61_000, **fields})


@pytest.fixture
def new_call() -> Callable[..., CallOpen]:
    return open_call


@pytest.fixture
def new_record() -> Callable[..., CallRecord]:
    return finished
