"""The asynchronous lane: work that can wait, stored before it is acknowledged, answered by its
deadline at the prices of batches.

Any process that shares the store may accept, read and cancel; one at a time drives (`driving`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import suppress
from functools import partial
from secrets import token_hex

from msgspec import Struct, field
from sqlalchemy import Connection

from hybridllm.batching import states
from hybridllm.batching.database import Database
from hybridllm.batching.desk import Desk, Step, now_us
from hybridllm.batching.driving import LEASE_SECONDS, Driver
from hybridllm.batching.ending import Change, write_changes
from hybridllm.batching.finding import SETTLE_SECONDS
from hybridllm.batching.notes import new_batch_id, note_of, request_id
from hybridllm.batching.planning import Apis, planned_line
from hybridllm.batching.structs import Batch, NewBatch, NewLine, Result
from hybridllm.engine.entry import Journal
from hybridllm.engine.runtime import Runtime
from hybridllm.errors import RequestError
from hybridllm.providers.batches.api import BatchApi
from hybridllm.providers.batches.registry import batch_api
from hybridllm.store import batch_jobs as jobs_sql
from hybridllm.store import batches as sql
from hybridllm.store.batches import BatchRow, BodyRow, LineRow

GROUP = 256
"""Lines that are stored, or read, in one transaction."""
PLANNED = 32
"""Lines that are planned in one turn of the event loop."""
_CANCELLED_AT_ONCE = 1_000
_FIRST_LOOK, _LAST_LOOK = 0.05, 1.0
DRAIN_SECONDS = 10.0


def provider_api(runtime: Runtime, provider: str) -> BatchApi | None:
    """The batch API of a provider that can be called."""
    upstream = runtime.upstreams.get(provider)
    return None if upstream is None else batch_api(upstream)


class Group(Struct):
    """Lines that are about to be stored: their rows, the bodies of their requests, and of the
    results of those that have failed already."""

    rows: list[LineRow] = field(default_factory=list)
    bodies: list[BodyRow] = field(default_factory=list)
    errors: list[BodyRow] = field(default_factory=list)

    def put(self, connection: Connection) -> None:
        sql.add_lines(connection, self.rows, self.bodies, self.errors)


class Lane:
    """`runtime` gives the configuration in operation; `journal` is the ledger. `apis`, `step` and
    the spans of time are for tests. Where the store cannot be reached, all methods raise
    HybridError(UNAVAILABLE)."""

    def __init__(
        self,
        runtime: Callable[[], Runtime],
        journal: Journal,
        store_url: str,
        *,
        apis: Apis = provider_api,
        step: Step = lambda _name: None,
        lease_seconds: float = LEASE_SECONDS,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self._database = Database(store_url)
        holder = f"p-{token_hex(8)}"
        self._desk = Desk(runtime, journal, self._database, apis, holder, step)
        self.driver = Driver(self._desk, lease_seconds, settle_seconds)
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Drive the lane whenever no other process does, in this event loop."""
        self._task = asyncio.get_running_loop().create_task(self.driver.run())

    async def close(self) -> None:
        """Stop. Live calls may end within a few seconds; what is with providers stays there, and
        the next process goes on with it."""
        task, self._task = self._task, None
        if task is not None:
            await self.driver.asker.finish(DRAIN_SECONDS)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self.driver.stop()
            with suppress(Exception):
                await self.driver.release()
        await self._database.close()

    # -- taking in

    async def accept(
        self, new: NewBatch, lines: Iterable[NewLine] | AsyncIterable[NewLine]
    ) -> Batch:
        """Store a batch. When this returns, all of it is durable; if it raises, or is cancelled,
        nothing of it is done. A line that nothing could answer has failed already, with its error.

        Raises RequestError for a custom id that two lines have.
        """
        now = now_us()
        id = new_batch_id(new.dialect, new.kind, now)
        row = BatchRow(
            id, new.key, new.dialect, new.endpoint, new.kind, new.model, new.metadata,
            new.webhook, new.input_file, new.deadline_at, "arriving", now,
            0, 0, 0, 0, 0, 0, 0, 0, 0,
        )  # fmt: skip
        opened = False
        try:
            total = failed = 0
            group: Group | None = None
            async for group in self._planned(id, new, lines, now):
                total, failed = total + len(group.rows), failed + len(group.errors)
                if len(group.rows) == GROUP:
                    await self._write(group.put if opened else partial(_begin, row, group))
                    opened = True
            row = row._replace(state="open", total=total, failed=failed)
            if failed == total:
                row = row._replace(state="ended", ended_at=now_us())
            assert group is not None  # noqa: S101 - the last group comes always, if empty
            await self._write(partial(_complete if opened else _whole, row, group))
        except BaseException:
            with suppress(Exception):
                await asyncio.shield(self._database.write(partial(sql.remove_batch, batch=id)))
            raise
        self.driver.wake()
        return _batch(row)

    async def _planned(
        self, id: str, new: NewBatch, lines: Iterable[NewLine] | AsyncIterable[NewLine], now: int
    ) -> AsyncIterator[Group]:
        """The lines, planned, in groups of GROUP; the last one is smaller, or empty."""
        desk = self._desk
        group, place = Group(), 0
        async for line in _each(lines):
            row, error = planned_line(desk.runtime, desk.apis, new, line, (id, place), now)
            group.rows.append(row)
            group.bodies.append(BodyRow(id, place, line.body))
            if error is not None:
                group.errors.append(error)
            place += 1
            if len(group.rows) == GROUP:
                yield group
                group = Group()
            elif place % PLANNED == 0:
                await asyncio.sleep(0)
        yield group

    async def _write(self, work: Callable[[Connection], None]) -> None:
        """Do it in one transaction. When this ends, also by being cancelled, the transaction has
        ended: else it might be committed behind what takes it back."""
        task = asyncio.ensure_future(self._database.write(work))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    # -- reading

    async def batch(self, id: str, key: str) -> Batch | None:
        """A batch of that key."""
        row = await self._database.read(partial(sql.find_batch, batch=id, key=key))
        return None if row is None else _batch(row)

    async def batches(
        self, key: str, dialect: str = "", kind: str = "", before: str | None = None,
        limit: int = 100,
    ) -> list[Batch]:  # fmt: skip
        """A key's batches, newest first, from behind the batch `before` on. "" of dialect or kind:
        any."""

        def read(connection: Connection) -> list[BatchRow]:
            last = sql.find_batch(connection, before, key) if before else None
            if before and last is None:
                return []
            return sql.list_batches(connection, key, dialect, kind, last, limit)

        return [_batch(row) for row in await self._database.read(read)]

    async def results(self, id: str, *, after_place: int = -1) -> AsyncIterator[Result]:
        """The ends of lines, as far as they have ended, in the order of their places. Read in
        groups, so that their number does not matter."""
        while True:
            found = await self._database.read(
                partial(sql.ended_lines, batch=id, after=after_place, limit=GROUP)
            )
            for row, body in found:
                yield _result(row, body)
            if len(found) < GROUP:
                return
            after_place = found[-1][0].place

    async def wait(self, id: str, key: str, seconds: float) -> Batch | None:
        """The batch when it has ended, or as it is after `seconds`."""
        until = time.monotonic() + seconds
        pause = _FIRST_LOOK
        while True:
            found = await self.batch(id, key)
            left = until - time.monotonic()
            if found is None or found.state == "ended" or left <= 0:
                return found
            await asyncio.sleep(min(pause, left))
            pause = min(_LAST_LOOK, pause * 1.3)

    # -- ending early

    async def cancel(self, id: str, key: str) -> Batch | None:
        """Begin to cancel: what waits is cancelled at once, what is with a provider as soon as that
        can be. A batch that has ended stays as it is."""

        def begin(connection: Connection) -> BatchRow | None:
            row = sql.lock_batches(connection, [id]).get(id)
            if row is None or row.key != key or row.state != "open":
                return sql.find_batch(connection, id, key)
            return sql.begin_cancelling(connection, row, now_us())

        def cancel_some(connection: Connection) -> tuple[int, BatchRow]:
            batches = sql.lock_batches(connection, [id])
            rows = jobs_sql.lines_of_batch(connection, id, "waiting", _CANCELLED_AT_ONCE)
            changes = [
                Change(row._replace(state=states.after(row.state, "cancel"))) for row in rows
            ]
            ended = write_changes(connection, batches, changes, now_us())
            return len(rows), ended[0] if ended else batches[id]

        row = await self._database.write(begin)
        count = _CANCELLED_AT_ONCE
        while row is not None and row.state == "cancelling" and count == _CANCELLED_AT_ONCE:
            count, row = await self._database.write(cancel_some)
        self.driver.wake()
        return None if row is None else _batch(row)

    async def delete(self, id: str, key: str) -> bool:
        """Delete an ended batch and its results; whether there was one."""

        def remove(connection: Connection) -> bool:
            row = sql.lock_batches(connection, [id]).get(id)
            if row is None or row.key != key or row.state != "ended":
                return False
            if jobs_sql.jobs_of_batch(connection, id, states.ENDED):
                sql.hide_batch(connection, id)  # what a job says of its lines is still to be booked
            else:
                sql.remove_batch(connection, id)
            return True

        return await self._database.write(remove)


