"""Whose audio belongs to a recording, read off a call as it stands."""

from types import SimpleNamespace
from typing import Any

import pytest

from santral.engine.calls.joins import Attendance, Bridge, Lent
from santral.engine.calls.leg import Role
from santral.engine.conferences import Manners
from santral.engine.recordings.following import has_begun, scene_in, scene_of


def leg(name: str, role: Role = Role.CALLER, *, has_media: bool = True, is_held: bool = False) -> Any:
    media = SimpleNamespace(final=None) if has_media else None
    return SimpleNamespace(
        id=name, role=role, is_open=True, media=media, is_held=is_held, is_answered=True, remote=object()
    )


def call(*roles: Any, join: Any = None) -> Any:
    return SimpleNamespace(roles={one.role: one for one in roles}, join=join, caller=roles[0], state=None)


def bridge(*legs: Any) -> Any:
    made = object.__new__(Bridge)
    made._a, made._b = legs
    made.room = None
    return made


def lent(own: Any, other: Any) -> Any:
    made = object.__new__(Lent)
    made._a, made._b = made.leg, made.lent = own, other
    made.room = None
    return made


def sides(scene: Any) -> list[tuple[str, str, str]]:
    return [(one.leg.id, one.side, one.part) for one in scene.sides]


def test_two_who_talk() -> None:
    a, b = leg("a"), leg("b", Role.CALLEE, is_held=True)
    scene = scene_of(call(a, b, join=bridge(a, b)))
    assert sides(scene) == [
        ("a", "said", "originating"),
        ("a", "played", "originating"),
        ("b", "said", "connected"),
        ("b", "played", "connected"),
    ]
    assert (scene.together, scene.held) == (("a", "b"), {"b"})


def test_one_alone_and_what_it_hears() -> None:
    a = leg("a")
    assert sides(scene_of(call(a))) == [("a", "said", "originating"), ("a", "heard", "originating")]
    b = leg("b", Role.CALLEE)
    assert sides(scene_of(call(b))) == [("b", "said", "connected"), ("b", "heard", "connected")]


def test_who_rings_with_early_media_belongs_to_it() -> None:
    a, b = leg("a"), leg("b", Role.CALLEE)
    assert [one.side for one in scene_of(call(a, join=bridge(a, b))).sides] == ["said", "played"] * 2


def test_an_agent_who_stays_on_the_line_is_the_other_side() -> None:
    a, agent = leg("a"), leg("agent", Role.CALLER)
    scene = scene_of(call(a, join=lent(a, agent)))
    assert [one for one in sides(scene) if one[1] == "said"] == [
        ("a", "said", "originating"),
        ("agent", "said", "connected"),
    ]
    assert scene.together == ("a", "agent")


def conference(*members: tuple[Any, Manners]) -> Any:
    rows = {one.id: SimpleNamespace(leg=one, manners=manners) for one, manners in members}
    return SimpleNamespace(members=rows, room="the room")


def attendance(where: Any, *legs: Any) -> Any:
    made = object.__new__(Attendance)
    made._legs, made.conference = legs, where
    return made


def test_who_is_heard_by_all_in_a_conference_and_what_is_played_there() -> None:
    mute, monitor, coach = Manners(muted=True), Manners(monitor=True), Manners(whisper_to="a")
    a, b, c, d = (leg(name) for name in "abcd")
    scene = scene_in(conference((a, Manners()), (b, mute), (c, monitor), (d, coach), (leg("e", has_media=False), mute)))
    assert sides(scene) == [("a", "said", "member"), *((one, "played", "member") for one in "abcd")]
    assert scene.room == "the room"


def test_two_of_a_call_in_a_conference_hear_the_others_there() -> None:
    a, b, c, muted = leg("a"), leg("b", Role.CALLEE), leg("c"), leg("m")
    where = conference((a, Manners()), (c, Manners()), (b, Manners()), (muted, Manners(muted=True)))
    scene = scene_of(call(a, b, join=attendance(where, a, b)))
    assert sides(scene)[:4] == [
        ("a", "said", "originating"),
        ("a", "played", "originating"),
        ("b", "said", "connected"),
        ("b", "played", "connected"),
    ]
    assert sides(scene)[4:] == [("c", "said", "member")]
    assert (scene.room, scene.together) == ("the room", ())
    supervised = bridge(a, b)
    supervised.room = where
    scene = scene_of(call(a, b, join=supervised))
    assert (sides(scene)[4:], scene.together) == ([("c", "said", "member")], ("a", "b"))
    alone = scene_of(call(a, join=attendance(where, a)))
    assert sides(alone) == [("a", "said", "originating"), ("a", "heard", "originating")]
    assert alone.room is None


def test_legs_without_audio_are_left_out() -> None:
    a, b = leg("a"), leg("b", Role.CALLEE, has_media=False)
    scene = scene_of(call(a, b, join=bridge(a, b)))
    assert [one.leg.id for one in scene.sides if one.side == "said"] == ["a"]
    assert scene.together == ()
    assert not has_begun(call(leg("c", has_media=False)), "start")


@pytest.mark.parametrize(("record_from", "begun"), [("start", True), ("answer", False), ("bridge", False)])
def test_before_the_answer(record_from: Any, begun: bool) -> None:
    a = leg("a")
    a.is_answered = False
    b = leg("b", Role.CALLEE)
    assert has_begun(call(a, join=bridge(a, b)), record_from) is begun
