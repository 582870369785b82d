"""Answers of the name system, remembered as long as they may be; the same question is asked once at a time."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, NamedTuple

from santral.sip.locating import Answers, Question, Records

MAX_NAMES: Final = 4096
MAX_ASKING: Final = 256  # questions on their way at once; beyond, a question has no answer
SHORTEST_S: Final = 5.0  # a time to live of 0 must not make every call wait
LONGEST_S: Final = 3600.0
LONGEST_NEGATIVE_S: Final = 300.0
FAILED_S: Final = 10.0  # after a time-out or a server failure
STALE_S: Final = 86400.0  # while the name system fails, an old answer is better than none (RFC 8767)


class Answer(NamedTuple):
    """Records and their time to live; `failed` when nobody could be asked."""

    records: Records
    ttl_s: float
    failed: bool = False


class Known(NamedTuple):
    """An answer as it is kept: to be believed, and to be fallen back upon, until these times of the loop's clock."""

    records: Records
    until: float
    stale_until: float


class NameCache:
    """`ask` never raises and returns within its own time-out. `counters` only grow."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ask: Callable[[Question], Awaitable[Answer]]) -> None:
        self.counters: Counter[str] = Counter()
        self._loop = loop
        self._ask = ask
        self._known: OrderedDict[Question, Known] = OrderedDict()
        self._asking: dict[Question, asyncio.Task[Records]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def known(self, questions: Iterable[Question]) -> Answers | None:
        """The answers, if all of them are known by now."""
        now = self._loop.time()
        found: dict[Question, Records] = {}
        for question in questions:
            known = self._known.get(question)
            if known is None or known.until <= now:
                return None
            found[question] = known.records
        return found

    async def answers(self, questions: Iterable[Question]) -> Answers:
        """The answers, asked for where need be, all at once."""
        wanted = list(questions)
        records = await asyncio.gather(*[self._answer(question) for question in wanted])
        return dict(zip(wanted, records, strict=True))

    async def _answer(self, question: Question) -> Records:
        known = self._known.get(question)
        if known is not None and known.until > self._loop.time():
            return known.records
        task = self._asking.get(question)
        if task is None:
            if len(self._asking) >= MAX_ASKING:
                self.counters["not_asked"] += 1
                return ()
            task = self._asking[question] = self._loop.create_task(self._learn(question))
            task.add_done_callback(lambda _: self._asking.pop(question, None))
        else:
            self.counters["merged"] += 1
        return await asyncio.shield(task)  # whoever stops waiting does not take the answer from the others

    async def _learn(self, question: Question) -> Records:
        self.counters["asked"] += 1
        answer = await self._ask(question)
        now = self._loop.time()
        records, old = answer.records, self._known.get(question)
        if answer.failed:
            self.counters["failed"] += 1
            kept = Known((), now + FAILED_S, 0.0)
            if old is not None and old.stale_until > now:
                kept = Known(old.records, now + FAILED_S, old.stale_until)
        else:
            longest = LONGEST_S if records else LONGEST_NEGATIVE_S
            kept = Known(records, now + min(max(answer.ttl_s, SHORTEST_S), longest), now + STALE_S if records else 0.0)
        self._known[question] = kept
        self._known.move_to_end(question)
        if len(self._known) > MAX_NAMES:
            self._known.popitem(last=False)
        return kept.records

    async def close(self) -> None:
        """Stop asking."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
