"""OpenAI's endpoints: chat completions, responses and the list of models (which two dialects ask
for by the same path, told apart by their headers)."""

from __future__ import annotations

from hybridllm.engine.call import Answer
from hybridllm.gateway import anthropic, google
from hybridllm.gateway.endpoint import Endpoint, Service, embeddings, generate
from hybridllm.gateway.listing import json_answer, listed
from hybridllm.gateway.request import Request
from hybridllm.wire.dialect import RequestShape
from hybridllm.wire.openai.embeddings import EMBEDDINGS
from hybridllm.wire.registry import get_dialect

_DIALECT = get_dialect("openai")
_RESPONSES = get_dialect("responses")
_SHAPE = RequestShape()


async def chat_completions(service: Service, request: Request) -> Answer:
    """POST /v1/chat/completions"""
    return await generate(service, request, _DIALECT, _SHAPE)


async def responses(service: Service, request: Request) -> Answer:
    """POST /v1/responses"""
    return await generate(service, request, _RESPONSES, _SHAPE)


async def create_embeddings(service: Service, request: Request) -> Answer:
    """POST /v1/embeddings"""
    return await embeddings(service, request, EMBEDDINGS, _SHAPE)


async def models(service: Service, request: Request) -> Answer:
    """GET /v1/models"""
    if b"anthropic-version" in request.headers:
        return await anthropic.models(service, request)
    if b"x-goog-api-key" in request.headers:
        return await google.models(service, request)
    service.gate.admit(request.key())
    return json_answer(
        {
            "object": "list",
            "data": [
                {"id": m.id, "object": "model", "created": m.created, "owned_by": m.owner}
                for m in listed(service.engine.runtime)
            ],
        }
    )


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("POST", "/v1/chat/completions"): chat_completions,
    ("POST", "/v1/responses"): responses,
    ("POST", "/v1/embeddings"): create_embeddings,
    ("GET", "/v1/models"): models,
}
