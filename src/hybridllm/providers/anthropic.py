"""Anthropic. The base URL has no version (https://api.anthropic.com)."""

from __future__ import annotations

from collections.abc import Mapping

from hybridllm.providers.adapter import Fields
from hybridllm.wire.dialect import RequestShape

VERSION = b"2023-06-01"
PATHS = {
    "chat": "/v1/messages",
    "count_tokens": "/v1/messages/count_tokens",
}


class Anthropic:
    """See `Adapter`. Source: https://docs.anthropic.com/en/api/versioning."""

    speaks: Mapping[str, str] = {"anthropic": "chat"}
    forwards = frozenset({b"anthropic-version", b"anthropic-beta"})
    defaults: Fields = ((b"anthropic-version", VERSION),)

    def target(self, endpoint: str, model: str, shape: RequestShape) -> str | None:
        return PATHS.get(endpoint)

    def credentials(self, secret: str) -> Fields:
        return ((b"x-api-key", secret.encode()),)
