"""A repeated key gives the first answer and does nothing twice."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from santral.engine.control.access import LOCAL, Identity
from santral.engine.control.answers import Answers
from santral.engine.control.protocol import RequestError


class Counter:
    def __init__(self, problem: Exception | None = None, gate: asyncio.Event | None = None) -> None:
        self.done = 0
        self._problem = problem
        self._gate = gate

    def act(self) -> Callable[[], Awaitable[int]]:
        async def count() -> int:
            self.done += 1
            if self._gate:
                await self._gate.wait()
            if self._problem:
                raise self._problem
            return self.done

        return count


async def test_the_first_answer_is_given_again() -> None:
    answers, counter = Answers(), Counter()
    assert await answers.once(LOCAL, "k", "m", {"a": 1}, counter.act()) == 1
    assert await answers.once(LOCAL, "k", "m", {"a": 1}, counter.act()) == 1
    assert counter.done == 1


async def test_a_refusal_is_remembered_and_a_fault_is_not() -> None:
    answers, refused, failed = Answers(), Counter(RequestError("not_found", "x")), Counter(OSError("disk"))
    for _ in range(2):
        with pytest.raises(RequestError, match="x"):
            await answers.once(LOCAL, "r", "m", {}, refused.act())
        with pytest.raises(OSError, match="disk"):
            await answers.once(LOCAL, "f", "m", {}, failed.act())
    assert (refused.done, failed.done) == (1, 2)


async def test_keys_of_clients_are_apart_and_a_key_means_one_request() -> None:
    answers, counter = Answers(), Counter()
    await answers.once(LOCAL, "k", "m", {}, counter.act())
    assert await answers.once(Identity("t", frozenset(), "acme"), "k", "m", {}, counter.act()) == 2
    with pytest.raises(RequestError) as refusal:
        await answers.once(LOCAL, "k", "m", {"a": 2}, counter.act())
    assert refusal.value.code == "key_reused"


@pytest.mark.parametrize("key", ["", "x" * 129, 5, None])
async def test_a_key_is_a_short_text(key: object) -> None:
    with pytest.raises(RequestError, match="key"):
        await Answers().once(LOCAL, key, "m", {}, Counter().act())


async def test_a_repetition_waits_for_the_answer_under_way_even_if_the_first_client_left() -> None:
    gate = asyncio.Event()
    answers, counter = Answers(), Counter(gate=gate)
    first = asyncio.create_task(answers.once(LOCAL, "k", "m", {}, counter.act()))
    await asyncio.sleep(0)
    first.cancel()
    second = asyncio.create_task(answers.once(LOCAL, "k", "m", {}, counter.act()))
    await asyncio.sleep(0)
    gate.set()
    assert await second == 1
    assert counter.done == 1


async def test_memory_is_bounded() -> None:
    answers, counter = Answers(most=10), Counter()
    for n in range(50):
        await answers.once(LOCAL, f"k{n}", "m", {}, counter.act())
    assert len(answers) == 10
