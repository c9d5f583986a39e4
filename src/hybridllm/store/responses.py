"""Writing and reading kept answers. Every function works within the transaction it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, select

from hybridllm.store.schema import responses
from hybridllm.store.upserts import upsert


class ResponseRow(NamedTuple):
    """A row of `responses`, which says what the fields are."""

    digest: str
    created_at: int
    expires_at: int
    about: str
    body: bytes


def find_response(connection: Connection, digest: str, now: int) -> ResponseRow | None:
    """The answer that is kept of a request, unless it has expired at `now`."""
    found = connection.execute(
        select(responses).where(responses.c.digest == digest, responses.c.expires_at > now)
    ).one_or_none()
    return None if found is None else ResponseRow(*found)


def put_responses(connection: Connection, rows: Sequence[ResponseRow]) -> None:
    """Keep these answers; of two to one request the newer. In the order of their keys, so that two
    writers never wait for each other's rows."""
    newest = {row.digest: row for row in sorted(rows, key=lambda row: row.created_at)}
    if not newest:
        return
    statement = upsert(connection, responses)
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["digest"],
            set_={name: new[name] for name in ResponseRow._fields[1:]},
            where=responses.c.created_at < new.created_at,
        ),
        [newest[digest]._asdict() for digest in sorted(newest)],
    )


def delete_expired(connection: Connection, now: int) -> int:
    """Delete what has expired at `now`; how many rows that was."""
    return connection.execute(delete(responses).where(responses.c.expires_at <= now)).rowcount
