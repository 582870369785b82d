"""The four tables walked row by row, and their timers on a fake clock, UDP and TCP."""

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from santral.sip.events import Action, Hop, Send
from santral.sip.message import Request, Response, make_response, parse_message
from santral.sip.ua import runner as runner_module
from santral.sip.ua.compose import AgentSettings, Composer
from santral.sip.ua.core import Outbox
from santral.sip.ua.deadlines import Deadlines, Timers
from santral.sip.ua.runner import Runner, server_key
from santral.sip.ua.transaction import (
    INVITE_CLIENT,
    INVITE_SERVER,
    OTHER_CLIENT,
    OTHER_SERVER,
    Do,
    Input,
    State,
    Table,
    Transaction,
)
from santral.sip.uri import Uri

TABLES = {
    "INVITE client": INVITE_CLIENT,
    "INVITE server": INVITE_SERVER,
    "other client": OTHER_CLIENT,
    "other server": OTHER_SERVER,
}
PEER = Hop("udp", "192.0.2.9", 5060, "lan")
STREAM = Hop("tcp", "192.0.2.9", 40000, "lan")


class World:
    """A runner with a clock, and a listener that takes notes."""

    def __init__(self) -> None:
        settings = AgentSettings(sent_by={("lan", "udp"): "192.0.2.1:5060", ("lan", "tcp"): "192.0.2.1:5060"})
        self.composer = Composer(settings, random.Random(1).randbytes)
        self.outbox = Outbox()
        self.deadlines = Deadlines()
        self.runner = Runner(self, Timers(), self.composer, self.deadlines, self.outbox)
        self.now = 0.0
        self.heard: list[Any] = []
        self.rows: set[tuple[int, State, Input]] = set()

    def on_response(self, transaction: Transaction, response: Response, now: float) -> None:
        self.heard.append(response.status)

    def on_failure(self, transaction: Transaction, status: int, now: float) -> None:
        self.heard.append(f"failed {status}")

    def on_ack(self, request: Request, now: float) -> None:
        self.heard.append("ACK")

    def sent(self) -> list[str]:
        return [_name(action) for action in self.outbox.flush()]

    def run(self, seconds: float) -> list[tuple[float, str]]:
        """What is sent, and when, while the clock moves on."""
        end, found = self.now + seconds, []
        while (at := self.deadlines.next()) is not None and at <= end:
            self.now = max(self.now, at)
            for transaction, what in self.deadlines.due(self.now):
                assert isinstance(transaction, Transaction)
                self.runner.feed(transaction, what, self.now)
            found += [(self.now, name) for name in self.sent()]
        self.now = end
        return found

    def client(self, method: str, hop: Hop = PEER) -> Transaction:
        return self.runner.start_client(self.request(method, hop), hop, None, self.now)

    def server(self, method: str, hop: Hop = PEER) -> tuple[Transaction, Request]:
        text = (
            f"{method} sip:us@192.0.2.1 SIP/2.0\r\n"
            f"Via: SIP/2.0/{hop.transport.upper()} peer.invalid:5062;branch=z9hG4bK7\r\n"
            f"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 7 {method}\r\nMax-Forwards: 70\r\n\r\n"
        )
        request = parse_message(text.encode())
        assert isinstance(request, Request)
        return self.runner.start_server(request, hop, None, self.now, server_key(request, method)), request

    def request(self, method: str, hop: Hop) -> Request:
        return self.composer.request(
            method, Uri.parse("sip:bob@192.0.2.9"), hop, branch=self.composer.branch(),
            from_="<sip:a@b>;tag=1", to="<sip:c@d>", call_id="x", cseq=1,
        )  # fmt: skip

    def answer(self, transaction: Transaction, request: Request, status: int) -> None:
        self.runner.receive_response(transaction, make_response(request, status, to_tag="2"), self.now)

    def assert_empty(self) -> None:
        assert not self.runner.clients
        assert not self.runner.servers
        assert not self.runner.merged
        assert not self.runner._by_hop
        assert not len(self.deadlines)


def _name(action: Action) -> str:
    assert isinstance(action, Send)
    message = parse_message(action.data)
    return message.method if isinstance(message, Request) else str(message.status)


@pytest.fixture
def world() -> World:
    return World()


# -- the tables as such ------------------------------------------------------------------------------------------------


