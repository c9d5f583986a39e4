"""What Anthropic's endpoints have in common: x-api-key, error bodies, rate-limit headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hybridllm.simulators.anthropic import errors
from hybridllm.simulators.anthropic.batches import batch_endpoints
from hybridllm.simulators.anthropic.messages import CountTokens, Messages
from hybridllm.simulators.ask import Ask, Refused
from hybridllm.simulators.counting import Counter
from hybridllm.simulators.limits import Standing
from hybridllm.simulators.models import ModelSpec, find_model, model_names
from hybridllm.simulators.provider import (
    KEY_PREFIX,
    Administration,
    Generation,
    Headers,
    Incoming,
    Plain,
    Provider,
    header,
)
from hybridllm.simulators.world import World


def _model(name: str, spec: ModelSpec) -> dict[str, Any]:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": "2025-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": spec.context_window,
        "max_tokens": spec.max_output_tokens,
    }


class GetModel(Plain):
    method = "GET"
    pattern = re.compile("/v1/models/(?P<model>[^/]+)")

    def reply(self, incoming: Incoming, counter: Counter) -> Any:
        spec = find_model("anthropic", incoming.model)
        if spec is None:
            raise Refused(404, "not_found_error", f"model: {incoming.model[:100]}")
        return _model(incoming.model, spec)


class ListModels(Plain):
    method = "GET"
    pattern = re.compile("/v1/models")

    def reply(self, incoming: Incoming, counter: Counter) -> Any:
        names = model_names("anthropic")
        specs = [(name, find_model("anthropic", name)) for name in names]
        return {
            "data": [_model(name, spec) for name, spec in specs if spec is not None],
            "has_more": False,
            "first_id": names[0],
            "last_id": names[-1],
        }


class Anthropic(Provider):
    name = "anthropic"
    request_id_header = b"request-id"
    explicit_cache = True

    def __init__(self) -> None:
        self.endpoints: tuple[Generation | Plain | Administration, ...] = (
            Messages(),
            CountTokens(),
            ListModels(),
            GetModel(),
        )

    def attach(self, world: World) -> None:
        self.endpoints += batch_endpoints(self, world)

    def request_id(self, number: int) -> str:
        return f"req_01{number:022d}"

    def authenticate(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
        key = headers.get("x-api-key", "")
        if not key:
            scheme, _, key = headers.get("authorization", "").partition(" ")
            key = key if scheme.lower() == "bearer" else ""
        if not key:
            raise Refused(401, "authentication_error", "x-api-key header is required")
        if not key.startswith(KEY_PREFIX):
            raise Refused(401, "authentication_error", "invalid x-api-key")
        if "anthropic-version" not in headers:
            raise errors.invalid("anthropic-version: header is required")
        return key

    def error(self, refused: Refused, request_id: str) -> bytes:
        return errors.body_of(refused, request_id)

    def stream_error(self, refused: Refused, request_id: str) -> bytes:
        return b"event: error\ndata: " + self.error(refused, request_id) + b"\n\n"

    def no_such_path(self, method: str, path: str) -> Refused:
        return Refused(404, "not_found_error", "Not Found")

    def bad_json(self) -> Refused:
        return errors.invalid("The request body is not valid JSON")

    def bad_request(self, message: str) -> Refused:
        return errors.invalid(message)

    def from_status(self, status: int, message: str | None) -> Refused:
        usual = ("invalid_request_error" if status < 500 else "api_error", "Simulated error.")
        kind, text = errors.FROM_STATUS.get(status, usual)
        return Refused(status, kind, message or text)

    def blocked(self) -> Refused:
        return errors.invalid("Output blocked by content filtering policy")

    def too_many(self, standing: Standing, model: str) -> Refused:
        requests = standing.lacking == "requests"
        limit = standing.requests_limit if requests else standing.tokens_limit
        unit = "requests" if requests else "input tokens"
        return Refused(
            429,
            "rate_limit_error",
            f"This request would exceed your organization's rate limit of {limit:,} {unit} per "
            "minute.",
            retry_after=max(standing.wait, 1.0),
        )

    def limit_headers(self, standing: Standing) -> Headers:
        headers: Headers = []
        for kind in ("requests", "tokens"):
            if limit := getattr(standing, f"{kind}_limit"):
                name = f"anthropic-ratelimit-{'input-tokens' if kind == 'tokens' else kind}-"
                reset = datetime.now(UTC) + timedelta(seconds=getattr(standing, f"{kind}_reset"))
                headers += [
                    header(f"{name}limit".encode(), limit),
                    header(f"{name}remaining".encode(), getattr(standing, f"{kind}_left")),
                    header(f"{name}reset".encode(), reset.strftime("%Y-%m-%dT%H:%M:%SZ")),
                ]
        return headers

    def check_context(self, ask: Ask, tokens: int) -> None:
        spec, wanted = ask.spec, ask.max_output or 0
        if wanted > spec.max_output_tokens:
            raise errors.invalid(
                f"max_tokens: {wanted} > {spec.max_output_tokens}, which is the maximum allowed "
                f"number of output tokens for {ask.model}"
            )
        if tokens > spec.context_window:
            raise errors.invalid(
                f"prompt is too long: {tokens} tokens > {spec.context_window} maximum"
            )
        if tokens + wanted > spec.context_window:
            raise errors.invalid(
                f"input length and `max_tokens` exceed context limit: {tokens} + {wanted} > "
                f"{spec.context_window}, decrease input length or `max_tokens` and try again"
            )
