"""Several legs that ring at once: one early dialog and one answer for the caller, the first answer wins."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from santral.engine.calls.dialer import Dial, Dialer
from santral.engine.calls.table import Input, State

Start = Callable[..., Awaitable[Any]]

TWO = '["sip:127.0.0.1:{right}", "sip:127.0.0.1:{spare}"]'
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trunk's targets are rung all at once, as a user's phones are."""
    step = Dialer._step

    def all_of_them(dialer: Dialer) -> Any:
        found = step(dialer)
        if isinstance(found, Dial):
            dialer._target = len(found.attempt.targets) - 1
            return Dial(found.attempt, found.attempt.targets)
        return found

    monkeypatch.setattr(Dialer, "_step", all_of_them)


@pytest.fixture
def audio() -> Iterator[Callable[[], socket.socket]]:
    """Sockets to send RTP from."""
    made: list[socket.socket] = []

    def make() -> socket.socket:
        made.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        made[-1].bind(("127.0.0.1", 0))
        return made[-1]

    yield make
    for one in made:
        one.close()


def port_of(one: socket.socket) -> int:
    return int(one.getsockname()[1])


async def send_rtp(one: socket.socket, port: int, ssrc: int, packets: int = 5) -> None:
    for n in range(packets):
        one.sendto(struct.pack("!BBHII", 0x80, 8, n, 160 * n, ssrc) + b"\xd5" * 160, ("127.0.0.1", port))
        await asyncio.sleep(0.01)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - the engine tells nobody but its peers
            await asyncio.sleep(0.01)


async def both_ring(bench: Any) -> tuple[Any, Any, Any]:
    ours = await bench.left.call("100")
    return ours, await bench.right.expect("INVITE"), await bench.spare.expect("INVITE")


async def test_the_first_answer_wins_and_the_others_are_told_elsewhere(start: Start, at_once: None) -> None:
    bench = await start(targets=TWO)
    ours, first, second = await both_ring(bench)
    await bench.right.answer(first, 180)
    await bench.spare.answer(second, 180)
    await bench.left.expect(180)
    await bench.spare.answer(second, 200, bench.spare.sdp(5002, "0 101"))
    await bench.spare.expect("ACK")
    cancel = await bench.right.expect("CANCEL")
    assert cancel.get("Reason") == ELSEWHERE
    await bench.right.answer(cancel, 200)
    await bench.right.answer(first, 200, bench.right.sdp(5000, "0 101"))  # it crossed our CANCEL
    heard = [await bench.right.receive(), await bench.right.receive()]
    assert [message.method for message in heard] == ["ACK", "BYE"]
    await bench.right.answer(heard[1], 200)
    answer = await bench.left.expect(200, 180)
    while answer.status != 200:
        answer = await bench.left.expect(200)
    await ours.ack(answer)
    await ours.request("BYE")
    await bench.left.expect(200)
    await bench.spare.expect("BYE")
    record = await bench.record()
    assert [(leg["role"], leg["status"]) for leg in record["legs"]] == [
        ("originating", 200), ("connected", 487), ("connected", 200),
    ]  # fmt: skip
    assert (record["cause"], bench.engine.services.limits.holders()) == ("normal", 0)


@pytest.mark.parametrize(
    ("said", "told"),
    [((486, 480), 486), ((480, 486), 486), ((404, 503), 404), ((503, 500), 500), ((603, 0), 603), ((486, 0), 0)],
)
async def test_the_caller_is_told_what_says_most_when_nobody_answers(
    start: Start, at_once: None, said: tuple[int, int], told: int
) -> None:
    """A 6xx ends it for all at once (RFC 3261 16.7); as long as one leg rings otherwise, nothing is lost."""
    bench = await start(targets=TWO)
    _, first, second = await both_ring(bench)
    for peer, invite, status in ((bench.right, first, said[0]), (bench.spare, second, said[1])):
        await peer.answer(invite, status or 180)
        if status:
            await peer.expect("ACK")
    if told == 603:
        await bench.spare.expect("CANCEL")
    message = await bench.left.expect(told or 180, 180)
    if told and message.status == 180:
        message = await bench.left.expect(told)
    assert message.status == (told or 180)


async def test_the_caller_gives_up_and_all_are_cancelled(start: Start, at_once: None) -> None:
    bench = await start(targets=TWO)
    ours, first, second = await both_ring(bench)
    await bench.right.answer(first, 180)
    await bench.left.expect(180)
    await bench.spare.answer(second, 100)
    await ours.request("CANCEL")
    for peer in (bench.right, bench.spare):
        assert "487" in (await peer.expect("CANCEL")).get("Reason")


async def test_the_newest_leg_with_audio_is_heard_and_the_winner_at_last(
    start: Start, at_once: None, audio: Callable[[], socket.socket]
) -> None:
    """One SDP answer upstream whichever is heard; a codec the caller was not answered with is asked for afterwards."""
    bench = await start(targets=TWO)
    one, two = audio(), audio()
    ours, first, second = await both_ring(bench)
    await bench.right.answer(first, 183, bench.right.sdp(port_of(one), "0"))
    early = await bench.left.expect(183)
    await bench.spare.answer(second, 183, bench.spare.sdp(port_of(two), "8"), reason="Other")
    await bench.left.hears_nothing(0.1)  # the same 183 again would say nothing new
    (call,) = bench.engine.calls()
    legs = call.dialled
    assert call.join.legs == (call.caller, legs[0])  # described, but nothing is heard from the second yet
    await send_rtp(two, second.media_port, 2)
    await until(lambda: call.join.legs == (call.caller, legs[1]))
    await bench.spare.answer(second, 486)
    await bench.spare.expect("ACK")
    assert call.join.legs == (call.caller, legs[0])  # back to the one that is left
    await bench.right.answer(first, 200, bench.right.sdp(port_of(one), "0"))
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    assert answer.body == early.body
    await ours.ack(answer)


