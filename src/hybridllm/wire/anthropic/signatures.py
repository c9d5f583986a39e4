"""Reasoning as Anthropic's blocks: `thinking` with its signature, and `redacted_thinking`.

Anthropic's own pass untouched; another provider's travel in the same fields, wrapped (see
`hybridllm.wire.sealing`). A foreign thought without a signature gets a wrapper around nothing, so
that it is known again when the caller sends it back. A tool call's signature (Google's) is a signed
block without text right before its `tool_use`.
"""

from __future__ import annotations

from typing import Any

from hybridllm.wire.conversation import Part, Text, Thinking, ToolCall
from hybridllm.wire.sealing import unwrap, wrap

NATIVE = "anthropic"
_SIGNS_CALLS = "google"
_UNKNOWN = "unknown"


def to_wire(signature: str | None, origin: str) -> str:
    """The `signature` (or `data`) that carries `origin`'s signature."""
    return wrap(signature or "", origin or _UNKNOWN, NATIVE)


def thinking(text: str, signature: str) -> Thinking:
    """A `thinking` block that a caller or a provider sent."""
    origin, own = unwrap(signature, NATIVE)
    return Thinking(text=text, signature=own or None, origin=origin)


def redacted(data: str) -> Thinking:
    """A `redacted_thinking` block that a caller or a provider sent."""
    origin, own = unwrap(data, NATIVE)
    return Thinking(sealed=own, origin=origin)


def thinking_blocks(part: Thinking) -> list[dict[str, Any]]:
    """The blocks that carry a thought: the readable and signed, then the sealed."""
    blocks: list[dict[str, Any]] = []
    if part.sealed is None or part.text or part.signature:
        signature = to_wire(part.signature, part.origin)
        blocks.append({"type": "thinking", "thinking": part.text, "signature": signature})
    if part.sealed is not None:
        blocks.append({"type": "redacted_thinking", "data": to_wire(part.sealed, part.origin)})
    return blocks


def call_signature(call: ToolCall) -> list[dict[str, Any]]:
    """The signed empty block before a `tool_use`, if the call is signed."""
    if not call.signature:
        return []
    signature = to_wire(call.signature, call.origin)
    return [{"type": "thinking", "thinking": "", "signature": signature}]


def signs_answer(parts: list[Part]) -> bool:
    """Whether the last part is no more than the signature of another provider's whole answer.

    Google's newest models sign an answer after its last word. A block after the text hides the
    answer from clients that take the last one for it, as Claude Code does, and that signature need
    not come back: it is left out."""
    if len(parts) < 2 or not isinstance(parts[-2], Text):
        return False
    last = parts[-1]
    return (
        isinstance(last, Thinking)
        and last.origin != NATIVE
        and not last.text
        and last.sealed is None
    )


def joined_calls(parts: list[Part]) -> list[Part]:
    """The parts with each call's signature back on the call."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if (
            isinstance(part, ToolCall)
            and isinstance(last, Thinking)
            and last.origin == _SIGNS_CALLS
            and last.signature
            and not last.text
        ):
            part.signature, part.origin = last.signature, last.origin
            joined.pop()
        joined.append(part)
    return joined
