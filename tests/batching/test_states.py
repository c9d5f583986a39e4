"""Nothing moves but by the table, and every way through it comes to an end."""

from __future__ import annotations

import pytest

from hybridllm.batching import states
from hybridllm.batching.states import JOBS, LINES, Illegal, Move


@pytest.mark.parametrize("moves", [LINES, JOBS], ids=["lines", "jobs"])
def test_an_event_stands_once_in_its_table_and_has_a_reason(moves: list[Move]) -> None:
    events = [move.event for move in moves]
    assert len(set(events)) == len(events)
    for move in moves:
        assert move.origins and move.to not in move.origins
        assert move.why.endswith(".")


def test_a_line_that_has_ended_stays_so() -> None:
    assert not any(set(move.origins) & set(states.ENDED) for move in LINES)


@pytest.mark.parametrize(
    ("moves", "ends"),
    [(LINES, set(states.ENDED)), (JOBS, {"collected", "refused", "lost"})],
    ids=["lines", "jobs"],
)
def test_from_every_state_an_end_can_be_reached(moves: list[Move], ends: set[str]) -> None:
    reached = set(ends)
    while grown := {s for m in moves if m.to in reached for s in m.origins} - reached:
        reached |= grown
    assert reached == {state for move in moves for state in (move.to, *move.origins)}


def test_what_is_not_in_the_table_raises() -> None:
    with pytest.raises(Illegal, match="answer of what is waiting"):
        states.after("waiting", "answer")
    with pytest.raises(Illegal):
        states.job_after("collected", "submit")
    with pytest.raises(Illegal, match="submitted, live"):
        states.ends("answer")
    assert states.ends("claim") == ("waiting", "claimed")
