"""What OpenAI's endpoints have in common: bearer keys, error bodies, rate-limit headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hybridllm.simulators.ask import Ask, Refused
from hybridllm.simulators.counting import Counter
from hybridllm.simulators.limits import Standing
from hybridllm.simulators.models import embedder_names, find_embedder, find_model, model_names
from hybridllm.simulators.openai import errors
from hybridllm.simulators.openai.batches import ENDPOINTS, batch_endpoints
from hybridllm.simulators.openai.chat import ChatCompletions
from hybridllm.simulators.openai.embeddings import Embeddings
from hybridllm.simulators.openai.files import FileStore, file_endpoints
from hybridllm.simulators.openai.response_store import ResponseStore
from hybridllm.simulators.openai.responses import (
    CountInput,
    DeleteResponse,
    GetResponse,
    Responses,
)
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


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "system"}


class ListModels(Plain):
    method = "GET"
    pattern = re.compile("/v1/models")

    def reply(self, incoming: Incoming, counter: Counter) -> Any:
        names = model_names("openai") + embedder_names("openai")
        return {"object": "list", "data": [_model(name) for name in names]}


class GetModel(Plain):
    method = "GET"
    pattern = re.compile("/v1/models/(?P<model>[^/]+)")

    def reply(self, incoming: Incoming, counter: Counter) -> Any:
        name = incoming.model
        if find_model("openai", name) is None and find_embedder("openai", name) is None:
            raise Refused(
                404,
                errors.INVALID,
                f"The model '{incoming.model[:100]}' does not exist",
                param="model",
                code="model_not_found",
            )
        return _model(incoming.model)


class OpenAI(Provider):
    name = "openai"
    request_id_header = b"x-request-id"

    def __init__(self) -> None:
        self._store = ResponseStore()
        self.endpoints: tuple[Generation | Plain | Administration, ...] = (
            ChatCompletions(),
            Responses(self._store),
            CountInput(self._store),
            GetResponse(self._store),
            DeleteResponse(self._store),
            Embeddings(),
            ListModels(),
            GetModel(),
        )

    def attach(self, world: World) -> None:
        files = FileStore(world)
        world.on_reset(files.clear)
        generation = [one for one in self.endpoints if isinstance(one, Generation)]
        live = {
            path: one for path in ENDPOINTS for one in generation if one.pattern.fullmatch(path)
        }
        self.endpoints += file_endpoints(files) + batch_endpoints(self, world, files, live)

    def forget(self) -> None:
        self._store.clear()

    def request_id(self, number: int) -> str:
        return f"req_{number:032x}"

    def authenticate(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise Refused(
                401,
                errors.INVALID,
                "You didn't provide an API key. You need to provide your API key in an "
                "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            )
        if not key.startswith(KEY_PREFIX):
            raise Refused(
                401,
                errors.INVALID,
                "Incorrect API key provided: ****. You can find your API key at "
                "https://platform.openai.com/account/api-keys.",
                code="invalid_api_key",
            )
        return key

    def error(self, refused: Refused, request_id: str) -> bytes:
        return errors.body_of(refused)

    def stream_error(self, refused: Refused, request_id: str) -> bytes:
        return b"data: " + self.error(refused, request_id) + b"\n\n"

    def no_such_path(self, method: str, path: str) -> Refused:
        return Refused(404, errors.INVALID, f"Invalid URL ({method} {path[:200]})")

    def bad_json(self) -> Refused:
        return errors.invalid(
            "We could not parse the JSON body of your request. (HINT: This likely means you "
            "aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, "
            "but what was sent was not valid JSON.)"
        )

    def bad_request(self, message: str) -> Refused:
        return errors.invalid(message)

    def from_status(self, status: int, message: str | None) -> Refused:
        kind, code, usual = errors.FROM_STATUS.get(
            status, (errors.INVALID if status < 500 else "server_error", None, "Simulated error.")
        )
        return Refused(status, kind, message or usual, code=code)

    def blocked(self) -> Refused:
        return errors.invalid(
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy. "
            "Please try again with a different prompt.",
            code="invalid_prompt",
        )

    def too_many(self, standing: Standing, model: str) -> Refused:
        requests = standing.lacking == "requests"
        limit = standing.requests_limit if requests else standing.tokens_limit
        unit = "requests per min (RPM)" if requests else "tokens per min (TPM)"
        return Refused(
            429,
            standing.lacking,
            f"Rate limit reached for {model} in organization org-sim on {unit}: "
            f"Limit {limit}. Please try again in {standing.wait:.3f}s.",
            code="rate_limit_exceeded",
            retry_after=max(standing.wait, 1.0),
        )

    def limit_headers(self, standing: Standing) -> Headers:
        headers: Headers = []
        for kind in ("requests", "tokens"):
            if limit := getattr(standing, f"{kind}_limit"):
                reset = getattr(standing, f"{kind}_reset")
                headers += [
                    header(f"x-ratelimit-limit-{kind}".encode(), limit),
                    header(
                        f"x-ratelimit-remaining-{kind}".encode(), getattr(standing, f"{kind}_left")
                    ),
                    header(f"x-ratelimit-reset-{kind}".encode(), f"{reset:.3f}s"),
                ]
        if standing.wait:
            headers.append(header(b"retry-after-ms", int(standing.wait * 1000)))
        return headers

    def check_context(self, ask: Ask, tokens: int) -> None:
        spec = ask.spec
        if ask.max_output is not None and ask.max_output > spec.max_output_tokens:
            raise errors.invalid(
                f"max_tokens is too large: {ask.max_output}. This model supports at most "
                f"{spec.max_output_tokens} completion tokens, whereas you provided "
                f"{ask.max_output}.",
                "max_tokens",
                "invalid_value",
            )
        wanted = tokens + (ask.max_output or 0)
        if wanted > spec.context_window:
            raise errors.invalid(
                f"This model's maximum context length is {spec.context_window} tokens. However, "
                f"you requested {wanted} tokens ({tokens} in the messages, {ask.max_output or 0} "
                "in the completion). Please reduce the length of the messages or completion.",
                "messages",
                "context_length_exceeded",
            )
