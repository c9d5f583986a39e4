"""The way of a request through its task's cascade: cheap first, a check, and on where it fails.

    ask the cheap model (and samples beside) -> hold its answer -> check it -> passed: give it
        -> failed: along the chain of those who are stronger -> their answer
                                                             -> none: the held one, marked

Every call is an attempt of the request, with a row of its own. Rows of answers wait until it is
known which of them the caller gets; whatever happens, they are journalled.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol

from hybridllm.catalog.structs import Cascade, Model
from hybridllm.checks.agreement import gist, largest
from hybridllm.engine.beside import Beside, sample_of
from hybridllm.engine.call import Answer
from hybridllm.engine.checking import Ask, Checked, check
from hybridllm.engine.entry import Entry
from hybridllm.engine.holding import Held, header_value, hold, tell_anew
from hybridllm.engine.judge import least_context_after
from hybridllm.engine.trip import Trip
from hybridllm.errors import HybridError, ProviderError
from hybridllm.money import dollars
from hybridllm.pricing import cost_of

if TYPE_CHECKING:
    from hybridllm.engine.runtime import Runtime

HEADER = b"x-hybridllm-cascade"
COST_HEADER = b"x-hybridllm-checks-cost-usd"
FIRST, ESCALATED = "first", "escalated"


class Along(Protocol):
    """Along the chain, after the error of a model that was asked before, if it had one, and was not
    for want of more than `least_context`. Raises the last error."""

    def __call__(
        self, last: HybridError | None = None, least_context: int = 0
    ) -> Awaitable[Answer]: ...


_VERDICTS = {True: "passed", False: "failed", None: "unknown"}


async def cascaded(
    runtime: Runtime, trip: Trip, cascade: Cascade, first: Model, ask: Ask, along: Along
) -> Answer:
    """The answer of `first` if it passes, else that of the chain. Raises as `along` does, where
    there is no held answer either."""
    if _is_pointless(cascade, trip):
        return await along()
    run = _Run(runtime, trip, cascade, first, ask)
    try:
        held = await run.asked()
        if isinstance(held, HybridError):
            trip.role, trip.held = "", None
            trip.plan.reason += "; it could not answer"
            if isinstance(held, ProviderError):
                return await along(held, least_context_after(held, first, 0))
            return await along(held)
        checked = await run.checked(held)
        if checked.passed:
            return run.give(held, f"passed: {checked.why}")
        trip.role, trip.held = ESCALATED, None
        planned = trip.plan.reason
        trip.plan.reason = f"{planned}; escalated, since {checked.why}"
        try:
            answer = await along()
        except HybridError:
            if held.said.unfit:
                raise
            trip.plan.reason = f"{planned}; it failed ({checked.why}), but nobody else could answer"
            return run.give(held, f"kept: {checked.why}", keep=False)
        run.mark(answer, f"escalated: {checked.why}")
        return answer
    finally:
        run.release()


def _is_pointless(cascade: Cascade, trip: Trip) -> bool:
    """At temperature 0 a model's samples are all the same, right or wrong."""
    if cascade.check != "self-consistency" or trip.conversation.sampling.temperature != 0:
        return False
    trip.plan.reason += "; not at temperature 0, where all samples are the same"
    return True


class _Run:
    """One request's cascade: what is held, and which of it was given."""

    def __init__(
        self, runtime: Runtime, trip: Trip, cascade: Cascade, first: Model, ask: Ask
    ) -> None:
        self._runtime = runtime
        self._trip = trip
        self._cascade = cascade
        self._first = first
        self._ask = ask
        self._rows: list[Entry] = []
        self._sides: list[Beside] = []
        self._samples: list[Held] = []
        self._main: Entry | None = None
        self._given: Entry | None = None
        self._verdict: bool | None = None
        self._was_checked = False
        trip.role, trip.held = FIRST, self._rows

    async def asked(self) -> Held | HybridError:
        """The cheap model's answer; of several samples, the first of the most that agree."""
        more = self._cascade.samples - 1 if self._cascade.check == "self-consistency" else 0
        self._sides = [sample_of(self._trip) for _ in range(more)]
        if not more:
            return await self._hold(self._trip)
        async with asyncio.TaskGroup() as group:
            trips = (self._trip, *self._sides)
            tasks = [group.create_task(self._hold(trip)) for trip in trips]
        results = [task.result() for task in tasks]
        self._samples = [one for one in results if isinstance(one, Held)]
        errors = [one for one in results if isinstance(one, HybridError)]
        if not self._samples:
            return errors[0]
        place, _ = largest(self._gists())
        return self._samples[place]

    async def _hold(self, trip: Trip) -> Held | HybridError:
        try:
            answer = await self._ask(trip, self._first)
            return answer if isinstance(answer, HybridError) else await hold(trip, answer)
        except HybridError as e:
            return e

    def _gists(self) -> list[str | None]:
        said, cascade = [one.said for one in self._samples], self._cascade
        return [
            None if one.unfit else gist(one.content, cascade.compare, cascade.expression)
            for one in said
        ]

    async def checked(self, held: Held) -> Checked:
        """What the check says, which is remembered of the task."""
        cascade = self._cascade
        self._main = held.entry
        if cascade.check == "self-consistency":
            _, most = largest(self._gists())
            enough = cascade.agree or cascade.samples
            found = Checked(most >= enough, f"{most} of {cascade.samples} samples agree")
        else:
            said, ask = held.said, self._ask
            found = await check(self._runtime, self._trip, cascade, said, ask, self._sides)
        self._verdict, self._was_checked = found.passed, True
        if found.passed is not None:
            self._runtime.passes.note(self._trip.task, found.passed, time.time())
        elif cascade.check == "judge" and cascade.on_judge_error == "accept":
            return Checked(True, f"accepted, since {found.why}")
        return found

    def give(self, held: Held, outcome: str, *, keep: bool = True) -> Answer:
        """The held answer for the caller. `keep`: it may be given again."""
        self._given = held.entry
        trip = self._trip
        if trip.kept:
            trip.entry = held.entry if keep else None
        if keep:
            trip.plan.reason += f"; {outcome}"
        answer = held.given()
        self.mark(answer, outcome)
        return answer

    def mark(self, answer: Answer, outcome: str) -> None:
        """Say in the headers what became of it, and what was paid besides the answer."""
        tell_anew(answer, self._trip, self._trip.plan.reason)
        answer.headers.append((HEADER, header_value(outcome)))
        paid = sum(entry.cost for entry in self._entries() if entry is not self._given)
        answer.headers.append((COST_HEADER, dollars(paid).encode()))

    def _entries(self) -> list[Entry]:
        return [*self._rows, *(entry for side in self._sides for entry in side.held or ())]

    def release(self) -> None:
        """Journal all rows that waited."""
        for entry in self._entries():
            given, main = entry is self._given, entry is self._main
            saved = extra = 0
            if not given:
                extra = entry.cost
            elif self._verdict is not False:
                spared = cost_of(self._trip.plan.chain[0], entry.usage, entry.day)
                gap = 0 if spared is None else spared - entry.cost
                saved, extra = max(0, gap), max(0, -gap)
            verdict = _VERDICTS[self._verdict] if main and self._was_checked else ""
            entry.release(answered=given, verdict=verdict, saved=saved, extra=extra)
