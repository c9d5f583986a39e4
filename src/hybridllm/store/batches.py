"""Writing and reading batches and their lines. Every function works within the transaction that it
is given.

Lines go past SQLAlchemy's own executemany, as attempts do (`store.rows`): on SQLite it triples the
time, and with pg8000 it is a round trip a row where one statement over arrays does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, select, text, tuple_, update

from hybridllm.store.schema import batch_lines as lines
from hybridllm.store.schema import batch_requests as requests
from hybridllm.store.schema import batch_results as results
from hybridllm.store.schema import batches


class BatchRow(NamedTuple):
    """A row of `batches`, which says what the fields are."""

    id: str
    key: str
    dialect: str
    endpoint: str
    kind: str
    model: str
    metadata: str
    webhook: str
    input_file: str
    deadline_at: int
    state: str
    created_at: int
    total: int
    answered: int
    failed: int
    cancelled: int
    late: int
    cost: int
    baseline: int
    ended_at: int
    cancelled_at: int


class LineRow(NamedTuple):
    """A row of `batch_lines`, which says what the fields are."""

    batch: str
    place: int
    custom_id: str
    state: str
    model: str
    dialect: str
    job: str
    attempts: int
    retries: int
    tried: str
    ready_at: int
    deadline_at: int
    created_at: int
    size: int
    tokens: int
    note: bytes
    status: int = 0
    mode: str = ""
    cost: int = 0
    baseline: int = 0
    late: bool = False


class BodyRow(NamedTuple):
    """A request's or a result's body."""

    batch: str
    place: int
    body: bytes


class Count(NamedTuple):
    """What a batch gains: lines that ended, and picodollars."""

    answered: int = 0
    failed: int = 0
    cancelled: int = 0
    late: int = 0
    cost: int = 0
    baseline: int = 0


BATCH_TYPES = {
    **dict.fromkeys(BatchRow._fields, "text"),
    **dict.fromkeys(("deadline_at", "created_at", *BatchRow._fields[12:]), "bigint"),
}
LINE_TYPES = {
    **dict.fromkeys(LineRow._fields, "bigint"),
    **dict.fromkeys(("batch", "custom_id", "state", "model", "dialect", "job"), "text"),
    **dict.fromkeys(("tried", "mode"), "text"),
    "note": "bytea",
    "late": "boolean",
}
BODY_TYPES = {"batch": "text", "place": "bigint", "body": "bytea"}
MOST = 2**63 - 1
_UNSEEN = ("arriving", "deleted")


def put_all(
    connection: Connection, statement: str, types: dict[str, str], rows: Sequence[Sequence[Any]]
) -> None:
    """Run `statement` for every row. `{values}` in it is what stands for the rows' columns: a
    VALUES clause on SQLite, one SELECT over arrays on PostgreSQL."""
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        marks = ", ".join("?" for _ in types)
        connection.exec_driver_sql(
            statement.format(values=f"VALUES ({marks})"), [tuple(row) for row in rows]
        )
        return
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in types.items())
    values = f"SELECT * FROM unnest({arrays})"
    columns = {name: [_clean(row[place]) for row in rows] for place, name in enumerate(types)}
    connection.execute(text(statement.format(values=values)), columns)


def _clean(value: Any) -> Any:
    """PostgreSQL's text cannot hold NUL."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


_ADD_BATCH = f"INSERT INTO batches ({', '.join(BatchRow._fields)}) {{values}}"
_ADD_LINES = f"INSERT INTO batch_lines ({', '.join(LineRow._fields)}) {{values}}"
_ADD_REQUESTS = "INSERT INTO batch_requests (batch, place, body) {values}"
_ADD_RESULTS = "INSERT INTO batch_results (batch, place, body) {values}"


# -- taking a batch in


def add_batch(connection: Connection, row: BatchRow) -> None:
    """Begin a batch."""
    put_all(connection, _ADD_BATCH, BATCH_TYPES, [row])


def add_lines(
    connection: Connection,
    new: Sequence[LineRow],
    bodies: Sequence[BodyRow],
    errors: Sequence[BodyRow],
) -> None:
    """Append lines with the bodies of their requests, and of the results of those that have ended
    already."""
    put_all(connection, _ADD_LINES, LINE_TYPES, new)
    put_all(connection, _ADD_REQUESTS, BODY_TYPES, bodies)
    put_all(connection, _ADD_RESULTS, BODY_TYPES, errors)


