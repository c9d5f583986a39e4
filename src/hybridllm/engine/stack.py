"""The library: the gateway's engine in one's own process, without a server.

    async with Stack() as stack:
        reply = await stack.chat(task="classification", messages=[{"role": "user", "content": ...}])
        print(reply.text, reply.model, reply.cost_usd)

Messages and options are those of OpenAI's chat completions, whichever provider answers. Routing,
retries, fallbacks, prices and the ledger are the gateway's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from decimal import Decimal
from os import PathLike, fspath
from types import TracebackType
from typing import Any, Literal, Self, overload

import msgspec

from hybridllm.catalog.prompts import Variant
from hybridllm.catalog.structs import Usage
from hybridllm.config_file import load_config
from hybridllm.engine.call import Answer, Call, Pieces
from hybridllm.engine.measured import measured_in, with_measured
from hybridllm.engine.passing import passes_of
from hybridllm.engine.response_cache import ResponseCache
from hybridllm.engine.runtime import open_runtime
from hybridllm.engine.way import Engine
from hybridllm.errors import ErrorKind, HybridError, ProviderError, RequestError
from hybridllm.ledger import Ledger
from hybridllm.ledger.feedback import Taken, made, take_feedback
from hybridllm.ledger.paths import store_url
from hybridllm.money import PICODOLLARS
from hybridllm.wire.conversation import (
    Event,
    Finish,
    Finished,
    Refusal,
    StreamFailed,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    UsageUpdate,
)
from hybridllm.wire.dialect import Dialect, RequestShape
from hybridllm.wire.registry import get_dialect

Message = Mapping[str, Any]
"""A message as OpenAI's chat completions take it: role, content, tool_calls, tool_call_id..."""

_SHAPE = RequestShape()


class Receipt(msgspec.Struct, kw_only=True):
    """How a call was served. `cost_usd` and `baseline_usd` (the same usage on the baseline model)
    are exact dollars of the attempt that answered. `cached`: it was given again. `cascade` says
    what became of the task's cascade, "" where it was not gone through, and `checks_usd` what was
    paid in it besides the attempt that answered."""

    request_id: str
    task: str
    model: str
    provider: str
    reason: str
    attempts: int
    cost_usd: Decimal = Decimal(0)
    baseline_usd: Decimal = Decimal(0)
    cached: bool = False
    cascade: str = ""
    checks_usd: Decimal = Decimal(0)


class ChatReply(Receipt, kw_only=True):
    """An answer. `tool_calls` are the functions to call, their arguments JSON text. `usage` is None
    where the provider told none. `raw` is the whole reply in OpenAI's shape."""

    text: str
    tool_calls: list[ToolCall]
    finish: Finish
    usage: Usage | None
    raw: dict[str, Any]


class ChatStream:
    """A streamed answer: `async for text in stream`. What is known at its start is in `receipt`;
    `finish`, `usage`, `tool_calls` and the receipt's money are known at its end.

    Leaving the loop early, or `aclose`, cancels the provider's call.
    """

    def __init__(self, receipt: Receipt, pieces: Pieces) -> None:
        self.receipt = receipt
        self.finish: Finish | None = None
        self.usage: Usage | None = None
        self.tool_calls: list[ToolCall] = []
        self._pieces = pieces
        self._calls: dict[int, ToolCall] = {}
        self._texts = self._read()

    def __aiter__(self) -> AsyncIterator[str]:
        return self._texts

    async def aclose(self) -> None:
        """Done with it."""
        await self._texts.aclose()
        self._pieces.close()

    async def text(self) -> str:
        """All that is still to come, as one text."""
        return "".join([piece async for piece in self])

    async def _read(self) -> AsyncGenerator[str, None]:
        decoder = _dialect().stream_decoder()
        try:
            while data := await self._pieces.chunk():
                for event in decoder.feed(data):
                    if isinstance(event, TextDelta):
                        yield event.text
                    else:
                        self._note(event)
        finally:
            self._pieces.close()
            self.receipt.cost_usd = usd(self._pieces.cost)
            self.receipt.baseline_usd = usd(self._pieces.baseline)

    def _note(self, event: Event) -> None:
        if isinstance(event, ToolCallStarted):
            call = ToolCall(id=event.id, name=event.name, arguments="")
            self._calls[event.index] = call
            self.tool_calls.append(call)
        elif isinstance(event, ToolCallDelta):
            self._calls[event.index].arguments += event.arguments
        elif isinstance(event, UsageUpdate):
            self.usage = event.usage
        elif isinstance(event, Finished):
            self.finish = event.finish
        elif isinstance(event, StreamFailed):
            raise ProviderError(event.message, kind=ErrorKind(event.kind), code=event.code)


