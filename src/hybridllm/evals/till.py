"""The budget of a run: no call is made that could overdraw it.

The till stands where the engine writes its journal. What a call can cost at most is set aside
before a byte of it is sent, whichever attempt it is (a retry is set aside anew), and what it did
cost takes its place. So the budget holds for whatever the engine does on its way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar

from hybridllm.engine.entry import Journal
from hybridllm.errors import ErrorKind, HybridError
from hybridllm.ledger.record import Attempt, Intent
from hybridllm.money import dollars

purpose: ContextVar[str] = ContextVar("purpose", default="")
"""What the calls of this task are for: a model and its sample (`cell_purpose`), under which they
are added up, as they are under the model alone."""

_OF = "|"


def cell_purpose(model: str, sample: str) -> str:
    """The purpose of what is called for a model's answer to a sample, and for its judgement."""
    return f"{model}{_OF}{sample}"


BATCH = "batch:"
"""How the names begin under which the money of batches is set aside."""

Note = Callable[[str, int, int, str], None]
"""Told of each change: the call's name, what is set aside for it and what it cost (one of them is
0), and its purpose."""


class OverBudget(HybridError):
    """What is left of the budget does not cover the most that a call can cost; nothing was
    sent."""

    def __init__(self, upper: int) -> None:
        super().__init__(
            f"A call can cost up to ${dollars(upper)}, which is more than is left of the budget.",
            kind=ErrorKind.QUOTA_EXHAUSTED,
            field="budget",
            remedy="Raise the budget, or allow shorter answers.",
        )
        self.upper = upper


class Till:
    """All money in picodollars. `spent` is what calls have cost, `held` what is set aside for those
    under way; together they are never more than `budget`.

    A call whose cost the provider did not tell is booked at the most that it can have cost. What a
    provider bills beyond a call's own limits is booked as well: then nothing more is sent.
    """

    def __init__(self, journal: Journal, budget: int, note: Note = lambda *_: None) -> None:
        self.budget = budget
        self.spent = 0
        self.held = 0
        self._journal = journal
        self._note = note
        self._aside: dict[str, int] = {}
        self._for: dict[str, str] = {}
        self._waiting: set[asyncio.Future[None]] = set()
        self.by_purpose: dict[str, int] = {}
        self.by_request: dict[str, int] = {}

    def fits(self, upper: int) -> bool:
        """Whether so much can be set aside now."""
        return self.spent + self.held + upper <= self.budget

    def intend(self, intent: Intent) -> None:
        """As the ledger's. Raises OverBudget."""
        name = f"{intent.request_id}#{intent.attempt}"
        if not self.fits(intent.upper_cost):
            self._draw(intent.upper_cost)
        self.hold(name, intent.upper_cost)
        try:
            self._journal.intend(intent)
        except BaseException:
            self.settle(name, 0)
            raise

    def record(self, attempt: Attempt) -> None:
        """As the ledger's."""
        name = f"{attempt.request_id}#{attempt.attempt}"
        cost = attempt.cost
        if attempt.usage_estimated:
            cost = max(cost, self._aside.get(name, 0))
        what = self._for.pop(name, "") or attempt.model
        self.settle(name, cost, attempt.request_id, what)
        self._journal.record(attempt)

    def hold(self, name: str, upper: int) -> None:
        """Set aside. Raises OverBudget."""
        if not self.fits(upper):
            raise OverBudget(upper)
        self.held += upper
        self._aside[name] = upper
        self._for[name] = purpose.get()
        self._note(name, upper, 0, purpose.get())

    def _draw(self, upper: int) -> None:
        """Take from what is set aside for batches: a line of one is about to be asked live."""
        for name, aside in self._aside.items():
            if name.startswith(BATCH) and aside >= upper:
                self._aside[name] -= upper
                self.held -= upper
                return

    def settle(self, name: str, cost: int, request_id: str = "", what: str = "") -> None:
        """It cost so much; what was set aside for it, if anything was, is free again."""
        self.held -= self._aside.pop(name, 0)
        what = what or self._for.pop(name, "")
        self.book(cost, what, request_id)
        self._note(name, 0, cost, what)
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def book(self, cost: int, what: str, request_id: str = "") -> None:
        """Count what was spent, now or in an earlier process."""
        self.spent += cost
        for name in {what, what.partition(_OF)[0]}:
            self.by_purpose[name] = self.by_purpose.get(name, 0) + cost
        if request_id:
            self.by_request[request_id] = self.by_request.get(request_id, 0) + cost

    async def room(self, upper: int) -> bool:
        """Wait until so much can be set aside. False: it never will be, since nothing is under way
        that could make room."""
        while not self.fits(upper):
            if not self.held:
                return False
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(waiting)
            try:
                await waiting
            finally:
                self._waiting.discard(waiting)
        return True
