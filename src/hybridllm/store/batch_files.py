"""Writing and reading the files of batches. Every function works within the transaction that it is
given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, insert, select, tuple_, update

from hybridllm.store.schema import batch_file_chunks as chunks
from hybridllm.store.schema import batch_files as files
from hybridllm.store.upserts import upsert


class FileRow(NamedTuple):
    """A row of `batch_files`, which says what the fields are."""

    id: str
    key: str
    purpose: str
    filename: str
    state: str
    batch: str
    bytes: int
    created_at: int
    expires_at: int


def add_file(connection: Connection, row: FileRow) -> bool:
    """Insert it; whether it was new."""
    statement = upsert(connection, files).values(**row._asdict()).on_conflict_do_nothing()
    return connection.execute(statement).rowcount == 1


def add_chunks(connection: Connection, file: str, place: int, data: Sequence[bytes]) -> None:
    """Append pieces from `place` on."""
    connection.execute(
        insert(chunks),
        [{"file": file, "place": place + n, "data": piece} for n, piece in enumerate(data)],
    )


def complete(connection: Connection, row: FileRow) -> bool:
    """An upload is whole: it becomes `row`. False where it is gone."""
    found = connection.execute(
        update(files)
        .where(files.c.id == row.id, files.c.state == "uploading")
        .values(**row._asdict())
    )
    return found.rowcount == 1


def measured(connection: Connection, file: str, size: int) -> None:
    """The size of a derived file's content is known."""
    connection.execute(update(files).where(files.c.id == file).values(bytes=size))


def find_file(connection: Connection, file: str, key: str, now: int) -> FileRow | None:
    """A file that can be seen by its key's holder."""
    row = connection.execute(
        select(files).where(files.c.id == file, files.c.key == key, *_seen(now))
    ).one_or_none()
    return None if row is None else FileRow(*row)


def list_files(
    connection: Connection,
    key: str,
    now: int,
    *,
    purpose: str = "",
    after: FileRow | None = None,
    newest_first: bool = True,
    limit: int,
) -> list[FileRow]:
    """Those of a key, by their time, from after `after` on."""
    order = tuple_(files.c.created_at, files.c.id)
    query = select(files).where(files.c.key == key, *_seen(now))
    if purpose:
        query = query.where(files.c.purpose == purpose)
    if after is not None:
        at = tuple_(after.created_at, after.id)
        query = query.where(order < at if newest_first else order > at)
    columns = (files.c.created_at, files.c.id)
    query = query.order_by(*(c.desc() if newest_first else c.asc() for c in columns)).limit(limit)
    return [FileRow(*row) for row in connection.execute(query)]


def read_chunks(connection: Connection, file: str, place: int, count: int) -> list[bytes]:
    """Up to `count` pieces from `place` on."""
    rows = connection.execute(
        select(chunks.c.data)
        .where(chunks.c.file == file, chunks.c.place >= place, chunks.c.place < place + count)
        .order_by(chunks.c.place)
    )
    return [bytes(row[0]) for row in rows]


def remove_file(connection: Connection, file: str, key: str, now: int) -> bool:
    """Delete it and its bytes; of a derived one a row stays, so that it does not come back."""
    row = find_file(connection, file, key, now)
    if row is None:
        return False
    if row.state == "derived":
        connection.execute(update(files).where(files.c.id == file).values(state="deleted"))
    else:
        _drop(connection, [file])
    return True


def sweep(connection: Connection, now: int, abandoned_before: int) -> int:
    """Delete what has expired and what nobody went on uploading; how many that were."""
    expired = select(files.c.id).where(files.c.expires_at > 0, files.c.expires_at <= now)
    abandoned = select(files.c.id).where(
        files.c.state == "uploading", files.c.created_at < abandoned_before
    )
    found = [row[0] for query in (expired, abandoned) for row in connection.execute(query)]
    _drop(connection, found)
    return len(found)


def drop_upload(connection: Connection, file: str) -> None:
    """An upload failed: nothing of it stays."""
    _drop(connection, [file])


def _drop(connection: Connection, found: Sequence[str]) -> None:
    for file in found:
        connection.execute(delete(chunks).where(chunks.c.file == file))
        connection.execute(delete(files).where(files.c.id == file))


def _seen(now: int) -> tuple[ColumnElement[bool], ...]:
    return (
        files.c.state.in_(("stored", "derived")),
        (files.c.expires_at == 0) | (files.c.expires_at > now),
    )
