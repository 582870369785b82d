"""One INVITE of ours and the answers of several phones: early dialogs, second answers, a cancelled fork."""

from typing import Any

import pytest

from santral.sip.events import Answered, Hop, InDialog, Progress, Rejected
from santral.sip.message import Request, make_response, serialise


class Fork:
    """A proxy that forks: one INVITE of ours, answers of several phones."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self.a = network.node("alice")
        self.proxy = Hop("udp", "192.0.2.1", 9999, "lan")
        self.sink = type("Sink", (), {"name": "proxy", "hop": self.proxy})()
        self.session = self.a.call(self.sink)

    def answer(self, status: int, tag: str, invite: Any = None) -> None:
        response = make_response(invite or self.session.request, status, to_tag=tag or None)
        response.headers.add("Contact", f"<sip:{tag or None}@192.0.2.1:9999>")
        self.network.deliver(serialise(response), self.a, self.proxy)

    def sent(self) -> list[tuple[str, str]]:
        return [(message.method, message.to.tag) for _, _, message in self.network.sent[1:]]


@pytest.fixture
def fork(network: Any) -> Fork:
    return Fork(network)


def test_early_dialogs_with_several_tags(fork: Fork) -> None:
    fork.answer(100, "")
    for tag in ("one", "two", "one"):
        fork.answer(183, tag)
    assert [(event.response.status, event.to_tag) for event in fork.a.got(Progress)] == [
        (100, ""), (183, "one"), (183, "two"), (183, "one"),
    ]  # fmt: skip
    assert fork.session.remote_tag is None
    fork.answer(200, "two")
    assert fork.session.remote_tag == "two"
    assert fork.sent() == [("ACK", "two")]


def test_a_request_on_one_of_several_early_dialogs(fork: Fork) -> None:
    fork.answer(183, "one")
    fork.answer(183, "two")
    for tag, cseq in (("one", 1), ("two", 1), ("three", 1)):
        request = Request("INFO", fork.session.request.uri, fork.session.request.headers.copy())
        request.headers.set("Via", f"SIP/2.0/UDP 192.0.2.1:9999;branch=z9hG4bK{tag}")
        request.headers.set("From", f"<sip:proxy@example.com>;tag={tag}")
        request.headers.set("To", f"<sip:alice@example.com>;tag={fork.session.local_tag}")
        request.headers.set("CSeq", f"{cseq} INFO")
        fork.network.deliver(serialise(request), fork.a, fork.proxy)
    assert [event.request.from_.tag for event in fork.a.got(InDialog)] == ["one", "two"]
    assert fork.network.wire()[-1] == "481 INFO"


def test_the_second_answer_of_a_fork_is_acknowledged_and_ended(fork: Fork) -> None:
    fork.answer(200, "one")
    fork.answer(200, "two")
    assert fork.sent() == [("ACK", "one"), ("ACK", "two"), ("BYE", "two")]
    fork.answer(200, "two")
    fork.answer(200, "one")
    assert fork.sent()[3:] == [("ACK", "two"), ("ACK", "one")]
    assert len(fork.a.got(Answered)) == 1
    assert fork.session.state == "confirmed"
    assert fork.session.remote_tag == "one"
    assert fork.a.agent.counters["extra_answers"] == 1


def test_the_second_answer_of_a_fork_after_the_session(fork: Fork) -> None:
    fork.answer(200, "one")
    fork.a.do(fork.session.bye(0.0))
    bye = fork.network.sent[-1][2]
    fork.answer(200, "one", bye)
    assert fork.a.agent.counts["sessions"] == 0
    fork.answer(200, "two")
    assert fork.sent()[-2:] == [("ACK", "two"), ("BYE", "two")]
    fork.network.run(100)
    assert set(fork.a.agent.counts.values()) == {0}


def test_a_cancelled_fork_answers_twice(fork: Fork) -> None:
    fork.answer(180, "one")
    fork.a.do(fork.session.cancel(0.0))
    fork.answer(200, "one")
    fork.answer(200, "two")
    assert [name for name, _ in fork.sent()] == ["CANCEL", "ACK", "BYE", "ACK", "BYE"]
    assert [event.cause for event in fork.a.got(Rejected)] == ["cancelled"]
    fork.network.run(100)
    assert set(fork.a.agent.counts.values()) == {0}
