"""Anthropic's endpoints: messages, counting their tokens, and the list of models in its shape."""

from __future__ import annotations

from datetime import UTC, datetime

from hybridllm.engine.call import Answer
from hybridllm.gateway.endpoint import Endpoint, Service, counted, generate
from hybridllm.gateway.listing import json_answer, listed
from hybridllm.gateway.request import Request
from hybridllm.wire.dialect import RequestShape
from hybridllm.wire.registry import get_dialect

_DIALECT = get_dialect("anthropic")
_SHAPE = RequestShape()


async def messages(service: Service, request: Request) -> Answer:
    """POST /v1/messages"""
    return await generate(service, request, _DIALECT, _SHAPE)


async def count_tokens(service: Service, request: Request) -> Answer:
    """POST /v1/messages/count_tokens"""
    return await counted(service, request, _DIALECT, _SHAPE)


async def models(service: Service, request: Request) -> Answer:
    """GET /v1/models, asked by Anthropic's SDK."""
    service.gate.admit(request.key())
    data = [
        {
            "type": "model",
            "id": m.id,
            "display_name": m.id,
            "created_at": datetime.fromtimestamp(m.created, UTC).isoformat(),
        }
        for m in listed(service.engine.runtime)
    ]
    first, last = data[0]["id"], data[-1]["id"]
    return json_answer({"data": data, "has_more": False, "first_id": first, "last_id": last})


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("POST", "/v1/messages"): messages,
    ("POST", "/v1/messages/count_tokens"): count_tokens,
}
