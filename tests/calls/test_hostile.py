"""What peers say that they should not: each gets its answer, and no call in progress is lost to it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from santral.engine.calls.leg import Leg
from santral.engine.calls.leg.description import Description
from santral.engine.signalling import Signalling
from santral.sip.agent import AgentSettings
from santral.sip.events import Hop, Refused, Send

Start = Callable[..., Awaitable[Any]]


def sdp(*lines: str) -> str:
    return "".join(f"{line}\r\n" for line in ("v=0", "o=a 1 1 IN IP4 127.0.0.1", "s=-", *lines))


AUDIO = ("c=IN IP4 127.0.0.1", "t=0 0", "m=audio 4000 RTP/AVP 0")


async def ends_well(bench: Any, ours: Any) -> dict[str, Any]:
    """The call still stands: hang it up and give its record."""
    await ours.request("BYE")
    await bench.left.expect(200)
    await bench.right.answer(await bench.right.expect("BYE"), 200)
    return dict(await bench.record())


async def test_audio_of_the_other_address_family_is_488(start: Start) -> None:
    bench = await start()
    await bench.left.call("100", body=sdp("c=IN IP6 ::1", "t=0 0", "m=audio 4000 RTP/AVP 0"))
    await bench.left.expect(488)
    await bench.right.hears_nothing()


async def test_an_answer_of_the_other_address_family_ends_that_attempt(start: Start) -> None:
    bench = await start()
    await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, sdp("c=IN IP6 ::1", "t=0 0", "m=audio 4000 RTP/AVP 0"))
    assert [(await bench.right.receive()).method for _ in range(2)] == ["ACK", "BYE"]
    await bench.left.expect(488)


@pytest.mark.parametrize("where", ["IN IP4 nowhere.example", "IN IP6 ::1", "IN IP4 224.0.0.1", "IN IP4 999.1.1.1"])
async def test_an_impossible_address_for_rtcp_is_not_followed(start: Start, where: str) -> None:
    bench = await start()
    ours = await bench.left.call("100", body=sdp(*AUDIO, f"a=rtcp:4001 {where}"))
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0", f"a=rtcp:5001 {where}"))
    await bench.right.expect("ACK")
    await ours.ack(await bench.left.expect(200))
    assert (await ends_well(bench, ours))["cause"] == "normal"


async def test_the_stream_we_can_talk_to_is_the_one_that_is_answered(start: Start) -> None:
    bench = await start()
    offer = sdp(
        "c=IN IP4 127.0.0.1", "t=0 0", "m=audio 4002 RTP/SAVP 0", "m=audio 4000 RTP/AVPF 0", "m=video 1 RTP/AVP 96"
    )
    await bench.left.call("100", body=offer)
    await bench.right.answer(await bench.right.expect("INVITE"), 200, bench.right.sdp(5000, "0"))
    lines = [line.split()[:3] for line in (await bench.left.expect(200)).body.splitlines() if line.startswith("m=")]
    assert [(kind, protocol) for kind, _, protocol in lines] == [
        ("m=audio", "RTP/SAVP"), ("m=audio", "RTP/AVPF"), ("m=video", "RTP/AVP"),
    ]  # fmt: skip
    assert [port != "0" for _, port, _ in lines] == [False, True, False]


async def test_a_change_that_drops_a_stream_is_refused(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("100", body=sdp(*AUDIO, "m=video 4002 RTP/AVP 96"))
    await bench.right.answer(await bench.right.expect("INVITE"), 200, bench.right.sdp(5000, "0"))
    await bench.right.expect("ACK")
    await ours.ack(await bench.left.expect(200))
    await ours.request("INVITE", sdp(*AUDIO))
    await bench.left.expect(488)
    await ours.request("ACK")
    assert (await ends_well(bench, ours))["cause"] == "normal"


async def test_a_change_before_the_late_answer_has_to_wait(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("100", body="")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0"))
    await bench.right.expect("ACK")
    offer = await bench.left.expect(200)
    theirs = bench.right.dialog_of(invite)
    await theirs.request("INVITE", bench.right.sdp(5000, "0", "a=sendonly", 2))
    await bench.right.expect(491)
    await theirs.request("ACK")
    await ours.ack(offer, bench.left.sdp(4000, "0"))
    assert (await ends_well(bench, ours))["cause"] == "normal"


async def test_info_before_the_answer_is_answered(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 180)
    ours.learn(await bench.left.expect(180))
    await ours.request("INFO", "Signal=1\r\n", kind="application/dtmf-relay")
    assert (await bench.left.expect(200)).cseq == "INFO"
    await bench.right.answer(invite, 486)
    await bench.left.expect(486)


async def test_info_keeps_the_parameters_of_its_type(start: Start) -> None:
    bench = await start()
    ours, _ = await bench.connect()
    kind = 'multipart/mixed;boundary="Here"'
    await ours.request("INFO", "--Here\r\n\r\nx\r\n--Here--\r\n", kind=kind)
    assert (await bench.right.expect("INFO")).get("Content-Type") == kind


async def test_info_to_an_endpoint_of_ours_is_answered(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("9196")
    await ours.ack(await bench.left.expect(200))
    await ours.request("INFO", "x", kind="text/plain")
    assert (await bench.left.expect(200)).cseq == "INFO"


@pytest.mark.parametrize(
    "name",
    ['"Zoë \\"Z\\" \\\\ Å" ', '"; drop=\\"x\\"" ', "Plain Name ", '"\\\r\n b" '],
)
async def test_display_names_arrive_as_they_were_written(start: Start, name: str) -> None:
    bench = await start()
    dialog = bench.left.new_call("100")
    dialog.local = name + dialog.local
    await dialog.request("INVITE", bench.left.sdp())
    if "\n" in name:
        assert (await bench.left.receive()).status in {100, 400}
        return
    written = (await bench.right.expect("INVITE")).get("From").partition(" <")[0]
    assert written.strip('"') == name.strip().strip('"')


@pytest.mark.parametrize("user", ["1%0d%0aX-Evil:%20yes", "1%00", "1" * 300, "+49-30-12", "12%2034"])
async def test_odd_numbers_open_no_way_into_our_headers(start: Start, user: str) -> None:
    bench = await start()
    await bench.left.call(user)
    answer = await bench.left.expect(404)  # none of them is a number of a route
    assert "X-Evil" not in "".join(line.partition(":")[0] for line in answer.lines)


async def test_a_caller_of_odd_letters_is_written_safely(start: Start) -> None:
    bench = await start()
    dialog = bench.left.new_call("100")
    dialog.local = "<sip:a%0d%0aX-Evil:1%C3%A9%FF@left.example>;tag=1"
    await dialog.request("INVITE", bench.left.sdp())
    invite = await bench.right.expect("INVITE")
    assert not invite.all("X-Evil")
    assert "%0D%0A" in invite.get("From")


async def test_octets_that_are_no_utf8_cross(start: Start) -> None:
    bench = await start()
    dialog = bench.left.new_call("100")
    text = dialog.text("INVITE", bench.left.sdp(), "Reason: Q.850;cause=16;text=@@\r\n").replace(
        "From: ", 'From: "@@" '
    )
    await bench.left.send(text.encode().replace(b"@@", b"\xff\xfe"))
    invite = await bench.right.expect("INVITE")
    assert invite.get("From").startswith('"\xff\xfe" <')
    await bench.right.answer(invite, 180)
    await bench.left.expect(180)
    cancel = dialog.text("CANCEL", "", "Reason: Q.850;cause=16;text=@@\r\n").replace("From: ", 'From: "@@" ')
    await bench.left.send(cancel.encode().replace(b"@@", b"\xff\xfe"))
    assert (await bench.right.expect("CANCEL")).get("Reason") == "Q.850;cause=16"


async def test_a_tel_uri_is_a_number(start: Start) -> None:
    bench = await start()
    dialog = bench.left.new_call("100")
    dialog.uri = "tel:+1-00;phone-context=+49"
    await dialog.request("INVITE", bench.left.sdp())
    await bench.left.expect(404)
    dialog = bench.left.new_call("100")
    dialog.uri, dialog.remote = "tel:1-0-0;phone-context=example.com", "<tel:100>"
    await dialog.request("INVITE", bench.left.sdp())
    assert "sip:100@" in (await bench.right.expect("INVITE")).start


async def test_requests_follow_a_peer_behind_nat(start: Start) -> None:
    bench = await start(right_keys="nat = true")
    ours = await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    private = "v=0\r\no=a 1 1 IN IP4 10.9.8.7\r\ns=-\r\nc=IN IP4 10.9.8.7\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n"
    port, bench.right.port = bench.right.port, 9  # a Contact that leads nowhere
    await bench.right.answer(invite, 200, private)
    bench.right.port = port
    await bench.right.expect("ACK")
    await ours.ack(await bench.left.expect(200))
    (call,) = bench.engine.calls()
    assert call.callee.rtp.remote.latch_networks == ("127.0.0.1",)
    assert (await ends_well(bench, ours))["cause"] == "normal"


@pytest.mark.parametrize("where", ["take_final", "settle_answer_of", "pass_on"])
async def test_our_own_bug_ends_that_call_and_leaves_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    bench = await start()

    def fail(*_: Any) -> None:
        raise RuntimeError("a bug")

    owner = Leg if where == "pass_on" else Description
    if where == "take_final":
        monkeypatch.setattr(owner, where, fail)
        await bench.left.call("100")
        await bench.right.answer(await bench.right.expect("INVITE"), 200, bench.right.sdp(5000, "0"))
        await bench.left.expect(500)
    else:
        ours, _ = await bench.connect()
        monkeypatch.setattr(owner, where, fail)
        await ours.request("INFO" if where == "pass_on" else "INVITE", bench.left.sdp(4000, "0", "a=sendonly", 2))
        if where != "pass_on":
            await bench.right.answer(await bench.right.expect("INVITE"), 200, bench.right.sdp(5000, "0", "", 2))
        while (await bench.left.receive()).method != "BYE":
            pass
    record = await bench.record()
    assert (record["cause"], record["hung_up_by"]) == ("internal_error", "engine")
    services = bench.engine.services
    assert (services.limits.holders(), services.media_owners) == (0, {})


async def test_a_bug_in_one_event_stops_neither_others_nor_the_timers(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await start()
    seen: list[str] = []

    def fail(*_: object) -> None:
        seen.append("REGISTER")
        raise RuntimeError

    monkeypatch.setattr(bench.engine.gate, "register", fail)
    await bench.left.new_call("1").request("REGISTER")
    ours, _ = await bench.connect()
    assert seen == ["REGISTER"]
    assert (await ends_well(bench, ours))["cause"] == "normal"


def test_what_follows_a_bug_is_sent_all_the_same() -> None:
    loop = asyncio.new_event_loop()
    sent: list[Any] = []

    def fail(_event: Any) -> None:
        raise RuntimeError

    signalling = Signalling(loop, (), AgentSettings(), fail)
    signalling.transports.send = lambda hop, data: sent.append((hop, data))  # type: ignore[method-assign]
    hop = Hop("udp", "192.0.2.1", 5060, "default")
    signalling.perform([Refused("flood", hop, 0, ""), Send(hop, b"after")])
    assert sent == [(hop, b"after")]
    loop.close()
