"""Google's Gemini API. The base URL has no version (https://generativelanguage.googleapis.com)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from hybridllm.providers.adapter import Fields
from hybridllm.wire.dialect import RequestShape

VERSION = "v1beta"
METHODS = {
    "chat": "generateContent",
    "count_tokens": "countTokens",
    "embed": "embedContent",
    "batch_embed": "batchEmbedContents",
}


class Google:
    """See `Adapter`. Model and streaming are in the path; a stream is server-sent events, or the
    pieces of one JSON array where the caller reads that. Source: https://ai.google.dev/api."""

    speaks: Mapping[str, str] = {"google": "chat"}
    forwards: frozenset[bytes] = frozenset()
    defaults: Fields = ()

    def target(self, endpoint: str, model: str, shape: RequestShape) -> str | None:
        method = METHODS.get(endpoint)
        if method is None:
            return None
        if endpoint == "chat" and shape.stream:
            method = "streamGenerateContent" + ("?alt=sse" if shape.sse else "")
        return f"/{VERSION}/models/{quote(model, safe='')}:{method}"

    def credentials(self, secret: str) -> Fields:
        return ((b"x-goog-api-key", secret.encode()),)
