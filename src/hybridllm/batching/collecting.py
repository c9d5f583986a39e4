"""From a job at a provider to its lines' ends: asked after, read, matched by custom id, each once.

A group of results is one transaction, which holds the lines: those that the job does not hold any
more were matched before (results are read again after a crash). Within it, attempts are journalled
before anything is committed, so that what is stored as answered is surely billed; the loader knows
an attempt that comes twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from hybridllm.batching import states
from hybridllm.batching.billing import Ending, attempt_row
from hybridllm.batching.desk import Desk, key_of, now_us
from hybridllm.batching.ending import (
    Change,
    after_error,
    after_nothing,
    again,
    answered,
    failed,
    log,
    write_changes,
)
from hybridllm.batching.finding import put_off
from hybridllm.batching.notes import Note, note_of, read_custom_id, request_id
from hybridllm.batching.planning import call_of
from hybridllm.batching.timing import US, poll_seconds, rest_seconds
from hybridllm.catalog.structs import Usage
from hybridllm.engine.refusal import refusal
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.ledger.record import Attempt
from hybridllm.providers.batches.api import BatchApi, Outcome
from hybridllm.providers.keys import Key
from hybridllm.providers.upstream import Upstream
from hybridllm.store import batch_jobs as sql
from hybridllm.store import batches as batches_sql
from hybridllm.store.batch_jobs import JobRow
from hybridllm.store.batches import LineRow
from hybridllm.wire.registry import get_dialect

GROUP = 500
"""Results that are matched in one transaction."""
MODE = "batch"


class Matched(Struct):
    """An outcome and its line, read: `usage` and `body` of an answer in the caller's dialect, or
    the `error`."""

    request: str
    number: int
    line: LineRow
    outcome: Outcome
    usage: Usage | None = None
    body: bytes = b""
    error: ProviderError | None = None


class Collector:
    """Asks after submitted jobs and collects ended ones."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def _way(self, job: JobRow) -> tuple[BatchApi, Upstream, Key | None] | None:
        runtime = self._desk.runtime
        api = self._desk.apis(runtime, job.provider)
        upstream = runtime.upstreams.get(job.provider)
        if api is None or upstream is None:
            return None
        return api, upstream, key_of(upstream, job.credential, job.account)

    async def poll(self, job: JobRow) -> None:
        """Ask after a submitted job, and collect it if it has ended."""
        desk = self._desk
        way = self._way(job)
        if way is None:
            await self._later(job)
            return
        api, upstream, key = way
        try:
            progress = await api.poll(upstream, key, job.external_id)
        except ProviderError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                log.warning("A job of %d lines for %s is gone.", job.lines, job.model)
                await desk.write("gone", partial(_record_gone, desk=desk, job=job.id))
            else:
                await self._later(job)
            return
        if progress.full:
            rest = poll_seconds(job.polls, desk.config, desk.random)
            full = partial(_record_gone, desk=desk, job=job.id, rest=rest)
            await desk.write("refused", full)
        elif progress.refused:
            log.warning(
                "Provider '%s' refused a job of %d lines for %s.",
                job.provider, job.lines, job.model,
            )  # fmt: skip
            await desk.write("refused", partial(_record_gone, desk=desk, job=job.id))
        elif progress.ended:
            await desk.write("end", partial(_record_ended, job=job.id))
            await self.collect(job)
        else:
            wait = poll_seconds(job.polls, desk.config, desk.random)
            await desk.write("poll later", partial(_poll_later, job=job.id, wait=wait))

    async def collect(self, job: JobRow) -> None:
        """Read the results of an ended job and end its lines."""
        desk = self._desk
        way = self._way(job)
        if way is None:
            await self._later(job)
            return
        api, upstream, key = way
        current = await desk.read(partial(sql.find_job, job=job.id))
        rows = await desk.read(partial(sql.lines_of_job, job=job.id))
        lines = {request_id(row.batch, row.place): row for row in rows}
        group: list[Matched] = []
        seen = ours = 0
        assert current is not None  # noqa: S101 - jobs at work are never deleted
        try:
            async for outcome in api.results(upstream, key, job.external_id):
                seen += 1
                matched = _match(lines, outcome)
                if matched is not None:
                    ours += 1
                    group.append(matched)
                if len(group) >= GROUP:
                    await desk.write(
                        "collect", partial(_store, desk=desk, job=current, group=group)
                    )
                    group = []
        except ProviderError:
            await self._later(job)
            return
        if group:
            await desk.write("collect", partial(_store, desk=desk, job=current, group=group))
        if seen and rows and not ours and not await self._was_ours(job):
            await desk.write("not ours", partial(_record_foreign, job=job.id))
        else:
            await desk.write("collected", partial(_record_collected, desk=desk, job=job.id))

    async def _was_ours(self, job: JobRow) -> bool:
        """Whether some of the job's lines were matched before, by a process that then died."""
        rows = await self._desk.read(partial(sql.lines_of_job, job=job.id))
        return len(rows) < job.lines

    async def _later(self, job: JobRow) -> None:
        rest = rest_seconds(job.failures + 1, self._desk.random)
        await self._desk.write("ask later", partial(put_off, job=job.id, rest=rest))


