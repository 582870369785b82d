"""What the recorder does once in a while: look for work, sweep, anchor the ledger; and again when it went wrong."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from santral.recorder.ledger import LedgerError
from santral.recorder.ledger.anchor import AnchorError, AnchorSettings
from santral.recorder.pipeline import TenantSettings
from santral.recorder.pipeline import recorder as module

PATIENCE_S = 20.0


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_tick_finds_what_is_there_and_what_came(desk: Any) -> None:
    first = desk.capture()
    recorder = desk.recorder()
    recorder.tick()
    until(lambda: f"{first}.ready" in recorder.tools.outbox.names())
    second = desk.capture()
    recorder.tick()
    until(lambda: f"{second}.ready" in recorder.tools.outbox.names())


def test_a_failure_comes_again_when_its_time_has_come(desk: Any) -> None:
    recording = desk.capture()
    recorder = desk.recorder("encoded:fail=EIO*3")
    until(lambda: recorder.tick() or f"{recording}.ready" in recorder.tools.outbox.names())
    assert f"{recording}.failed" not in recorder.tools.outbox.names()


def test_retention_is_looked_at_at_the_start_and_carried_out(desk: Any) -> None:
    recording = desk.capture(made_days_ago=10)
    assert desk.run() == []
    desk.settings = replace(desk.settings, tenants={"": TenantSettings(retention_days=7)})
    recorder = desk.recorder()
    until(lambda: recorder.tick() or f"{recording}.erased" in recorder.tools.outbox.names())
    assert desk.findings() == []


def test_an_anchor_that_nobody_took_is_tried_again(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.capture()
    assert desk.run() == []
    answers: list[Any] = [AnchorError("away"), LedgerError("damaged"), {"entry": 1, "hash": "aa"}]

    def tell(*_args: object) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(module, "anchor", tell)
    desk.settings = replace(desk.settings, anchor=AnchorSettings("https://notary.example/"))
    recorder = desk.recorder()
    until(lambda: recorder.tick() or "ledger.anchored" in recorder.tools.outbox.names())
    assert answers == []
