"""Redirects: followed as whoever redirects would call there itself, or passed on to the caller; never without end."""

import re
from typing import Any

import pytest
from tests.calls.test_transfer import Start, assert_nothing_left, begin, hang_up, take

__all__ = ["begin"]


def contact(number: str, port: int, q: str = "") -> str:
    return f"Contact: <sip:{number}@127.0.0.1:{port}>{q}\r\n"


async def redirect(bench: Any, headers: str, status: int = 302) -> tuple[Any, Any]:
    """A call to `right`, which redirects it; the caller's dialog and the INVITE."""
    ours = await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, status, headers=headers)
    await bench.right.expect("ACK")
    return ours, invite


@pytest.mark.parametrize("status", [300, 301, 302])
async def test_a_redirect_is_followed(begin: Start, status: int) -> None:
    bench = await begin(spare_keys='diversion = "diversion"')
    ours, _ = await redirect(bench, contact("700", bench.left.port), status)
    invite = await bench.spare.expect("INVITE")
    assert invite.start.startswith("INVITE sip:700@")
    assert re.match(r"<sip:100@santral\.example>;reason=unconditional", invite.get("Diversion"))
    assert "sip:2001@" in invite.get("From")
    await bench.spare.answer(invite, 200, bench.spare.sdp(6000, "0 101"))
    await bench.spare.expect("ACK")
    await ours.ack(await bench.left.expect(200))
    await hang_up(ours, bench.spare.dialog_of(invite))
    record = await bench.record()
    assert (record["cause"], record["trunk_out"]) == ("normal", "spare")
    assert_nothing_left(bench)


async def test_the_highest_q_comes_first(begin: Start) -> None:
    bench = await begin()
    port = bench.left.port
    ours, _ = await redirect(bench, contact("702", port, ";q=0.1") + contact("700", port, ";q=0.9"))
    invite = await bench.spare.expect("INVITE")
    assert invite.start.startswith("INVITE sip:700@")
    await bench.spare.answer(invite, 486)
    await bench.spare.expect("ACK")
    invite = await bench.spare.expect("INVITE")
    assert invite.start.startswith("INVITE sip:702@")
    await bench.spare.answer(invite, 486)
    await bench.spare.expect("ACK")
    await bench.left.expect(486)
    await ours.request("ACK")
    await bench.record()
    assert_nothing_left(bench)


async def test_its_own_diversion_is_believed_of_a_trusted_side(begin: Start) -> None:
    bench = await begin(spare_keys='diversion = "diversion"', right_keys="trust = true")
    told = "Diversion: <sip:103@pbx.example>;reason=no-answer\r\n"
    await redirect(bench, contact("700", bench.left.port) + told)
    invite = await bench.spare.expect("INVITE")
    (told,) = invite.all("Diversion")
    assert told.startswith("<sip:103@santral.example>;reason=no-answer;")


@pytest.mark.parametrize("number", ["8001", "999"])
async def test_nothing_is_reached_that_who_redirects_could_not_dial(begin: Start, number: str) -> None:
    bench = await begin()
    await redirect(bench, contact(number, bench.left.port))
    await bench.left.expect(480)
    await bench.spare.hears_nothing(0.1)


async def test_redirects_in_a_circle_end(begin: Start) -> None:
    bench = await begin()
    ours, _ = await redirect(bench, contact("501", bench.left.port))
    for hop in range(5):
        invite = await bench.right.expect("INVITE")
        assert invite.start.startswith("INVITE sip:501@")
        await bench.right.answer(invite, 302, headers=contact("501", bench.left.port), tag=f"h{hop}")
        await bench.right.expect("ACK")
    await bench.left.expect(500)
    await ours.request("ACK")
    await bench.right.hears_nothing(0.1)
    await bench.record()
    assert_nothing_left(bench)


async def test_a_redirect_is_passed_on(begin: Start) -> None:
    """The caller is told numbers, at our own host: where they were is not its affair."""
    bench = await begin(right_keys='redirect = "pass"')
    await redirect(bench, contact("700", 5999))
    answer = await bench.left.expect(302)
    assert answer.all("Contact") == ["<sip:700@santral.example>"]
    assert (await bench.record())["cause"] == "redirected"


async def test_addresses_are_called_where_the_configuration_lets_them_be(begin: Start) -> None:
    bench = await begin(sip='dial_networks = ["127.0.0.7/32"]')
    for host in ("192.0.2.7", "127.0.0.8"):
        await redirect(bench, f"Contact: <sip:carol@{host}>\r\n")
        await bench.left.expect(480)


async def test_the_address_of_a_trunk_is_reached_by_routes_alone(begin: Start) -> None:
    """A gateway inside the networks would take any number from us, past rights, routes and limits."""
    bench = await begin(sip='dial_networks = ["127.0.0.0/8"]', spare_keys='accept_from = ["127.0.0.9"]')
    port = bench.spare.port
    for host in (f"127.0.0.9:{port}", "127.0.0.9"):
        await redirect(bench, f"Contact: <sip:+442079460000@{host}>\r\n")
        await bench.left.expect(480)
    await bench.spare.hears_nothing(0.1)


async def test_an_address_inside_the_networks_is_called(begin: Start, make_peer: Any) -> None:
    bench = await begin(sip='dial_networks = ["127.0.0.7/32"]')
    carol = make_peer("carol", "127.0.0.7")
    carol.engine = bench.left.engine
    ours, _ = await redirect(bench, f"Contact: <sip:carol@127.0.0.7:{carol.port}>\r\n")
    target = await take(carol)
    await ours.ack(await bench.left.expect(200))
    await hang_up(ours, target)
    assert (await bench.record())["cause"] == "normal"
    assert_nothing_left(bench)
