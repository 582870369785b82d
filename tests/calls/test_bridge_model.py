"""The bridge against two modelled peers in any order of events: nobody is left on hold, and nothing hangs.

Legs, descriptions and bridge are the real ones; sessions and peers are models that keep to RFC 3261 14 and RFC 3264.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest

from santral.engine.calls import negotiation
from santral.engine.calls.joins import Bridge
from santral.engine.calls.joins.bridge import target
from santral.engine.calls.leg import Leg, Party, Role
from santral.engine.media import RemoteMedia
from santral.sip import events as sip
from santral.sip.events import Hop
from santral.sip.message import parse_message
from santral.sip.offer_answer import LocalSession, LocalStream, answer_direction, codec_named, remote_streams
from santral.sip.sdp import SessionDescription

DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")
RUNS: Final = 1500  # seeds, for each of the ways to hold
PCMU: Final = (codec_named("pcmu"),)


def message(body: bytes, status: int = 0) -> Any:
    """An INVITE, or a response to one, with this description."""
    start = f"SIP/2.0 {status} OK" if status else "INVITE sip:a@b SIP/2.0"
    head = (
        f"{start}\r\nVia: SIP/2.0/UDP b;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=peer\r\nTo: <sip:c@d>;tag=us\r\n"
        f"Call-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:a@b>\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return parse_message(head.encode() + body)


class Media:
    """What a leg tells the media plane."""

    address, final = "127.0.0.1", None

    def __init__(self, port: int) -> None:
        self.port = port
        self.remote: RemoteMedia | None = None

    def set_remote(self, remote: RemoteMedia) -> None:
        self.remote = remote

    def set_direction(self, direction: Any) -> None:
        assert self.remote is not None
        self.remote = replace(self.remote, direction=direction)


class Peer:
    """One peer and the session to it. `wish` is what it would do; a change of it that is refused is forgotten."""

    last_source = Hop("udp", "127.0.0.1", 5060, "default")

    def __init__(self, port: int) -> None:
        self.wish = self.before = "sendrecv"
        self.state = "idle"  # | asks | offered | cancelled
        self.is_due = self.owes_ack = False
        self.port = port
        self.sdp = LocalSession(port, "127.0.0.1")
        self.offer = b""
        self.leg: Any = None
        self.said = self.told = "sendrecv"  # last descriptions that hold, the peer's and ours
        self.queue: list[Callable[[], None]] = []

    # -- what the leg does to its session --

    def reinvite(self, _now: float, body: bytes) -> list[Any]:
        if self.state != "idle" or self.owes_ack:
            self.is_due = True
            self.queue.append(lambda: self.leg.hear(sip.ReinviteRejected(cast(Any, self), 491, None)))
        else:
            self.state, self.offer = "offered", body
        return []

    def accept_reinvite(self, _now: float, body: bytes) -> list[Any]:
        assert self.state == "asks"
        self.state, self.owes_ack = "idle", True
        self.told, self.said = direction(body), self.wish
        assert self.told == negotiation.meet(self.told, answer_direction(self.said))  # no more than was offered
        return []

    def reject_reinvite(self, _status: int, _now: float) -> list[Any]:
        assert self.state == "asks"
        self.state, self.wish = "idle", self.before
        return []

    def cancel(self, _now: float) -> list[Any]:
        if self.state == "offered":
            self.state = "cancelled"
        return []

    # -- what the peer does --

    def describe(self, wanted: str) -> bytes:
        return self.sdp.render((LocalStream("audio", "127.0.0.1", self.port, PCMU, wanted),))

    def ask(self, wanted: str) -> None:
        if self.state == "idle" and not self.owes_ack:
            self.before, self.wish, self.state = self.wish, wanted, "asks"
            self.leg.hear(sip.Reinvited(cast(Any, self), message(self.describe(wanted)), self.leg.sdp.heard_tag))

    def take_back(self) -> None:
        if self.state == "asks":
            self.state, self.wish = "idle", self.before
            self.leg.hear(sip.ReinviteCancelled(cast(Any, self), message(b"")))

    def respond(self, status: int) -> None:
        if self.state == "cancelled" and status != 200:
            status = 487
        if self.state not in {"offered", "cancelled"}:
            return
        self.state = "idle"
        if status == 200:
            offered = direction(self.offer)
            body = self.describe(negotiation.meet(self.wish, answer_direction(offered)))
            self.told, self.said = offered, direction(body)
            self.leg.hear(sip.ReinviteAnswered(cast(Any, self), message(body, 200)))
        else:
            self.is_due = self.is_due or status == 491
            self.leg.hear(sip.ReinviteRejected(cast(Any, self), status, None))

    def acknowledge(self) -> None:
        if self.owes_ack:
            self.owes_ack = False
            self.leg.hear(sip.ReinviteAcknowledged(cast(Any, self), message(b"")))

    def wait_over(self) -> None:
        if self.is_due and self.state == "idle":
            self.is_due = False
            self.leg.hear(sip.ReinviteDue(cast(Any, self), "INVITE"))

    def settle(self) -> None:
        while self.queue:
            self.queue.pop(0)()


def direction(body: bytes) -> str:
    return remote_streams(SessionDescription.parse(body))[0].direction


class Scene:
    """A bridge, and a peer on either side."""

    def __init__(self, hold: tuple[str, str]) -> None:
        plane = SimpleNamespace(bridge=lambda *_: None, unbridge=lambda *_: None)
        self.call: Any = SimpleNamespace(
            services=SimpleNamespace(plane=plane),
            emit=lambda *_, **__: None,
            world=SimpleNamespace(hold_music={"": SimpleNamespace(file="music", folder="")}),
            tenant="",
            entertained={},
            plays={},
            spawn=lambda work: work.close(),
        )
        self.peers = Peer(4000), Peer(5000)
        self.legs = tuple(self._leg(*one) for one in zip(Role, self.peers, hold, strict=True))
        self.bridge = Bridge(cast(Any, self.call), *self.legs)
        for leg in self.legs:
            leg.tell = self.bridge.hear

    @staticmethod
    def _leg(role: Role, peer: Peer, hold: str) -> Leg:
        party = Party("t", "default", "127.0.0.1", None, ("pcmu",), hold=hold)
        line = SimpleNamespace(now=lambda: 0.0, perform=lambda _: None, allow=(), supported=())
        leg = Leg(role, party, cast(Any, line), lambda *_: None)
        leg.session, peer.leg = cast(Any, peer), leg
        leg.sdp.open_media(cast(Any, Media(peer.port + 1000)), peer.port)
        body = peer.describe("sendrecv")
        if role is Role.CALLER:
            leg.sdp.read(body)
            leg.prepare_answer(negotiation.answer_locally(leg.peer, ("pcmu",)), "sendrecv")
        else:
            leg.offer(PCMU)
            leg.sdp.take_final("tag", body)
        leg.times.answered = 1
        return leg

    def do(self, step: tuple[int, str, Any]) -> None:
        side, what, data = step
        getattr(self.peers[side], what)(*data)
        for peer in self.peers:
            peer.settle()

    def drain(self) -> None:
        """Everything that is open comes to its end, all well."""
        for _ in range(50):
            for side in (0, 1):
                for what, data in (("respond", (200,)), ("acknowledge", ()), ("wait_over", ())):
                    self.do((side, what, data))
            if all(peer.state == "idle" and not peer.is_due and not peer.owes_ack for peer in self.peers):
                return
        raise AssertionError("it never comes to rest")


def steps(seed: int, refusals: Sequence[int]) -> Iterator[tuple[int, str, Any]]:
    """Whatever peers and time may do next, in any order."""
    dice = random.Random(seed)
    for _ in range(dice.randint(1, 40)):
        what = dice.choices(("ask", "take_back", "respond", "acknowledge", "wait_over"), (3, 2, 5, 4, 1))[0]
        data = {"ask": (dice.choice(DIRECTIONS),), "respond": (dice.choice((200, 200, *refusals)),)}.get(what, ())
        yield dice.randrange(2), what, data


HOLDS: Final = list(product(("pass", "music"), repeat=2))


@pytest.mark.parametrize("hold", HOLDS)
def test_both_sides_end_as_they_wish(hold: tuple[str, str]) -> None:
    for seed in range(RUNS):
        scene = Scene(hold)
        for step in steps(seed, (491,)):
            scene.do(step)
        scene.drain()
        for leg, peer in zip(scene.legs, scene.peers, strict=True):
            other = scene.bridge.other(leg)
            assert not leg.is_changing, seed
            assert leg.wish == peer.wish, seed
            assert (leg.peer.direction, leg.direction) == (peer.said, peer.told), seed
            assert leg.effective == target(leg, other), (seed, leg.role, leg.effective, leg.wish, other.wish)
            holds = other.party.hold == "music" and other.wish in {"sendonly", "inactive"}
            assert (leg.id in scene.call.entertained) == (holds and leg.wish in {"sendrecv", "recvonly"}), seed
            remote = leg.rtp.remote
            assert remote is not None
            assert remote.direction == negotiation.meet(leg.peer.direction, answer_direction(leg.direction)), seed


def test_refusals_leave_nothing_open() -> None:
    for seed in range(RUNS):
        scene = Scene(("pass", "pass"))
        for step in steps(seed, (491, 488)):
            scene.do(step)
        scene.drain()
        for leg, peer in zip(scene.legs, scene.peers, strict=True):
            assert not leg.is_changing, seed
            assert (leg.peer.direction, leg.direction) == (peer.said, peer.told), seed


def test_what_met_another_change_is_asked_for_again() -> None:
    """The very case of rule 17: taken back, answered all the same, and the way back refused for the moment."""
    scene = Scene(("pass", "pass"))
    for step in ((0, "ask", ("sendonly",)), (0, "take_back", ()), (1, "respond", (200,)), (1, "respond", (491,))):
        scene.do(step)
    assert scene.legs[1].direction == "sendonly"
    scene.drain()
    assert scene.legs[1].direction == "sendrecv"
