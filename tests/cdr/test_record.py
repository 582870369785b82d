"""Records as values."""

from collections.abc import Callable

import pytest

from santral.engine.cdr.record import CallOpen, CallRecord, as_map, billed_seconds, lost_call


@pytest.mark.parametrize(
    ("talk_ms", "billed"), [(None, 0), (0, 60), (1, 60), (60_000, 60), (60_001, 120), (3_600_000, 3600)]
)
def test_whole_minutes_are_billed(talk_ms: int | None, billed: int) -> None:
    assert billed_seconds(talk_ms) == billed


def test_a_record_is_shown_with_utc_text(new_record: Callable[..., CallRecord]) -> None:
    shown = as_map(new_record(plan=("a", "b"), custom={"crm": 7}))
    assert shown["started"] == "2026-11-21T10:00:00.123Z"
    assert shown["ended"] == "2026-11-21T10:01:01.123Z"
    assert shown["ringing"] is None
    assert shown["plan"] == ["a", "b"]
    assert shown["custom"] == {"crm": 7}
    assert [leg["role"] for leg in shown["legs"]] == ["originating", "connected"]
    assert shown["legs"][1]["started"] == "2026-11-21T10:00:00.128Z"


def test_a_lost_call_ends_when_its_engine_was_last_alive(new_call: Callable[..., CallOpen]) -> None:
    call = new_call(parent="p", custom={"crm": "7"}, x_headers={"X-A": "b"})
    record = lost_call(call, call.started + 2_000, call.started + 70_000)
    assert (record.cause, record.hung_up_by, record.ended) == ("engine_lost", "engine", call.started + 70_000)
    assert (record.duration_ms, record.billed_s) == (70_000, 120)
    assert (record.linked, record.parent, record.custom, record.x_headers) == (call.id, "p", {"crm": "7"}, {"X-A": "b"})
    assert (record.legs[0].id, record.legs[0].sip_call_id) == (call.leg, "a@b")


def test_a_lost_call_never_ends_before_it_began(new_call: Callable[..., CallOpen]) -> None:
    record = lost_call(new_call(), None, 0)
    assert (record.duration_ms, record.billed_s) == (0, 0)