def reachable(table: Table, start: State) -> set[State]:
    found, todo = {start}, [start]
    while todo:
        state = todo.pop()
        for (at, _), (to, _) in table.items():
            if at is state and to not in found:
                found.add(to)
                todo.append(to)
    return found


@pytest.mark.parametrize("name", TABLES)
def test_every_state_is_reached_and_reaches_its_end(name: str) -> None:
    table = TABLES[name]
    used = {state for (state, _), _ in table.items()} | {to for to, _ in table.values()}
    assert reachable(table, State.START) == used
    for state in used:
        assert State.TERMINATED in reachable(table, state)
    assert not any(state is State.TERMINATED for state, _ in table)


@pytest.mark.parametrize("name", TABLES)
def test_every_state_but_a_waiting_one_has_a_timer_that_ends_it(name: str) -> None:
    """Whatever the peer does or leaves, a transaction ends by itself; the exceptions wait for our own owner."""
    table = TABLES[name]
    ends = {state for (state, what), _ in table.items() if what.startswith("timer")}
    waits_for_owner = {("INVITE client", State.PROCEEDING), ("INVITE server", State.PROCEEDING)}
    for state, _ in table:
        if state is not State.START and (name, state) not in waits_for_owner:
            assert state in ends


def test_every_action_is_used_and_performed() -> None:
    used = {do for table in TABLES.values() for _, todo in table.values() for do in todo}
    assert used == set(Do) == set(runner_module._PERFORM)


def test_every_armed_timer_has_its_row() -> None:
    names = {do: do.value.removeprefix("arm ").split(" ")[0] for do in Do if do.value.startswith("arm ")}
    special = {Do.ARM_SILENCE: "timer J", Do.ARM_TRYING: "timer 100", Do.ARM_ABANDON: "timer abandon"}
    for table in TABLES.values():
        for to, todo in table.values():
            for do in todo:
                if do in names:
                    assert (to, Input(special.get(do, f"timer {names[do]}"))) in table


# -- every row, through the runner -------------------------------------------------------------------------------------


def path_to(table: Table, state: State) -> list[Input]:
    """The shortest way from START."""
    paths: dict[State, list[Input]] = {State.START: []}
    todo = [State.START]
    while todo:
        at = todo.pop(0)
        for (frm, what), (to, _) in table.items():
            if frm is at and to not in paths:
                paths[to] = [*paths[at], what]
                todo.append(to)
    return paths[state]


@pytest.mark.parametrize("hop", [PEER, STREAM], ids=["udp", "tcp"])
@pytest.mark.parametrize(("name", "row"), [(name, row) for name, table in TABLES.items() for row in table], ids=str)
def test_every_row_can_be_performed(world: World, name: str, row: tuple[State, Input], hop: Hop) -> None:
    table = TABLES[name]
    state, what = row
    method = "INVITE" if name.startswith("INVITE") else "OPTIONS"
    steps = [*path_to(table, state), what]
    if name.endswith("client"):
        request = world.request(method, hop)
        transaction = world.runner.start_client(request, hop, None, 0.0)
    else:
        transaction, request = world.server(method, hop)
    statuses = {Input.PROVISIONAL: 180, Input.SUCCESS: 200, Input.FAILURE: 486, Input.FINAL: 200}
    for step in steps[1:]:
        cue: Any = request
        if step in statuses:
            response = make_response(request, statuses[step], to_tag="2")
            cue = response if name.endswith("client") else runner_module.serialise(response)
        assert (transaction.state, step) in table
        world.runner.feed(transaction, step, world.now, cue)
    assert transaction.state is table[row][0]
    if transaction.state is State.TERMINATED:
        world.assert_empty()
        assert transaction.owner is transaction.request is None


# -- timers ------------------------------------------------------------------------------------------------------------


def test_invite_is_repeated_with_doubling_intervals_until_timer_b(world: World) -> None:
    world.client("INVITE")
    assert world.sent() == ["INVITE"]
    assert [at for at, _ in world.run(40)] == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert world.heard == ["failed 408"]
    world.assert_empty()


def test_other_requests_are_repeated_up_to_t2_until_timer_f(world: World) -> None:
    world.client("OPTIONS")
    world.sent()
    assert [at for at, _ in world.run(40)] == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert world.heard == ["failed 408"]
    world.assert_empty()


