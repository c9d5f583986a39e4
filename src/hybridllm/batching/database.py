"""The store as the lane's parts use it: opened at the first use, worked with in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from threading import Lock
from typing import TypeVar

from sqlalchemy import Connection, Engine

from hybridllm.store import open_store, writing

T = TypeVar("T")


class Database:
    """One store. A database that is down holds nothing up but what needs it: all methods raise
    HybridError(UNAVAILABLE) where it cannot be reached, and try again the next time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: Engine | None = None
        self._opening = Lock()
        self._turn = asyncio.Lock() if url.startswith("sqlite") else nullcontext()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` finds, in a thread."""
        return await asyncio.to_thread(self._read, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, in a thread and a transaction that is committed by then."""
        # SQLite has one writer at a time, and whoever finds it busy sleeps by ever longer steps:
        # in this process, writers take turns here, and hold no thread meanwhile.
        async with self._turn:
            return await asyncio.to_thread(self._write, work)

    async def close(self) -> None:
        """Close the connections."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await asyncio.to_thread(engine.dispose)

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._opened().connect() as connection:
            return work(connection)

    def _write(self, work: Callable[[Connection], T]) -> T:
        with writing(self._opened()) as connection:
            return work(connection)

    def _opened(self) -> Engine:
        with self._opening:
            if self._engine is None:
                self._engine = open_store(self._url)
            return self._engine