def _begin(row: BatchRow, group: Group, connection: Connection) -> None:
    """A batch that is longer than a group, as it arrives."""
    sql.add_batch(connection, row)
    group.put(connection)


def _complete(row: BatchRow, group: Group, connection: Connection) -> None:
    """The batch is whole, with this group. Raises RequestError."""
    group.put(connection)
    if (name := sql.twice(connection, row.id)) is not None:
        raise _twice(name)
    sql.open_batch(connection, row, states.ends("accept"))


def _whole(row: BatchRow, group: Group, connection: Connection) -> None:
    """A batch of no more than a group, all at once. Raises RequestError."""
    seen: set[str] = set()
    for line in group.rows:
        if line.custom_id in seen:
            raise _twice(line.custom_id)
        seen.add(line.custom_id)
    before, after = states.ends("accept")
    sql.add_batch(connection, row)
    group.rows = [
        line._replace(state=after) if line.state == before else line for line in group.rows
    ]
    group.put(connection)


def _twice(name: str) -> RequestError:
    return RequestError(
        f"Two lines have the custom_id '{name[:64]}'.",
        field="custom_id",
        remedy="Give each line a name of its own.",
    )


async def _each(lines: Iterable[NewLine] | AsyncIterable[NewLine]) -> AsyncIterator[NewLine]:
    if isinstance(lines, AsyncIterable):
        async for line in lines:
            yield line
    else:
        for line in lines:
            yield line


def _batch(row: BatchRow) -> Batch:
    return Batch(
        id=row.id,
        new=NewBatch(
            dialect=row.dialect,
            key=row.key,
            deadline_at=row.deadline_at,
            endpoint=row.endpoint,
            kind=row.kind,
            model=row.model,
            metadata=row.metadata,
            webhook=row.webhook,
            input_file=row.input_file,
        ),
        state=row.state,  # type: ignore[arg-type]
        created_at=row.created_at,
        total=row.total,
        answered=row.answered,
        failed=row.failed,
        cancelled=row.cancelled,
        late=row.late,
        cost=row.cost,
        baseline=row.baseline,
        ended_at=row.ended_at,
        cancelled_at=row.cancelled_at,
    )


def _result(row: LineRow, body: bytes) -> Result:
    return Result(
        custom_id=row.custom_id,
        place=row.place,
        state=row.state,  # type: ignore[arg-type]
        status=row.status,
        body=body,
        request_id=request_id(row.batch, row.place),
        task=note_of(row.note).task,
        model=row.model if row.state == "answered" else "",
        mode=row.mode,
        cost=row.cost,
        late=row.late,
        baseline=row.baseline,
        attempts=row.attempts,
    )
