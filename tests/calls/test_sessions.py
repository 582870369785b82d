"""Session timers per leg, P-Early-Media by trust, and what the caller is told of every refusal."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from santral.engine import world
from santral.sip.session import watch

Start = Callable[..., Awaitable[Any]]


# ---- session timers (RFC 4028): each leg has its own ----


async def test_each_side_is_asked_for_what_its_trunk_says(start: Start) -> None:
    bench = await start(left_keys="session_expires = 600", right_keys="session_expires = 1200\nmin_se = 300")
    ours = await bench.left.call("100", headers="Supported: timer\r\n")
    invite = await bench.right.expect("INVITE")
    assert (invite.get("Session-Expires").partition(";")[0], invite.get("Min-SE")) == ("1200", "300")
    assert "timer" in invite.get("Supported")
    body = bench.right.sdp(5000, "0 101")
    await bench.right.answer(invite, 200, body, headers="Require: timer\r\nSession-Expires: 900;refresher=uas\r\n")
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    assert answer.get("Session-Expires").partition(";")[0] == "600"
    await ours.ack(answer)
    (call,) = bench.engine.calls()
    assert call.callee.session.timer_state == "theirs"


async def test_a_caller_s_own_timer_is_its_own_affair(start: Start) -> None:
    bench = await start(right_keys="session_expires = 0")
    ours = await bench.left.call("100", headers="Supported: timer\r\nSession-Expires: 300;refresher=uac\r\n")
    invite = await bench.right.expect("INVITE")
    assert (invite.get("Session-Expires"), invite.get("Min-SE")) == ("", "")
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    assert answer.get("Session-Expires") == "300;refresher=uac"
    await ours.ack(answer)
    (call,) = bench.engine.calls()
    assert (call.caller.session.timer_state, call.callee.session.timer_state) == ("theirs", "off")


async def test_a_session_too_short_is_refused_with_what_we_take(start: Start) -> None:
    bench = await start()
    await bench.left.call("100", headers="Supported: timer\r\nSession-Expires: 30\r\n")
    assert (await bench.left.expect(422)).get("Min-SE") == "90"
    await bench.right.hears_nothing(0.1)


async def test_a_callee_that_wants_longer_gets_it(start: Start) -> None:
    bench = await start(right_keys="session_expires = 300")
    await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 422, headers="Min-SE: 1200\r\n")
    await bench.right.expect("ACK")
    again = await bench.right.expect("INVITE")
    assert (again.get("Session-Expires").partition(";")[0], again.get("Min-SE")) == ("1200", "1200")
    await bench.right.answer(again, 486, tag="again")
    await bench.left.expect(486)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions of seconds."""
    monkeypatch.setattr(watch, "MIN_INTERVAL_S", 1)


@pytest.mark.parametrize("silent", ["left", "right"])
async def test_a_call_that_nobody_refreshes_is_over(
    start: Start, monkeypatch: pytest.MonkeyPatch, impatient: None, silent: str
) -> None:
    if silent == "left":
        monkeypatch.setattr(world, "_session_timer", lambda _: watch.SessionTimer(3, 1))
    bench = await start()
    ours = await bench.left.call("100", headers="Supported: timer\r\nSession-Expires: 300;refresher=uac\r\n")
    invite = await bench.right.expect("INVITE")
    seconds = 3 if silent == "right" else 300
    agreed = f"Require: timer\r\nSession-Expires: {seconds};refresher=uas\r\n"
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"), headers=agreed)
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    assert answer.get("Session-Expires") == f"{303 - seconds};refresher=uac"
    await ours.ack(answer)
    quiet, other = (bench.left, bench.right) if silent == "left" else (bench.right, bench.left)
    await quiet.expect("BYE", within=8)
    assert (await other.expect("BYE")).get("Reason") == "Q.850;cause=102"
    record = await bench.record()
    assert (record["cause"], record["hung_up_by"]) == ("session_expired", "engine")


async def test_our_refresh_stays_on_its_leg(start: Start, impatient: None) -> None:
    bench = await start()
    ours = await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    body, allow = bench.right.sdp(5000, "0 101"), "Allow: INVITE, ACK, BYE, CANCEL\r\n"
    await bench.right.answer(invite, 200, body, headers=f"{allow}Session-Expires: 3;refresher=uac\r\n")
    await bench.right.expect("ACK")
    await ours.ack(await bench.left.expect(200))
    refresh = await bench.right.expect("INVITE")
    assert refresh.body == invite.body  # same o=, same everything
    await bench.right.answer(refresh, 200, body, headers="Session-Expires: 300;refresher=uac\r\n")
    await bench.right.expect("ACK")
    await bench.left.hears_nothing(0.1)
    (call,) = bench.engine.calls()
    assert call.callee.session.timer_state == "ours"


# ---- P-Early-Media (RFC 5009): of trusted trunks only ----


