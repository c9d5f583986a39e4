"""Writing and reading what the lane works on: lines to do, jobs at providers, and the lease. Every
function works within the transaction that it is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from hybridllm.store.batches import LINE_TYPES, LineRow, put_all
from hybridllm.store.schema import batch_jobs as jobs
from hybridllm.store.schema import batch_lease as lease
from hybridllm.store.schema import batch_lines as lines
from hybridllm.store.schema import batches
from hybridllm.store.upserts import upsert

# Written out, since a partial index is used only where the statement itself says what it holds.
_WAITING: ColumnElement[bool] = literal_column("batch_lines.state = 'waiting'")
_LIVE: ColumnElement[bool] = literal_column("batch_lines.state = 'live'")
_IN_JOB: ColumnElement[bool] = literal_column("batch_lines.job <> ''")
_IDS_A_QUERY = 400


class JobRow(NamedTuple):
    """A row of `batch_jobs`, which says what the fields are."""

    id: str
    state: str
    provider: str
    model: str
    dialect: str
    account: str
    credential: str
    external_id: str
    excluded: str
    lines: int
    size: int
    tokens: int
    deadline_at: int
    created_at: int
    submitted_at: int = 0
    ended_at: int = 0
    cancelled_at: int = 0
    next_at: int = 0
    polls: int = 0
    failures: int = 0
    error: str = ""


class Group(NamedTuple):
    """Lines that wait for the same: their number, the bytes of their requests, an estimate of
    their tokens, and the oldest one's time and the first deadline (Unix microseconds)."""

    model: str
    dialect: str
    lines: int
    size: int
    tokens: int
    oldest: int
    deadline_at: int


# -- lines


def waiting_groups(connection: Connection, now: int) -> list[Group]:
    """What waits and may be tried at `now`."""
    query = (
        select(
            lines.c.model,
            lines.c.dialect,
            func.count(),
            func.sum(lines.c.size),
            func.sum(lines.c.tokens),
            func.min(lines.c.created_at),
            func.min(lines.c.deadline_at),
        )
        .where(_WAITING, lines.c.ready_at <= now)
        .group_by(lines.c.model, lines.c.dialect)
    )
    return [Group(row[0], row[1], *map(int, row[2:])) for row in connection.execute(query)]


def waiting_lines(
    connection: Connection, model: str, dialect: str, now: int, limit: int
) -> list[LineRow]:
    """The lines of a group, those with the first deadlines first."""
    query = (
        select(lines)
        .where(_WAITING, lines.c.model == model, lines.c.dialect == dialect)
        .where(lines.c.ready_at <= now)
        .order_by(lines.c.deadline_at)
        .limit(limit)
        .with_for_update()
    )
    return _lines(connection, query)


def due_lines(
    connection: Connection, model: str, dialect: str, before: int, now: int, limit: int
) -> list[LineRow]:
    """Of a group, lines whose deadline is before a moment; those with the first ones first."""
    query = (
        select(lines)
        .where(_WAITING, lines.c.model == model, lines.c.dialect == dialect)
        .where(lines.c.deadline_at < before, lines.c.ready_at <= now)
        .order_by(lines.c.deadline_at)
        .limit(limit)
        .with_for_update()
    )
    return _lines(connection, query)


def next_ready(connection: Connection, now: int) -> int | None:
    """When the next line that rests may be tried again."""
    query = select(func.min(lines.c.ready_at)).where(_WAITING, lines.c.ready_at > now)
    found = connection.execute(query).scalar()
    return None if found is None else int(found)


def live_lines(connection: Connection, limit: int) -> list[LineRow]:
    """Lines that are asked live, by whichever process."""
    return _lines(connection, select(lines).where(_LIVE).limit(limit).with_for_update())


