"""What an endpoint is, and what it is handed: the service behind the HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hybridllm.access.gate import Gate
from hybridllm.batching.database import Database
from hybridllm.batching.files import Files
from hybridllm.batching.lane import Lane
from hybridllm.batching.refusals import Refusals
from hybridllm.batching.webhooks import Webhooks
from hybridllm.engine.call import Answer, Call
from hybridllm.engine.counting import count_tokens
from hybridllm.engine.embedding import embed
from hybridllm.engine.way import Engine
from hybridllm.errors import ErrorKind, RequestError
from hybridllm.gateway.deferred import DEADLINE, deferred
from hybridllm.gateway.request import Request
from hybridllm.ledger import Ledger
from hybridllm.wire.capabilities import counting_of
from hybridllm.wire.dialect import Dialect, RequestShape
from hybridllm.wire.embedding import EmbeddingCodec
from hybridllm.wire.registry import get_dialect


class Service:
    """What the endpoints use. `gate`, and the engine's runtime, are replaced on reload. `store` is
    the URL of the ledger's store, where the lane and all that belongs to it is kept too."""

    def __init__(
        self, engine: Engine, ledger: Ledger, gate: Gate, store: str, lane: Lane | None = None
    ) -> None:
        self.engine = engine
        self.ledger = ledger
        self.gate = gate
        self.database = Database(store)
        self.files = Files(self.database)
        self.refusals = Refusals(self.database)
        self._lane = lane
        self.webhooks = Webhooks(
            self.database, lambda: self.lane, lambda: self.engine.runtime.config.batch
        )

    @property
    def lane(self) -> Lane:
        """The asynchronous lane. Raises RequestError where it is off."""
        if self._lane is None:
            raise RequestError(
                "This gateway takes no work that waits.",
                kind=ErrorKind.UNAVAILABLE,
                remedy="Send the request live, or switch the lane on in hybridllm.toml.",
            )
        return self._lane


_DEADLINE = DEADLINE.encode()

Endpoint = Callable[[Service, Request], Awaitable[Answer]]


async def generate(
    service: Service, request: Request, dialect: Dialect, shape: RequestShape
) -> Answer:
    """Admit the caller, read the body and have the engine answer it, now or by its deadline."""
    call = await call_of(service, request, dialect, shape)
    if _DEADLINE in request.headers or service.engine.runtime.waiting_tasks:
        answer = await deferred(service, request, call)
        if answer is not None:
            return answer
    return await service.engine.handle(call)


async def embeddings(
    service: Service, request: Request, codec: EmbeddingCodec, shape: RequestShape
) -> Answer:
    """As `generate`, for vectors of texts."""
    dialect = get_dialect(codec.dialect)
    return await embed(service.engine, await call_of(service, request, dialect, shape), codec)


async def counted(
    service: Service, request: Request, dialect: Dialect, shape: RequestShape
) -> Answer:
    """As `generate`, for the number of a request's input tokens."""
    codec = counting_of(dialect.name)
    assert codec is not None  # noqa: S101 - only dialects that count have the endpoint
    call = await call_of(service, request, dialect, shape)
    return await count_tokens(service.engine.runtime, call, codec)


async def call_of(
    service: Service, request: Request, dialect: Dialect, shape: RequestShape
) -> Call:
    """Admit the caller and read the whole request. Raises RequestError."""
    label = service.gate.admit(request.key())
    server = service.engine.runtime.config.server
    body = await request.body(server.max_body_bytes, server.body_seconds)
    return Call(
        dialect=dialect,
        shape=shape,
        body=body,
        key=label,
        task=request.text(b"x-hybridllm-task"),
        session=request.text(b"x-session-id"),
        headers=request.scope["headers"],
        tags=request.text(b"x-hybridllm-tags") or "",
    )
