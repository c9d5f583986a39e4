"""Google's endpoints. Model and action stand in the path: /v1beta/models/{model}:{action}."""

from __future__ import annotations

import re
from functools import partial

from hybridllm.engine.call import Answer
from hybridllm.gateway.endpoint import Endpoint, Service, generate
from hybridllm.gateway.listing import json_answer, listed
from hybridllm.gateway.request import Request
from hybridllm.wire.dialect import RequestShape
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
    if action == "generateContent":
        return partial(generate_content, model)
    if action == "streamGenerateContent":
        return partial(stream_generate_content, model)
    return None


async def generate_content(model: str, service: Service, request: Request) -> Answer:
    """POST :generateContent"""
    return await generate(service, request, _DIALECT, RequestShape(model=model, stream=False))


async def stream_generate_content(model: str, service: Service, request: Request) -> Answer:
    """POST :streamGenerateContent, as SSE with ?alt=sse, else as one JSON array."""
    shape = RequestShape(model=model, stream=True, sse=request.query("alt") == "sse")
    return await generate(service, request, _DIALECT, shape)


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
                    "supportedGenerationMethods": ["generateContent"],
                }
                for m in listed(service.engine.runtime)
            ]
        }
    )