def lines_of_job(
    connection: Connection, job: str, after: tuple[str, int] = ("", -1), limit: int = -1
) -> list[LineRow]:
    """A job's lines by batch and place, from behind `after` on."""
    query = select(lines).where(_IN_JOB, lines.c.job == job)
    if after[0]:
        later = and_(lines.c.batch == after[0], lines.c.place > after[1])
        query = query.where(or_(lines.c.batch > after[0], later))
    query = query.order_by(lines.c.batch, lines.c.place)
    return _lines(connection, query if limit < 0 else query.limit(limit))


def lock_lines(
    connection: Connection, ids: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], LineRow]:
    """Lines by batch and place, which nobody else changes before this transaction ends."""
    places: dict[str, list[int]] = {}
    for batch, place in ids:
        places.setdefault(batch, []).append(place)
    found: dict[tuple[str, int], LineRow] = {}
    for batch in sorted(places):
        wanted = sorted(places[batch])
        for at in range(0, len(wanted), _IDS_A_QUERY):
            some = wanted[at : at + _IDS_A_QUERY]
            query = select(lines).where(lines.c.batch == batch, lines.c.place.in_(some))
            for row in _lines(connection, query.order_by(lines.c.place).with_for_update()):
                found[batch, row.place] = row
    return found


def lines_of_batch(connection: Connection, batch: str, state: str, limit: int) -> list[LineRow]:
    """A batch's lines of a state."""
    query = select(lines).where(lines.c.batch == batch, lines.c.state == state)
    return _lines(connection, query.order_by(lines.c.place).limit(limit).with_for_update())


_CHANGED = (
    "batch", "place", "state", "model", "dialect", "job", "attempts", "retries", "tried",
    "ready_at", "status", "mode", "cost", "baseline", "late",
)  # fmt: skip
_TYPES = {name: LINE_TYPES[name] for name in _CHANGED}
_SET = ", ".join(f"{name} = v.{name}" for name in _CHANGED[2:])
_CHANGE_POSTGRESQL = (
    f"UPDATE batch_lines SET {_SET} FROM ({{values}}) AS v({', '.join(_CHANGED)}) "
    "WHERE batch_lines.batch = v.batch AND batch_lines.place = v.place"
)
_CHANGE_SQLITE = (
    f"UPDATE batch_lines SET {', '.join(f'{name} = ?' for name in _CHANGED[2:])} "
    "WHERE batch = ? AND place = ?"
)


def put_lines(connection: Connection, rows: Sequence[LineRow]) -> None:
    """Write what can change of lines that this transaction has locked."""
    if connection.dialect.name == "postgresql":
        values = [tuple(getattr(row, name) for name in _CHANGED) for row in rows]
        put_all(connection, _CHANGE_POSTGRESQL, _TYPES, values)
    elif rows:
        changed = [
            (
                row.state, row.model, row.dialect, row.job, row.attempts, row.retries, row.tried,
                row.ready_at, row.status, row.mode, row.cost, row.baseline, row.late,
                row.batch, row.place,
            )
            for row in rows
        ]  # fmt: skip
        connection.exec_driver_sql(_CHANGE_SQLITE, changed)


def put_notes(connection: Connection, rows: Iterable[LineRow]) -> None:
    """Write the notes of lines."""
    c = lines.c
    for row in rows:
        of = update(lines).where(c.batch == row.batch, c.place == row.place)
        connection.execute(of.values(note=row.note))


def move_job_lines(connection: Connection, job: str, move: tuple[str, str]) -> None:
    """All of a job's lines that are where the `move` begins make it."""
    connection.execute(
        update(lines)
        .where(_IN_JOB, lines.c.job == job, lines.c.state == move[0])
        .values(state=move[1])
    )


def job_batches(connection: Connection, job: str, states: Sequence[str]) -> list[tuple[str, str]]:
    """(batch, its state) of the lines of a job that are in one of `states`."""
    query = (
        select(lines.c.batch, batches.c.state)
        .join(batches, batches.c.id == lines.c.batch)
        .where(_IN_JOB, lines.c.job == job, lines.c.state.in_(states))
        .distinct()
    )
    return [(row[0], row[1]) for row in connection.execute(query)]


