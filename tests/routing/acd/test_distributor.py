"""One queue after the other: what the distributor decides, told as short stories."""

from tests.routing.acd.floors import Floor, agent, names, queue

from santral.routing.acd.settings import Need


def test_the_longest_idle_agent_is_asked_first() -> None:
    f = Floor([queue()], [agent("a"), agent("b")])
    f.at(1).login("b")
    f.at(2).login("a")
    f.at(3).join("w1")
    f.join("w2")
    assert f.offers() == [("w1", "b"), ("w2", "a")]
    assert names(f.log)[-6:] == [
        "queue.joined", "reservation.created", "agent.changed", "queue.joined", "reservation.created", "agent.changed",
    ]  # fmt: skip


def test_needs_relax_with_waiting() -> None:
    f = Floor([queue(needs=(Need("turkish", 3, 10), Need("turkish", 1)))], [agent("a", skills={"turkish": 2})])
    f.login("a")
    f.at(1).join("w1")
    assert f.offers() == []
    f.at(10.9)
    assert f.offers() == []
    f.at(11)
    assert f.offers() == [("w1", "a")]