def _match(lines: Mapping[str, LineRow], outcome: Outcome) -> Matched | None:
    """The line of an outcome, if it is the attempt that the job made of it."""
    named = read_custom_id(outcome.custom_id)
    line = None if named is None else lines.get(named[0])
    if named is None or line is None or named[1] > line.attempts:
        return None
    if line.state == "submitted" and named[1] != line.attempts:
        return None
    return Matched(*named, line, outcome)


def _read(job: JobRow, matched: Matched, note: Note) -> None:
    """Read what the provider said."""
    outcome = matched.outcome
    spoken, caller = get_dialect(job.dialect), get_dialect(note.dialect)
    try:
        if outcome.ending == "refused":
            raise spoken.decode_error(outcome.status, {}, outcome.body)
        if outcome.ending == "expired":
            raise ProviderError(
                "The provider's batch expired before this request was done.",
                kind=ErrorKind.TIMEOUT,
            )
        if outcome.ending == "answered" and spoken is caller:
            matched.usage, finish = spoken.meter(outcome.body)
            if matched.usage is None and finish is None:
                spoken.decode_reply(outcome.body)
            matched.body = outcome.body
        elif outcome.ending == "answered":
            reply = spoken.decode_reply(outcome.body)
            matched.usage = reply.usage
            matched.body = caller.encode_reply(reply)
    except ProviderError as error:
        error.provider, error.dialect = job.provider, job.dialect
        matched.error = error


def _store(connection: Connection, desk: Desk, job: JobRow, group: Sequence[Matched]) -> None:
    """End the lines of a group, and journal what each attempt was."""
    for matched in group:
        _read(job, matched, note_of(matched.line.note))
    ids = [(matched.line.batch, matched.line.place) for matched in group]
    batches = batches_sql.lock_batches(connection, sorted({batch for batch, _ in ids}))
    held = sql.lock_lines(connection, ids)
    now = now_us()
    changes: list[Change] = []
    attempts: list[Attempt] = []
    for matched in group:
        row = held.pop((matched.line.batch, matched.line.place), None)
        if row is None or row.job != job.id:
            continue
        attempt, change = _ended(desk, job, matched, row, now)
        attempts.append(attempt)
        changes.append(change)
    for attempt in attempts:
        desk.journal.record(attempt)
    desk.step("recorded")
    write_changes(connection, batches, changes, now)


def _ended(
    desk: Desk, job: JobRow, matched: Matched, row: LineRow, now: int
) -> tuple[Attempt, Change]:
    """The attempt's row in the ledger, and what becomes of the line."""
    runtime = desk.runtime
    note = note_of(row.note)
    wanted = row.state == "submitted"
    outcome, error = matched.outcome, matched.error
    if outcome.ending == "answered" and error is None:
        ending = Ending("ok", "", matched.usage, len(outcome.body))
    elif outcome.ending == "cancelled":
        ending = Ending("cancelled")
    else:
        ending = Ending("error", error.kind if error is not None else "")
    attempt = attempt_row(
        runtime, job, note, matched.request, matched.number, outcome, ending,
        answered=wanted and ending.outcome == "ok",
    )  # fmt: skip
    if not wanted:
        # It was asked live meanwhile, or cancelled: what this cost is counted, and not delivered.
        return attempt, Change(row._replace(job=""), None, attempt.cost)
    return attempt, _change(desk, matched, row._replace(job=""), note, attempt, now)