def test_a_provisional_answer_slows_other_requests_down(world: World) -> None:
    request = world.request("OPTIONS", PEER)
    transaction = world.runner.start_client(request, PEER, None, 0.0)
    world.run(0.6)
    world.answer(transaction, request, 100)
    world.outbox.flush()
    assert [at for at, _ in world.run(12)] == [1.5, 5.5, 9.5]
    assert world.heard == []
    world.answer(transaction, request, 200)
    assert world.heard == [200]
    world.answer(transaction, request, 200)  # absorbed by Timer K
    assert world.heard == [200]
    world.run(5)
    world.assert_empty()


def test_a_failed_invite_is_acknowledged_each_time(world: World) -> None:
    request = world.request("INVITE", PEER)
    transaction = world.runner.start_client(request, PEER, None, 0.0)
    for _ in range(3):
        world.answer(transaction, request, 486)
    assert world.sent() == ["INVITE", "ACK", "ACK", "ACK"]
    assert world.heard == [486]
    assert transaction.request is None
    world.run(31)
    assert world.runner.clients
    world.run(2)
    world.assert_empty()


def test_the_ack_of_a_failure_belongs_to_the_invite(world: World) -> None:
    request = world.request("INVITE", PEER)
    request.headers.add("Route", "<sip:192.0.2.9;lr>")
    transaction = world.runner.start_client(request, PEER, None, 0.0)
    world.outbox.flush()
    world.answer(transaction, request, 404)
    (send,) = world.outbox.flush()
    assert isinstance(send, Send)
    ack = parse_message(send.data)
    assert isinstance(ack, Request)
    assert ack.uri == request.uri
    assert ack.via == request.via
    assert str(ack.cseq) == "1 ACK"
    assert ack.to.tag == "2"
    assert ack.headers.all("Route") == ["<sip:192.0.2.9;lr>"]


def test_several_2xx_come_through_for_64_t1(world: World) -> None:
    request = world.request("INVITE", PEER)
    transaction = world.runner.start_client(request, PEER, None, 0.0)
    for _ in range(3):
        world.answer(transaction, request, 200)
    world.answer(transaction, request, 486)
    assert world.heard == [200, 200, 200]
    world.run(32)
    world.assert_empty()


def test_server_repeats_a_failure_until_ack_or_timer_h(world: World) -> None:
    transaction, request = world.server("INVITE")
    assert world.sent() == ["100"]
    world.runner.respond(transaction, make_response(request, 486), 0.0)
    assert world.sent() == ["486"]
    assert [at for at, _ in world.run(40)] == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    world.assert_empty()


def test_server_stops_at_the_ack_and_absorbs_more_for_t4(world: World) -> None:
    transaction, request = world.server("INVITE")
    world.runner.respond(transaction, make_response(request, 486), 0.0)
    world.runner.feed(transaction, Input.REQUEST, 0.0)
    world.runner.feed(transaction, Input.ACK, 0.0, request)
    world.runner.feed(transaction, Input.ACK, 0.0, request)
    world.runner.feed(transaction, Input.REQUEST, 0.0)
    assert world.sent() == ["100", "486", "486"]
    assert world.run(4.9) == []
    assert world.runner.servers
    world.run(0.2)
    world.assert_empty()


def test_server_says_100_to_other_requests_after_3500_ms_and_nothing_after_64_t1(world: World) -> None:
    transaction, request = world.server("INFO")
    world.runner.feed(transaction, Input.REQUEST, 0.0)
    assert world.sent() == []
    assert world.run(5) == [(3.5, "100")]
    world.runner.feed(transaction, Input.REQUEST, 5.0)
    assert world.sent() == ["100"]
    world.run(28)
    world.assert_empty()
    world.runner.respond(transaction, make_response(request, 200), world.now)
    assert world.sent() == []


def test_server_repeats_the_answer_to_a_repeated_request(world: World) -> None:
    transaction, request = world.server("INFO")
    world.runner.respond(transaction, make_response(request, 200), 0.0)
    world.runner.feed(transaction, Input.REQUEST, 1.0)
    assert world.sent() == ["200", "200"]
    world.runner.respond(transaction, make_response(request, 500), 1.0)  # one final response only
    assert world.sent() == []
    world.run(33)
    world.assert_empty()


