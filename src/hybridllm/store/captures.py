"""Requests of production that are kept with their answers. Every function works within the
transaction it is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, func, select

from hybridllm.store.schema import captures
from hybridllm.store.upserts import upsert

_PAGE = 200
_COLUMNS = tuple(captures.c.keys())


class CaptureRow(NamedTuple):
    """A row of `captures`, which says what the fields are; `size` is its `bytes`."""

    request_id: str
    task: str
    model: str
    at: int
    expires_at: int
    size: int
    body: bytes


class CaptureCount(NamedTuple):
    """What is kept of a task's requests that a model answered: how many, whole bytes before
    compression, the oldest and the newest (Unix microseconds)."""

    task: str
    model: str
    n: int
    size: int
    oldest: int
    newest: int


def add_captures(
    connection: Connection, rows: Iterable[CaptureRow], keep: Mapping[str, int], now: int
) -> int:
    """Keep these, the first of a request; how many are new. Then what has expired at `now` goes,
    and of each task in `keep` whatever is older than the newest so many."""
    made = [dict(zip(_COLUMNS, row, strict=True)) for row in sorted(rows)]
    added = 0
    if made:
        statement = upsert(connection, captures).on_conflict_do_nothing()
        new = connection.execute(statement.returning(captures.c.request_id), made)
        added = len(new.all())
    delete_captures(connection, expired_at=now)
    for task in sorted(keep):
        _trim(connection, task, keep[task])
    return added


def _trim(connection: Connection, task: str, keep: int) -> None:
    c = captures.c
    newest = select(c.at, c.request_id).where(c.task == task)
    edge = connection.execute(
        newest.order_by(c.at.desc(), c.request_id.desc()).offset(keep).limit(1)
    ).one_or_none()
    if edge is not None:
        older = (c.at < edge.at) | ((c.at == edge.at) & (c.request_id <= edge.request_id))
        connection.execute(delete(captures).where(c.task == task, older))


def delete_captures(
    connection: Connection,
    *,
    task: str | None = None,
    before: int | None = None,
    expired_at: int | None = None,
) -> int:
    """Delete what fits all that is given (of a task, made before, expired at); how many those
    were."""
    statement = delete(captures).where(*_fitting(task))
    if before is not None:
        statement = statement.where(captures.c.at < before)
    if expired_at is not None:
        statement = statement.where(captures.c.expires_at <= expired_at)
    return connection.execute(statement).rowcount


def count_captures(
    connection: Connection, now: int, *, task: str | None = None
) -> list[CaptureCount]:
    """By task and model, without what has expired at `now`."""
    c = captures.c
    rows = connection.execute(
        select(c.task, c.model, func.count(), func.sum(c.bytes), func.min(c.at), func.max(c.at))
        .where(c.expires_at > now, *_fitting(task))
        .group_by(c.task, c.model)
        .order_by(c.task, c.model)
    )
    return [CaptureCount(row[0], row[1], *map(int, row[2:])) for row in rows]


def read_captures(
    connection: Connection, now: int, *, task: str | None = None, limit: int | None = None
) -> Iterator[CaptureRow]:
    """The newest first, without what has expired at `now`; read a page at a time."""
    c = captures.c
    ordered = select(captures).order_by(c.at.desc(), c.request_id.desc())
    left = limit
    last: CaptureRow | None = None
    while left is None or left > 0:
        page = ordered.where(c.expires_at > now, *_fitting(task))
        if last is not None:
            after = (c.at < last.at) | ((c.at == last.at) & (c.request_id < last.request_id))
            page = page.where(after)
        rows = connection.execute(page.limit(_PAGE if left is None else min(left, _PAGE))).all()
        for row in rows:
            last = CaptureRow(*row)
            yield last
        if not rows:
            return
        if left is not None:
            left -= len(rows)


def find_capture(connection: Connection, request_id: str, now: int) -> CaptureRow | None:
    """What is kept of a request, unless it has expired at `now`."""
    c = captures.c
    found = connection.execute(
        select(captures).where(c.request_id == request_id, c.expires_at > now)
    ).one_or_none()
    return None if found is None else CaptureRow(*found)


def _fitting(task: str | None) -> list[ColumnElement[bool]]:
    return [] if task is None else [captures.c.task == task]