def _change(
    desk: Desk, matched: Matched, row: LineRow, note: Note, attempt: Attempt, now: int
) -> Change:
    runtime, error = desk.runtime, matched.error
    if attempt.outcome == "ok":
        return answered(
            row, now, matched.body, mode=MODE, model=attempt.model, cost=attempt.cost,
            baseline=attempt.baseline,
        )  # fmt: skip
    if error is None or matched.outcome.ending == "expired":
        expired = error is not None
        return after_nothing(runtime, desk.apis, row, note, now, expired=expired)
    change = after_error(runtime, desk.apis, row, note, error, now, desk.random)
    if change is None:
        answer = refusal(error, call_of(row, b"", batch=True), matched.request)
        change = failed(row, answer.status, answer.body, mode=MODE)
    change.cost = attempt.cost
    return change


def _record_ended(connection: Connection, job: str) -> None:
    row = sql.find_job(connection, job)
    assert row is not None  # noqa: S101 - jobs at work are never deleted
    now = now_us()
    state = states.job_after(row.state, "end")
    sql.put_job(connection, row._replace(state=state, ended_at=now, next_at=now, failures=0))


def _poll_later(connection: Connection, job: str, wait: float) -> None:
    row = sql.find_job(connection, job)
    if row is not None:
        at = now_us() + int(wait * US)
        sql.put_job(connection, row._replace(next_at=at, polls=row.polls + 1, failures=0))


def _record_gone(connection: Connection, desk: Desk, job: str, rest: float | None = None) -> None:
    """Nothing will come of the job: its lines go elsewhere, or wait for `rest` seconds."""
    row = sql.find_job(connection, job)
    assert row is not None  # noqa: S101 - jobs at work are never deleted
    sql.put_job(connection, row._replace(state=states.job_after(row.state, "refuse")))
    _leave(connection, desk, job, expired=rest is None, rest=rest)


def _record_collected(connection: Connection, desk: Desk, job: str) -> None:
    """All results were read: lines without one were not done."""
    row = sql.find_job(connection, job)
    assert row is not None  # noqa: S101 - jobs at work are never deleted
    sql.put_job(connection, row._replace(state=states.job_after(row.state, "collect")))
    _leave(connection, desk, job, expired=not row.cancelled_at)


def _leave(
    connection: Connection, desk: Desk, job: str, *, expired: bool, rest: float | None = None
) -> None:
    """The job lets go of the lines that it still holds."""
    ids = [(row.batch, row.place) for row in sql.lines_of_job(connection, job)]
    batches = batches_sql.lock_batches(connection, sorted({batch for batch, _ in ids}))
    now = now_us()
    changes: list[Change] = []
    for row in sql.lock_lines(connection, ids).values():
        free = row._replace(job="")
        if row.state == "submitted" and rest is not None:
            changes.append(again(free, now + int(rest * US)))
        elif row.state == "submitted":
            note = note_of(row.note)
            changes.append(after_nothing(desk.runtime, desk.apis, free, note, now, expired=expired))
        else:
            changes.append(Change(free))
    write_changes(connection, batches, changes, now)


def _record_foreign(connection: Connection, job: str) -> None:
    """What was taken for the job is another's: it is looked for again."""
    row = sql.find_job(connection, job)
    assert row is not None  # noqa: S101 - jobs at work are never deleted
    excluded = [*msgspec.json.decode(row.excluded), row.external_id]
    sql.put_job(
        connection,
        row._replace(
            state=states.job_after(row.state, "doubt"), external_id="", next_at=now_us(),
            excluded=msgspec.json.encode(excluded).decode(),
        ),
    )  # fmt: skip
