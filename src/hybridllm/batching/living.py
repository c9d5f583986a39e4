"""Lines that are asked live: their deadline is too near for a batch, or none can take them.

They go the way of any request, under the id that they had from the start, so that the ledger shows
all of their attempts together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection

from hybridllm.batching import states
from hybridllm.batching.desk import Desk, now_us
from hybridllm.batching.ending import Change, again, answered, failed, log, write_changes
from hybridllm.batching.notes import request_id
from hybridllm.batching.planning import LIVE, call_of
from hybridllm.batching.timing import US, rest_seconds
from hybridllm.engine.call import Answer, Call
from hybridllm.engine.entry import Journal
from hybridllm.engine.judge import Step, step_after
from hybridllm.engine.refusal import refusal
from hybridllm.engine.way import Engine
from hybridllm.errors import ErrorKind, HybridError, ProviderError, RequestError
from hybridllm.ledger.record import Attempt, Intent
from hybridllm.store import batch_jobs as sql
from hybridllm.store import batches as batches_sql
from hybridllm.store.batches import LineRow

MODE = "sync"
ABANDONED = 1_000
"""What the number of a line's next attempt skips when the process that asked it died: more than it
can have made there, so that no attempt of the new one has the number of an old one."""
_GROUP = 1_000
_LONGEST_REST = 900.0


class Tally:
    """The ledger, as one line's attempts see it, with what they came to. What else is written
    because of them (the making of a cache for others to come) is no part of it."""

    def __init__(self, journal: Journal, request_id: str, attempts: int) -> None:
        self._journal = journal
        self._request_id = request_id
        self.attempts = attempts
        self.cost = 0
        self.baseline = 0
        self.model = ""

    def intend(self, intent: Intent) -> None:
        if intent.request_id == self._request_id:
            self.attempts = max(self.attempts, intent.attempt)
        self._journal.intend(intent)

    def record(self, attempt: Attempt) -> None:
        if attempt.request_id == self._request_id:
            self.cost += attempt.cost
            self.baseline += attempt.baseline
            self.model = attempt.model
        self._journal.record(attempt)


class Asker:
    """Asks lines live, so many at a time."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def slots(self) -> int:
        """How many more may be asked now."""
        return max(0, self._desk.config.live_calls - len(self._tasks))

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """What is under way."""
        return self._tasks

    async def ask_due(self, model: str, dialect: str, before: int) -> int:
        """Ask those lines of a group whose deadline is before a moment, as far as there are slots;
        how many were begun."""
        work = partial(
            self._claim_due, model=model, dialect=dialect, before=before, limit=self.slots
        )
        return self._begin(await self._desk.write("go live", work))

    async def overtake(self, job: str, before: int) -> int:
        """As `ask_due`, of lines that a job holds."""
        work = partial(self._claim_held, job=job, before=before, limit=self.slots)
        return self._begin(await self._desk.write("overtake", work))

    def _begin(self, rows: Sequence[LineRow]) -> int:
        for row in rows:
            task = asyncio.ensure_future(self._ask(row))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(rows)

    def _claim_due(
        self, connection: Connection, model: str, dialect: str, before: int, limit: int
    ) -> list[LineRow]:
        found = sql.due_lines(connection, model, dialect, before, now_us(), limit)
        rows = [row._replace(state=states.after(row.state, "go_live")) for row in found]
        sql.put_lines(connection, rows)
        return rows

    def _claim_held(
        self, connection: Connection, job: str, before: int, limit: int
    ) -> list[LineRow]:
        held = [
            row
            for row in sql.lines_of_job(connection, job)
            if row.state in ("claimed", "submitted") and row.deadline_at < before
        ]
        rows = [row._replace(state=states.after(row.state, "overtake")) for row in held[:limit]]
        sql.put_lines(connection, rows)
        if rows:
            log.warning(
                "%d lines of a job for %s are asked live before it is done: their deadline is "
                "near. What the job answers of them is paid for as well.",
                len(rows), rows[0].model,
            )  # fmt: skip
        return rows

    async def _ask(self, row: LineRow) -> None:
        desk = self._desk
        bodies = await desk.read(
            partial(batches_sql.request_bodies, batch=row.batch, places=[row.place])
        )
        call = call_of(row, bodies[row.place], batch=False)
        id = request_id(*_id(row))
        tally = Tally(desk.journal, id, row.attempts)
        result: Answer | HybridError
        if now_us() > row.deadline_at and desk.config.late == "fail":
            result = _too_late(None)
        else:
            desk.check_lease()
            desk.step("before asking")
            try:
                engine = Engine(desk.runtime, tally)
                result = await engine.answer(call, id, row.attempts)
            except HybridError as error:
                result = error
            desk.step("after asking")
        await desk.write("live", partial(_settle, desk=desk, id=_id(row), call=call, tally=tally,
                                         result=result))  # fmt: skip

    async def finish(self, seconds: float) -> None:
        """Wait for what is under way, then cut it. What is cut is asked again by whoever drives the
        lane next."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)


def _id(row: LineRow) -> tuple[str, int]:
    return row.batch, row.place


def _settle(
    connection: Connection,
    desk: Desk,
    id: tuple[str, int],
    call: Call,
    tally: Tally,
    result: Answer | HybridError,
) -> None:
    """Write what a live attempt came to."""
    batches = batches_sql.lock_batches(connection, [id[0]])
    row = sql.lock_lines(connection, [id]).get(id)
    if row is None:
        return
    row = row._replace(attempts=max(row.attempts, tally.attempts))
    now = now_us()
    if row.state != "live":
        change = Change(row, None, tally.cost)
    elif isinstance(result, Answer):
        change = answered(
            row, now, result.body, mode=MODE, model=tally.model or row.model, cost=tally.cost,
            baseline=tally.baseline,
        )  # fmt: skip
    else:
        change = _after_error(desk, row, call, result, now)
        change.cost = tally.cost
    write_changes(connection, batches, [change], now)


def _after_error(desk: Desk, row: LineRow, call: Call, error: HybridError, now: int) -> Change:
    """An error that another time may mend is tried again until the deadline."""
    hopeless = isinstance(error, RequestError) or (
        isinstance(error, ProviderError) and step_after(error) is Step.HAND_BACK
    )
    if not hopeless and now < row.deadline_at:
        rest = rest_seconds(row.retries + 1, desk.random, cap=_LONGEST_REST)
        at = min(now + int(rest * US), max(now + US // 10, row.deadline_at - US))
        return again(row, at, dialect=LIVE, retries=row.retries + 1)
    if not hopeless and now >= row.deadline_at:
        error = _too_late(error)
        log.error("A line of batch %s was not answered by its deadline.", row.batch)
    answer = refusal(error, call, request_id(row.batch, row.place))
    return failed(row, answer.status, answer.body, mode=MODE)


def _too_late(last: HybridError | None) -> HybridError:
    said = "" if last is None else f" The last attempt ended so: {last.message}"
    return HybridError(
        f"No model answered this request by its deadline.{said}",
        kind=ErrorKind.TIMEOUT,
        remedy="Send it again with a later deadline.",
    )


def abandon_all(connection: Connection, limit: int = _GROUP) -> int:
    """Lines that a process asked which is gone wait again; how many there were."""
    rows = sql.live_lines(connection, limit)
    sql.put_lines(
        connection,
        [
            row._replace(
                state=states.after(row.state, "abandon"), attempts=row.attempts + ABANDONED
            )
            for row in rows
        ],
    )
    return len(rows)