def test_nothing_is_repeated_on_a_stream(world: World) -> None:
    world.client("INVITE", STREAM)
    world.client("OPTIONS", STREAM)
    transaction, request = world.server("INVITE", STREAM)
    world.runner.respond(transaction, make_response(request, 486), 0.0)
    assert world.sent() == ["INVITE", "OPTIONS", "100", "486"]
    assert world.run(40) == []
    assert world.heard == ["failed 408", "failed 408"]
    world.assert_empty()


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_an_unreachable_hop_fails_only_its_own_requests(world: World, method: str) -> None:
    world.client(method)
    world.client(method, Hop("udp", "192.0.2.9", 5070, "lan"))
    world.runner.unreachable(PEER, 0.0)
    assert world.heard == ["failed 503"]
    assert len(world.runner.clients) == 1
    world.run(40)
    world.assert_empty()


def test_an_invite_that_rings_does_not_mind_an_unreachable_hop(world: World) -> None:
    request = world.request("INVITE", PEER)
    transaction = world.runner.start_client(request, PEER, None, 0.0)
    world.answer(transaction, request, 180)
    world.runner.unreachable(PEER, 0.0)
    assert world.heard == [180]
    assert transaction.state is State.PROCEEDING


def test_a_cancelled_invite_does_not_wait_for_ever(world: World) -> None:
    request = world.request("INVITE", PEER)
    transaction = world.runner.start_client(request, PEER, None, 0.0)
    world.answer(transaction, request, 180)
    world.runner.feed(transaction, Input.ABANDON, 0.0)
    world.run(32)
    assert world.heard == [180, "failed 408"]
    world.assert_empty()


def test_answers_look_for_the_port_in_via_when_the_connection_is_gone(world: World) -> None:
    transaction, request = world.server("INVITE", STREAM)
    world.outbox.flush()
    world.runner.unreachable(STREAM, 0.0)
    (again,) = world.outbox.flush()
    assert isinstance(again, Send)
    assert again.hop == Hop("tcp", "192.0.2.9", 5062, "lan")
    world.runner.respond(transaction, make_response(request, 200), 0.0)
    (answer,) = world.outbox.flush()
    assert isinstance(answer, Send)
    assert answer.hop == again.hop
    world.runner.unreachable(again.hop, 0.0)  # no third way
    assert world.outbox.flush() == []
    world.run(40)
    world.assert_empty()


# -- keys --------------------------------------------------------------------------------------------------------------


def parsed(via: str, method: str = "INVITE", to: str = "<sip:c@d>") -> Request:
    lines = (f"Via: {via}", "From: <sip:a@b>;tag=1", f"To: {to}", "Call-ID: i", f"CSeq: 5 {method}")
    text = f"{method} sip:x@y SIP/2.0\r\n" + "".join(f"{line}\r\n" for line in lines) + "\r\n"
    message = parse_message(text.encode())
    assert isinstance(message, Request)
    return message


def test_server_key_is_branch_sent_by_and_method() -> None:
    one = parsed("SIP/2.0/UDP h:1;branch=z9hG4bKx")
    assert server_key(one, "INVITE") == server_key(parsed("SIP/2.0/UDP h:1;branch=z9hG4bKx", "ACK"), "INVITE")
    assert server_key(one, "INVITE") != server_key(one, "CANCEL")
    assert server_key(one, "INVITE") != server_key(parsed("SIP/2.0/UDP h:2;branch=z9hG4bKx"), "INVITE")
    assert server_key(one, "INVITE") != server_key(parsed("SIP/2.0/UDP h:1;branch=z9hG4bKy"), "INVITE")


def test_server_key_of_an_old_peer_ignores_the_to_tag() -> None:
    invite, ack = parsed("SIP/2.0/UDP h:1;branch=1"), parsed("SIP/2.0/UDP h:1;branch=1", "ACK", "<sip:c@d>;tag=9")
    assert server_key(invite, "INVITE") == server_key(ack, "INVITE")
    assert server_key(invite, "INVITE") != server_key(parsed("SIP/2.0/UDP h:1;branch=2"), "INVITE")


def test_counters_only_count_what_was_sent_again(world: World) -> None:
    world.client("INVITE")
    world.run(2)
    counters: Mapping[str, int] = world.outbox.counters
    assert counters == Counter(retransmissions_sent=2)
