"""The locator against name servers of our own: order, memory, merging, dead and slow servers; names of this machine."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from santral.engine.config.values import HostPort
from santral.engine.locating import Locator, cache, hosts, locator, resolver
from santral.engine.locating.cache import Answer, NameCache
from santral.sip.events import Hop
from santral.sip.locating import Question

BOUND = {("lan", "udp"): ("192.0.2.9", 5060), ("lan", "tcp"): ("192.0.2.9", 5060), ("lan", "tls"): ("192.0.2.9", 5061)}
SOA = ("carrier.example.", 7, "SOA", "ns. root. 1 1 1 1 3")
ZONE = [
    ("carrier.example.", 60, "NAPTR", '10 1 "s" "SIPS+D2T" "" _sips._tcp.carrier.example.'),
    ("_sips._tcp.carrier.example.", 60, "SRV", "1 0 5071 a.carrier.example.", "2 0 5072 B.carrier.example."),
    ("a.carrier.example.", 60, "A", "192.0.2.1"),
    ("b.carrier.example.", 60, "A", "192.0.2.2"),
    ("short.example.", 0, "A", "192.0.2.3"),
    ("six.example.", 60, "AAAA", "2001:db8::6"),
]


class NameServer(asyncio.DatagramProtocol):
    """Answers from `zone`; holds its tongue for names in `silent`."""

    def __init__(self) -> None:
        self.zone = {(name, kind): (ttl, texts) for name, ttl, kind, *texts in ZONE}
        self.asked: Counter[tuple[str, str]] = Counter()
        self.silent: set[str] = set()
        self.broken = False
        self.gate: asyncio.Event | None = None
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        asyncio.get_running_loop().create_task(self.answer(data, addr))

    async def answer(self, data: bytes, addr: Any) -> None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked[name, kind] += 1
        if name in self.silent:
            return
        if self.gate is not None:
            await self.gate.wait()
        response = dns.message.make_response(query)
        found = self.zone.get((name, kind))
        if self.broken:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif found is not None:
            response.answer.append(dns.rrset.from_text(name, found[0], "IN", kind, *found[1]))
        else:
            response.set_rcode(dns.rcode.NXDOMAIN)
            response.authority.append(dns.rrset.from_text(SOA[0], SOA[1], "IN", *SOA[2:]))
        self.transport.sendto(response.to_wire(), addr)


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    yield protocol
    transport.close()


@pytest.fixture
async def make(server: NameServer) -> AsyncIterator[Callable[..., Locator]]:
    made: list[Locator] = []

    def locator_of(bound: Any = BOUND) -> Locator:
        where = HostPort(*server.transport.get_extra_info("sockname")[:2])
        made.append(Locator(asyncio.get_running_loop(), bound, [where]))
        return made[-1]

    yield locator_of
    for one in made:
        await one.close()


async def test_names_are_followed_once_and_remembered(server: NameServer, make: Callable[..., Locator]) -> None:
    names = make()
    assert names.hops_now("sip:Carrier.example", "lan") is None
    hops = await names.hops("sip:Carrier.example", "lan", "carrier")
    assert hops == [
        Hop("tls", "192.0.2.1", 5071, "lan", "carrier.example", "carrier"),  # identity: the host before any look-up
        Hop("tls", "192.0.2.2", 5072, "lan", "carrier.example", "carrier"),
    ]
    assert names.hops_now("sip:Carrier.example", "lan", "carrier") == hops
    assert await names.hops("sips:carrier.example", "lan", "carrier") == hops
    assert set(server.asked.values()) == {1}
    assert names.hops_now("sip:carrier.example", "wan") == []  # nothing is spoken there
    assert names.hops_now("sip:192.0.2.7;transport=tls", "lan") == [Hop("tls", "192.0.2.7", 5061, "lan", "192.0.2.7")]
    assert names.hops_now("no uri", "lan") == await names.hops("no uri", "lan") == []


async def test_the_same_question_is_asked_once_at_a_time(server: NameServer, make: Callable[..., Locator]) -> None:
    names = make()
    server.gate = asyncio.Event()
    waiting = [asyncio.ensure_future(names.hops("sip:a.carrier.example:5060", "lan")) for _ in range(20)]
    await asyncio.sleep(0.05)
    waiting[0].cancel()  # whoever gives up takes nothing from the others
    server.gate.set()
    found = await asyncio.gather(*waiting[1:])
    assert found == [[Hop("udp", "192.0.2.1", 5060, "lan")]] * 19
    assert server.asked == {("a.carrier.example.", "A"): 1}
    assert names.counters()["merged"] == 19


async def test_a_dead_name_server_delays_nobody_else(
    server: NameServer, make: Callable[..., Locator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "QUESTION_S", 0.3)
    monkeypatch.setattr(resolver, "SERVER_S", 0.1)
    names = make()
    server.silent = {"a.carrier.example."}
    loop = asyncio.get_running_loop()
    slow = asyncio.ensure_future(names.hops("sip:a.carrier.example:5060", "lan"))
    await asyncio.sleep(0)
    begun = loop.time()
    assert await names.hops("sip:b.carrier.example:5060", "lan") == [Hop("udp", "192.0.2.2", 5060, "lan")]
    assert names.hops_now("sip:192.0.2.1", "lan")
    assert not slow.done()
    assert await slow == []
    assert loop.time() - begun < 2.0
    assert names.hops_now("sip:a.carrier.example:5060", "lan") == []  # and is not asked again at once
    assert names.counters()["failed"] == 1


async def test_one_uri_takes_no_longer_than_its_limit(
    server: NameServer, make: Callable[..., Locator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locator, "LOCATE_S", 0.05)
    server.gate = asyncio.Event()
    assert await make().hops("sip:carrier.example", "lan") == []
    server.gate.set()


async def test_the_other_version_and_other_spellings(server: NameServer, make: Callable[..., Locator]) -> None:
    names = make({("lan", "udp"): ("2001:db8::9", 5060)})
    assert await names.hops("sip:six.example:5062", "lan") == [Hop("udp", "2001:db8::6", 5062, "lan")]
    assert await names.hops(f"sip:{'x' * 80}.example:5060", "lan") == []  # no label may be so long
    assert await names.hops("sip:localhost:5060", "lan") == [Hop("udp", "::1", 5060, "lan")]


class Clock:
    """A loop whose time is ours."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.create_task = asyncio.get_running_loop().create_task

    def time(self) -> float:
        return self.now


