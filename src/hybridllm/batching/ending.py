"""What becomes of lines: the one place where their states, results and counts are written."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from hybridllm.batching import states
from hybridllm.batching.notes import Note
from hybridllm.batching.planning import LIVE, Apis, next_model
from hybridllm.batching.timing import US, rest_seconds
from hybridllm.config import BatchConfig
from hybridllm.engine.judge import Step, step_after
from hybridllm.engine.runtime import Runtime
from hybridllm.errors import HybridError, ProviderError
from hybridllm.providers.retries import Rng
from hybridllm.store import batch_jobs as jobs_sql
from hybridllm.store import batches as sql
from hybridllm.store.batches import MOST, BatchRow, BodyRow, Count, LineRow

log = logging.getLogger("hybridllm.batching")


class Change(Struct):
    """A line as it will be, the body of its result where it has ended with one, and what it has
    cost besides what it had."""

    row: LineRow
    body: bytes | None = None
    cost: int = 0
    baseline: int = 0


def answered(
    row: LineRow, now: int, body: bytes, *, mode: str, model: str, cost: int, baseline: int
) -> Change:
    """The line has its answer, late or not."""
    late = now > row.deadline_at
    ended = row._replace(
        state=states.after(row.state, "answer"), status=200, mode=mode, model=model, late=late
    )
    if late:
        log.warning("A line of batch %s was answered after its deadline.", row.batch)
    return Change(ended, body, cost, baseline)


def failed(row: LineRow, status: int, body: bytes, *, mode: str, cost: int = 0) -> Change:
    """The line has an error for its answer."""
    ended = row._replace(state=states.after(row.state, "fail"), status=status, mode=mode)
    return Change(ended, body, cost)


def again(row: LineRow, ready_at: int, *, cost: int = 0, **changes: Any) -> Change:
    """The line waits once more, from `ready_at` on."""
    state = states.after(row.state, "retry")
    return Change(row._replace(state=state, ready_at=ready_at, **changes), None, cost)


def elsewhere(
    runtime: Runtime, apis: Apis, row: LineRow, note: Note, least_context: int = 0
) -> dict[str, Any] | None:
    """What changes of a line whose model is given up; None where no other of its chain has
    batches."""
    tried = [*msgspec.json.decode(row.tried), row.model]
    found = next_model(runtime, apis, note, tried, least_context)
    if found is None:
        return None
    model, dialect = found
    text = msgspec.json.encode(tried).decode()
    return {"model": model.id, "dialect": dialect, "tried": text, "retries": 0}


def after_error(
    runtime: Runtime, apis: Apis, row: LineRow, note: Note, error: HybridError, now: int, rng: Rng
) -> Change | None:
    """What a line does whose attempt in a batch ended in `error`: the same model again, another
    one, or live; None: it has failed."""
    step = step_after(error) if isinstance(error, ProviderError) else Step.NEXT_MODEL
    if step is Step.HAND_BACK:
        return None
    passing = isinstance(error, ProviderError) and error.retryable
    if step in (Step.RETRY, Step.OTHER_KEY) and passing and row.retries < _retries(runtime):
        rest = rest_seconds(row.retries + 1, rng)
        return again(row, now + int(rest * US), retries=row.retries + 1)
    least = 0
    if step is Step.LARGER_CONTEXT and row.model in runtime.models:
        least = runtime.models[row.model].context_window
    changes = elsewhere(runtime, apis, row, note, least)
    if changes is not None:
        return again(row, now, **changes)
    return again(row, now, dialect=LIVE) if passing or step is Step.NEXT_MODEL else None


def after_nothing(
    runtime: Runtime, apis: Apis, row: LineRow, note: Note, now: int, *, expired: bool
) -> Change:
    """What a line does of whose attempt nothing came: where it expired, another model is asked."""
    if not expired and row.retries < _retries(runtime):
        return again(row, now, retries=row.retries + 1)
    changes = elsewhere(runtime, apis, row, note)
    return again(row, now, **(changes or {"dialect": LIVE}))


def _retries(runtime: Runtime) -> int:
    config: BatchConfig = runtime.config.batch
    return config.retries


def write_changes(
    connection: Connection, batches: Mapping[str, BatchRow], changes: Sequence[Change], now: int
) -> list[BatchRow]:
    """Write what became of lines that this transaction has locked, as it has their `batches`; the
    batches as they stand then. What would wait although its batch is being cancelled is cancelled.
    """
    gains: dict[str, list[int]] = {}
    rows: list[LineRow] = []
    bodies: list[BodyRow] = []
    for change in changes:
        row, batch = change.row, batches[change.row.batch]
        if row.state == "waiting" and batch.state == "cancelling":
            row = row._replace(state=states.after(row.state, "cancel"))
        ended = change.body is not None or row.state == "cancelled"
        row = row._replace(
            cost=min(MOST, row.cost + change.cost),
            baseline=min(MOST, row.baseline + change.baseline),
        )
        rows.append(row)
        if change.body is not None:
            bodies.append(BodyRow(row.batch, row.place, change.body))
        gain = gains.setdefault(row.batch, [0] * len(Count._fields))
        for place, name in enumerate(Count._fields[:3]):
            gain[place] += ended and row.state == name
        gain[3] += change.body is not None and row.late
        gain[4] += change.cost
        gain[5] += change.baseline
    jobs_sql.put_lines(connection, rows)
    sql.add_results(connection, bodies)
    counted = [(batches[id], Count(*gain)) for id, gain in sorted(gains.items())]
    return sql.count_ended(connection, counted, now)
