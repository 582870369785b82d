"""What of a call is recorded, as its capture is told: real SIP, a real engine, and tapes that only take notes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from santral.engine.calls.actions.moving import Joining
from santral.engine.calls.leg import Role
from santral.engine.calls.table import Input
from santral.engine.control.access import Identity
from santral.engine.control.answers import Answers
from santral.engine.control.client import Client
from santral.engine.control.commands import perform
from santral.engine.control.protocol import Request, RequestError
from santral.engine.recordings.captures import meta_of
from santral.engine.recordings.supervisor import RecorderProcess

Start = Callable[..., Awaitable[Any]]
BEEP_HZ = 1400


@dataclass
class Tape:
    """Writes down what it is told: `told`; and which legs are in it: `streams`, number -> (leg id, side, role)."""

    recording: str
    wish: Any
    on_event: Callable[[Any], None]
    told: list[tuple[Any, ...]] = field(default_factory=list)
    streams: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    ended: str = ""
    numbers: int = 0

    def add(self, leg: Any, role: str, *, side: str = "said", **fields: Any) -> int:
        self.numbers += 1
        self.streams[self.numbers] = (fields["id"], side, role)
        self.told.append(("add", side, role, fields["party"]))
        return self.numbers

    def remove(self, stream: int, reason: str = "") -> None:
        _, side, role = self.streams.pop(stream)
        self.told.append(("remove", side, role))

    def note(self, kind: str, **fields: Any) -> None:
        self.told.append((kind,))

    def pause(self, mode: str) -> None:
        self.told.append(("pause", mode))

    def resume(self) -> None:
        self.told.append(("resume",))

    def mask(self) -> None:
        self.told.append(("mask",))

    def unmask(self) -> None:
        self.told.append(("unmask",))

    def mask_digits(self, on: bool = True) -> None:
        self.told.append(("mask_digits", on))

    async def close(self, reason: str) -> None:
        self.ended = reason


@dataclass
class Trouble:
    recording: str
    kind: str
    reason: str
    detail: str = ""
    dropped: int = 0


@dataclass
class Shelf:
    """Every tape that was begun, and what the recorder process was told."""

    tapes: list[Tape] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    error: Exception | None = None

    def open(self, recording: str, wish: Any, on_event: Callable[[Any], None]) -> Tape:
        if self.error is not None:
            raise self.error
        self.tapes.append(Tape(recording, wish, on_event))
        return self.tapes[-1]

    @property
    def said(self) -> dict[str, str]:
        """Who speaks in the only recording, as what: leg -> role."""
        return {leg: role for leg, side, role in self.tape.streams.values() if side == "said"}

    @property
    def tape(self) -> Tape:
        (only,) = self.tapes
        return only


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    made = Shelf()
    monkeypatch.setattr(
        "santral.engine.recordings.captures.Captures.open",
        lambda _self, recording, wish, on_event: made.open(recording, wish, on_event),
    )
    monkeypatch.setattr(RecorderProcess, "need", lambda _self: None)
    monkeypatch.setattr(RecorderProcess, "tell", lambda _self, frame: made.orders.append(dict(frame)))
    return made


def of_type(bench: Any, kind: str) -> list[dict[str, Any]]:
    return [event for event in bench.events() if event["type"] == kind]


async def hang_up(bench: Any, ours: Any) -> dict[str, Any]:
    await ours.request("BYE")
    await bench.right.expect("BYE")
    (message,) = [one for one in bench.right.seen if one.method == "BYE"][-1:]
    await bench.right.answer(message, 200)
    await bench.left.expect(200)
    return dict(await bench.record())


async def test_a_call_of_a_recorded_tenant_from_answer_to_end(shelf: Shelf, start: Start) -> None:
    bench = await start(tenant_keys='record = "mono"', rtp='[recording]\nformat = "flac"')
    ours, _theirs = await bench.connect()
    tape = shelf.tape
    assert tape.told == [
        ("add", "said", "originating", "2001"),
        ("add", "played", "originating", ""),
        ("add", "said", "connected", "100"),
        ("add", "played", "connected", ""),
        ("connected",),
    ]
    record = await hang_up(bench, ours)
    assert record["recordings"] == [tape.recording]
    assert tape.ended == "call_ended"
    assert shelf.orders == [
        {
            "kind": "process",
            "recording": tape.recording,
            "capture": str(bench.engine.studio.captures.path(tape.recording)),
        }
    ]
    meta = meta_of(tape.wish)
    assert (meta["tenant"], meta["format"], meta["channels"]) == ("acme", "flac", "mono")
    assert meta["metadata"]["caller"] == "2001"
    kinds = [event["type"] for event in bench.events()]
    assert kinds.index("recording.started") < kinds.index("recording.stopped") < kinds.index("call.ended")
    assert kinds[-1] == "call.ended"
    assert of_type(bench, "recording.started")[0]["by"] == "tenant"
    assert bench.engine.studio.recordings.licences.all_in_use() == 0
    (row,) = (await bench.engine.cdrs.ask(_all_rows))["items"]
    assert (row["state"], row["call"], row["parties"]) == ("processing", record["id"], ["2001", "100"])


def _all_rows(engine: Any) -> dict[str, Any]:
    from santral.engine.cdr.recordings import RecordingFilter, page  # noqa: PLC0415

    return page(engine, 10, None, RecordingFilter())


async def test_nobody_is_recorded_where_nobody_says_so(shelf: Shelf, start: Start) -> None:
    bench = await start()
    await hang_up(bench, (await bench.connect())[0])
    assert shelf.tapes == []
    assert bench.engine.studio.recordings._stories == {}


@pytest.mark.parametrize("moment", ["start", "answer", "bridge"])
async def test_from_which_moment_on(shelf: Shelf, start: Start, moment: str) -> None:
    bench = await start(right_keys='record = "stereo"', rtp=f'[recording]\nrecord_from = "{moment}"')
    ours = await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0 101"))
    await bench.left.expect(183)
    assert len(shelf.tapes) == (moment == "start")
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
    await ours.ack(await bench.left.expect(200))
    assert {role for _, _, role in shelf.tape.streams.values()} == {"originating", "connected"}


async def test_what_the_engine_says_is_the_other_side(shelf: Shelf, start: Start) -> None:
    """Of a call to the echo, that is all that the caller hears."""
    bench = await start(left_keys='record = "stereo"')
    ours = await bench.left.call("9196")
    await ours.ack(await bench.left.expect(200))
    assert {(side, role) for _, side, role in shelf.tape.streams.values()} == {
        ("said", "originating"),
        ("heard", "originating"),
    }


async def test_hold_is_noted_and_left_out_as_configured(shelf: Shelf, start: Start) -> None:
    bench = await start(tenant_keys='record = "stereo"', rtp='[recording]\non_hold = "skip"')
    ours, _ = await bench.connect()
    for direction, said in (("sendonly", [("hold",), ("pause", "skip")]), ("sendrecv", [("unhold",), ("resume",)])):
        shelf.tape.told.clear()
        await ours.request("INVITE", bench.left.sdp(4000, "0 101", f"a={direction}", 2 + len(direction)))
        asked = await bench.right.expect("INVITE")
        await bench.right.answer(
            asked, 200, bench.right.sdp(5000, "0 101", "a=recvonly" if said[0] == ("hold",) else "a=sendrecv", 2)
        )
        await bench.right.expect("ACK")
        await ours.ack(await bench.left.expect(200))
        assert shelf.tape.told == said


@pytest.mark.parametrize("kept", list(Role))
async def test_legs_come_and_go_and_keep_two_sides(shelf: Shelf, start: Start, kept: Role) -> None:
    """One call goes on with a leg of another: its own recording goes on, whoever stays keeps the side."""
    bench = await start(rtp="", tenant_keys="")
    await bench.connect("100")
    await bench.connect("101")
    first, second = sorted(bench.engine.calls(), key=lambda call: call.facts.called)
    first.verbs.record("stereo", {})
    keep, leg = first.roles[kept], second.roles[Role.CALLEE]
    first.post(Input.JOIN, Joining(keep, second, leg))
    assert {one: role for one, _, role in shelf.tape.streams.values()} == {
        keep.id: kept.value,
        leg.id: "connected" if kept is Role.CALLER else "originating",
    }
    assert first.recordings == [shelf.tape.recording]
    assert second.recordings == []


async def test_a_recording_goes_over_to_the_call_that_goes_on(shelf: Shelf, start: Start) -> None:
    bench = await start()
    await bench.connect("100")
    await bench.connect("101")
    first, second = sorted(bench.engine.calls(), key=lambda call: call.facts.called)
    one = second.verbs.record(None, {"why": "complaint"})
    first.post(Input.JOIN, Joining(first.roles[Role.CALLER], second, second.roles[Role.CALLEE]))
    assert (one.call, first.recordings, second.recordings) == (first.id, [one.id], [one.id])
    assert set(shelf.said.values()) == {"originating", "connected"}
    assert shelf.tape.ended == ""
    assert meta_of(shelf.tape.wish)["metadata"]["custom.why"] == "complaint"
    shelf.tape.wish.custom.update({f"n{n}" * 100: "v" * 10_000 for n in range(100)})
    assert len(str(meta_of(shelf.tape.wish))) < 16_000


async def test_beyond_the_limit_a_call_is_refused(shelf: Shelf, start: Start) -> None:
    bench = await start(tenant_keys='record = "stereo"\nrecording_limit = 1')
    ours, _ = await bench.connect()
    await bench.left.call("101")
    await bench.left.expect(486)
    await bench.right.hears_nothing()
    await hang_up(bench, ours)
    records = {one["called"]: one for one in (await bench.engine.cdrs.page(10))["items"]}
    assert (records["101"]["cause"], records["101"]["recordings"]) == ("recording_limit", [])
    (failed,) = of_type(bench, "recording.failed")
    assert (failed["reason"], failed["recording"]) == ("no_licence", None)
    third, _ = await bench.connect("102")
    assert len(shelf.tapes) == 2
    await hang_up(bench, third)


async def test_beyond_the_limit_a_call_goes_on_where_the_tenant_says_so(shelf: Shelf, start: Start) -> None:
    bench = await start(tenant_keys='record = "stereo"\nrecording_limit = 1\nover_limit = "continue"')
    await bench.connect()
    await bench.connect("101")
    assert len(shelf.tapes) == 1
    assert len(of_type(bench, "recording.failed")) == 1


async def test_a_key_that_does_not_work_is_told_and_the_call_goes_on(shelf: Shelf, start: Start) -> None:
    shelf.error = OSError("no")
    bench = await start(tenant_keys='record = "stereo"')
    ours, _ = await bench.connect()
    (failed,) = of_type(bench, "recording.failed")
    assert failed["reason"] == "io"
    assert (await hang_up(bench, ours))["cause"] == "normal"
    assert bench.engine.studio.recordings.licences.all_in_use() == 0


@pytest.mark.parametrize(("reason", "ends"), [("disk_full", False), ("gone", True)])
async def test_trouble_with_the_file_is_told(shelf: Shelf, start: Start, reason: str, ends: bool) -> None:
    bench = await start(tenant_keys='record = "stereo"')
    ours, _ = await bench.connect()
    shelf.tape.on_event(Trouble(shelf.tape.recording, "failed", reason))
    await asyncio.sleep(0)
    (failed,) = of_type(bench, "recording.failed")
    assert (failed["reason"], failed["capture_kept"]) == (reason, True)
    assert bench.engine.status()["recordings"]["running"] == (not ends)
    if not ends:
        assert bench.engine.status()["recordings"]["in_trouble"] == 1
        shelf.tape.on_event(Trouble(shelf.tape.recording, "recovered", ""))
        assert bench.engine.status()["recordings"]["in_trouble"] == 0
    await hang_up(bench, ours)


async def test_commands(shelf: Shelf, start: Start) -> None:
    bench = await start()
    ours, _ = await bench.connect()
    (call,) = bench.engine.calls()
    client = await Client.unix(str(bench.folder / "data" / "control.sock"))
    try:
        with pytest.raises(RequestError, match="exactly one"):
            await client.call("recording.start")
        started = await client.call("recording.start", call=call.id, channels="mono", custom={"case": "7"})
        with pytest.raises(RequestError, match="recorded already"):
            await client.call("recording.start", call=call.id)
        assert shelf.tape.wish.channels == "mono"
        shelf.tape.told.clear()
        for method, said in (
            ("pause", [("pause", "silence")]),
            ("resume", [("resume",)]),
            ("mask", [("mask",)]),
            ("unmask", [("unmask",)]),
        ):
            await client.call(f"recording.{method}", id=started["id"])
            assert shelf.tape.told == said
            shelf.tape.told.clear()
        with pytest.raises(RequestError, match="not paused"):
            await client.call("recording.resume", id=started["id"])
        await bench.engine.cdrs.flush()
        shown = await client.call("recording.get", id=started["id"])
        assert (shown["state"], shown["call"], shown["masked"]) == ("recording", call.id, False)
        await client.call("recording.stop", id=started["id"])
        await bench.engine.cdrs.flush()
        (row,) = (await client.call("recording.list", party="100"))["items"]
        assert (row["id"], row["state"]) == (started["id"], "processing")
        assert (await client.call("recording.list", party="999"))["items"] == []
        with pytest.raises(RequestError, match="not finished"):
            await client.call("recording.delete", id=started["id"])
        with pytest.raises(RequestError, match=r"recording\.listen"):
            await client.call("recording.export", id=started["id"])
        used = await client.call("usage.get", since="2026-01-01T00:00:00Z")
        assert used["tenants"]["acme"]["recordings"] == 1
        assert used["tenants"]["acme"]["recording_licences"] == 1
    finally:
        await client.close()
    assert [event["type"] for event in bench.events() if event["type"].startswith("recording.")] == [
        f"recording.{one}" for one in ("started", "paused", "resumed", "masked", "unmasked", "stopped")
    ]
    record = await hang_up(bench, ours)
    assert record["recordings"] == [started["id"]]


async def test_recordings_beside_each_other_have_lives_of_their_own(shelf: Shelf, start: Start) -> None:
    bench = await start(tenant_keys='record = "mono"\nrecording_limit = 3')
    ours, _ = await bench.connect()
    (call,) = bench.engine.calls()
    client = await Client.unix(str(bench.folder / "data" / "control.sock"))
    try:
        ids = [(await client.call("recording.start", call=call.id, channels="stereo", beside=True))["id"] for _ in "ab"]
        with pytest.raises(RequestError, match="all in use"):
            await client.call("recording.start", call=call.id, beside=True)
        by_policy, first, second = shelf.tapes
        assert [tape.wish.channels for tape in shelf.tapes] == ["mono", "stereo", "stereo"]
        assert len({str(sorted(tape.streams.values())) for tape in shelf.tapes}) == 1
        await client.call("recording.pause", id=ids[0])
        call.verbs.mask(on=True)
        assert [("pause", "silence") in tape.told for tape in shelf.tapes] == [False, True, False]
        assert [("mask",) in tape.told for tape in shelf.tapes] == [True] * 3
        await client.call("recording.stop", id=by_policy.recording)
        await asyncio.sleep(0)
        assert [tape.ended for tape in shelf.tapes] == ["stopped", "", ""]
        assert bench.engine.studio.recordings.licences.all_in_use() == 2
    finally:
        await client.close()
    record = await hang_up(bench, ours)
    assert record["recordings"] == [by_policy.recording, *ids]
    assert [first.ended, second.ended] == ["call_ended"] * 2
    assert bench.engine.studio.recordings.licences.all_in_use() == 0


async def test_recordings_of_others_look_as_if_they_did_not_exist(shelf: Shelf, start: Start) -> None:
    bench = await start(tenant_keys='record = "stereo"')
    ours, _ = await bench.connect()
    one = shelf.tape.recording
    await bench.engine.cdrs.flush()
    stranger = Session(bench.engine, Identity("them", frozenset({"admin"}), "globex"))
    for method in ("stop", "pause", "resume", "mask", "unmask", "get", "read", "export", "delete", "hold", "release"):
        with pytest.raises(RequestError) as refused:
            await perform(stranger, Answers(), Request(1, f"recording.{method}", {"id": one}))
        assert refused.value.code == "not_found", method
    assert (await perform(stranger, Answers(), Request(1, "recording.list", {})))["items"] == []
    since = {"since": "2026-01-01T00:00:00Z"}
    assert (await perform(stranger, Answers(), Request(1, "usage.get", since)))["tenants"] == {}
    reader = Session(bench.engine, Identity("reader", frozenset({"read"}), "acme"))
    assert len((await perform(reader, Answers(), Request(1, "recording.list", {})))["items"]) == 1
    for method in ("stop", "read", "export", "delete", "rewrap"):
        with pytest.raises(RequestError) as refused:
            await perform(reader, Answers(), Request(1, f"recording.{method}", {"id": one}))
        assert refused.value.code == "forbidden", method
    await hang_up(bench, ours)


@dataclass
class Session:
    """A client of this engine."""

    engine: Any
    who: Identity


async def test_masked_digits_reach_nobody(shelf: Shelf, start: Start) -> None:
    bench = await start(tenant_keys='record = "stereo"', left_keys='dtmf = "info"', right_keys='dtmf = "info"')
    ours, _ = await bench.connect()
    (call,) = bench.engine.calls()
    call.verbs.mask(on=True)
    await ours.request("INFO", "Signal=4\r\nDuration=120\r\n", kind="application/dtmf-relay")
    await bench.left.expect(200)
    await bench.right.hears_nothing()
    assert [event["digit"] for event in of_type(bench, "dtmf.received")] == ["*"]
    assert shelf.tape.told[-1] == ("mask",)
    assert call.snapshot()["masked"] is True
    call.verbs.mask(on=False)
    await ours.request("INFO", "Signal=4\r\nDuration=120\r\n", kind="application/dtmf-relay")
    await bench.left.expect(200)
    await bench.right.expect("INFO")
    assert [event["digit"] for event in of_type(bench, "dtmf.received")] == ["*", "4"]


async def test_a_secure_collection_is_masked_and_a_moment_behind_it(shelf: Shelf, start: Start) -> None:
    bench = await start(tenant_keys='record = "stereo"', left_keys='dtmf = "info"')
    ours, _ = await bench.connect()
    (call,) = bench.engine.calls()
    from santral.engine.calls.collecting import Wanted  # noqa: PLC0415

    asked = asyncio.create_task(call.verbs.collect((), None, "", Wanted(length=1, secure=True)))
    await asyncio.sleep(0)
    assert shelf.tape.told[-1] == ("mask",)
    await ours.request("INFO", "Signal=4\r\nDuration=120\r\n", kind="application/dtmf-relay")
    assert (await asked)["digits"] == "4"
    assert shelf.tape.told[-1] == ("mask",)
    await asyncio.sleep(0.6)
    assert shelf.tape.told[-1] == ("unmask",)
    shown = str([event for event in bench.events() if event["type"] in {"dtmf.received", "collect.finished"}])
    assert "'4'" not in shown


async def test_a_conference_is_recorded_for_as_long_as_somebody_is_there(shelf: Shelf, start: Start) -> None:
    bench = await start(rtp='[recording]\nannouncement = "closed.wav"\nbeep = 1')
    ours, _ = await bench.connect()
    (call,) = bench.engine.calls()
    client = await Client.unix(str(bench.folder / "data" / "control.sock"))
    try:
        with pytest.raises(RequestError, match="no such conference"):
            await client.call("recording.start", conference="sales", tenant="acme")
        await client.call("conference.join", name="sales", call=call.id)
        started = await client.call("recording.start", conference="sales", tenant="acme")
        assert {role for _, _, role in shelf.tape.streams.values()} == {"member"}
        assert len(shelf.said) == 2
        assert ("", "played", "member") in shelf.tape.streams.values()
        await client.call("conference.change", call=call.id, leg=call.caller.id, muted=True)
        assert list(shelf.said) == [call.roles[Role.CALLEE].id]
        await client.call("conference.change", call=call.id, leg=call.caller.id, muted=False)
        assert len(shelf.said) == 2
        (told,) = bench.engine.studio.recordings._told.values()
        told._beep()
        await client.call("recording.mask", id=started["id"])
        assert call.is_masked is False
        await client.call("conference.leave", call=call.id)
    finally:
        await client.close()
    await asyncio.sleep(0)
    assert (len(shelf.said), shelf.tape.ended) == (1, "conference_ended")  # the last goes with its end
    (stopped,) = of_type(bench, "recording.stopped")
    assert stopped["reason"] == "conference_ended"
    assert bench.engine.studio.recordings._told == {}
    await hang_up(bench, ours)


async def test_an_announcement_and_tones_are_heard_by_both_sides(
    shelf: Shelf, start: Start, sounds: Any, talkers: Any
) -> None:
    sounds("told.wav", 700, 0.3)
    bench = await start(
        tenant_keys='record = "stereo"\nsounds = "{folder}/sounds"'.replace(
            "{folder}", str(sounds("x.wav", 1, 0.1).parents[1])
        ),
        rtp='[recording]\nannouncement = "told.wav"\nbeep = 1',
    )
    caller, callee = talkers(2)
    ours = await bench.left.call("100", bench.left.sdp(caller.port, "0 101"))
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, bench.right.sdp(callee.port, "0 101"))
    answer = await bench.left.expect(200)
    await ours.ack(answer)
    caller.talk(answer.media_port, 300)
    callee.talk(invite.media_port, 400)
    heard: dict[Any, list[Any]] = {caller: [], callee: []}
    async with asyncio.timeout(8):
        while not all(_has(lines, 700) and _has(lines, BEEP_HZ) for lines in heard.values()):
            await asyncio.sleep(0.2)
            for one, lines in heard.items():
                lines.append(one.heard())
    assert len([event for event in of_type(bench, "play.started") if event["file"].endswith("told.wav")]) == 2


def _has(lines: list[Any], hz: float) -> bool:
    """Whether this tone is heard for 100 ms somewhere."""
    line, size = np.concatenate([np.zeros(0), *lines]), 800
    wave = np.exp(-2j * np.pi * hz * np.arange(size) / 8000)
    loud = [abs(np.sum(line[at : at + size] * wave)) * 2 / size for at in range(0, len(line) - size, 200)]
    return bool(max(loud, default=0) > 1000)
