"""The files of batches: uploaded in pieces, kept in the store, read in pieces.

Every process that opens the same store sees the same files. A file belongs to the key that brought
it; to any other it does not exist. No file is ever whole in memory.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from secrets import token_hex
from threading import Lock
from typing import Literal, Protocol, TypeVar

from msgspec import Struct
from sqlalchemy import Engine

from hybridllm.errors import ErrorKind, HybridError, RequestError
from hybridllm.store import batch_files as sql
from hybridllm.store import open_store, writing
from hybridllm.store.batch_files import FileRow

T = TypeVar("T")

CHUNK_BYTES = 262_144
_GROUP = 4  # chunks read, or written, in one turn in a thread
_DAY_US = 86_400 * 1_000_000
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
    """The files in one store. Opened at the first use, so that a database that is down holds
    nothing else up. All methods raise HybridError(UNAVAILABLE) where the store cannot be reached.
    """

    def __init__(self, store_url: str) -> None:
        self._url = store_url
        self._opened: Engine | None = None
        self._opening = Lock()

    async def close(self) -> None:
        """Close the connections to the store."""
        engine, self._opened = self._opened, None
        if engine is not None:
            await asyncio.to_thread(engine.dispose)

    async def upload(self, key: str, filename: str, limit: int) -> Upload:
        """Begin a file of at most `limit` bytes. Also sweeps away what has expired."""
        now = _now()
        row = FileRow(f"file-{token_hex(12)}", key, "", filename, "uploading", "", 0, now, 0)

        def begin(engine: Engine) -> None:
            with writing(engine) as connection:
                sql.sweep(connection, now, now - _DAY_US)
                sql.add_file(connection, row)

        await self._work(begin)
        return Upload(self._work, row, limit)

    async def derive(self, file: str, key: str, purpose: str, batch: str, created_at: int) -> None:
        """Make known a file whose content will be made of `batch`'s results. One that is known
        already, or was deleted, stays as it is."""
        row = FileRow(file, key, purpose, f"{batch}_{purpose}.jsonl", "derived", batch, -1,
                      created_at, 0)  # fmt: skip

        def add(engine: Engine) -> None:
            with engine.connect() as connection:
                known = sql.find_file(connection, file, key, _now())
            if known is None:
                with writing(engine) as connection:
                    sql.add_file(connection, row)

        await self._work(add)

    async def file(self, id: str, key: str) -> File | None:
        """One of `key`'s files."""

        def find(engine: Engine) -> FileRow | None:
            with engine.connect() as connection:
                return sql.find_file(connection, id, key, _now())

        row = await self._work(find)
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

        def read(engine: Engine) -> list[FileRow]:
            with engine.connect() as connection:
                last = sql.find_file(connection, after, key, _now()) if after else None
                if after and last is None:
                    raise RequestError(
                        f"No such File object: {after[:100]}",
                        kind=ErrorKind.NOT_FOUND,
                        field="after",
                    )
                return sql.list_files(
                    connection,
                    key,
                    _now(),
                    purpose=purpose,
                    after=last,
                    newest_first=order == "desc",
                    limit=limit,
                )

        return [_file(row) for row in await self._work(read)]

    async def measured(self, id: str, size: int) -> None:
        """The content of a derived file has `size` bytes."""

        def note(engine: Engine) -> None:
            with writing(engine) as connection:
                sql.measured(connection, id, size)

        await self._work(note)

    async def delete(self, id: str, key: str) -> bool:
        """Delete one of `key`'s files for good; whether there was one."""

        def remove(engine: Engine) -> bool:
            with writing(engine) as connection:
                return sql.remove_file(connection, id, key, _now())

        return await self._work(remove)

    async def chunks(self, id: str) -> AsyncIterator[bytes]:
        """The bytes of an uploaded file."""
        place = 0

        def read(engine: Engine) -> list[bytes]:
            with engine.connect() as connection:
                return sql.read_chunks(connection, id, place, _GROUP)

        while found := await self._work(read):
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

    async def _work(self, work: Callable[[Engine], T]) -> T:
        return await asyncio.to_thread(self._with_engine, work)

    def _with_engine(self, work: Callable[[Engine], T]) -> T:
        with self._opening:
            if self._opened is None:
                self._opened = open_store(self._url)
            engine = self._opened
        return work(engine)


class Worker(Protocol):
    """Runs a function with the store's engine in a thread."""

    async def __call__(self, work: Callable[[Engine], T], /) -> T: ...


class Upload:
    """A file that is arriving. End it with `finish` or `abort`."""

    def __init__(self, work: Worker, row: FileRow, limit: int) -> None:
        self.size = 0
        self._work = work
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

        def complete(engine: Engine) -> bool:
            with writing(engine) as connection:
                return sql.complete(connection, row)

        if not await self._work(complete):
            raise _NO_FILE
        return _file(row)

    async def abort(self) -> None:
        """Leave nothing of it behind. Never raises: what cannot be deleted now is swept later."""

        def drop(engine: Engine) -> None:
            with writing(engine) as connection:
                sql.drop_upload(connection, self._row.id)

        with suppress(Exception):
            await self._work(drop)

    async def _flush(self, size: int) -> None:
        if not size:
            return
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        pieces = [data[at : at + CHUNK_BYTES] for at in range(0, size, CHUNK_BYTES)]
        place = self._place

        def add(engine: Engine) -> None:
            with writing(engine) as connection:
                sql.add_chunks(connection, self._row.id, place, pieces)

        await self._work(add)
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
