"""Batches that could not be taken, kept so that whoever polls for them learns why."""

from __future__ import annotations

from functools import partial

from hybridllm.batching.database import Database
from hybridllm.store import batch_refusals as sql
from hybridllm.store.batch_refusals import Refusal

__all__ = ["Refusal", "Refusals"]

_KEPT_US = 30 * 86_400 * 1_000_000
_MOST = 1000


class Refusals:
    """Those of all keys; each is its key's alone, and kept for 30 days."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, refusal: Refusal) -> None:
        """Keep it."""
        oldest = refusal.at - _KEPT_US
        await self._database.write(partial(sql.add_refusal, refusal=refusal, oldest=oldest))

    async def find(self, id: str, key: str) -> Refusal | None:
        """One of `key`'s."""
        return await self._database.read(partial(sql.find_refusal, id=id, key=key))

    async def before(self, key: str, at: int | None) -> list[Refusal]:
        """`key`'s newest thousand from before `at` (Unix microseconds; None: now), newest first."""
        return await self._database.read(partial(sql.refusals_before, key=key, at=at, limit=_MOST))
