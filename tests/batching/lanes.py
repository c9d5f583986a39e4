"""A lane as a process has one, driven turn by turn, that may die at any of its steps."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from hybridllm.batching.desk import LEASE
from hybridllm.batching.lane import Lane, provider_api
from hybridllm.batching.planning import Apis
from hybridllm.batching.structs import Batch, NewBatch, NewLine, Result
from hybridllm.config import BatchConfig, LedgerConfig
from hybridllm.config_file import load_config
from hybridllm.engine.runtime import Runtime, open_runtime
from hybridllm.ledger import Ledger
from hybridllm.store import open_store, writing
from hybridllm.store.batch_jobs import drop_lease
from hybridllm.store.schema import attempts

KEY = "mine"
AT_ONCE = BatchConfig(
    max_age_seconds=0.0, poll_seconds=0.001, max_poll_seconds=0.002, margin_seconds=0.0
)
"""Everything is submitted in the next turn, and asked after in the next."""


class Crash(BaseException):
    """The process died."""


class Steps:
    """Lets the process die at its n-th step from now; nothing of it works after that."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.left = -1
        self.dead = False

    def __call__(self, name: str) -> None:
        self.names.append(name)
        if self.left > 0:
            self.left -= 1
        if self.dead or self.left == 0:
            self.dead = True
            raise Crash(name)


class Home:
    """What outlives a process: the store, the journal and the configuration."""

    def __init__(
        self,
        store_url: str,
        directory: Path,
        batch: BatchConfig = AT_ONCE,
        apis: Apis | None = None,
    ) -> None:
        self.store_url = store_url
        self.apis = apis or provider_api
        self.settle_seconds = 0.0
        self.runtime = self._runtime(batch)
        self.ledger = Ledger(LedgerConfig(store=store_url, directory=str(directory)))
        self.ledger.open()
        self.start()

    @staticmethod
    def _runtime(batch: BatchConfig) -> Runtime:
        config = load_config(None, "guide")
        retries = msgspec.structs.replace(config.retries, attempts=2, base_seconds=0.001)
        breaker = msgspec.structs.replace(config.breaker, failures=10_000, window=10_000)
        return open_runtime(
            msgspec.structs.replace(config, batch=batch, retries=retries, breaker=breaker)
        )

    def start(self) -> Lane:
        """A new process."""
        self.steps = Steps()
        self.lane = Lane(
            lambda: self.runtime,
            self.ledger,
            self.store_url,
            apis=self.apis,
            step=self.steps,
            settle_seconds=self.settle_seconds,
        )
        self.taken = False
        return self.lane

    async def turn(self, turns: int = 1) -> None:
        """Drive. Raises Crash when the process dies of it."""
        if not self.taken:
            self.taken = await self.lane.driver.take()
            assert self.taken
        for _ in range(turns):
            self.lane.driver._desk.held_until = time.monotonic() + 60
            await self.lane.driver.turn()
            await self.lane.driver.settle()
            if self.lane.driver.failure is not None:
                raise self.lane.driver.failure
            await asyncio.sleep(0.003)

    async def die(self) -> None:
        """What is left of the process is gone, and its lease lapses."""
        self.steps.dead = True
        holder = self.lane.driver._desk.holder
        await self.lane.driver.stop()
        await self.lane._database.close()
        engine = open_store(self.store_url)
        with writing(engine) as connection:
            drop_lease(connection, LEASE, holder)
        engine.dispose()
        self.start()

    async def ended(self, id: str, turns: int = 200) -> Batch:
        """The batch, once it has ended."""
        for _ in range(turns):
            await self.turn()
            batch = await self.lane.batch(id, KEY)
            assert batch is not None
            if batch.state == "ended":
                return batch
        raise AssertionError(f"not ended: {batch}")

    async def results(self, id: str) -> list[Result]:
        return [result async for result in self.lane.results(id)]

    async def close(self) -> None:
        await self.lane.driver.stop()
        await self.lane._database.close()
        await self.runtime.close()
        await asyncio.to_thread(self.ledger.close)

    def rows(self) -> list[Any]:
        """The ledger's rows, in the order of requests and attempts. Flushes."""
        self.ledger.flush()
        engine = open_store(self.store_url)
        with engine.connect() as connection:
            order = (attempts.c.request_id, attempts.c.attempt)
            found = list(connection.execute(select(attempts).order_by(*order)))
        engine.dispose()
        return found


def chat(text: str = "Spam or not?", **more: Any) -> bytes:
    """A body of OpenAI's."""
    message = {"role": "user", "content": text}
    return json.dumps({"model": "auto", "messages": [message], **more}).encode()


def message(text: str = "Spam or not?") -> bytes:
    """A body of Anthropic's."""
    turns = [{"role": "user", "content": text}]
    return json.dumps({"model": "auto", "max_tokens": 50, "messages": turns}).encode()


def content(text: str = "Spam or not?") -> bytes:
    """A body of Google's."""
    return json.dumps({"contents": [{"role": "user", "parts": [{"text": text}]}]}).encode()


BODIES = {"openai": chat, "anthropic": message, "google": content}


def lines(count: int, dialect: str = "openai", task: str = "classification") -> list[NewLine]:
    """Lines named c0, c1..."""
    return [
        NewLine(custom_id=f"c{n}", body=BODIES[dialect](f"Spam or not? {n}"), task=task)
        for n in range(count)
    ]


def new(dialect: str = "openai", seconds: float = 86_400.0, **more: Any) -> NewBatch:
    """A batch to be done within so many seconds."""
    deadline = time.time_ns() // 1000 + int(seconds * 1e6)
    model = "auto" if dialect == "google" else ""
    return NewBatch(dialect=dialect, key=KEY, deadline_at=deadline, model=model, **more)


async def accepted(home: Home, count: int, dialect: str = "openai", **more: Any) -> Batch:
    """A batch of so many lines."""
    return await home.lane.accept(new(dialect, **more), lines(count, dialect))


def names(results: Iterable[Result]) -> list[str]:
    return [result.custom_id for result in results]
