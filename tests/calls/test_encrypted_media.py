"""SRTP in calls: what is offered and answered, what media then is, new keys, forks, refusals (RFC 4568, RFC 8643)."""

import asyncio
import base64
import re
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from pylibsrtp import Policy, Session

Start = Callable[..., Awaitable[Any]]

KEY = bytes(range(30))
OTHER_KEY = bytes(range(100, 130))
CM_80 = "AES_CM_128_HMAC_SHA1_80"
SUITES = ["AEAD_AES_256_GCM", "AEAD_AES_128_GCM", CM_80, "AES_CM_128_HMAC_SHA1_32"]


def line(key: bytes = KEY, tag: int = 1, suite: str = CM_80) -> str:
    return f"a=crypto:{tag} {suite} inline:{base64.b64encode(key).decode()}|2^31\r\na=sendrecv"


def secure(body: str) -> str:
    return body.replace("RTP/AVP", "RTP/SAVP")


def keys_of(body: str) -> list[tuple[int, str, bytes]]:
    """Tag, suite and key of the a=crypto lines."""
    found = re.findall(r"^a=crypto:(\d+) (\S+) inline:(\S+)\r$", body, re.MULTILINE)
    return [(int(tag), suite, base64.b64decode(key)) for tag, suite, key in found]


def profile_of(body: str) -> str:
    found = re.search(r"^m=audio \d+ (\S+)", body, re.MULTILINE)
    assert found is not None
    return found[1]


class Phone:
    """A port for media, plain or with keys of the CM suite."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port = int(self.socket.getsockname()[1])
        self.sequence = 0
        self.ours: Session | None = None
        self.theirs: Session | None = None

    def secure(self, ours: bytes, theirs: bytes) -> None:
        profile = Policy.SRTP_PROFILE_AES128_CM_SHA1_80
        self.ours = Session(Policy(ours, Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))
        self.theirs = Session(Policy(theirs, Policy.SSRC_ANY_INBOUND, srtp_profile=profile))

    def say(self, port: int, octet: int) -> None:
        self.sequence += 1
        packet = struct.pack("!BBHII", 0x80, 0, self.sequence, 160 * self.sequence, 7) + bytes([octet]) * 160
        self.socket.sendto(packet if self.ours is None else self.ours.protect(packet), ("127.0.0.1", port))

    async def hears(self, octet: int) -> None:
        """Wait for audio of this octet; what else comes must be readable, too."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            while True:
                packet = await loop.sock_recv(self.socket, 2000)
                plain = packet if self.theirs is None else self.theirs.unprotect(packet)
                if plain[12:] == bytes([octet]) * 160:
                    return

    def hears_nothing(self) -> bool:
        try:
            return not self.socket.recv(2000)
        except BlockingIOError:
            return True


@pytest.fixture
def phones() -> Iterator[Callable[[], Phone]]:
    made: list[Phone] = []

    def make() -> Phone:
        made.append(Phone())
        return made[-1]

    yield make
    for one in made:
        one.socket.close()


async def talk(plain: Phone, port: int, secured: Phone, secured_port: int) -> None:
    """Each hears the other."""
    for octet in (1, 2, 3, 4):
        plain.say(port, octet)
        secured.say(secured_port, octet + 100)
        await asyncio.sleep(0.02)
    await asyncio.gather(plain.hears(104), secured.hears(4))


@pytest.mark.parametrize("policy", ["required", "optional"])
async def test_a_plain_caller_reaches_an_encrypted_side(start: Start, phones: Callable[[], Phone], policy: str) -> None:
    bench = await start(right_keys=f'srtp = "{policy}"')
    left, right = phones(), phones()
    ours = await bench.left.call("100", bench.left.sdp(left.port, "0 101"))
    invite = await bench.right.expect("INVITE")
    offered = keys_of(invite.body)
    assert profile_of(invite.body) == ("RTP/SAVP" if policy == "required" else "RTP/AVP")
    assert [(tag, suite) for tag, suite, _ in offered] == list(enumerate(SUITES, 1))
    answer = bench.right.sdp(right.port, "0 101", line(tag=3))
    await bench.right.answer(invite, 200, secure(answer) if policy == "required" else answer)
    await bench.right.expect("ACK")
    answered = await bench.left.expect(200)
    await ours.ack(answered)
    assert "crypto" not in answered.body
    assert profile_of(answered.body) == "RTP/AVP"
    right.secure(KEY, offered[2][2])
    await talk(left, answered.media_port, right, invite.media_port)
    told = repr(bench.events()) + repr(list(bench.engine.calls()))
    assert base64.b64encode(offered[2][2]).decode() not in told
    assert repr(offered[2][2]) not in told


async def test_optional_is_plain_with_who_has_no_keys(start: Start, phones: Callable[[], Phone]) -> None:
    bench = await start(right_keys='srtp = "optional"', left_keys='srtp = "optional"')
    left, right = phones(), phones()
    ours = await bench.left.call("100", bench.left.sdp(left.port, "0 101"))
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, bench.right.sdp(right.port, "0 101"))
    await bench.right.expect("ACK")
    answered = await bench.left.expect(200)
    await ours.ack(answered)
    await talk(left, answered.media_port, right, invite.media_port)


