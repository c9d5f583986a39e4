"""What all who move lines share: the configuration in force, the ledger, the store behind the
lease, and a place to look over their shoulder."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import TypeVar

from sqlalchemy import Connection

from hybridllm.batching.database import Database
from hybridllm.batching.planning import Apis
from hybridllm.config import BatchConfig
from hybridllm.engine.entry import Journal
from hybridllm.engine.runtime import Runtime
from hybridllm.providers.keys import Key
from hybridllm.providers.upstream import Upstream
from hybridllm.store import batch_jobs as sql

T = TypeVar("T")
Step = Callable[[str], None]
"""Told what is about to be done or has just been done, by name, from any thread: for tests that
end a process at each such point."""

LEASE = "lane"


class Overtaken(Exception):
    """Another process drives the lane now: nothing of this transaction may stay."""


class Desk:
    """`runtime` gives the configuration in operation, which a reload replaces. `holder` names this
    process in the lease."""

    def __init__(
        self,
        runtime: Callable[[], Runtime],
        journal: Journal,
        database: Database,
        apis: Apis,
        holder: str,
        step: Step,
    ) -> None:
        self._runtime = runtime
        self.journal = journal
        self.database = database
        self.apis = apis
        self.holder = holder
        self.step = step
        self.held_until = 0.0
        """Until when the lease is surely ours, in monotonic seconds."""
        self.random = random.Random()

    @property
    def runtime(self) -> Runtime:
        return self._runtime()

    @property
    def config(self) -> BatchConfig:
        return self._runtime().config.batch

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` finds, in a thread."""
        return await self.database.read(work)

    async def write(self, name: str, work: Callable[[Connection], T]) -> T:
        """What `work` returns, in a thread and a transaction that is committed by then. Raises
        Overtaken, and commits nothing, where the lease is another's."""

        def fenced(connection: Connection) -> T:
            if not sql.holds_lease(connection, LEASE, self.holder):
                raise Overtaken
            return work(connection)

        self.step(f"before {name}")
        found = await self.database.write(fenced)
        self.step(f"after {name}")
        return found

    def check_lease(self) -> None:
        """Raises Overtaken unless the lease is surely ours: to be asked before a provider is."""
        if time.monotonic() >= self.held_until:
            raise Overtaken


def now_us() -> int:
    """Unix microseconds."""
    return time.time_ns() // 1000


def credential_of(key: Key | None) -> str:
    """What tells a key again without being it."""
    return "" if key is None else blake2b(key.secret.encode(), digest_size=8).hexdigest()


def key_of(upstream: Upstream, credential: str, account: str) -> Key | None:
    """The key that a job was submitted with; where that is gone, another of its account, else any:
    a new key of the same account still sees its jobs."""
    keys = list(upstream.keys)
    for key in keys:
        if credential_of(key) == credential:
            return key
    for key in keys:
        if key.account == account:
            return key
    return keys[0] if keys else None
