"""What an endpoint is, and what it is handed: the service behind the HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hybridllm.access.gate import Gate
from hybridllm.engine.call import Answer, Call
from hybridllm.engine.counting import count_tokens
from hybridllm.engine.embedding import embed
from hybridllm.engine.way import Engine
from hybridllm.gateway.request import Request
from hybridllm.ledger import Ledger
from hybridllm.wire.capabilities import counting_of
from hybridllm.wire.dialect import Dialect, RequestShape
from hybridllm.wire.embedding import EmbeddingCodec
from hybridllm.wire.registry import get_dialect


class Service:
    """What the endpoints use. `gate`, and the engine's runtime, are replaced on reload."""

    def __init__(self, engine: Engine, ledger: Ledger, gate: Gate) -> None:
        self.engine = engine
        self.ledger = ledger
        self.gate = gate


Endpoint = Callable[[Service, Request], Awaitable[Answer]]


async def generate(
    service: Service, request: Request, dialect: Dialect, shape: RequestShape
) -> Answer:
    """Admit the caller, read the body and have the engine answer it."""
    return await service.engine.handle(await call_of(service, request, dialect, shape))


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
