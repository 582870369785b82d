"""The two session tables: walked, and checked for the promise of exactly one terminal event."""

import pytest

from santral.sip.session import rows
from santral.sip.ua.usage import CHANGE, SESSION, Change, Cue, Do, Stage

TERMINAL = {
    Do.TELL_REJECTED,
    Do.TELL_SILENCE,
    Do.TELL_UNREACHABLE,
    Do.TELL_WITHDRAWN,
    Do.TELL_CANCELLED,
    Do.TELL_BYE,
    Do.TELL_LOCAL,
    Do.TELL_NO_ACK,
    Do.TELL_LOST,
    Do.TELL_NO_PRACK,
    Do.TELL_EXPIRED,
}
TOLD = {Stage.BYE_HELD, Stage.ENDING, Stage.ENDED}  # the owner has had its terminal event
OWNER = {Cue.PROGRESS, Cue.ANSWER, Cue.REJECT, Cue.CANCEL, Cue.ACK, Cue.BYE, Cue.REINVITE}


def reachable(start: Stage) -> set[Stage]:
    found, todo = {start}, [start]
    while todo:
        stage = todo.pop()
        for (at, _), (to, _) in SESSION.items():
            if at is stage and to not in found:
                found.add(to)
                todo.append(to)
    return found


def test_every_stage_is_reached_and_reaches_its_end() -> None:
    assert reachable(Stage.CALLING) | reachable(Stage.INCOMING) == set(Stage)
    for stage in Stage:
        assert Stage.ENDED in reachable(stage)
    assert not any(stage is Stage.ENDED for stage, _ in SESSION)


@pytest.mark.parametrize("row", SESSION, ids=str)
def test_exactly_one_terminal_event_on_every_way(row: tuple[Stage, Cue]) -> None:
    stage, (to, todo) = row[0], SESSION[row]
    told = len(TERMINAL.intersection(todo))
    assert told == (stage not in TOLD and to in TOLD)
    assert not (stage in TOLD and to not in TOLD)


@pytest.mark.parametrize("row", SESSION, ids=str)
def test_every_way_into_the_end_closes(row: tuple[Stage, Cue]) -> None:
    to, todo = SESSION[row]
    assert (Do.CLOSE in todo) == (to is Stage.ENDED)
    if row[0] in (Stage.ANSWERED, Stage.BYE_HELD) and to not in (Stage.ANSWERED, Stage.BYE_HELD):
        assert Do.STOP_2XX in todo
    if to is Stage.ENDING and row[0] is not Stage.ENDING:
        assert Do.BYE in todo


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.ENDED], ids=str)
def test_the_owner_can_always_get_out(stage: Stage) -> None:
    if stage not in TOLD | {Stage.CANCEL_HELD, Stage.CANCELLING}:
        assert (stage, Cue.BYE) in SESSION


@pytest.mark.parametrize("change", Change, ids=str)
def test_every_change_comes_to_an_end_with_the_session(change: Change) -> None:
    if change is not Change.NONE:
        assert CHANGE[change, Cue.OVER][0] is Change.NONE
        assert (change, Cue.GOT_REINVITE) in CHANGE  # always answered
        assert Do.TELL_PENDING in CHANGE[change, Cue.REINVITE][1]


def test_every_action_is_used_and_performed() -> None:
    used = {do for table in (SESSION, CHANGE) for _, todo in table.values() for do in todo}
    assert used == set(Do) == set(rows.PERFORM)


def test_every_cue_is_used() -> None:
    assert {cue for _, cue in SESSION} | {cue for _, cue in CHANGE} == set(Cue)
