"""The batch commands without a gateway: the lane in this process, on the ledger's own store."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from decimal import Decimal
from threading import Thread
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
from sqlalchemy import make_url

from hybridllm.batching.lane import Lane
from hybridllm.batching.structs import Batch, NewBatch, Result
from hybridllm.cli.batch_desk import Shown
from hybridllm.cli.batch_input import Input
from hybridllm.config import Config
from hybridllm.engine.runtime import Runtime, open_runtime
from hybridllm.errors import ErrorKind, RequestError
from hybridllm.gateway.batching import Kept, keep, kept_of, now_us, parse_deadline, seconds
from hybridllm.gateway.openai_files import output_line
from hybridllm.ledger import Ledger
from hybridllm.ledger.paths import store_url
from hybridllm.money import PICODOLLARS

T = TypeVar("T")

_KEY = "default"
_GROUP = 500
_PAGE = 100


class LocalDesk:
    """The lane, in an event loop of a thread of its own. With `work` it does what waits; without,
    it only reads and cancels, and needs no provider."""

    def __init__(self, config: Config, *, work: bool) -> None:
        self._config = config
        self._work = work
        url = store_url(config.ledger)
        self.where = make_url(url).render_as_string(hide_password=True)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="hybridllm-batch", daemon=True)
        self._runtime: Runtime | None = None
        self._ledger = Ledger(config.ledger)
        self._lane = Lane(self._in_force, self._ledger, url)

    def __enter__(self) -> Self:
        """Open the lane. Raises ConfigError where no provider can be called."""
        if self._work:
            self._runtime = open_runtime(self._config)
        self._thread.start()
        if self._runtime is not None:
            self._ledger.on_learned = self._runtime.learned.calibrate
            self._ledger.open()
            self._do(self._lane.open())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._do(self._lane.close())
        if self._runtime is not None:
            self._do(self._runtime.close())
            self._ledger.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def find(self, token: str) -> Shown | None:
        """See `Desk`."""
        before = None
        while page := self._do(self._lane.batches(_KEY, "openai", "run", before, _PAGE)):
            for batch in page:
                if _token(batch) == token:
                    return _shown(batch)
            before = page[-1].id
        return None

    def submit(self, given: Input, *, token: str, task: str, deadline: str) -> Shown:
        """See `Desk`."""
        new = NewBatch(
            dialect="openai",
            key=_KEY,
            deadline_at=parse_deadline(deadline, now_us()),
            endpoint=given.endpoint,
            kind="run",
            metadata=keep(Kept(metadata={"run": token})),
        )
        return _shown(self._do(self._lane.accept(new, given.lines(task))))

    def batch(self, id: str, *, wait: float = 0.0) -> Shown:
        """See `Desk`."""
        return _shown(self._own(self._do(self._lane.wait(id, _KEY, wait)), id))

    def batches(self, limit: int) -> list[Shown]:
        """See `Desk`."""
        found = self._do(self._lane.batches(_KEY, "", "", None, limit))
        return [_shown(batch) for batch in found]

    def cancel(self, id: str) -> Shown:
        """See `Desk`."""
        return _shown(self._own(self._do(self._lane.cancel(id, _KEY)), id))

    def results(self, id: str, given: Input) -> Iterator[dict[str, Any]]:
        """See `Desk`."""
        place = -1
        while group := self._do(self._some(id, place)):
            for result in group:
                yield msgspec.json.decode(output_line(result))
            place = group[-1].place

    async def _some(self, id: str, place: int) -> list[Result]:
        found = []
        async for result in self._lane.results(id, after_place=place):
            found.append(result)
            if len(found) == _GROUP:
                break
        return found

    def _own(self, batch: Batch | None, id: str) -> Batch:
        if batch is None:
            raise RequestError(
                f"There is no batch '{id[:100]}' in {self.where}.",
                kind=ErrorKind.NOT_FOUND,
                remedy="`hybridllm batch list` shows those that there are.",
            )
        return batch

    def _in_force(self) -> Runtime:
        assert self._runtime is not None  # noqa: S101 - only a lane that works asks for it
        return self._runtime

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _token(batch: Batch) -> str:
    return (kept_of(batch).metadata or {}).get("run", "")


def _shown(batch: Batch) -> Shown:
    status = "cancelled" if batch.cancelled_at else "completed"
    if batch.state != "ended":
        status = "cancelling" if batch.state == "cancelling" else "in_progress"
    return Shown(
        id=batch.id,
        status=status,
        created_at=seconds(batch.created_at),
        deadline=seconds(batch.new.deadline_at),
        total=batch.total,
        answered=batch.answered,
        failed=batch.failed,
        cancelled=batch.cancelled,
        late=batch.late,
        cost_usd=Decimal(batch.cost) / PICODOLLARS,
        baseline_usd=Decimal(batch.baseline) / PICODOLLARS,
        ended_at=seconds(batch.ended_at),
        run=_token(batch) if batch.new.kind == "run" else "",
    )
