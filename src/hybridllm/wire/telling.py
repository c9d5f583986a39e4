"""Which dialect a request is written in, told from its shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from hybridllm.errors import RequestError

DialectName = Literal["openai", "responses", "anthropic", "google"]


def dialect_of(body: bytes) -> DialectName:
    """The dialect of a request's JSON body. Raises RequestError for what is no JSON object."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise RequestError(
            f"The request is not a JSON object: {e}.", remedy="Give the body of one request."
        ) from None
    if "contents" in fields:
        return "google"
    if "input" in fields and "messages" not in fields:
        return "responses"
    tools = fields.get("tools")
    first = tools[0] if isinstance(tools, list) and tools else None
    if "max_tokens" in fields and (
        {"system", "thinking", "stop_sequences", "anthropic_version"} & fields.keys()
        or (isinstance(first, Mapping) and "input_schema" in first)
        or str(fields.get("model", "")).startswith(("claude", "anthropic/"))
    ):
        return "anthropic"
    return "openai"


def is_chat(body: bytes) -> bool:
    """Whether this is a request for a chat in any dialect, rather than any other text."""
    if body.lstrip()[:1] != b"{":
        return False
    try:
        fields = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    held = fields.get("messages") or fields.get("contents")
    said = fields.get("input")
    return bool(isinstance(held, list) or ("model" in fields and isinstance(said, str | list)))
