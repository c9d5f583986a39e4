"""The library with the lane: work that can wait, at the price of batches.

    async with Stack() as stack:
        later = await stack.defer(task="classification", messages=[...], deadline="6h")
        ...
        reply = await later

A handle is durable once it is there: another process finds it again by its id.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Self

import msgspec
from msgspec import Struct

from hybridllm.batching.desk import now_us
from hybridllm.batching.lane import Lane
from hybridllm.batching.structs import Batch, NewBatch, NewLine, Result
from hybridllm.durations import seconds_of
from hybridllm.engine import stack as live
from hybridllm.engine.stack import ChatReply, Message, Receipt
from hybridllm.errors import ErrorKind, HybridError, RequestError
from hybridllm.wire.registry import get_dialect

KEY = "default"
_LONGEST_LOOK = 60.0
_REASONS = {"batch": "answered in a batch", "sync": "asked live, to be there by its deadline"}


class Outcome(Struct, kw_only=True):
    """What became of one request of a batch: the `reply`, or the `error`."""

    custom_id: str
    reply: ChatReply | None = None
    error: HybridError | None = None
    late: bool = False


class BatchHandle:
    """A batch that the lane has. `await` it for all outcomes once it has ended, or read them one by
    one with `async for`, which waits for the end too."""

    def __init__(self, lane: Lane, id: str) -> None:
        self.id = id
        self._lane = lane

    def __await__(self) -> Generator[Any, None, list[Outcome]]:
        return self._all().__await__()

    async def __aiter__(self) -> AsyncIterator[Outcome]:
        await self.ended()
        async for result in self._lane.results(self.id):
            yield _outcome(result)

    async def status(self, wait: float = 0.0) -> Batch:
        """The batch as it stands when it has ended, or after `wait` seconds. Raises
        RequestError(NOT_FOUND) for one that is gone."""
        found = await self._lane.wait(self.id, KEY, wait)
        if found is None:
            raise RequestError(f"There is no batch '{self.id}'.", kind=ErrorKind.NOT_FOUND)
        return found

    async def ended(self) -> Batch:
        """The batch, once it has ended."""
        while (found := await self.status(_LONGEST_LOOK)).state != "ended":
            pass
        return found

    async def cancel(self) -> Batch:
        """What is not done is cancelled, as soon as that can be."""
        await self._lane.cancel(self.id, KEY)
        return await self.status()

    async def _all(self) -> list[Outcome]:
        return [outcome async for outcome in self]


class Deferred(BatchHandle):
    """One request that the lane has. `await` it for its reply: raises its error."""

    def __await__(self) -> Generator[Any, None, ChatReply]:  # type: ignore[override]
        return self._reply().__await__()

    async def _reply(self) -> ChatReply:
        (outcome,) = await self._all()
        if outcome.reply is None:
            assert outcome.error is not None  # noqa: S101 - an outcome is one or the other
            raise outcome.error
        return outcome.reply


class Stack(live.Stack):
    """hybridllm in this process, with the lane. The lane is opened with the first work that can
    wait; until it closes, this process drives it whenever no other one does."""

    _lane: Lane | None = None

    async def open(self) -> Self:
        """Read the configuration and open the ledger. `async with` does it."""
        await super().open()
        return self

    async def close(self) -> None:
        """Close the connections; the last rows go to the store. What is with providers stays
        there: whoever opens the same ledger next goes on with it."""
        lane, self._lane = self._lane, None
        if lane is not None:
            await lane.close()
        await super().close()

    async def defer(
        self,
        messages: Sequence[Message],
        *,
        task: str | None = None,
        model: str = "auto",
        tags: Mapping[str, str] | None = None,
        deadline: str | float | timedelta = "24h",
        **options: Any,
    ) -> Deferred:
        """Have a conversation answered by `deadline` (`"6h"`, seconds, or a timedelta from now), as
        `chat` would. Durable when this returns. Raises RequestError."""
        request = {"messages": list(messages), "model": model, **options}
        id = await self._accept([request], task, tags, deadline, "deferred")
        return Deferred(await self._opened(), id)

    async def batch(
        self,
        requests: Iterable[Mapping[str, Any]],
        *,
        task: str | None = None,
        tags: Mapping[str, str] | None = None,
        deadline: str | float | timedelta = "24h",
    ) -> BatchHandle:
        """Have many answered by `deadline`. Each request is a body of OpenAI's chat completions,
        `{"messages": [...]}` at least; `custom_id` in it names it. All are durable when this
        returns. Raises RequestError."""
        id = await self._accept(requests, task, tags, deadline, "run")
        return BatchHandle(await self._opened(), id)

    async def deferred(self, id: str) -> Deferred:
        """A request that was deferred earlier, perhaps by another process."""
        return Deferred(await self._opened(), id)

    async def batch_of(self, id: str) -> BatchHandle:
        """A batch that was made earlier, perhaps by another process."""
        return BatchHandle(await self._opened(), id)

    async def _accept(
        self,
        requests: Iterable[Mapping[str, Any]],
        task: str | None,
        tags: Mapping[str, str] | None,
        deadline: str | float | timedelta,
        kind: str,
    ) -> str:
        lane = await self._opened()
        new = NewBatch(
            dialect="openai",
            key=KEY,
            kind=kind,
            endpoint="/v1/chat/completions",
            deadline_at=now_us() + int(_seconds(deadline) * 1e6),
        )
        said = "" if tags is None else msgspec.json.encode(tags).decode()
        lines = (_line(n, request, task, said) for n, request in enumerate(requests))
        return (await lane.accept(new, lines)).id

    async def _opened(self) -> Lane:
        engine, ledger = self._engine, self._ledger
        if engine is None or ledger is None:
            raise HybridError(
                "The stack is not open.", remedy="Use it as `async with Stack() as stack:`."
            )
        if not engine.runtime.config.batch.enabled:
            raise HybridError(
                "The lane is switched off.",
                kind=ErrorKind.UNAVAILABLE,
                field="batch.enabled",
                remedy="Take `enabled = false` out of [batch] in hybridllm.toml.",
            )
        if self._lane is None:
            self._lane = Lane(lambda: engine.runtime, ledger, ledger.store_url)
            await self._lane.open()
        return self._lane


def _seconds(deadline: str | float | timedelta) -> float:
    if isinstance(deadline, timedelta):
        return deadline.total_seconds()
    if not isinstance(deadline, str):
        return float(deadline)
    try:
        return seconds_of(deadline)
    except ValueError as e:
        raise RequestError(
            str(e), field="deadline", remedy="Write '90s', '30m', '6h', '2d', or seconds."
        ) from None


def _line(number: int, request: Mapping[str, Any], task: str | None, tags: str) -> NewLine:
    body = {"model": "auto", **request}
    custom_id = str(body.pop("custom_id", f"request-{number}"))
    return NewLine(custom_id=custom_id, body=live.encoded(body), task=task or "", tags=tags)


def _outcome(result: Result) -> Outcome:
    made = Outcome(custom_id=result.custom_id, late=result.late)
    if result.state == "answered":
        receipt = Receipt(
            request_id=result.request_id,
            task=result.task,
            model=result.model,
            provider=result.model.partition("/")[0],
            reason=_REASONS.get(result.mode, ""),
            attempts=result.attempts,
            cost_usd=live.usd(result.cost),
            baseline_usd=live.usd(result.baseline),
        )
        made.reply = live.reply_of(receipt, result.body)
    elif result.state == "cancelled":
        made.error = HybridError("The request was cancelled.", kind=ErrorKind.CANCELLED)
    else:
        error = get_dialect("openai").decode_error(result.status, {}, result.body)
        made.error = error
        if not result.mode:  # nothing was sent: the request itself is at fault
            made.error = RequestError(error.message, kind=error.kind, field=error.field)
    return made