@pytest.mark.parametrize(
    ("trust", "said", "is_heard"),
    [
        ("true", "inactive", False),
        ("true", "recvonly", False),
        ("true", "sendrecv", True),
        ("true", "sendonly, gated", True),
        ("true", "", True),
        ("false", "inactive", True),
    ],
)
async def test_early_media_of_a_trusted_trunk_needs_its_permission(
    start: Start, trust: str, said: str, is_heard: bool
) -> None:
    bench = await start(right_keys=f"trust = {trust}")
    await bench.left.call("100", headers="P-Early-Media: supported\r\n")
    invite = await bench.right.expect("INVITE")
    assert invite.get("P-Early-Media") == ("supported" if trust == "true" else "")
    headers = f"P-Early-Media: {said}\r\n" if said else ""
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0 101"), headers=headers)
    early = await bench.left.expect(183)
    assert (early.media_port > 0, early.get("P-Early-Media")) == (is_heard, "")  # left is nobody we trust
    (call,) = bench.engine.calls()
    assert (call.join is not None) == is_heard
    if not is_heard:
        await bench.right.answer(invite, 183, bench.right.sdp(5000, "0 101"), headers="P-Early-Media: sendrecv\r\n")
        assert (await bench.left.expect(183)).media_port > 0


async def test_a_trusted_caller_is_told_that_it_may_listen(start: Start) -> None:
    bench = await start(left_keys="trust = true")
    await bench.left.call("100", headers="P-Early-Media: supported\r\n")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0 101"))
    assert (await bench.left.expect(183)).get("P-Early-Media") == "sendrecv"


# ---- what refusals come to ----


@pytest.mark.parametrize(
    ("said", "told", "cause"),
    [
        (400, 500, 41), (401, 500, 21), (403, 403, 21), (404, 404, 1), (408, 408, 102), (410, 410, 22), (415, 500, 79),
        (420, 500, 127), (480, 480, 18), (483, 500, 25), (484, 484, 28), (486, 486, 17), (488, 488, 88), (500, 500, 41),
        (502, 500, 38), (503, 500, 41), (504, 500, 102), (600, 600, 17), (603, 603, 21), (604, 604, 1), (606, 606, 88),
        (607, 607, 21), (302, 480, None),
    ],
)  # fmt: skip
async def test_a_refusal_keeps_its_meaning(start: Start, said: int, told: int, cause: int | None) -> None:
    """What the far end decided about the call is told as it is; what it said about our hop is not the caller's affair,
    but is named in a Reason (RFC 3261 16.7, RFC 3326, RFC 3398). Its Retry-After is ours to heed.
    """
    bench = await start()
    await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    contact = "Contact: <sip:elsewhere@192.0.2.1>\r\n" if said == 302 else ""
    await bench.right.answer(invite, said, headers=f"Retry-After: 30\r\n{contact}")
    await bench.right.expect("ACK")
    refusal = await bench.left.expect(told)
    reasons = refusal.all("Reason")
    assert refusal.get("Retry-After") == ""
    assert "192.0.2.1" not in str(refusal.lines)
    if cause is not None:
        assert f"Q.850;cause={cause}" in reasons
    assert any(reason.startswith(f"SIP;cause={said}") for reason in reasons) == (said != told or said == 500)


@pytest.mark.parametrize("cause", [1, 17, 19, 34, 102])
async def test_a_q850_cause_crosses_both_ways(start: Start, cause: int) -> None:
    bench = await start()
    ours, theirs = await bench.connect()
    asker, dialog, other = (bench.left, ours, bench.right) if cause % 2 else (bench.right, theirs, bench.left)
    await dialog.request("BYE", headers=f"Reason: Q.850;cause={cause}\r\n")
    await asker.expect(200)
    assert (await other.expect("BYE")).get("Reason") == f"Q.850;cause={cause}"
    assert (await bench.record())["q850"] == cause


async def test_never_to_another_target_after_it_rang(start: Start) -> None:
    bench = await start(targets='["sip:127.0.0.1:{right}", "sip:127.0.0.1:{spare}"]')
    await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 180)
    await bench.left.expect(180)
    await bench.right.answer(invite, 503)
    await bench.left.expect(500)
    await bench.spare.hears_nothing(0.1)


# ---- forks that answer with nothing new ----


async def test_the_winner_s_own_description_counts_when_its_200_has_none(start: Start) -> None:
    """Two forks described themselves reliably; the older one wins with an empty 200: it is the one that is heard."""
    bench = await start()
    ours = await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    for n, tag in enumerate(("one", "two")):
        allow = f"Require: 100rel\r\nRSeq: {n + 1}\r\n"
        await bench.right.answer(invite, 183, bench.right.sdp(5000 + 2 * n, "0"), tag=tag, headers=allow)
        prack = await bench.right.expect("PRACK")
        await bench.right.answer(prack, 200)
    (call,) = bench.engine.calls()
    assert call.dialled[0].rtp.remote.port == 5002
    await bench.right.answer(invite, 200, tag="one")
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200, 183)
    while answer.status != 200:
        answer = await bench.left.expect(200, 183)
    await ours.ack(answer)
    assert call.callee.rtp.remote.port == 5000