def twice(connection: Connection, batch: str) -> str | None:
    """A custom id that two lines of the batch have."""
    query = (
        select(lines.c.custom_id)
        .where(lines.c.batch == batch)
        .group_by(lines.c.custom_id)
        .having(func.count() > 1)
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()


def open_batch(connection: Connection, row: BatchRow, move: tuple[str, str]) -> None:
    """The batch is whole: it becomes `row`, and its lines make the `move`."""
    connection.execute(
        update(lines).where(lines.c.batch == row.id, lines.c.state == move[0]).values(state=move[1])
    )
    connection.execute(update(batches).where(batches.c.id == row.id).values(**row._asdict()))


def hide_batch(connection: Connection, batch: str) -> None:
    """Nobody is to see it any more; it is deleted later."""
    connection.execute(update(batches).where(batches.c.id == batch).values(state="deleted"))


def remove_batch(connection: Connection, batch: str) -> None:
    """Delete all of it."""
    for table in (results, requests, lines):
        connection.execute(delete(table).where(table.c.batch == batch))
    connection.execute(delete(batches).where(batches.c.id == batch))


# -- reading


def find_batch(connection: Connection, batch: str, key: str | None) -> BatchRow | None:
    """An acknowledged batch; with `key` only if it is that key's."""
    query = select(batches).where(batches.c.id == batch, batches.c.state.not_in(_UNSEEN))
    if key is not None:
        query = query.where(batches.c.key == key)
    row = connection.execute(query).one_or_none()
    return None if row is None else BatchRow(*row)


def lock_batches(connection: Connection, ids: Sequence[str]) -> dict[str, BatchRow]:
    """Batches by id, which nobody else changes before this transaction ends."""
    query = select(batches).where(batches.c.id.in_(ids)).order_by(batches.c.id).with_for_update()
    return {row[0]: BatchRow(*row) for row in connection.execute(query)}


def list_batches(
    connection: Connection, key: str, dialect: str, kind: str, before: BatchRow | None, limit: int
) -> list[BatchRow]:
    """A key's batches, newest first, from after `before` on; "" of dialect or kind: any."""
    query = select(batches).where(batches.c.key == key, batches.c.state.not_in(_UNSEEN))
    if dialect:
        query = query.where(batches.c.dialect == dialect)
    if kind:
        query = query.where(batches.c.kind == kind)
    if before is not None:
        order = tuple_(batches.c.created_at, batches.c.id)
        query = query.where(order < tuple_(before.created_at, before.id))
    query = query.order_by(batches.c.created_at.desc(), batches.c.id.desc()).limit(limit)
    return [BatchRow(*row) for row in connection.execute(query)]


def ended_lines(
    connection: Connection, batch: str, after: int, limit: int
) -> list[tuple[LineRow, bytes]]:
    """Lines that have ended, in the order of their places from behind `after` on, with the bodies
    of their results."""
    query = (
        select(lines, results.c.body)
        .outerjoin(results, (results.c.batch == lines.c.batch) & (results.c.place == lines.c.place))
        .where(lines.c.batch == batch, lines.c.place > after)
        .where(lines.c.state.in_(("answered", "failed", "cancelled")))
        .order_by(lines.c.place)
        .limit(limit)
    )
    return [(LineRow(*row[:-1]), bytes(row[-1] or b"")) for row in connection.execute(query)]


def request_bodies(connection: Connection, batch: str, places: Sequence[int]) -> dict[int, bytes]:
    """The bodies of requests, by place."""
    found: dict[int, bytes] = {}
    for at in range(0, len(places), 500):
        query = select(requests.c.place, requests.c.body).where(
            requests.c.batch == batch, requests.c.place.in_(places[at : at + 500])
        )
        found.update((row[0], bytes(row[1])) for row in connection.execute(query))
    return found


def old_batches(connection: Connection, state: str, before: int, limit: int) -> list[str]:
    """Ids of batches of a state that were made before a moment."""
    query = select(batches.c.id).where(batches.c.state == state, batches.c.created_at < before)
    return list(connection.execute(query.order_by(batches.c.created_at).limit(limit)).scalars())


# -- ending


def add_results(connection: Connection, bodies: Sequence[BodyRow]) -> None:
    """Store the bodies of results."""
    put_all(connection, _ADD_RESULTS, BODY_TYPES, bodies)


_COUNTED = (
    "id", "state", "answered", "failed", "cancelled", "late", "cost", "baseline", "ended_at",
)  # fmt: skip
_COUNTED_TYPES = {name: BATCH_TYPES[name] for name in _COUNTED}
_COUNT_POSTGRESQL = (
    f"UPDATE batches SET {', '.join(f'{name} = v.{name}' for name in _COUNTED[1:])} "
    f"FROM ({{values}}) AS v({', '.join(_COUNTED)}) WHERE batches.id = v.id"
)
_COUNT_SQLITE = (
    f"UPDATE batches SET {', '.join(f'{name} = ?' for name in _COUNTED[1:])} WHERE id = ?"
)


def count_ended(
    connection: Connection, gains: Sequence[tuple[BatchRow, Count]], now: int
) -> list[BatchRow]:
    """Add to batches that this transaction has locked; each ends with its last line."""
    rows = [_counted(batch, gain, now) for batch, gain in gains]
    values = [tuple(getattr(row, name) for name in _COUNTED) for row in rows]
    if connection.dialect.name == "postgresql":
        put_all(connection, _COUNT_POSTGRESQL, _COUNTED_TYPES, values)
    elif values:
        connection.exec_driver_sql(_COUNT_SQLITE, [(*value[1:], value[0]) for value in values])
    return rows


def _counted(batch: BatchRow, gain: Count, now: int) -> BatchRow:
    row = batch._replace(
        answered=batch.answered + gain.answered,
        failed=batch.failed + gain.failed,
        cancelled=batch.cancelled + gain.cancelled,
        late=batch.late + gain.late,
        cost=min(MOST, batch.cost + gain.cost),
        baseline=min(MOST, batch.baseline + gain.baseline),
    )
    if (
        row.state in ("open", "cancelling")
        and row.answered + row.failed + row.cancelled >= row.total
    ):
        row = row._replace(state="ended", ended_at=now)
    return row


def begin_cancelling(connection: Connection, batch: BatchRow, now: int) -> BatchRow:
    """The caller of a batch, which this transaction has locked, does not want the rest of it."""
    row = batch._replace(state="cancelling", cancelled_at=now)
    connection.execute(update(batches).where(batches.c.id == row.id).values(**row._asdict()))
    return row
