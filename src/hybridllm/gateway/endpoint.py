"""What an endpoint is, and what it is handed: the service behind the HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hybridllm.access.gate import Gate
from hybridllm.engine.call import Answer, Call
from hybridllm.engine.way import Engine
from hybridllm.gateway.request import Request
from hybridllm.ledger import Ledger
from hybridllm.wire.dialect import Dialect, RequestShape


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
    label = service.gate.admit(request.key())
    server = service.engine.runtime.config.server
    body = await request.body(server.max_body_bytes, server.body_seconds)
    call = Call(
        dialect=dialect,
        shape=shape,
        body=body,
        key=label,
        task=request.text(b"x-hybridllm-task"),
        session=request.text(b"x-session-id"),
        headers=request.scope["headers"],
        tags=request.text(b"x-hybridllm-tags") or "",
    )
    return await service.engine.handle(call)
