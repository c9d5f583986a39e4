"""The files of batches: uploaded in pieces, kept in the store, read in pieces.

Every process that opens the same store sees the same files. A file belongs to the key that brought
it; to any other it does not exist. No file is ever whole in memory.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from secrets import token_hex
from typing import Literal

from msgspec import Struct
from sqlalchemy import Connection

from hybridllm.batching.database import Database
from hybridllm.errors import ErrorKind, HybridError, RequestError
from hybridllm.store import batch_files as sql
from hybridllm.store.batch_files import FileRow

CHUNK_BYTES = 262_144
_GROUP = 4  # chunks read, or written, in one turn in a thread
_DAY_US = 86_400 * 1_000_000
_MOST_KNOWN = 10_000
_NO_FILE = HybridError("The file's upload was given up.", kind=ErrorKind.NOT_FOUND)

Lines = list[tuple[int, bytes]]
"""Lines with their numbers from 1, without their ends; empty ones are left out."""


class File(Struct, frozen=True, kw_only=True):
    """A file as it stands. Times are Unix microseconds; `expires_at` 0: never. `batch` is the
    batch of whose results its content is made, "" for an uploaded one; `bytes` is -1 for such a
    file until `measured` has told its size."""

    id: str
    key: str
    purpose: str
    filename: str
    bytes: int
    created_at: int
    expires_at: int = 0
    batch: str = ""


class Files:
    """The files in one store. All methods raise HybridError(UNAVAILABLE) where it cannot be
    reached."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._derived: set[str] = set()

    async def upload(self, key: str, filename: str, limit: int) -> Upload:
        """Begin a file of at most `limit` bytes. Also sweeps away what has expired."""
        now = _now()
        row = FileRow(f"file-{token_hex(12)}", key, "", filename, "uploading", "", 0, now, 0)

        def begin(connection: Connection) -> None:
            sql.sweep(connection, now, now - _DAY_US)
            sql.add_file(connection, row)

        await self._database.write(begin)
        return Upload(self._database, row, limit)

    async def derive(
        self, file: str, key: str, filename: str, purpose: str, batch: str, created_at: int
    ) -> None:
        """Make known a file whose content will be made of `batch`'s results. One that is known
        already, or was deleted, stays as it is."""
        if file in self._derived:
            return
        row = FileRow(file, key, purpose, filename, "derived", batch, -1, created_at, 0)
        await self._database.write(partial(sql.add_file, row=row))
        if len(self._derived) >= _MOST_KNOWN:
            self._derived.clear()
        self._derived.add(file)

    async def file(self, id: str, key: str) -> File | None:
        """One of `key`'s files."""
        row = await self._database.read(partial(sql.find_file, file=id, key=key, now=_now()))
        return None if row is None else _file(row)

    async def files(
        self,
        key: str,
        *,
        purpose: str = "",
        after: str = "",
        order: Literal["asc", "desc"] = "desc",
        limit: int = 100,
    ) -> list[File]:
        """`key`'s files by their time, from behind the file `after` on. Raises RequestError
        (NOT_FOUND) where there is no such file."""
        now = _now()

        def read(connection: Connection) -> list[FileRow]:
            last = sql.find_file(connection, after, key, now) if after else None
            if after and last is None:
                raise RequestError(
                    f"No File found with id '{after[:100]}'.",
                    kind=ErrorKind.NOT_FOUND,
                    field="after",
                )
            newest_first = order == "desc"
            return sql.list_files(
                connection,
                key,
                now,
                purpose=purpose,
                after=last,
                newest_first=newest_first,
                limit=limit,
            )

        return [_file(row) for row in await self._database.read(read)]

    async def measured(self, id: str, size: int) -> None:
        """The content of a derived file has `size` bytes."""
        await self._database.write(partial(sql.measured, file=id, size=size))

    async def delete(self, id: str, key: str) -> bool:
        """Delete one of `key`'s files for good; whether there was one."""
        return await self._database.write(partial(sql.remove_file, file=id, key=key, now=_now()))

    async def chunks(self, id: str) -> AsyncIterator[bytes]:
        """The bytes of an uploaded file."""
        place = 0
        while found := await self._database.read(
            partial(sql.read_chunks, file=id, place=place, count=_GROUP)
        ):
            for piece in found:
                yield piece
            place += len(found)

    async def lines(self, id: str) -> AsyncIterator[Lines]:
        """The lines of an uploaded file, in groups of about a chunk. A last line needs no end."""
        begun: list[bytes] = []
        number = 1
        async for piece in self.chunks(id):
            first, *others = piece.split(b"\n")
            begun.append(first)
            if others:
                whole = [b"".join(begun), *others[:-1]]
                begun = [others[-1]]
                yield _numbered(whole, number)
                number += len(whole)
        yield _numbered([b"".join(begun)], number)


class Upload:
    """A file that is arriving. End it with `finish` or `abort`."""

    def __init__(self, database: Database, row: FileRow, limit: int) -> None:
        self.size = 0
        self._database = database
        self._row = row
        self._limit = limit
        self._buffer = bytearray()
        self._place = 0

    async def write(self, data: bytes) -> None:
        """More of it. Raises RequestError(TOO_LARGE) beyond the limit."""
        self.size += len(data)
        if self.size > self._limit:
            raise RequestError(
                f"The file is larger than {self._limit:,} bytes.",
                kind=ErrorKind.TOO_LARGE,
                field="file",
                remedy="Send several smaller ones, or raise batch.max_bytes in hybridllm.toml.",
            )
        self._buffer += data
        if len(self._buffer) >= _GROUP * CHUNK_BYTES:
            await self._flush(len(self._buffer) // CHUNK_BYTES * CHUNK_BYTES)

    async def finish(self, purpose: str, seconds: int = 0) -> File:
        """The file is whole; from now on it can be seen. It expires after `seconds`, 0: never."""
        await self._flush(len(self._buffer))
        now = _now()
        row = self._row._replace(
            purpose=purpose,
            state="stored",
            bytes=self.size,
            created_at=now,
            expires_at=now + seconds * 1_000_000 if seconds else 0,
        )

        if not await self._database.write(partial(sql.complete, row=row)):
            raise _NO_FILE
        return _file(row)

    async def abort(self) -> None:
        """Leave nothing of it behind. Never raises: what cannot be deleted now is swept later."""
        with suppress(Exception):
            await self._database.write(partial(sql.drop_upload, file=self._row.id))

    async def _flush(self, size: int) -> None:
        if not size:
            return
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        pieces = [data[at : at + CHUNK_BYTES] for at in range(0, size, CHUNK_BYTES)]
        await self._database.write(
            partial(sql.add_chunks, file=self._row.id, place=self._place, data=pieces)
        )
        self._place += len(pieces)


def _file(row: FileRow) -> File:
    values = row._asdict()
    del values["state"]
    return File(**values)


def _numbered(lines: list[bytes], first: int) -> Lines:
    found = ((n, line.strip()) for n, line in enumerate(lines, first))
    return [(n, line) for n, line in found if line]


def _now() -> int:
    return time.time_ns() // 1000
