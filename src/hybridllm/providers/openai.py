"""OpenAI. The base URL ends in /v1 (https://api.openai.com/v1)."""

from __future__ import annotations

from collections.abc import Mapping

from hybridllm.providers.adapter import Fields
from hybridllm.wire.dialect import RequestShape

PATHS = {
    "chat": "/chat/completions",
    "responses": "/responses",
    "embeddings": "/embeddings",
}


class OpenAI:
    """See `Adapter`. Source: https://platform.openai.com/docs/api-reference/authentication."""

    speaks: Mapping[str, str] = {"openai": "chat", "responses": "responses"}
    forwards = frozenset({b"openai-organization", b"openai-project"})
    defaults: Fields = ()

    def target(self, endpoint: str, model: str, shape: RequestShape) -> str | None:
        return PATHS.get(endpoint)

    def credentials(self, secret: str) -> Fields:
        return ((b"authorization", b"Bearer " + secret.encode()),)
