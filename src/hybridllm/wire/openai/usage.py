"""Usage and finish reasons, between OpenAI's words and ours.

OpenAI counts what was read from and written to a cache within `prompt_tokens`, and reasoning within
`completion_tokens`. Format: https://platform.openai.com/docs/api-reference/chat/object
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from hybridllm.catalog.structs import Usage
from hybridllm.wire.conversation import Finish

FINISHES: dict[str, Finish] = {
    "stop": Finish.STOP,
    "length": Finish.LENGTH,
    "tool_calls": Finish.TOOL_CALLS,
    "function_call": Finish.TOOL_CALLS,
    "content_filter": Finish.CONTENT_FILTER,
}
"""OpenAI's finish reasons. A reason that is newer than this table is OTHER."""

REASONS: dict[Finish, str] = {
    Finish.STOP: "stop",
    Finish.STOP_SEQUENCE: "stop",
    Finish.LENGTH: "length",
    Finish.CONTEXT_EXCEEDED: "length",
    Finish.TOOL_CALLS: "tool_calls",
    Finish.CONTENT_FILTER: "content_filter",
    Finish.REFUSAL: "content_filter",
    Finish.PAUSE: "stop",
    Finish.MALFORMED_TOOL_CALL: "stop",
    Finish.OTHER: "stop",
}


class _WriteDetails(Struct):
    ttl_30m_tokens: int | None = None
    ttl_12h_tokens: int | None = None


class _PromptDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_tokens_details: _WriteDetails | None = None


class _CompletionDetails(Struct):
    reasoning_tokens: int | None = None


class WireUsage(Struct):
    """`usage` of a reply or of a chunk. `prompt_cache_hit_tokens` is DeepSeek's."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None


class _Choice(Struct):
    finish_reason: str | None = None


class _Metered(Struct):
    usage: WireUsage | None = None
    choices: list[_Choice] | None = None


_metered = msgspec.json.Decoder(_Metered)


def neutral_usage(wire: WireUsage) -> Usage:
    """The counts as kinds that do not overlap."""
    prompt = wire.prompt_tokens or 0
    read, written, long = wire.prompt_cache_hit_tokens or 0, 0, 0
    details = wire.prompt_tokens_details
    if details is not None:
        read = details.cached_tokens or read
        written = details.cache_write_tokens or 0
        if written and details.cache_write_tokens_details is not None:
            long = details.cache_write_tokens_details.ttl_12h_tokens or 0
    if read or written:
        # No kind is more than what is left of the whole, whatever a server says.
        read = min(read, prompt)
        written = min(written, prompt - read)
        long = min(long, written)
    output = wire.completion_tokens or 0
    reasoning = 0
    if wire.completion_tokens_details is not None:
        reasoning = wire.completion_tokens_details.reasoning_tokens or 0
    if reasoning and wire.total_tokens == prompt + output + reasoning:
        # Some compatible servers (xAI) count reasoning beside the completion.
        output += reasoning
    return Usage(
        input_tokens=prompt - read - written,
        cache_read_tokens=read,
        cache_write_tokens=written - long,
        cache_write_long_tokens=long,
        output_tokens=output,
        reasoning_tokens=reasoning if reasoning <= output else output,
    )


def wire_usage(usage: Usage) -> dict[str, Any]:
    """`usage` of a reply."""
    details: dict[str, Any] = {"cached_tokens": usage.cache_read_tokens}
    if written := usage.cache_write_tokens + usage.cache_write_long_tokens:
        details["cache_write_tokens"] = written
    if usage.cache_write_long_tokens:
        details["cache_write_tokens_details"] = {
            "ttl_30m_tokens": usage.cache_write_tokens,
            "ttl_12h_tokens": usage.cache_write_long_tokens,
        }
    return {
        "prompt_tokens": usage.total_input,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_input + usage.output_tokens,
        "prompt_tokens_details": details,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def neutral_finish(reason: str, *, calls: bool = False) -> Finish:
    """`calls`: the reply calls a tool, which some compatible servers end as a plain stop."""
    finish = FINISHES.get(reason, Finish.OTHER)
    return Finish.TOOL_CALLS if calls and finish is Finish.STOP else finish


def finish_reason(finish: Finish, *, calls: bool) -> str:
    """Clients run calls by this word, so it is said exactly where there are calls to run."""
    if calls and finish is Finish.STOP:
        return "tool_calls"
    if finish is Finish.TOOL_CALLS and not calls:
        return "stop"
    return REASONS[finish]


def meter(body: bytes) -> tuple[Usage | None, Finish | None]:
    """Usage and first finish of a whole reply; (None, None) if it cannot be read: the caller gets
    it all the same."""
    try:
        reply = _metered.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, None
    usage = neutral_usage(reply.usage) if reply.usage is not None else None
    reason = reply.choices[0].finish_reason if reply.choices else None
    return usage, neutral_finish(reason) if reason is not None else None
