"""The two tables: every state is reached and left, and the page shows each row."""

from pathlib import Path

from santral.routing.acd.tables import AGENT, RESERVATION, Cue, Phase, State, Turn

PAGE = (Path(__file__).resolve().parents[3] / "docs/acd.md").read_text()


def reached(table: dict[tuple[str, str], str], start: str) -> set[str]:
    found = {start}
    while more := {after for (before, _), after in table.items() if before in found} - found:
        found |= more
    return found


def test_every_state_of_an_agent_is_reached_and_leads_back() -> None:
    shown_only = {State.BUSY}
    assert reached(AGENT, State.OFFLINE) == set(State) - shown_only
    for state in set(State) - shown_only:
        assert State.OFFLINE in reached(AGENT, state)
    assert {cue for _, cue in AGENT} == set(Cue)


def test_every_reservation_comes_to_an_end() -> None:
    over = {Phase.COMPLETED, Phase.REFUSED, Phase.TIMED_OUT, Phase.RESCINDED}
    assert reached(RESERVATION, Phase.PENDING) == set(Phase)
    assert {before for before, _ in RESERVATION} == set(Phase) - over
    assert {turn for _, turn in RESERVATION} == set(Turn)


def test_the_page_shows_the_tables() -> None:
    for table in (AGENT, RESERVATION):
        for (before, what), after in table.items():
            assert f"| {before} | {what} | {after} |" in PAGE
