"""Usage, status and finish, between the Responses API's words and ours.

OpenAI counts what was read from and written to a cache within `input_tokens`, and reasoning within
`output_tokens`. Format: https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from hybridllm.catalog.structs import Usage
from hybridllm.wire.conversation import Finish


class _WriteDetails(Struct):
    ttl_30m_tokens: int | None = None
    ttl_12h_tokens: int | None = None


class _InputDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_tokens_details: _WriteDetails | None = None


class _OutputDetails(Struct):
    reasoning_tokens: int | None = None


class WireUsage(Struct):
    """`usage` of a response."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class WireIncomplete(Struct):
    """`incomplete_details` of a response."""

    reason: str | None = None


class _Typed(Struct):
    type: str = ""


class WireStatus(Struct):
    """What metering reads of a response."""

    status: str | None = None
    incomplete_details: WireIncomplete | None = None
    usage: WireUsage | None = None
    output: list[_Typed] | None = None


_status = msgspec.json.Decoder(WireStatus)

CALLS = frozenset({"function_call", "custom_tool_call"})
"""Items that the caller must answer before the model goes on."""

_REASONS: dict[str, Finish] = {
    "max_output_tokens": Finish.LENGTH,
    "content_filter": Finish.CONTENT_FILTER,
}
_INCOMPLETE: dict[Finish, str] = {
    Finish.LENGTH: "max_output_tokens",
    Finish.CONTEXT_EXCEEDED: "max_output_tokens",
    Finish.CONTENT_FILTER: "content_filter",
}


def neutral_usage(wire: WireUsage) -> Usage:
    """The counts as kinds that do not overlap."""
    total = wire.input_tokens or 0
    details = wire.input_tokens_details or _InputDetails()
    read = min(details.cached_tokens or 0, total)
    written = min(details.cache_write_tokens or 0, total - read)
    lifetimes = details.cache_write_tokens_details or _WriteDetails()
    long = min(lifetimes.ttl_12h_tokens or 0, written)
    output = wire.output_tokens or 0
    reasoning = (wire.output_tokens_details or _OutputDetails()).reasoning_tokens or 0
    return Usage(
        input_tokens=total - read - written,
        cache_read_tokens=read,
        cache_write_tokens=written - long,
        cache_write_long_tokens=long,
        output_tokens=output,
        reasoning_tokens=min(reasoning, output),
    )


def wire_usage(usage: Usage) -> dict[str, Any]:
    """`usage` of a response."""
    details: dict[str, Any] = {
        "cached_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens + usage.cache_write_long_tokens,
    }
    if usage.cache_write_long_tokens:
        details["cache_write_tokens_details"] = {
            "ttl_30m_tokens": usage.cache_write_tokens,
            "ttl_12h_tokens": usage.cache_write_long_tokens,
        }
    return {
        "input_tokens": usage.total_input,
        "input_tokens_details": details,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_input + usage.output_tokens,
    }


def neutral_finish(status: str | None, incomplete: WireIncomplete | None, *, calls: bool) -> Finish:
    """`calls`: the response calls a tool of the caller's."""
    if status == "incomplete":
        reason = incomplete.reason if incomplete is not None else None
        return _REASONS.get(reason or "", Finish.OTHER)
    if status not in (None, "completed"):
        return Finish.OTHER
    return Finish.TOOL_CALLS if calls else Finish.STOP


def incomplete_reason(finish: Finish, *, refused: bool) -> str | None:
    """Why a response is incomplete; None for a completed one. `refused`: the refusal is written out
    in it, which is a whole answer."""
    if finish is Finish.REFUSAL:
        return None if refused else "content_filter"
    return _INCOMPLETE.get(finish)


def meter(body: bytes) -> tuple[Usage | None, Finish | None]:
    """Usage and finish of a whole response; (None, None) if it cannot be read: the caller gets it
    all the same. One that is still being made (`background`) has neither."""
    try:
        response = _status.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, None
    usage = neutral_usage(response.usage) if response.usage is not None else None
    if response.status in ("queued", "in_progress"):
        return usage, None
    calls = any(item.type in CALLS for item in response.output or ())
    return usage, neutral_finish(response.status, response.incomplete_details, calls=calls)
