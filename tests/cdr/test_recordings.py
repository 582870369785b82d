"""The index of recordings: rows, changes, finding, and what is billed."""

from typing import Any

from santral.engine import ids
from santral.engine.cdr import recordings
from santral.engine.cdr.recordings import Peak, RecordingChange, RecordingFilter, RecordingRow
from santral.engine.cdr.store import CdrStore

NOW = 1_795_255_200_123  # 2026-11-21T10:00:00.123Z
HOUR = 3_600_000
DAY = 24 * HOUR


def row(**fields: Any) -> RecordingRow:
    return RecordingRow(**{"id": ids.new_id(), "node": "n1", "tenant": "acme", "started": NOW, **fields})


async def test_a_row_and_what_becomes_of_it(store: CdrStore) -> None:
    one = row(call=ids.new_id(), caller="100", called="200", parties=("100", "200"), demanded_by="route")
    store.recorded(one)
    store.recorded(row(id=one.id, tenant="other"))  # once written it stays
    await store.flush()
    files = ({"kind": "audio", "bytes": 7, "sha256": "ab"},)
    store.recorded(RecordingChange(one.id, {"state": "ready", "files": files, "bytes": 7, "ended": NOW + 1500}))
    await store.flush()
    found = await store.ask(lambda engine: recordings.find(engine, one.id))
    assert found is not None
    assert found["tenant"] == "acme"
    assert (found["state"], found["files"], found["parties"]) == ("ready", [dict(files[0])], ["100", "200"])
    assert (found["started"], found["ended"]) == ("2026-11-21T10:00:00.123Z", "2026-11-21T10:00:01.623Z")
    assert await store.ask(lambda engine: recordings.find(engine, "nothing")) is None


async def test_finding_by_each_filter_and_page(store: CdrStore) -> None:
    call = ids.new_id()
    rows = [
        row(call=call, caller="100", called="200", parties=("100", "200", "a%b")),
        row(tenant="globex", started=NOW + HOUR, parties=("1000",), state="ready"),
        row(conference="sales", started=NOW + DAY, parties=("100",)),
    ]
    for one in rows:
        store.recorded(one)
    await store.flush()

    async def found(**wanted: Any) -> list[int]:
        page = await store.ask(lambda engine: recordings.page(engine, 10, None, RecordingFilter(**wanted)))
        return [[one.id for one in rows].index(each["id"]) for each in page["items"]]

    assert await found() == [2, 1, 0]
    assert await found(tenant="globex") == [1]
    assert await found(call=call) == [0]
    assert await found(conference="sales") == [2]
    assert await found(state="ready") == [1]
    assert await found(party="100") == [2, 0]
    assert await found(party="200") == [0]
    assert await found(party="a%b") == [0]
    assert await found(party="%") == []
    assert await found(since=NOW + 1, until=NOW + DAY) == [1]
    first = await store.ask(lambda engine: recordings.page(engine, 2, None, RecordingFilter()))
    rest = await store.ask(lambda engine: recordings.page(engine, 2, first["next"], RecordingFilter()))
    assert [one["id"] for one in rest["items"]] == [rows[0].id]
    assert rest["next"] is None
    assert await store.ask(lambda engine: recordings.unfinished(engine, "n1")) == [
        (rows[0].id, "acme"),
        (rows[2].id, "acme"),
    ]
    assert await store.ask(lambda engine: recordings.unfinished(engine, "n2")) == []


async def test_minutes_room_and_licences(store: CdrStore) -> None:
    ready = {"state": "ready", "ended": NOW + 90_000, "ms": 90_000, "bytes": 2_000_000_000}
    store.recorded(row(**ready, stored=NOW))  # still there
    store.recorded(row(**ready, stored=NOW, erased=NOW + 12 * HOUR))
    store.recorded(row(**ready, stored=NOW - 5 * DAY, erased=NOW - DAY))  # gone before
    store.recorded(row(tenant="globex", **ready, stored=NOW))
    for value in (3, 5, 4):
        store.recorded(Peak("acme", "2026-11-21", "recording_licences", value))
    store.recorded(Peak("acme", "2026-11-23", "recording_licences", 9))  # another day
    await store.flush()
    used = await store.ask(lambda engine: recordings.used(engine, "acme", NOW - 1, NOW + DAY - 1))
    assert list(used) == ["acme"]
    assert used["acme"]["recordings"] == 2
    assert used["acme"]["recorded_minutes"] == 3.0
    assert abs(used["acme"]["stored_gb_days"] - 3.0) < 1e-4
    assert used["acme"]["recording_licences"] == 5
    assert set(await store.ask(lambda engine: recordings.used(engine, None, NOW, NOW + 1))) == {"acme", "globex"}
