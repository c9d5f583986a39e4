"""Answers that are kept: what was used last in memory, all in the store.

Memory is asked on the event loop, the store in threads of its own, so that no query of another's
holds up a request. An answer is in memory as soon as it is kept, and is written a little later, in
groups; a process that is killed in between has lost it, which costs one more call. Where the store
fails or is slow, it is left alone for some seconds: then providers answer, as ever.
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING

import msgspec

from hybridllm.config import ResponseCacheConfig
from hybridllm.engine.stored import About, Stored
from hybridllm.errors import HybridError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from hybridllm.store.responses import ResponseRow

_READERS = 4
_READ_SECONDS = 2.0
_OPEN_SECONDS = 5.0
_REST_SECONDS = 10.0
_CLEAN_SECONDS = 60.0
_MOST_WAITING = 1_000
Work = Callable[[], None]
_log = logging.getLogger("hybridllm.engine")
_about = msgspec.json.Decoder(About)


class ResponseCache:
    """One process's. `find` and `put` belong to one event loop; they neither raise nor wait longer
    than some seconds. Nothing is opened before it is needed, or `warm_up` is called."""

    def __init__(self, url: str, settings: ResponseCacheConfig) -> None:
        self._url = url
        self._most_entry = settings.max_entry_bytes
        self._most_memory = settings.memory_bytes
        self._held: OrderedDict[str, tuple[int, Stored]] = OrderedDict()
        self._size = 0
        self._readers = ThreadPoolExecutor(_READERS, "hybridllm-responses")
        self._writer = ThreadPoolExecutor(1, "hybridllm-responses-writer")
        self._guard = Lock()
        self._opening = Lock()
        self._engine: Engine | None = None
        self._waiting: list[tuple[str, int, Stored]] = []
        self._resting_until = 0.0
        self._cleaned_at = -_CLEAN_SECONDS

    def warm_up(self) -> None:
        """Open the store, in a thread: the first request does not have to."""
        self._later(self._clean)

    @property
    def max_entry_bytes(self) -> int:
        """An answer that is larger is not kept."""
        return self._most_entry

    async def find(self, digest: str, since: int) -> Stored | None:
        """The answer, if one is kept that was made after `since` (Unix microseconds)."""
        found = self._remembered(digest, since)
        if found is not None or time.monotonic() < self._resting_until:
            return found
        loop = asyncio.get_running_loop()
        try:
            opened = self._engine is not None
            async with asyncio.timeout(_READ_SECONDS if opened else _OPEN_SECONDS):
                read = await loop.run_in_executor(self._readers, self._read, digest)
        except TimeoutError:
            self._rest("it took too long to answer")
            return None
        except RuntimeError:  # closed
            return None
        if read is None:
            return None
        expires_at, stored = read
        self._remember(digest, expires_at, stored)
        return stored if stored.about.created_at >= since else None

    def put(self, digest: str, seconds: float, stored: Stored) -> None:
        """Keep it for so long."""
        if len(stored.body) > self._most_entry:
            return
        expires_at = stored.about.created_at + int(seconds * 1e6)
        self._remember(digest, expires_at, stored)
        with self._guard:
            if len(self._waiting) >= _MOST_WAITING:
                return
            self._waiting.append((digest, expires_at, stored))
            begun = len(self._waiting) > 1
        if not begun:
            self._later(self._write)

    def close(self) -> None:
        """Write what is left. Blocks."""
        self._readers.shutdown(wait=True, cancel_futures=True)
        self._writer.shutdown(wait=True)
        if self._engine is not None:
            self._engine.dispose()

    # -- memory

    def _remembered(self, digest: str, since: int) -> Stored | None:
        held = self._held.get(digest)
        if held is None:
            return None
        expires_at, stored = held
        if expires_at <= _now():
            self._forget(digest)
            return None
        self._held.move_to_end(digest)
        return stored if stored.about.created_at >= since else None

    def _remember(self, digest: str, expires_at: int, stored: Stored) -> None:
        self._forget(digest)
        self._held[digest] = (expires_at, stored)
        self._size += len(stored.body)
        while self._size > self._most_memory and self._held:
            self._forget(next(iter(self._held)))

    def _forget(self, digest: str) -> None:
        held = self._held.pop(digest, None)
        if held is not None:
            self._size -= len(held[1].body)

    # -- the store, in threads

    def _read(self, digest: str) -> tuple[int, Stored] | None:
        from sqlalchemy.exc import SQLAlchemyError

        from hybridllm.store.responses import find_response

        try:
            with self._opened().connect() as connection:
                row = find_response(connection, digest, _now())
        except (SQLAlchemyError, HybridError, OSError) as e:
            self._rest(type(e).__name__)
            return None
        if time.monotonic() - self._cleaned_at > _CLEAN_SECONDS:
            self._later(self._clean)
        return None if row is None else self._unpacked(row)

    def _unpacked(self, row: ResponseRow) -> tuple[int, Stored] | None:
        """None for a row that cannot be read: then it is as if there were none."""
        try:
            expand = zlib.decompressobj()
            body = expand.decompress(row.body, self._most_entry + 1)
            about = _about.decode(row.about)
        except (zlib.error, msgspec.DecodeError):
            return None
        if not expand.eof or len(body) > self._most_entry:
            return None
        return row.expires_at, Stored(about, body)

    def _write(self) -> None:
        from hybridllm.store import writing
        from hybridllm.store.responses import ResponseRow, put_responses

        with self._guard:
            waiting, self._waiting = self._waiting, []
        rows = [
            ResponseRow(
                digest,
                stored.about.created_at,
                expires_at,
                msgspec.json.encode(stored.about).decode(),
                zlib.compress(stored.body),
            )
            for digest, expires_at, stored in waiting
        ]
        with writing(self._opened()) as connection:
            put_responses(connection, rows)
        self._clean()

    def _clean(self) -> None:
        """Delete what has expired, once in a while."""
        from hybridllm.store import writing
        from hybridllm.store.responses import delete_expired

        if time.monotonic() - self._cleaned_at < _CLEAN_SECONDS:
            return
        self._cleaned_at = time.monotonic()
        with writing(self._opened()) as connection:
            delete_expired(connection, _now())

    def _later(self, work: Work) -> None:
        def safely() -> None:
            try:
                work()
            except Exception as e:  # nobody waits for it, and an answer that is lost is asked anew
                self._rest(type(e).__name__)

        try:
            self._writer.submit(safely)
        except RuntimeError:  # closed
            return

    def _opened(self) -> Engine:
        from hybridllm.store import open_store

        with self._opening:
            if self._engine is None:
                self._engine = open_store(self._url)
            return self._engine

    def _rest(self, why: str) -> None:
        """Leave the store alone for a while. Never tells what was looked for."""
        now = time.monotonic()
        if now >= self._resting_until:
            _log.warning("The response cache's store is left alone for a while: %s.", why)
        self._resting_until = now + _REST_SECONDS


def _now() -> int:
    return time.time_ns() // 1000