async def test_a_winner_with_another_codec_than_the_early_answer_is_asked_for_afterwards(
    start: Start, at_once: None
) -> None:
    bench = await start(targets=TWO)
    ours, first, second = await both_ring(bench)
    await bench.right.answer(first, 183, bench.right.sdp(5000, "0"))
    early = await bench.left.expect(183)
    assert "PCMU" in early.body
    await bench.spare.answer(second, 200, bench.spare.sdp(5002, "8"))
    await bench.spare.expect("ACK")
    answer = await bench.left.expect(200)
    assert answer.body == early.body
    await ours.ack(answer)
    change = await bench.left.expect("INVITE")
    assert "PCMA/8000" in change.body
    assert "PCMU/8000" not in change.body
    await bench.left.answer(change, 200, bench.left.sdp(4000, "8", version=2))
    await bench.left.expect("ACK")
    (call,) = bench.engine.calls()
    assert {leg.agreement.audio.name for leg in (call.caller, call.callee)} == {"PCMA"}


async def test_a_caller_who_is_answered_hears_ringback_until_somebody_answers(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("9196")
    await ours.ack(await bench.left.expect(200))
    (call,) = bench.engine.calls()
    call.end_join()
    call.state = State.DIALING  # as a transfer does it
    attempt = next(iter(plan_over(bench)))
    call.post(Input.DIAL, Dial(attempt, attempt.targets))
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 180)
    await until(lambda: bool(call.plays))
    (playing,) = call.plays.values()
    assert (playing.leg, playing.file) == (call.caller, "tone")
    await bench.left.hears_nothing(0.1)
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
    await bench.right.expect("ACK")
    await until(lambda: not call.plays)
    assert call.join.legs == (call.caller, call.callee)
    await bench.left.hears_nothing(0.1)
    await ours.request("BYE")
    await bench.left.expect(200)
    await bench.right.expect("BYE")


def plan_over(bench: Any) -> Any:
    from datetime import UTC, datetime  # noqa: PLC0415

    from santral.routing.plan import CallFacts, plan  # noqa: PLC0415

    return plan(bench.engine.world.table, CallFacts("left", "acme", "1", "100", datetime.now(UTC))).attempts


async def test_a_caller_who_is_answered_is_hung_up_when_nobody_answers(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("9196")
    await ours.ack(await bench.left.expect(200))
    (call,) = bench.engine.calls()
    call.end_join()
    call.state = State.DIALING
    (attempt,) = plan_over(bench)
    call.dialer = Dialer((attempt,))
    call.post(Input.DIAL, call.dialer.first())
    await bench.right.answer(await bench.right.expect("INVITE"), 486)
    bye = await bench.left.expect("BYE")
    assert bye.get("Reason") == "Q.850;cause=17"
    await bench.left.answer(bye, 200)
    assert (await bench.record())["cause"] == "busy"


async def test_a_trunk_that_wants_to_offer_itself_gets_no_offer(start: Start) -> None:
    """RFC 3261 13.2.1: the 2xx offers, our ACK answers, with the codec the caller is answered with."""
    bench = await start(right_keys='offer = "late"')
    ours = await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    assert (invite.body, invite.get("Content-Type")) == ("", "")
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "8 0 101"))
    ack = await bench.right.expect("ACK")
    assert ("PCMU/8000" in ack.body, "PCMA/8000" in ack.body) == (True, False)  # the trunk's first choice
    answer = await bench.left.expect(200)
    assert "PCMU/8000" in answer.body
    await ours.ack(answer)
    (call,) = bench.engine.calls()
    assert [leg.rtp.remote.port for leg in (call.caller, call.callee)] == [4000, 5000]
    await ours.request("INVITE", bench.left.sdp(4000, "0 101", "a=sendonly", 2))
    change = await bench.right.expect("INVITE")
    assert change.direction == "sendonly"  # in the call it is offered to like anybody
    await bench.right.answer(change, 200, bench.right.sdp(5000, "0 101", "a=recvonly", 2))
    await bench.right.expect("ACK")
    await bench.left.expect(200)


async def test_nobody_offers_first(start: Start) -> None:
    """A caller without an offer, to a trunk that wants to offer: both get what the callee offered."""
    bench = await start(right_keys='offer = "late"')
    ours = await bench.left.call("100", body="")
    invite = await bench.right.expect("INVITE")
    assert invite.body == ""
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "8 101"))
    ack = await bench.right.expect("ACK")
    assert "PCMA/8000" in ack.body
    offer = await bench.left.expect(200)
    assert ("PCMA/8000" in offer.body, "PCMU/8000" in offer.body) == (True, False)
    await ours.ack(offer, bench.left.sdp(4000, "8 101"))
    await asyncio.sleep(0.05)
    (call,) = bench.engine.calls()
    assert [leg.agreement.audio.name for leg in (call.caller, call.callee)] == ["PCMA", "PCMA"]


@pytest.mark.parametrize("body", ["18", ""])
async def test_a_late_offer_we_cannot_answer_ends_that_attempt(start: Start, body: str) -> None:
    bench = await start(right_keys='offer = "late"')
    await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, bench.right.sdp(5000, body) if body else "")
    heard = [await bench.right.receive(), await bench.right.receive()]
    assert [message.method for message in heard] == ["ACK", "BYE"]
    await bench.left.expect(488)