class Stack:
    """hybridllm in this process. Belongs to the event loop in which it is opened.

    `config` is the path of a hybridllm.toml (default: as `hybridllm serve` finds it), `preset` the
    tasks and models to start from, `ledger` the directory of the ledger. Opening raises ConfigError
    for a configuration that cannot be used or when no provider can be called.
    """

    key = "default"
    """The label that its calls have in the ledger."""

    def __init__(
        self,
        config: str | PathLike[str] | None = None,
        *,
        preset: str | None = None,
        ledger: str | PathLike[str] | None = None,
    ) -> None:
        self._path = None if config is None else fspath(config)
        self._preset = preset
        self._directory = None if ledger is None else fspath(ledger)
        self._engine: Engine | None = None
        self._ledger: Ledger | None = None

    async def open(self) -> Self:
        """Read the configuration and open the ledger. `async with` does it."""
        config = load_config(self._path, self._preset)
        settings = config.ledger
        if self._directory is not None:
            settings = msgspec.structs.replace(settings, directory=self._directory)
        found = await asyncio.to_thread(measured_in, store_url(settings), config)
        passes = await asyncio.to_thread(passes_of, config, store_url(settings))
        runtime = open_runtime(with_measured(config, found), passes=passes)
        ledger = Ledger(settings)
        ledger.on_learned = runtime.learned.calibrate
        ledger.open()
        self._ledger = ledger
        self._engine = Engine(
            runtime, ledger, ResponseCache(store_url(settings), config.response_cache)
        )
        return self

    async def close(self) -> None:
        """Close the connections; the last rows go to the store."""
        engine, self._engine = self._engine, None
        ledger, self._ledger = self._ledger, None
        if engine is not None:
            await engine.runtime.close()
            if engine.responses is not None:
                await asyncio.to_thread(engine.responses.close)
        if ledger is not None:
            await asyncio.to_thread(ledger.close)

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @overload
    async def chat(
        self,
        messages: Sequence[Message],
        *,
        task: str | None = None,
        model: str = "auto",
        session: str | None = None,
        tags: Mapping[str, str] | None = None,
        variant: Variant | None = None,
        stream: Literal[False] = False,
        **options: Any,
    ) -> ChatReply: ...

    @overload
    async def chat(
        self,
        messages: Sequence[Message],
        *,
        task: str | None = None,
        model: str = "auto",
        session: str | None = None,
        tags: Mapping[str, str] | None = None,
        variant: Variant | None = None,
        stream: Literal[True],
        **options: Any,
    ) -> ChatStream: ...

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        task: str | None = None,
        model: str = "auto",
        session: str | None = None,
        tags: Mapping[str, str] | None = None,
        variant: Variant | None = None,
        stream: bool = False,
        **options: Any,
    ) -> ChatReply | ChatStream:
        """Answer a conversation with the cheapest model that is good enough for its task.

        `task` names the task, `model` a model, `auto` or `tier/<tier>`; `session` keeps a
        conversation with its model; `tags` go to the ledger; `variant` of the prompt is what it is
        sent with instead of the configuration's. `options` are OpenAI's (tools,
        response_format, temperature, max_completion_tokens...). Raises RequestError naming the
        field for a request that cannot be served, ProviderError when every provider failed.
        """
        body = {"model": model, "messages": list(messages), **options}
        if stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        call = Call(
            dialect=_dialect(),
            shape=_SHAPE,
            body=encoded(body),
            key=self.key,
            task=task,
            session=session,
            tags="" if tags is None else msgspec.json.encode(tags).decode(),
            variant=variant,
        )
        if self._engine is None:
            raise _not_open()
        answer = await self._engine.answer(call)
        if answer.stream is not None:
            return ChatStream(_receipt(answer), answer.stream)
        return _reply(answer)

    async def feedback(
        self,
        request_id: str,
        *,
        score: float | None = None,
        thumb: Literal["up", "down"] | None = None,
        comment: str | None = None,
    ) -> Taken:
        """Say how good the answer of a request was: a `score` in 0..1 or a `thumb`. It counts for
        the request's task and model, once. Raises RequestError."""
        said = made(request_id, score, thumb, comment)
        if self._ledger is None:
            raise _not_open()
        return await asyncio.to_thread(take_feedback, self._ledger, said, "default")


def _not_open() -> HybridError:
    return HybridError("The stack is not open.", remedy="Use it as `async with Stack() as stack:`.")


def usd(picodollars: int) -> Decimal:
    """Exact dollars."""
    return (Decimal(picodollars) / PICODOLLARS).normalize()


def _dialect() -> Dialect:
    return get_dialect("openai")


def encoded(body: Mapping[str, Any]) -> bytes:
    """The body of a request. Raises RequestError for what JSON cannot say."""
    try:
        return msgspec.json.encode(body)
    except TypeError as e:
        raise RequestError(
            f"The request holds what JSON cannot say: {e}.",
            remedy="Use dicts, lists, texts, numbers, booleans and None.",
        ) from e


def _receipt(answer: Answer) -> Receipt:
    found = {name.decode(): value.decode("latin-1") for name, value in answer.headers}
    return Receipt(
        request_id=found["x-hybridllm-request-id"],
        task=found["x-hybridllm-task"],
        model=found["x-hybridllm-model"],
        provider=found["x-hybridllm-provider"],
        reason=found["x-hybridllm-reason"],
        attempts=int(found["x-hybridllm-attempts"]),
        cost_usd=Decimal(found.get("x-hybridllm-cost-usd", "0")),
        baseline_usd=Decimal(found.get("x-hybridllm-baseline-usd", "0")),
        cached=found.get("x-hybridllm-cache") == "hit",
        cascade=found.get("x-hybridllm-cascade", ""),
        checks_usd=Decimal(found.get("x-hybridllm-checks-cost-usd", "0")),
    )


def _reply(answer: Answer) -> ChatReply:
    return reply_of(_receipt(answer), answer.body)


def reply_of(receipt: Receipt, body: bytes) -> ChatReply:
    """A reply in OpenAI's shape, with how it came to be."""
    reply = _dialect().decode_reply(body)
    return ChatReply(
        **msgspec.structs.asdict(receipt),
        text="".join(part.text for part in reply.parts if isinstance(part, Text | Refusal)),
        tool_calls=[part for part in reply.parts if isinstance(part, ToolCall)],
        finish=reply.finish,
        usage=reply.usage,
        raw=msgspec.json.decode(body),
    )
