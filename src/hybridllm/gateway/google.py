"""Google's endpoints. Model and action stand in the path: /v1beta/models/{model}:{action}."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial

from hybridllm.engine.call import Answer
from hybridllm.gateway import google_batches
from hybridllm.gateway.endpoint import Endpoint, Service, counted, embeddings, generate
from hybridllm.gateway.listing import json_answer, listed
from hybridllm.gateway.request import Request
from hybridllm.wire.dialect import RequestShape
from hybridllm.wire.google.embeddings import BATCH_EMBED, EMBED
from hybridllm.wire.registry import get_dialect

_DIALECT = get_dialect("google")
# Model names may hold slashes here: google/gemini-2.5-pro, task/analysis, ...
_ACTION = re.compile(r"/v1(?:beta)?/(?:models|tunedModels)/(.{1,300}):([A-Za-z]+)")


def is_google(path: str) -> bool:
    """Whether Google's SDK would ask for `path`."""
    return path.startswith("/v1beta/") or _ACTION.fullmatch(path) is not None


def endpoint_of(method: str, path: str) -> Endpoint | None:
    """The endpoint of a path that only a pattern can find."""
    if method == "GET" and path == "/v1beta/models":
        return models
    found = _ACTION.fullmatch(path)
    if method != "POST" or found is None:
        return None
    model, action = found.groups()
    answer = _ACTIONS.get(action)
    return partial(answer, model) if answer is not None else None


async def generate_content(model: str, service: Service, request: Request) -> Answer:
    """POST :generateContent"""
    return await generate(service, request, _DIALECT, RequestShape(model=model, stream=False))


async def stream_generate_content(model: str, service: Service, request: Request) -> Answer:
    """POST :streamGenerateContent, as SSE with ?alt=sse, else as one JSON array."""
    shape = RequestShape(model=model, stream=True, sse=request.query("alt") == "sse")
    return await generate(service, request, _DIALECT, shape)


async def count_tokens(model: str, service: Service, request: Request) -> Answer:
    """POST :countTokens"""
    return await counted(service, request, _DIALECT, RequestShape(model=model))


async def embed_content(model: str, service: Service, request: Request) -> Answer:
    """POST :embedContent"""
    return await embeddings(service, request, EMBED, RequestShape(model=model))


async def batch_embed_contents(model: str, service: Service, request: Request) -> Answer:
    """POST :batchEmbedContents"""
    return await embeddings(service, request, BATCH_EMBED, RequestShape(model=model))


_ACTIONS: dict[str, Callable[[str, Service, Request], Awaitable[Answer]]] = {
    "generateContent": generate_content,
    "streamGenerateContent": stream_generate_content,
    "countTokens": count_tokens,
    "embedContent": embed_content,
    "batchEmbedContents": batch_embed_contents,
    "batchGenerateContent": google_batches.create,
}


_METHODS = {
    "chat": (
        "generateContent",
        "streamGenerateContent",
        "countTokens",
        "batchGenerateContent",
    ),
    "embedding": ("embedContent", "batchEmbedContents"),
}


async def models(service: Service, request: Request) -> Answer:
    """GET /v1beta/models"""
    service.gate.admit(request.key())
    return json_answer(
        {
            "models": [
                {
                    "name": f"models/{m.id}",
                    "displayName": m.id,
                    "inputTokenLimit": m.input_tokens,
                    "outputTokenLimit": m.output_tokens,
                    "supportedGenerationMethods": list(_METHODS[m.kind]),
                }
                for m in listed(service.engine.runtime)
            ]
        }
    )
