"""What one input does, and what must hold after it: only refusals come out, nothing hangs, nothing is left alive.

A target is a function of bytes that raises for a finding. Time is the thread's own CPU time, so that a busy machine is
no finding.
"""

import time
from collections.abc import Callable
from typing import Any, Final

from santral.bench.fuzz.seeds import ANSWER, OFFER
from santral.sip import events as sip
from santral.sip.agent import AgentSettings, UserAgent
from santral.sip.errors import RemoteError
from santral.sip.events import Hop
from santral.sip.framing import Framer
from santral.sip.message import Request, make_response, parse_message, serialise
from santral.sip.offer_answer import audio, remote_streams
from santral.sip.sdp import SessionDescription
from santral.sip.uri import NameAddr, Uri

MAX_SECONDS: Final = 0.1  # of CPU for one message
RECORD: Final = b"\x1e"  # between the records of one conversation
MAX_RECORDS: Final = 24
HOPS: Final = (
    Hop("udp", "127.0.0.1", 5090, "default"),
    Hop("udp", "127.0.0.2", 5060, "default"),
    Hop("tcp", "127.0.0.1", 40000, "default", flow=1),
)
WAITS: Final = (0.0, 0.1, 0.5, 1.0, 4.0, 16.0, 33.0, 100.0, 1000.0, 3600.0)  # seconds, by digit
LONG_AFTER_S: Final = 8000.0  # beyond every timer of a session, a subscription and a transaction
LONG_STEPS: Final = 40
METHODS: Final = (
    "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "PRACK", "UPDATE", "REFER", "NOTIFY", "SUBSCRIBE", "MESSAGE",
)  # fmt: skip
SETTINGS: Final = AgentSettings(
    user_agent="fuzz", allow=METHODS, supported=("100rel", "timer", "replaces", "norefersub"), event_packages=("refer",)
)


class Finding(Exception):  # noqa: N818 - what it is
    """Something that must not happen has happened."""


def timed(act: Callable[[], Any], what: str) -> Any:
    """Run `act`; more than `MAX_SECONDS` of CPU is a finding."""
    began = time.thread_time()
    result = act()
    took = time.thread_time() - began
    if took > MAX_SECONDS:
        raise Finding(f"{what} took {took:.3f} s")
    return result


def parser(data: bytes) -> None:
    """One datagram: what is read is written again and reads the same; the stream's framer cuts it whenever it comes."""
    try:
        message = timed(lambda: parse_message(data), "parsing")
    except RemoteError as refusal:
        if isinstance(refusal.request, Request):
            serialise(make_response(refusal.request, refusal.status))
    else:
        again = parse_message(timed(lambda: serialise(message), "serialising"))
        if again.body != message.body or len(again.headers) < len(message.headers):
            raise Finding("what was written reads differently")
    framer = Framer()
    try:
        for at in range(0, len(data), 7):
            timed(lambda at=at: list(framer.receive(data[at : at + 7])), "framing")  # type: ignore[misc]
    except RemoteError:
        return


def sdp(data: bytes) -> None:
    """One body: it reads back as it is written, and its streams are understood or refused."""
    try:
        description = timed(lambda: SessionDescription.parse(data), "parsing")
    except RemoteError:
        return
    if SessionDescription.parse(bytes(description)) != description:
        raise Finding("what was written reads differently")
    try:
        audio(timed(lambda: remote_streams(description), "streams"))
    except RemoteError:
        return


