"""Calls between two agents while every third datagram is damaged on its way: nothing is raised, nothing is left behind.

Deterministic and short by default; SANTRAL_FUZZ_EXAMPLES sets the number of conversations, and looks for new ones.
"""

import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from santral.sip.events import Cancelled, Ended, IncomingInvite, Rejected

EXAMPLES = int(os.environ.get("SANTRAL_FUZZ_EXAMPLES", "0"))
pytestmark = pytest.mark.timeout(60 + EXAMPLES)
fuzz = settings(
    max_examples=max(EXAMPLES // 50, 25),
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

SPICE = [
    b"\r\n",
    b"\0",
    b",",
    b";",
    b"<",
    b'"',
    b"%",
    b"\xff",
    b" ",
    b"9" * 12,
    b"z9hG4bK",
    b";tag=",
    b":",
    b"tel:1",
    b"[::]",
]


def damage(data: bytes, dice: random.Random) -> bytes:
    """Some bytes changed, a line dropped, doubled or moved, a value put in another header, an end cut off."""
    if dice.random() > 0.35:
        return data
    lines = data.split(b"\r\n")
    first, second = dice.randrange(len(lines)), dice.randrange(len(lines))
    match dice.randrange(8):
        case 0:
            del lines[first]
        case 1:
            lines.insert(second, lines[first])
        case 2:
            lines[first], lines[second] = lines[second], lines[first]
        case 3:
            lines[first] = lines[first].partition(b":")[0] + b":" + lines[second].partition(b":")[2]
        case 4:
            at = dice.randrange(len(lines[first]) + 1)
            lines[first] = lines[first][:at] + dice.choice(SPICE) + lines[first][at:]
        case 5:
            return data[: dice.randrange(len(data))]
        case 6:
            at = dice.randrange(len(data))
            return data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :]
        case _:
            lines[0] = lines[0].replace(b"SIP/2.0", dice.choice([b"SIP/3.0", b"sip/2.0", b"SIP", b"SIP/2.0 200 OK"]))
    return b"\r\n".join(lines)


@fuzz
@given(st.integers(0, 2**32))
def test_damaged_conversations(make_network: Callable[..., Any], sdp: bytes, seed: int) -> None:
    dice = random.Random(seed)
    network = make_network(seed, duplicate=0.2, delay=0.01, spread=0.4)
    network.keeps_record = False
    network.tamper = lambda data: damage(data, dice)
    a, b = network.node("alice"), network.node("bob")
    ends: dict[Any, int] = {}

    def react(event: Any) -> None:
        if isinstance(event, IncomingInvite):
            ends[event.session] = 0
        elif isinstance(event, (Rejected, Cancelled, Ended)):
            ends[event.session] += 1

    a.react = b.react = react
    for _ in range(4):
        ends[a.call(b, body=sdp)] = 0
    for _ in range(60):
        network.run(dice.random() * 0.4)
        session = dice.choice(list(ends))
        node = a if session.local_tag and (session.call_id, session.local_tag) in a.agent._sessions else b
        act = dice.choice(["progress", "answer", "reinvite", "accept", "info", "ack", "bye"])
        now = network.now
        match act:
            case "progress":
                node.do(session.progress(183, now, body=sdp))
            case "answer":
                node.do(session.answer(now, body=sdp))
            case "reinvite":
                node.do(session.reinvite(now, sdp))
            case "accept":
                node.do(session.accept_reinvite(now, sdp))
            case "info":
                node.do(session.send("INFO", now)[1])
            case "ack":
                node.do(session.ack(now, sdp))
            case _ if dice.random() < 0.2:
                node.do(session.bye(now))
    owners = {session: node for node in (a, b) for session in node.agent._sessions.values()}
    for session, node in owners.items():
        node.do(session.bye(network.now))
    network.run(100)
    for node in (a, b):  # what a damaged INVITE began meanwhile
        for session in list(node.agent._sessions.values()):
            node.do(session.bye(network.now))
    network.tamper = bytes
    network.assert_quiet()
    assert set(ends.values()) == {1}
