"""`prompt_cache_key`, by which OpenAI sends requests of one prefix to where it is cached.

It serves both of OpenAI's dialects, chat completions and responses, at OpenAI itself: servers that
are merely compatible may refuse it. Nothing else is touched, the order of what is cached least of
all. Format: https://platform.openai.com/docs/guides/prompt-caching
"""

from __future__ import annotations

import msgspec

from hybridllm.wire.splice import splice

KEY = "prompt_cache_key"
_NAMED = b'"prompt_cache_key"'


def with_cache_key(body: bytes, key: str) -> bytes:
    """`body` with this key, or as it is where the caller set one of his own."""
    if _NAMED in body:
        return body
    return splice(body, {KEY: msgspec.json.encode(key)})
