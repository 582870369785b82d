"""The table of a call, walked: every state can end, every row names an action that exists, every state is reached."""

from santral.engine.calls.actions import PERFORM
from santral.engine.calls.table import TABLE, Do, Input, State


def reachable_from(start: State) -> set[State]:
    seen, todo = {start}, [start]
    while todo:
        here = todo.pop()
        for (state, _), (after, _) in TABLE.items():
            if state is here and after not in seen:
                seen.add(after)
                todo.append(after)
    return seen


def test_every_state_is_reached_and_reaches_the_end() -> None:
    assert reachable_from(State.NEW) == set(State)
    for state in State:
        assert State.ENDED in reachable_from(state)


def test_an_ended_call_ignores_everything() -> None:
    assert not [row for row in TABLE if row[0] is State.ENDED]


def test_every_way_into_the_end_finishes_exactly_once() -> None:
    for (state, what), (after, actions) in TABLE.items():
        assert (after is State.ENDED) == (actions[-1:] == (Do.FINISH,)), (state, what)
        assert actions.count(Do.FINISH) <= 1


def test_every_action_is_performed_and_used() -> None:
    used = {action for _, actions in TABLE.values() for action in actions}
    assert used == set(Do)
    assert set(PERFORM) == set(Do)


def test_every_input_means_something_somewhere() -> None:
    assert {what for _, what in TABLE} == set(Input)


def test_a_hang_up_and_a_caller_who_leaves_end_a_call_in_any_state_in_which_it_lives() -> None:
    for state in (State.DIALING, State.RINGING, State.PREPARING, State.CONNECTED):
        assert TABLE[state, Input.HANG_UP][0] is State.ENDED
        assert TABLE[state, Input.CALLER_ENDED][0] is State.ENDED