def jobs_of_batch(connection: Connection, batch: str, states: Sequence[str]) -> list[str]:
    """The jobs that hold lines of a batch in one of `states`."""
    query = select(lines.c.job).where(lines.c.batch == batch, lines.c.state.in_(states))
    return [row for row in connection.execute(query.distinct()).scalars() if row]


def cancelling(connection: Connection) -> list[str]:
    """Batches whose callers do not want the rest of them."""
    query = select(batches.c.id).where(batches.c.state == "cancelling")
    return list(connection.execute(query).scalars())


def _lines(connection: Connection, query: Select[Any]) -> list[LineRow]:
    return [LineRow(*row) for row in connection.execute(query)]


# -- jobs


def add_job(connection: Connection, row: JobRow) -> None:
    """A job is about to be submitted."""
    connection.execute(insert(jobs).values(**row._asdict()))


def put_job(connection: Connection, row: JobRow) -> None:
    """A job becomes `row`."""
    connection.execute(update(jobs).where(jobs.c.id == row.id).values(**row._asdict()))


def find_job(connection: Connection, job: str) -> JobRow | None:
    """A job, locked until this transaction ends."""
    row = connection.execute(select(jobs).where(jobs.c.id == job).with_for_update()).one_or_none()
    return None if row is None else JobRow(*row)


def jobs_in(connection: Connection, states: Sequence[str]) -> list[JobRow]:
    """Jobs of these states, the next to look at first."""
    query = select(jobs).where(jobs.c.state.in_(states)).order_by(jobs.c.next_at)
    return [JobRow(*row) for row in connection.execute(query)]


def known_externals(connection: Connection, provider: str) -> set[str]:
    """The provider's names of all jobs that we know there."""
    query = select(jobs.c.external_id).where(jobs.c.provider == provider)
    return {row for row in connection.execute(query).scalars() if row}


def recent_seconds(connection: Connection, provider: str, limit: int) -> list[int]:
    """How long the last jobs of a provider took, in seconds."""
    query = (
        select(jobs.c.ended_at, jobs.c.submitted_at)
        .where(jobs.c.provider == provider, jobs.c.state == "collected", jobs.c.cancelled_at == 0)
        .order_by(jobs.c.ended_at.desc())
        .limit(limit)
    )
    return [(row[0] - row[1]) // 1_000_000 for row in connection.execute(query)]


def drop_jobs(connection: Connection, before: int) -> None:
    """Forget jobs that were over before a moment."""
    over = jobs.c.state.in_(("collected", "refused", "lost"))
    connection.execute(delete(jobs).where(over, jobs.c.created_at < before))


# -- the lease


def take_lease(connection: Connection, name: str, holder: str, now: int, until: int) -> bool:
    """Take or renew the lease; False while another holds it. Comparing and setting is one
    statement, so that of two takers one fails."""
    free = or_(lease.c.holder == holder, lease.c.until < now)
    changed = connection.execute(
        update(lease).where(lease.c.name == name, free).values(holder=holder, until=until)
    )
    if changed.rowcount == 1:
        return True
    statement = upsert(connection, lease).values(name=name, holder=holder, until=until)
    return connection.execute(statement.on_conflict_do_nothing()).rowcount == 1


def drop_lease(connection: Connection, name: str, holder: str) -> None:
    """Let another process take it at once."""
    connection.execute(
        update(lease).where(lease.c.name == name, lease.c.holder == holder).values(until=0)
    )


def holds_lease(connection: Connection, name: str, holder: str) -> bool:
    """Whether the lease is still this holder's; it stays so until this transaction ends."""
    query = select(lease.c.holder).where(lease.c.name == name).with_for_update(read=True)
    return connection.execute(query).scalar_one_or_none() == holder
