"""The budget is never overdrawn, whatever calls come, fail, and come back dear or not at all."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.errors import ErrorKind, HybridError
from hybridllm.evals.till import OverBudget, Till, purpose
from hybridllm.ledger.record import Attempt, Intent
from tests.ledger.samples import attempt, intent


class Journal:
    """Keeps what it is told, unless it is full."""

    def __init__(self, full: bool = False) -> None:
        self.lines: list[Intent | Attempt] = []
        self.full = full

    def intend(self, intent: Intent) -> None:
        if self.full:
            raise HybridError("The disk is full.", kind=ErrorKind.UNAVAILABLE)
        self.lines.append(intent)

    def record(self, attempt: Attempt) -> None:
        self.lines.append(attempt)


def starts(name: str, upper: int) -> Intent:
    return msgspec.structs.replace(intent(), request_id=name, attempt=1, upper_cost=upper)


def ends(name: str, cost: int, *, estimated: bool = False) -> Attempt:
    made = attempt(request_id=name, attempt=1, cost=cost)
    return msgspec.structs.replace(made, usage_estimated=estimated)


STEP = st.tuples(st.sampled_from(["start", "end", "lose"]), st.integers(0, 60), st.integers(0, 100))


@settings(deadline=None)
@given(budget=st.integers(1, 300), steps=st.lists(STEP, max_size=60))
def test_no_order_of_calls_overdraws_it(budget: int, steps: list[tuple[str, int, int]]) -> None:
    till, journal = Till(Journal(), budget), Journal()
    out: dict[str, int] = {}
    spent = 0
    for number, (what, amount, share) in enumerate(steps):
        if what == "start":
            covered = spent + sum(out.values()) + amount <= budget
            try:
                till.intend(starts(f"r{number}", amount))
            except OverBudget:
                assert not covered
            else:
                assert covered
                out[f"r{number}"] = amount
        elif out:
            name = next(iter(out))
            upper = out.pop(name)
            cost = upper * share // 100
            till.record(ends(name, cost, estimated=what == "lose"))
            spent += upper if what == "lose" else cost
        assert (till.spent, till.held) == (spent, sum(out.values()))
        assert till.spent + till.held <= budget
    assert not journal.lines


def test_what_is_refused_is_not_in_the_ledger_and_what_is_not_is() -> None:
    journal = Journal()
    till = Till(journal, 100)
    till.intend(starts("a", 60))
    with pytest.raises(OverBudget, match=r"up to \$0.00000000006.*left of the budget"):
        till.intend(starts("b", 60))
    till.record(ends("a", 40))
    till.intend(starts("b", 60))
    assert [(type(x).__name__, x.request_id) for x in journal.lines] == [
        ("Intent", "a"), ("Attempt", "a"), ("Intent", "b"),
    ]  # fmt: skip


def test_a_call_that_the_ledger_cannot_write_sets_nothing_aside() -> None:
    till = Till(Journal(full=True), 100)
    with pytest.raises(HybridError, match="full"):
        till.intend(starts("a", 60))
    assert (till.spent, till.held) == (0, 0)


def test_costs_are_added_up_by_what_they_are_for() -> None:
    told: list[tuple[str, int, int, str]] = []
    till = Till(Journal(), 100, lambda *what: told.append(what))
    purpose.set("mine")
    till.intend(starts("a", 50))
    purpose.set("")
    till.record(ends("a", 7))
    assert till.by_purpose == {"mine": 7} and till.by_request == {"a": 7}
    assert told == [("a#1", 50, 0, "mine"), ("a#1", 0, 7, "mine")]


async def test_who_waits_for_room_gets_it_when_there_is_some() -> None:
    till = Till(Journal(), 100)
    till.intend(starts("a", 80))
    waiting = asyncio.ensure_future(till.room(50))
    await asyncio.sleep(0)
    assert not waiting.done()
    till.record(ends("a", 20))
    assert await waiting is True
    till.intend(starts("b", 50))
    hopeless = asyncio.ensure_future(till.room(90))
    till.record(ends("b", 50))
    assert await hopeless is False  # nothing is under way that could make room
