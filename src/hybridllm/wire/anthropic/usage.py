"""Usage and stop reasons, between Anthropic's words and ours.

Anthropic counts input, cache reads and cache writes apart, so they are taken as they are; writes
are split by lifetime in `cache_creation`, and thinking is within the output.
Format: https://docs.anthropic.com/en/api/messages#response-usage
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from hybridllm.catalog.structs import Usage
from hybridllm.wire.conversation import Finish

FINISHES: dict[str, Finish] = {
    "end_turn": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "stop_sequence": Finish.STOP_SEQUENCE,
    "tool_use": Finish.TOOL_CALLS,
    "pause_turn": Finish.PAUSE,
    "refusal": Finish.REFUSAL,
    "model_context_window_exceeded": Finish.CONTEXT_EXCEEDED,
}
"""Anthropic's stop reasons. A reason that is newer than this table is OTHER."""

REASONS: dict[Finish, str] = {finish: reason for reason, finish in FINISHES.items()} | {
    Finish.CONTENT_FILTER: "refusal",
    Finish.MALFORMED_TOOL_CALL: "end_turn",
    Finish.OTHER: "end_turn",
}


class CacheCreation(Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class OutputDetails(Struct):
    thinking_tokens: int | None = None


class WireUsage(Struct):
    """`usage` of a reply, of message_start, or (with what it repeats alone) of message_delta."""

    input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    output_tokens: int | None = None
    output_tokens_details: OutputDetails | None = None


class _Metered(Struct):
    usage: WireUsage | None = None
    stop_reason: str | None = None


_metered = msgspec.json.Decoder(_Metered)


def neutral_usage(wire: WireUsage, known: Usage | None = None) -> Usage:
    """The counts as kinds that do not overlap. `known` are those of a stream so far: counts are
    cumulative, and one that is not repeated still holds."""
    usage = Usage() if known is None else known
    long = usage.cache_write_long_tokens
    short = usage.cache_write_tokens
    if wire.cache_creation is not None:
        long = wire.cache_creation.ephemeral_1h_input_tokens or 0
        short = wire.cache_creation.ephemeral_5m_input_tokens or 0
    if wire.cache_creation_input_tokens is not None:
        # The total is what is billed; whatever the split leaves over lived for 5 minutes.
        long = min(long, wire.cache_creation_input_tokens)
        short = wire.cache_creation_input_tokens - long
    details = wire.output_tokens_details
    return Usage(
        input_tokens=_or(wire.input_tokens, usage.input_tokens),
        cache_read_tokens=_or(wire.cache_read_input_tokens, usage.cache_read_tokens),
        cache_write_tokens=short,
        cache_write_long_tokens=long,
        output_tokens=_or(wire.output_tokens, usage.output_tokens),
        reasoning_tokens=_or(details.thinking_tokens if details else None, usage.reasoning_tokens),
    )


def _or(count: int | None, known: int) -> int:
    return known if count is None else count


def wire_usage(usage: Usage | None) -> dict[str, Any]:
    """`usage` of a reply. Anthropic's clients require the two counts, so unknown ones are 0."""
    usage = usage or Usage()
    wire: dict[str, Any] = {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens + usage.cache_write_long_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_long_tokens,
        },
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning_tokens:
        wire["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return wire


def delta_usage(usage: Usage | None) -> dict[str, Any]:
    """`usage` of message_delta. The SDK's type does not split cache writes by lifetime there, so
    that is left out where the total says it all."""
    wire = wire_usage(usage)
    if usage is None or not usage.cache_write_long_tokens:
        del wire["cache_creation"]
    return wire


def neutral_finish(reason: str) -> Finish:
    return FINISHES.get(reason, Finish.OTHER)


def stop_reason(finish: Finish, calls: bool) -> str:
    """`calls`: the reply calls a tool, which ends an Anthropic turn as tool_use."""
    return "tool_use" if calls and finish is Finish.STOP else REASONS[finish]


def meter(body: bytes) -> tuple[Usage | None, Finish | None]:
    """Usage and finish of a whole reply; (None, None) if it cannot be read: the caller gets it all
    the same."""
    try:
        reply = _metered.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, None
    usage = neutral_usage(reply.usage) if reply.usage is not None else None
    return usage, neutral_finish(reply.stop_reason) if reply.stop_reason is not None else None