async def test_required_refuses_who_answers_without_a_key(start: Start) -> None:
    bench = await start(right_keys='srtp = "required"')
    await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
    await bench.right.expect("ACK")
    await bench.right.expect("BYE")
    assert (await bench.left.expect(488)).status == 488


@pytest.mark.parametrize(
    ("policy", "profile", "extra", "status"),
    [
        ("required", "RTP/AVP", "a=sendrecv", 488),
        ("required", "RTP/SAVP", "a=crypto:1 F8_128_HMAC_SHA1_80 inline:AAAA\r\na=sendrecv", 488),
        ("optional", "RTP/SAVP", "a=sendrecv", 488),
        ("off", "RTP/SAVP", line(), 488),
        ("off", "RTP/AVP", line(), 200),
        ("optional", "RTP/AVP", line(), 200),
        ("optional", "RTP/SAVP", line(), 200),
        ("required", "RTP/AVP", line(), 200),
    ],
)
async def test_what_a_caller_must_offer(start: Start, policy: str, profile: str, extra: str, status: int) -> None:
    bench = await start(left_keys=f'srtp = "{policy}"')
    body = bench.left.sdp(4000, "0 101", extra).replace("RTP/AVP", profile)
    ours = await bench.left.call("9196", body)
    answered = await bench.left.expect(status)
    if status == 200:
        await ours.ack(answered)
        assert profile_of(answered.body) == profile
        assert [(tag, suite) for tag, suite, _ in keys_of(answered.body)] == ([] if policy == "off" else [(1, CM_80)])


async def test_keys_stay_while_the_peer_s_does_and_are_new_when_it_is(
    start: Start, phones: Callable[[], Phone]
) -> None:
    bench = await start(left_keys='srtp = "required"')
    phone = phones()
    ours = await bench.left.call("9196", secure(bench.left.sdp(phone.port, "0 101", line())))
    answered = await bench.left.expect(200)
    await ours.ack(answered)
    first = keys_of(answered.body)[0][2]
    phone.secure(KEY, first)
    phone.say(answered.media_port, 1)
    await phone.hears(1)

    await ours.request("INVITE", secure(bench.left.sdp(phone.port, "0 101", line(), version=2)))
    again = await bench.left.expect(200)
    await ours.ack(again)
    assert again.body == answered.body
    phone.say(answered.media_port, 2)
    await phone.hears(2)

    await ours.request("INVITE", secure(bench.left.sdp(phone.port, "0 101", line(OTHER_KEY, 2), version=3)))
    renewed = await bench.left.expect(200)
    await ours.ack(renewed)
    ((tag, _, second),) = keys_of(renewed.body)
    assert tag == 2
    assert second != first
    phone.secure(OTHER_KEY, second)
    phone.say(answered.media_port, 3)
    await phone.hears(3)


async def test_a_second_fork_is_sent_nothing_before_it_has_a_key_of_its_own(
    start: Start, phones: Callable[[], Phone]
) -> None:
    bench = await start(right_keys='srtp = "required"')
    left, first, second = phones(), phones(), phones()
    ours = await bench.left.call("100", bench.left.sdp(left.port, "0 101"))
    invite = await bench.right.expect("INVITE")
    shared = keys_of(invite.body)[2][2]
    body = secure(bench.right.sdp(first.port, "0 101", line(tag=3)))
    await bench.right.answer(invite, 183, body, tag="one")
    progress = await bench.left.expect(183)
    left.say(progress.media_port, 1)
    first.secure(KEY, shared)
    await first.hears(1)
    body = secure(bench.right.sdp(second.port, "0 101", line(OTHER_KEY, tag=3)))
    await bench.right.answer(invite, 200, body, tag="two")
    await bench.right.expect("ACK")
    await ours.ack(await bench.left.expect(200))
    again = await bench.right.expect("INVITE")
    left.say(progress.media_port, 2)
    await asyncio.sleep(0.1)
    assert second.hears_nothing()
    ((tag, suite, fresh),) = keys_of(again.body)
    assert (tag, suite) == (3, CM_80)
    assert fresh != shared
    body = secure(bench.right.sdp(second.port, "0 101", line(OTHER_KEY, tag=3), version=2))
    await bench.right.answer(again, 200, body, tag="two")
    await bench.right.expect("ACK")
    second.secure(OTHER_KEY, fresh)
    await talk(left, progress.media_port, second, invite.media_port)


async def test_an_answer_with_a_key_for_another_line_is_refused(start: Start) -> None:
    bench = await start(right_keys='srtp = "optional"')
    await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101", line(tag=1)))
    await bench.right.expect("ACK")
    await bench.right.expect("BYE")
    await bench.left.expect(488)
