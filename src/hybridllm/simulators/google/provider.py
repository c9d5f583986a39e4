"""What Google's endpoints have in common: API keys, error bodies, quotas."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hybridllm.simulators.ask import Ask, Refused
from hybridllm.simulators.counting import Counter
from hybridllm.simulators.faults import Fault
from hybridllm.simulators.google import errors
from hybridllm.simulators.google.batches import batch_endpoints
from hybridllm.simulators.google.cached_contents import cache_endpoints
from hybridllm.simulators.google.embeddings import BatchEmbedContents, EmbedContent
from hybridllm.simulators.google.explicit_caches import ExplicitCaches
from hybridllm.simulators.google.generate import CountTokens, GenerateContent, StreamGenerateContent
from hybridllm.simulators.limits import Standing
from hybridllm.simulators.models import ModelSpec, find_model, model_names
from hybridllm.simulators.provider import (
    KEY_PREFIX,
    Administration,
    Generation,
    Incoming,
    Plain,
    Provider,
)
from hybridllm.simulators.world import World


def _model(name: str, spec: ModelSpec) -> dict[str, Any]:
    return {
        "name": f"models/{name}",
        "displayName": name,
        "inputTokenLimit": spec.context_window,
        "outputTokenLimit": spec.max_output_tokens,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }


class ListModels(Plain):
    method = "GET"
    pattern = re.compile("/v1(beta)?/models")

    def reply(self, incoming: Incoming, counter: Counter) -> Any:
        models = [(name, find_model("google", name)) for name in model_names("google")]
        return {"models": [_model(name, spec) for name, spec in models if spec is not None]}


class GetModel(Plain):
    method = "GET"
    pattern = re.compile("/v1(beta)?/models/(?P<model>[^/:]+)")

    def reply(self, incoming: Incoming, counter: Counter) -> Any:
        spec = find_model("google", incoming.model)
        if spec is None:
            raise Refused(404, "NOT_FOUND", f"Model is not found: models/{incoming.model[:100]}")
        return _model(incoming.model, spec)


class Google(Provider):
    name = "google"
    request_id_header = b"x-goog-request-id"

    def __init__(self) -> None:
        self._caches = ExplicitCaches()
        self.endpoints: tuple[Generation | Plain | Administration, ...] = (
            GenerateContent(self._caches),
            StreamGenerateContent(self._caches),
            CountTokens(),
            EmbedContent(),
            BatchEmbedContents(),
            ListModels(),
            GetModel(),
        )

    def attach(self, world: World) -> None:
        self._caches.attach(world)
        self.endpoints += batch_endpoints(self, world)
        self.endpoints += cache_endpoints(self, self._caches)

    def request_id(self, number: int) -> str:
        return f"simulated{number:013d}"

    def authenticate(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
        key = headers.get("x-goog-api-key") or query.get("key", "")
        if not key:
            raise Refused(
                403,
                "PERMISSION_DENIED",
                "Method doesn't allow unregistered callers (callers without established "
                "identity). Please use API Key or other form of API consumer identity to call "
                "this API.",
            )
        if not key.startswith(KEY_PREFIX):
            raise errors.bad_key()
        return key

    def error(self, refused: Refused, request_id: str) -> bytes:
        return errors.body_of(refused)

    def stream_error(self, refused: Refused, request_id: str) -> bytes:
        return b"data: " + self.error(refused, request_id) + b"\r\n\r\n"

    def no_such_path(self, method: str, path: str) -> Refused:
        return Refused(404, "NOT_FOUND", f"Not found: {method} {path[:200]}")

    def bad_json(self) -> Refused:
        return errors.invalid("Invalid JSON payload received. Unexpected token.")

    def bad_request(self, message: str) -> Refused:
        return errors.invalid(message)

    def from_status(self, status: int, message: str | None) -> Refused:
        usual = ("INVALID_ARGUMENT" if status < 500 else "INTERNAL", "Simulated error.")
        name, text = errors.FROM_STATUS.get(status, usual)
        return Refused(status, name, message or text)

    def failure(self, fault: Fault) -> Refused:
        refused = super().failure(fault)
        if fault.retry_after is not None:
            # Google says it in the body alone.
            refused.extra = {"details": errors.retry_details(fault.retry_after)}
            refused.retry_after = None
        return refused

    def too_many(self, standing: Standing, model: str) -> Refused:
        requests = standing.lacking == "requests"
        limit = standing.requests_limit if requests else standing.tokens_limit
        metric = "generate_content_requests" if requests else "generate_content_input_token_count"
        details = errors.retry_details(
            standing.wait,
            quotaMetric=f"generativelanguage.googleapis.com/{metric}",
            quotaValue=str(limit),
            quotaDimensions={"model": model, "location": "global"},
        )
        return Refused(
            429,
            "RESOURCE_EXHAUSTED",
            f"You exceeded your current quota, please check your plan and billing details. Quota "
            f"exceeded for metric: {metric}, limit: {limit}, model: {model}. Please retry in "
            f"{standing.wait:.3f}s.",
            extra={"details": details},
        )

    def check_context(self, ask: Ask, tokens: int) -> None:
        spec = ask.spec
        if ask.max_output is not None and ask.max_output > spec.max_output_tokens:
            raise errors.invalid(
                "Unable to submit request because it has a maxOutputTokens value of "
                f"{ask.max_output} but the supported range is from 1 (inclusive) to "
                f"{spec.max_output_tokens + 1} (exclusive). Update the value and try again."
            )
        if tokens > spec.context_window:
            raise errors.invalid(
                f"The input token count ({tokens}) exceeds the maximum number of tokens allowed "
                f"({spec.context_window})."
            )
