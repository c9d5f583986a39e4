"""Writing and reading rows. Every function works within the transaction that it is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, select, text, update

from hybridllm.store.schema import (
    HOURLY_KEYS,
    HOURLY_SUMS,
    attempts,
    calibrations,
    hourly,
    loaded,
)
from hybridllm.store.upserts import upsert

ATTEMPT_COLUMNS = tuple(column.name for column in attempts.columns)
_IDS_A_QUERY = 500

_NAMES = ", ".join(f'"{name}"' for name in ATTEMPT_COLUMNS)
_INSERT_SQLITE = (
    f"INSERT INTO attempts ({_NAMES}) VALUES ({', '.join('?' for _ in ATTEMPT_COLUMNS)})"
)
_INSERT_POSTGRESQL = text(
    f"INSERT INTO attempts ({_NAMES}) "
    f"SELECT {_NAMES} FROM json_populate_recordset(NULL::attempts, CAST(:rows AS json))"
)

Values = tuple[Any, ...]


class Position(NamedTuple):
    """A place in a run's journal: after `bytes` bytes of segment `segment`."""

    segment: int
    bytes: int


class Overtaken(Exception):
    """Another loader has moved this run's position: nothing of this transaction may stay."""


# -- how far a run is loaded


def position(connection: Connection, run: str) -> tuple[Position | None, bool]:
    """(position, finished) of a run; None: nothing of it has been loaded."""
    row = connection.execute(
        select(loaded.c.segment, loaded.c.bytes, loaded.c.finished).where(loaded.c.run == run)
    ).one_or_none()
    return (None, False) if row is None else (Position(row[0], row[1]), bool(row[2]))


def advance(
    connection: Connection, run: str, old: Position | None, new: Position, *, finished: bool
) -> None:
    """Move a run's position from `old` to `new`. Raises Overtaken if it is not at `old`.

    Comparing and setting is one statement, so that of two loaders one waits and then fails, also
    when the other's process has died with its commit still on the way.
    """
    values = {"segment": new.segment, "bytes": new.bytes, "finished": finished}
    if old is None:
        result = connection.execute(
            upsert(connection, loaded).values(run=run, **values).on_conflict_do_nothing()
        )
    else:
        result = connection.execute(
            update(loaded)
            .where(loaded.c.run == run, loaded.c.segment == old.segment)
            .where(loaded.c.bytes == old.bytes, loaded.c.finished.is_(False))
            .values(**values)
        )
    if result.rowcount != 1:
        raise Overtaken(run)


def forget(connection: Connection, run: str) -> None:
    """Drop the position of a finished run whose journal is gone."""
    connection.execute(delete(loaded).where(loaded.c.run == run))


# -- attempts


def insert_attempts(connection: Connection, rows: Sequence[Values]) -> None:
    """Insert rows, each the values of ATTEMPT_COLUMNS in order. Raises IntegrityError if one is
    there already.

    Past SQLAlchemy's own executemany: on SQLite it triples the time, and with pg8000 it is a
    round trip a row where one statement over a JSON array does.
    """
    if connection.dialect.name != "postgresql":
        connection.exec_driver_sql(_INSERT_SQLITE, list(rows))
        return
    data = msgspec.json.encode([dict(zip(ATTEMPT_COLUMNS, row, strict=True)) for row in rows])
    if b"\\u0000" in data:  # PostgreSQL's text cannot hold NUL
        data = msgspec.json.encode(
            [dict(zip(ATTEMPT_COLUMNS, map(_without_nul, row), strict=True)) for row in rows]
        )
    connection.execute(_INSERT_POSTGRESQL, {"rows": data.decode()})


def _without_nul(value: Any) -> Any:
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def known_attempts(connection: Connection, request_ids: Iterable[str]) -> set[tuple[str, int]]:
    """(request_id, attempt) of the rows that these requests have already."""
    return {(request, attempt) for request, attempt, _ in _of_requests(connection, request_ids)}


def first_models(connection: Connection, request_ids: Iterable[str]) -> dict[str, str]:
    """The model of each request's attempt 1, where that is loaded."""
    found = _of_requests(connection, request_ids)
    return {request: model for request, attempt, model in found if attempt == 1}


def _of_requests(
    connection: Connection, request_ids: Iterable[str]
) -> Iterator[tuple[str, int, str]]:
    ids = iter(sorted(set(request_ids)))
    columns = select(attempts.c.request_id, attempts.c.attempt, attempts.c.model)
    while some := list(islice(ids, _IDS_A_QUERY)):
        for row in connection.execute(columns.where(attempts.c.request_id.in_(some))):
            yield row[0], row[1], row[2]


def find_attempts(connection: Connection, request_id: str) -> list[dict[str, Any]]:
    """A request's rows by column name, in the order of its attempts."""
    rows = connection.execute(
        select(attempts).where(attempts.c.request_id == request_id).order_by(attempts.c.attempt)
    )
    return [dict(row) for row in rows.mappings()]


# -- hourly sums


def add_hourly(connection: Connection, sums: Iterable[Mapping[str, Any]]) -> None:
    """Add to the hours: each mapping has HOURLY_KEYS and, to be added, HOURLY_SUMS.

    Written in the order of the keys, so that two writers never wait for each other's rows.
    """
    ordered = sorted(sums, key=lambda row: tuple(row[name] for name in HOURLY_KEYS))
    if not ordered:
        return
    statement = upsert(connection, hourly)
    added = {name: hourly.c[name] + statement.excluded[name] for name in HOURLY_SUMS}
    connection.execute(
        statement.on_conflict_do_update(index_elements=HOURLY_KEYS, set_=added), ordered
    )


# -- calibrations


def read_calibrations(connection: Connection, *, lock: bool = False) -> list[dict[str, Any]]:
    """All rows by column name. With `lock` no other writer can change one before this transaction
    ends."""
    statement = select(calibrations).order_by(calibrations.c.model, calibrations.c.kind)
    if lock:
        statement = statement.with_for_update()
    return [dict(row) for row in connection.execute(statement).mappings()]


def put_calibrations(connection: Connection, changed: Iterable[Mapping[str, Any]]) -> None:
    """Insert or replace rows, each by column name; in the order of their keys, as `add_hourly`."""
    ordered = sorted(changed, key=lambda row: (row["model"], row["kind"]))
    if not ordered:
        return
    statement = upsert(connection, calibrations)
    learned = {
        column.name: statement.excluded[column.name]
        for column in calibrations.c
        if not column.primary_key
    }
    connection.execute(
        statement.on_conflict_do_update(index_elements=["model", "kind"], set_=learned), ordered
    )
