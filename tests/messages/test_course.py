"""The course of a message by a clock of our own: what ends it, when, and what is kept of it."""

import pytest

from santral.engine.messages.course import TABLE, Course, Do, Fact, Limits, Phase


def recording(**limits: object) -> Course:
    """A message whose tone ended at 10."""
    course = Course(Limits(**limits))  # type: ignore[arg-type]
    assert course.next_deadline() is None
    assert course.take(Fact.GREETED, 8.0) is Do.SOUND_TONE
    assert course.take(Fact.TONED, 10.0) is Do.RECORD
    return course


def test_every_row_is_reached_from_the_greeting_and_all_ends_are_the_same() -> None:
    reached, todo = {Phase.GREETING}, [Phase.GREETING]
    while todo:
        here = todo.pop()
        for (phase, _), (after, _) in TABLE.items():
            if phase is here and after not in reached:
                reached.add(after)
                todo.append(after)
    assert reached == set(Phase)
    assert not any(phase is Phase.OVER for phase, _ in TABLE)


def test_a_key_goes_on_to_the_tone_and_then_ends_the_message() -> None:
    course = Course(Limits(end_keys="#*"))
    assert course.press("1", 1.0) is None
    assert course.press("*", 1.0) is Do.SOUND_TONE
    assert course.take(Fact.GREETED, 1.1) is None  # the greeting has been cut off by the tone
    assert course.press("#", 1.2) is None  # that is too soon
    assert course.take(Fact.TONED, 2.0) is Do.RECORD
    course.talks(2.5)
    assert course.press("5", 3.0) is None
    assert course.press("#", 6.0) is Do.FINISH
    assert (course.reason, course.heard_s, course.is_kept) == ("key", 4.0, True)
    assert course.press("#", 7.0) is None
    assert course.next_deadline() is None


def test_it_ends_when_it_is_full_and_not_before() -> None:
    course = recording(max_s=30.0, silence_s=5.0)
    course.talks(11.0)
    assert course.next_deadline() == 40.0
    assert course.tick(39.99) is None
    assert course.tick(40.0) is Do.FINISH
    assert (course.reason, course.heard_s) == ("full", 30.0)


def test_silence_ends_it_counted_from_the_last_word() -> None:
    course = recording(max_s=60.0, silence_s=5.0)
    assert course.next_deadline() == 15.0  # nothing has been said yet
    course.talks(12.0)
    assert course.next_deadline() == 70.0
    course.falls_silent(3.0, 15.3)  # known 0.3 s later
    assert course.next_deadline() == 20.0
    course.talks(19.0)
    assert course.tick(20.0) is None
    course.falls_silent(0.5, 19.8)
    assert course.tick(24.4) is None
    assert course.tick(24.5) is Do.FINISH
    assert (course.reason, course.heard_s, course.is_kept) == ("silence", 9.5, True)


def test_silence_may_end_nothing() -> None:
    course = recording(max_s=60.0, silence_s=0.0)
    course.talks(11.0)
    course.falls_silent(1.0, 12.3)
    assert course.next_deadline() == 70.0
    assert course.tick(69.0) is None


@pytest.mark.parametrize(("spoken_s", "is_kept"), [(0.0, False), (0.9, False), (1.0, True)])
def test_what_is_too_short_is_no_message(spoken_s: float, is_kept: bool) -> None:
    course = recording(min_s=1.0)
    if spoken_s:
        course.talks(10.0)
        course.falls_silent(spoken_s, 11.5)
    assert course.take(Fact.GONE, 14.0, "hung_up") is Do.STOP
    assert (course.reason, course.is_kept) == ("hung_up", is_kept)
    assert course.heard_s == pytest.approx(spoken_s)


def test_everything_is_kept_where_nothing_is_too_short() -> None:
    course = recording(min_s=0.0)
    assert course.take(Fact.GONE, 10.0, "hung_up") is Do.STOP
    assert course.is_kept


def test_who_speaks_since_before_the_tone_is_heard_from_the_tone_on() -> None:
    course = Course(Limits(silence_s=2.0))
    course.talks(1.0)
    course.take(Fact.GREETED, 2.0)
    course.take(Fact.TONED, 3.0)
    assert course.next_deadline() == 183.0
    course.falls_silent(4.0, 5.3)
    assert course.next_deadline() == 7.0
    assert course.tick(7.0) is Do.FINISH
    assert course.heard_s == 2.0


def test_who_has_spoken_before_the_tone_only_has_said_nothing() -> None:
    course = Course(Limits(silence_s=2.0))
    course.talks(0.5)
    course.falls_silent(1.0, 1.8)
    course.take(Fact.GREETED, 2.0)
    course.take(Fact.TONED, 3.0)
    assert course.next_deadline() == 5.0
    assert course.tick(5.0) is Do.FINISH
    assert (course.heard_s, course.is_kept) == (0.0, False)


def test_who_goes_before_the_tone_has_left_nothing() -> None:
    course = Course(Limits(min_s=0.0))
    assert course.take(Fact.GONE, 1.0, "hung_up") is Do.STOP
    assert (course.reason, course.is_kept) == ("", False)


def test_without_a_recording_there_is_no_message() -> None:
    course = recording()
    assert course.take(Fact.LOST, 10.0, "not_recorded") is Do.FINISH
    assert (course.reason, course.is_kept) == ("not_recorded", False)
