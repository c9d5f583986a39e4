"""Files of batches: whole or not there, their holder's alone, and never whole in memory."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybridllm.batching.database import Database
from hybridllm.batching.files import CHUNK_BYTES, File, Files
from hybridllm.errors import ErrorKind, RequestError
from hybridllm.store import open_store, writing
from hybridllm.store.schema import batch_file_chunks, batch_files

on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
"""For what no database can do otherwise than another."""
LIMIT = 64 * 1024 * 1024


@pytest_asyncio.fixture
async def files(store_url: str) -> AsyncIterator[Files]:
    database = Database(store_url)
    yield Files(database)
    await database.close()


async def put(files: Files, data: bytes, key: str = "mine", *, piece: int = 100_000) -> File:
    upload = await files.upload(key, "input.jsonl", LIMIT)
    for at in range(0, len(data), piece):
        await upload.write(data[at : at + piece])
    return await upload.finish("batch")


async def content(files: Files, id: str) -> bytes:
    return b"".join([piece async for piece in files.chunks(id)])


@pytest.mark.parametrize("size", [0, CHUNK_BYTES, 9 * CHUNK_BYTES + 7])
async def test_what_was_uploaded_is_read_again(files: Files, size: int) -> None:
    data = bytes(n % 251 for n in range(size))
    file = await put(files, data)
    assert (file.bytes, file.purpose, file.filename) == (size, "batch", "input.jsonl")
    assert await content(files, file.id) == data
    assert await files.file(file.id, "mine") == file


@on_sqlite
async def test_another_process_sees_the_same_files(files: Files, store_url: str) -> None:
    file = await put(files, b"data")
    database = Database(store_url)
    other = Files(database)
    assert await other.file(file.id, "mine") == file
    assert await content(other, file.id) == b"data"
    await database.close()


async def test_a_file_is_its_holders_alone(files: Files) -> None:
    file = await put(files, b"data")
    assert await files.file(file.id, "yours") is None
    assert await files.files("yours") == []
    assert not await files.delete(file.id, "yours")
    with pytest.raises(RequestError, match="No File found"):
        await files.files("yours", after=file.id)
    assert await files.file(file.id, "mine") == file


async def test_a_deleted_file_leaves_no_byte_behind(files: Files, store_url: str) -> None:
    file = await put(files, b"data")
    assert await files.delete(file.id, "mine")
    assert not await files.delete(file.id, "mine")
    assert await files.file(file.id, "mine") is None
    assert counts(store_url) == (0, 0)


@on_sqlite
async def test_an_upload_is_seen_only_when_it_is_whole(files: Files, store_url: str) -> None:
    upload = await files.upload("mine", "a", LIMIT)
    await upload.write(b"x" * 5 * CHUNK_BYTES)
    assert await files.files("mine") == []
    await upload.abort()
    assert counts(store_url) == (0, 0)


@on_sqlite
async def test_too_large_a_file_is_refused(files: Files) -> None:
    upload = await files.upload("mine", "a", 10)
    await upload.write(b"x" * 10)
    with pytest.raises(RequestError, match="larger than 10 bytes") as raised:
        await upload.write(b"x")
    assert raised.value.kind == ErrorKind.TOO_LARGE


async def test_an_expired_file_is_gone(files: Files, store_url: str) -> None:
    upload = await files.upload("mine", "a", LIMIT)
    await upload.write(b"x")
    file = await upload.finish("batch", seconds=1)
    assert file.expires_at == file.created_at + 1_000_000
    engine = open_store(store_url)
    with writing(engine) as connection:
        connection.execute(batch_files.update().values(expires_at=1))
    engine.dispose()
    assert await files.file(file.id, "mine") is None
    await (await files.upload("mine", "b", LIMIT)).abort()  # sweeps
    assert counts(store_url) == (0, 0)


async def test_files_are_listed_page_by_page(files: Files) -> None:
    ids = [(await put(files, b"x")).id for _ in range(5)]
    assert [file.id for file in await files.files("mine")] == ids[::-1]
    assert [file.id for file in await files.files("mine", order="asc", limit=2)] == ids[:2]
    rest = await files.files("mine", order="asc", after=ids[1])
    assert [file.id for file in rest] == ids[2:]
    assert [file.id for file in await files.files("mine", after=ids[2])] == ids[1::-1]
    assert await files.files("mine", purpose="batch_output") == []


async def test_a_derived_file_does_not_come_back_when_it_was_deleted(files: Files) -> None:
    for _ in range(2):
        await files.derive("file-out", "mine", "out.jsonl", "batch_output", "batch_1", 5)
    file = await files.file("file-out", "mine")
    assert file is not None and (file.bytes, file.batch) == (-1, "batch_1")
    await files.measured("file-out", 17)
    assert [file.bytes for file in await files.files("mine")] == [17]
    assert await files.delete("file-out", "mine")
    await files.derive("file-out", "mine", "out.jsonl", "batch_output", "batch_1", 5)
    assert await files.file("file-out", "mine") is None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b" ")), max_size=30))
def test_every_line_is_read_with_its_number(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    async def run() -> list[tuple[int, bytes]]:
        database = Database(f"sqlite:///{tmp_path_factory.getbasetemp() / 'lines.db'}")
        files = Files(database)
        file = await put(files, b"\n".join(lines))
        found = [line async for group in files.lines(file.id) for line in group]
        await files.delete(file.id, "mine")
        await database.close()
        return found

    expected = [(n, line.strip()) for n, line in enumerate(lines, 1) if line.strip()]
    assert asyncio.run(run()) == expected


@on_sqlite
async def test_lines_go_over_the_ends_of_chunks(files: Files) -> None:
    lines = [bytes([65 + n % 26]) * (n * 991 % 5_000 + 1) for n in range(600)]
    lines[100] = b"long" * CHUNK_BYTES
    file = await put(files, b"\r\n".join(lines))
    found = [line async for group in files.lines(file.id) for line in group]
    assert found == list(enumerate(lines, 1))


async def test_a_large_file_is_never_whole_in_memory(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'ledger.db'}")
    files = Files(database)
    await (await files.upload("mine", "a", LIMIT)).abort()
    tracemalloc.start()
    upload = await files.upload("mine", "a", LIMIT)
    line = b"x" * 999 + b"\n"
    for _ in range(400):
        await upload.write(line * 100)
    file = await upload.finish("batch")
    count = 0
    async for group in files.lines(file.id):
        count += len(group)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    await database.close()
    assert (file.bytes, count) == (40_000_000, 40_000)
    assert peak < 10_000_000


def counts(store_url: str) -> tuple[int, int]:
    """Rows of files and of chunks."""
    engine = open_store(store_url)
    with engine.connect() as connection:
        found = [
            len(connection.execute(t.select()).all()) for t in (batch_files, batch_file_chunks)
        ]
    engine.dispose()
    return found[0], found[1]
