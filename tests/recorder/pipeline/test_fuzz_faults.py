"""Any faults in any order, with a store that comes and goes: in the end everything is stored once, held or erased."""

import os
import random
from typing import Any

import pytest

from santral.recorder.pipeline.steps import NAMES
from santral.recorder.storage import StoreSettings

ROUNDS = min(500, max(8, int(os.environ.get("SANTRAL_FUZZ_EXAMPLES", "0")) // 40))
POINTS = [point for name in NAMES for point in (name, f"{name}.done")] + [
    "stored.half",
    "moved.half",
    "erased",
    "erased.done",
]
ERRNOS = ("ENOSPC", "EIO", "EACCES", "ECONNRESET", "ENOENT")


def fault(chance: random.Random) -> str:
    point = chance.choice(POINTS)
    if chance.random() < 0.6:
        return f"{point}:kill"
    return f"{point}:fail={chance.choice(ERRNOS)}*{chance.randint(1, 3)}"


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_whatever_happens_nothing_is_lost(desk: Any, seed: int) -> None:
    chance = random.Random(seed)
    share, hidden = desk.folder / "share", desk.folder / "hidden"
    share.mkdir()
    desk.with_store("share", StoreSettings(share.as_uri()))
    recordings = {
        desk.capture(tenant, cut=chance.random() < 0.2): tenant for tenant in chance.choices(["acme", "sealed"], k=3)
    }
    orders: dict[str, str] = {}
    for _ in range(chance.randint(2, 5)):
        if chance.random() < 0.4:
            there, to = (share, hidden) if share.exists() else (hidden, share)
            there.rename(to)
        if chance.random() < 0.3:
            recording = chance.choice(list(recordings))
            orders[recording] = chance.choice(["hold", "release", "erase"])
            said = {"tenant": recordings[recording], "by": "x", "reason": "y"}
            desk.recorder().orders.take(orders[recording], recording, said)
        desk.run_apart(",".join(fault(chance) for _ in range(chance.randint(0, 2))))
    if hidden.exists():
        hidden.rename(share)
    recorder = desk.recorder()
    recorder.forgive()
    recorder.run_once()
    recorder.stop()
    assert desk.run() == []
    assert desk.findings() == []
    assert desk.names(desk.layout.jobs) == desk.names(desk.layout.captures) == desk.names(desk.layout.orders) == []
    assert desk.names(desk.kept) == []
    for recording, tenant in recordings.items():
        kinds = [e.kind for e in desk.recorder().tools.ledger.entries() if e.facts.get("recording") == recording]
        if f"{recording}.erased" in desk.reports():
            assert kinds.count("erased") == 1
            assert desk.names(share) == [name for name in desk.names(share) if recording not in name]
        else:
            assert kinds.count("stored") == 1
            assert desk.audio(recording, tenant)[:4] == b"RIFF"
            assert f"{recording}.ready" in desk.reports()
            assert len([name for name in desk.names(share) if recording in name]) == 2
