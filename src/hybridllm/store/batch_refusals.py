"""Writing and reading batches that could not be taken. Every function works within the transaction
that it is given."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from hybridllm.store.schema import batch_refusals as refusals


class Refusal(NamedTuple):
    """`at` is Unix microseconds; `document` is JSON, as its caller is shown it."""

    id: str
    key: str
    at: int
    document: str


def add_refusal(connection: Connection, refusal: Refusal, oldest: int) -> None:
    """Keep it, and forget those from before `oldest`."""
    connection.execute(delete(refusals).where(refusals.c.at < oldest))
    connection.execute(insert(refusals).values(**refusal._asdict()))


def find_refusal(connection: Connection, id: str, key: str) -> Refusal | None:
    """One of a key's."""
    row = connection.execute(
        select(refusals).where(refusals.c.id == id, refusals.c.key == key)
    ).one_or_none()
    return None if row is None else Refusal(*row)


def refusals_before(connection: Connection, key: str, at: int | None, limit: int) -> list[Refusal]:
    """A key's, from before `at` (None: now), the newest first."""
    query = select(refusals).where(refusals.c.key == key)
    if at is not None:
        query = query.where(refusals.c.at < at)
    query = query.order_by(refusals.c.at.desc()).limit(limit)
    return [Refusal(*row) for row in connection.execute(query)]