async def test_how_long_answers_are_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, question = Clock(), Question("A", "a.example")
    answers: list[Answer] = []

    async def ask(_: Question) -> Answer:
        return answers.pop(0)

    names = NameCache(clock, ask)  # type: ignore[arg-type]

    async def next_is(answer: Answer, expected: tuple[str, ...], for_s: float) -> None:
        answers.append(answer)
        assert (await names.answers([question]))[question] == expected
        clock.now += for_s - 0.01
        assert names.known([question]) == {question: expected}
        clock.now += 0.02
        assert names.known([question]) is None

    await next_is(Answer(("192.0.2.1",), 0.0), ("192.0.2.1",), cache.SHORTEST_S)
    await next_is(Answer(("192.0.2.1",), 60.0), ("192.0.2.1",), 60.0)
    await next_is(Answer((), 0.0, failed=True), ("192.0.2.1",), cache.FAILED_S)  # RFC 8767: the old one is better
    await next_is(Answer(("192.0.2.2",), 1e9), ("192.0.2.2",), cache.LONGEST_S)
    await next_is(Answer((), 1e9), (), cache.LONGEST_NEGATIVE_S)
    await next_is(Answer((), 0.0, failed=True), (), cache.FAILED_S)
    await next_is(Answer(("192.0.2.3",), 60.0), ("192.0.2.3",), 60.0)
    clock.now += cache.STALE_S
    await next_is(Answer((), 0.0, failed=True), (), cache.FAILED_S)
    monkeypatch.setattr(cache, "MAX_NAMES", 2)
    for number in range(5):
        answers.append(Answer((), 60.0))
        await names.answers([Question("A", f"{number}.example")])
    assert len(names) == 2
    monkeypatch.setattr(cache, "MAX_ASKING", 0)
    assert await names.answers([question]) == {question: ()}
    assert names.counters["not_asked"] == 1


async def test_negative_answers_say_how_long(server: NameServer) -> None:
    asker = resolver.Resolver(lambda: 0.0, [HostPort(*server.transport.get_extra_info("sockname")[:2])])
    assert await asker.ask(Question("A", "none.example")) == Answer((), 3.0)  # RFC 2308: SOA's MINIMUM
    server.broken = True
    assert (await asker.ask(Question("A", "none.example"))).failed


def test_the_hosts_file_is_read_when_it_changes(tmp_path: Path) -> None:
    path, now = tmp_path / "hosts", [0.0]
    names = hosts.Hosts(lambda: now[0], path)
    assert names.addresses("pbx", 4) is None
    assert names.addresses("localhost", 6) == ("::1",)
    path.write_text("192.0.2.1 pbx PBX.example. # ours\n::2 pbx\nnonsense here\n192.0.2.2 pbx\n")
    assert names.addresses("pbx", 4) is None  # not looked at that often
    now[0] += hosts.LOOKED_AT_S
    assert names.addresses("pbx", 4) == ("192.0.2.1", "192.0.2.2")
    assert (names.addresses("pbx.example", 4), names.addresses("pbx", 6)) == (("192.0.2.1",), ("::2",))
    path.unlink()
    now[0] += hosts.LOOKED_AT_S
    assert names.addresses("pbx", 4) is None