class Conversation:
    """One agent, an owner that reacts, and a peer that says what the input says."""

    def __init__(self) -> None:
        self.count = 0
        self.now = 1000.0
        self.agent = UserAgent(SETTINGS, self._entropy)
        self.agent.set_sent_by("default", "udp", "127.0.0.1:5060")
        self.agent.set_sent_by("default", "tcp", "127.0.0.1:5060")
        self.sessions: list[Any] = []
        self.subscriptions: list[Any] = []
        self.keys: list[tuple[str, Request]] = []
        self.mode = ord("a")
        self.branch = self.tag = self.call_id = b"x"

    def _entropy(self, n: int) -> bytes:
        self.count += 1
        return self.count.to_bytes(max(n, 8), "big")[-n:]

    def perform(self, actions: list[Any]) -> None:
        for action in actions:
            if isinstance(action, sip.Send):
                self._note(action.data)
            else:
                self._react(action)

    def _note(self, data: bytes) -> None:
        """What the peer has to repeat to be understood: branch, our tag, Call-ID of the last message."""
        try:
            message = parse_message(data)
        except RemoteError:
            if not data.startswith(b"SIP/2.0 "):  # an answer copies what it refuses
                raise
            return
        self.call_id = message.call_id.encode()
        ours = message.from_ if isinstance(message, Request) else message.to
        self.tag = (ours.tag or "x").encode()
        if isinstance(message, Request):
            self.branch = (message.via.branch or "x").encode()

    def _react(self, event: Any) -> None:
        match event:
            case sip.IncomingInvite(session=session):
                self.sessions.append(session)
                self._treat(session)
            case sip.Reinvited(session=session):
                self.perform(
                    session.accept_reinvite(self.now, ANSWER)
                    if self.mode % 2
                    else session.reject_reinvite(488, self.now)
                )
            case sip.Referred(subscription=one) | sip.Subscribed(subscription=one):
                self.subscriptions.append(one)
                self.perform(one.accept(self.now) if self.mode % 2 else one.reject(603, self.now))
            case sip.InDialog(key=key, request=request) | sip.Stray(key=key, request=request):
                self.perform(self.agent.respond(key, make_response(request, 200), self.now))
            case sip.Progress(session=session, is_offer=True, to_tag=to_tag):
                self.perform(session.prack(self.now, ANSWER, to_tag))

    def _treat(self, session: Any) -> None:
        now = self.now
        match self.mode % 5:
            case 0:
                self.perform(session.answer(now, body=ANSWER))
            case 1:
                self.perform(session.progress(183, now, body=ANSWER, reliable=True))
                self.perform(session.answer(now, body=ANSWER))
            case 2:
                self.perform(session.reject(486, now))
            case 3:
                self.perform(session.progress(180, now))

    def record(self, text: bytes) -> None:
        """`t` and a digit: time goes by; `m` and a byte: how the owner treats calls; `o` and a letter: the owner acts;
        anything else is a datagram, its first byte naming the hop it came by.
        """
        head, rest = text[:1], text[1:]
        if head == b"t":
            self.wait(WAITS[rest[0] % len(WAITS)] if rest else 1.0)
        elif head == b"m":
            self.mode = rest[0] if rest else 0
        elif head == b"o":
            self.act(rest[:1])
        else:
            data = rest.replace(b"\x01", self.branch).replace(b"\x02", self.tag).replace(b"\x03", self.call_id)
            hop = HOPS[head[0] % len(HOPS)] if head else HOPS[0]
            self.perform(timed(lambda: self.agent.receive(data, hop, self.now), "receiving"))

    def act(self, what: bytes) -> None:
        """The owner of the sessions does something that an owner may do."""
        session, now = (self.sessions or [None])[-1], self.now
        if what == b"i" or session is None:
            session, actions = self.agent.invite(
                hop=HOPS[0],
                uri=Uri(user="bob", host="127.0.0.1", port=5090),
                from_=NameAddr("", Uri(user="us", host="127.0.0.1")),
                to=NameAddr("", Uri(user="bob", host="127.0.0.1")),
                body=OFFER if self.mode % 3 else b"",
                now=now,
            )
            self.sessions.append(session)
        elif what == b"c":
            actions = session.cancel(now) if session.role == "uac" else session.reject(487, now)
        elif what == b"b":
            actions = session.bye(now)
        elif what == b"r":
            actions = session.reinvite(now, OFFER)
        elif what == b"u":
            actions = session.update(now, OFFER)
        elif what == b"f":
            subscription, actions = session.refer(now, "<sip:carol@127.0.0.1>")
            self.subscriptions.append(subscription)
        elif what == b"k":
            actions = session.ack(now, ANSWER)
        elif what == b"a":
            actions = session.answer(now, body=ANSWER)
        else:
            _, actions = session.send("INFO", now)
        self.perform(actions)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.perform(timed(lambda: self.agent.tick(self.now), "ticking"))

    def end(self) -> None:
        """The owner hangs everything up; long after that nothing may be left."""
        for session in self.sessions:
            self.perform(session.cancel(self.now) if session.role == "uac" else session.reject(487, self.now))
            self.perform(session.bye(self.now))
        for subscription in self.subscriptions:
            self.perform(subscription.terminate(self.now))
        for _ in range(LONG_STEPS):
            self.wait(LONG_AFTER_S / LONG_STEPS)
        left = {name: n for name, n in self.agent.counts.items() if n}
        if left:
            raise Finding(f"left alive: {left}")


def stack(data: bytes) -> None:
    """A conversation with the whole user agent, as records."""
    conversation = Conversation()
    for text in data.split(RECORD)[:MAX_RECORDS]:
        conversation.record(text)
    conversation.end()


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {"parser": parser, "sdp": sdp, "stack": stack}
