"""Calls between two networks: each side sees the addresses of its own interface only."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

Start = Callable[..., Awaitable[Any]]

TWO = """
[engine]
node = "test"
data_dir = "{folder}/data"
[rtp]
ports = "0"
[[interface]]
name = "inside"
sip = ["udp:127.0.0.1:0"]
rtp = "127.0.0.1"
[[interface]]
name = "outside"
sip = ["udp:{listen}:0"]
rtp = "{outside}"
{advertise}
[[tenant]]
name = "acme"
[[trunk]]
name = "left"
tenant = "acme"
interface = "{left_interface}"
accept_from = ["127.0.0.1/32:{left}"]
[[trunk]]
name = "right"
tenant = "acme"
interface = "outside"
targets = ["sip:{far_host}:{far_port}"]
accept_from = ["{far_host}:{far_port}"]
[[route]]
name = "over"
from_trunk = "left"
destinations = [{{ trunk = "right", called = "{{called}}" }}]
"""


@pytest.mark.parametrize("outside", ["127.0.0.3", "::1"])
async def test_each_side_sees_its_own_network(start: Start, make_peer: Any, outside: str) -> None:
    far = make_peer("far", outside)
    bench = await start(
        config=TWO,
        outside=outside,
        listen=far.written,
        advertise="",
        left_interface="inside",
        far_host=far.written,
        far_port=far.port,
    )
    addresses = bench.engine.signalling.transports.addresses
    inside_port, outside_port = addresses["inside", "udp"][1], addresses["outside", "udp"][1]
    bench.left.engine, far.engine = ("127.0.0.1", inside_port), (outside, outside_port)
    ours = await bench.left.call("100")
    invite = await far.expect("INVITE")
    own = f"{far.written}:{outside_port}"
    assert invite.start == f"INVITE sip:100@{far.written}:{far.port} SIP/2.0"
    assert invite.get("Via").startswith(f"SIP/2.0/UDP {own};")
    assert invite.get("Contact") == f"<sip:{own}>"
    assert f"@{far.written}>" in invite.get("From")
    assert f"c=IN IP{6 if ':' in outside else 4} {outside}" in invite.body
    assert "127.0.0.1" not in "\n".join((invite.start, *invite.lines, invite.body)).replace("127.0.0.13", "")
    await far.answer(invite, 200, far.sdp(5000, "8 101"))
    await far.expect("ACK")
    answer = await bench.left.expect(200)
    assert "c=IN IP4 127.0.0.1" in answer.body
    assert answer.get("Contact") == f"<sip:127.0.0.1:{inside_port}>"
    assert outside not in answer.body + "".join(answer.lines)
    await ours.ack(answer)
    await far.dialog_of(invite).request("BYE")
    await far.expect(200)
    await bench.left.answer(await bench.left.expect("BYE"), 200)
    record = await bench.record()
    assert [leg["target"] for leg in record["legs"]] == [
        f"udp:127.0.0.1:{bench.left.port}",
        f"udp:{far.written}:{far.port}",
    ]


async def test_what_is_advertised_is_what_the_outside_sees(start: Start, make_peer: Any) -> None:
    far = make_peer("far", "127.0.0.3")
    bench = await start(
        config=TWO,
        outside="127.0.0.3",
        listen="127.0.0.3",
        advertise='advertise = "203.0.113.9"',
        left_interface="inside",
        far_host=far.written,
        far_port=far.port,
    )
    addresses = bench.engine.signalling.transports.addresses
    bench.left.engine = ("127.0.0.1", addresses["inside", "udp"][1])
    far.engine = addresses["outside", "udp"]
    await bench.left.call("100")
    invite = await far.expect("INVITE")
    assert "c=IN IP4 203.0.113.9" in invite.body
    assert invite.get("Contact").startswith("<sip:203.0.113.9:")
    assert "127.0.0.3" not in invite.body + invite.get("Via") + invite.get("From")
    await far.answer(invite, 486)
    await bench.left.expect(486)


async def test_audio_takes_the_network_that_the_call_came_in_by(start: Start, make_peer: Any) -> None:
    far = make_peer("far", "127.0.0.3")
    bench = await start(
        config=TWO,
        outside="127.0.0.3",
        listen="127.0.0.3",
        advertise="",
        left_interface="outside",
        far_host=far.written,
        far_port=far.port,
    )
    addresses = bench.engine.signalling.transports.addresses
    bench.left.engine = ("127.0.0.1", addresses["inside", "udp"][1])
    far.engine = addresses["outside", "udp"]
    await bench.left.call("100")
    await far.answer(await far.expect("INVITE"), 200, far.sdp(5000, "8 101"))
    assert "c=IN IP4 127.0.0.1" in (await bench.left.expect(200)).body
