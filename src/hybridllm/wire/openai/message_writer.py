"""Neutral turns to messages.

One user turn may make several: each tool result is a message of its own, and pictures of a result,
which chat cannot say there, follow in a user message. Thoughts of this dialect go back as the
`reasoning_content` that they came in; what can be read of others becomes text.
"""

from __future__ import annotations

from typing import Any

from hybridllm.wire.conversation import (
    Media,
    Message,
    Opaque,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from hybridllm.wire.dialect import DropPolicy, Target
from hybridllm.wire.openai.part_writer import (
    WHERE,
    Content,
    PartWriter,
    content_of,
    raw_of,
    text_content,
)
from hybridllm.wire.openai.signatures import NATIVE

_MEDIA_FOLLOWS = "The content of this result follows in the next user message."


class MessageWriter:
    """Writes the messages of one request."""

    def __init__(self, target: Target, policy: DropPolicy, *, native: bool) -> None:
        self._policy = policy
        self._parts = PartWriter(target, policy, native=native)

    def system(self, texts: list[Text]) -> list[dict[str, Any]]:
        """The system prompt. `system` and not `developer`: OpenAI takes both for the same, and
        compatible servers know no other."""
        content = [made for text in texts for made in self._parts.write(text, "system")]
        return [{"role": "system", "content": content_of(content)}] if content else []

    def write(self, message: Message, path: str) -> list[dict[str, Any]]:
        """The messages that one turn makes. Raises Inexpressible."""
        if message.role == "assistant":
            made = self._assistant(message, path)
        else:
            made = self._asked(message, path)
        if message.name is not None:
            for one in made:
                if one["role"] == message.role:
                    one["name"] = message.name
        return made

    def _asked(self, message: Message, path: str) -> list[dict[str, Any]]:
        """Results first: they must follow their calls at once."""
        results: list[dict[str, Any]] = []
        content: list[Content] = []
        said: list[Content] = []
        for i, part in enumerate(message.parts):
            at = f"{path}.parts[{i}]"
            if isinstance(part, ToolResult):
                results.append(self._result(part, at, content))
            elif isinstance(part, Thinking | ToolCall):
                continue  # only a model thinks and calls
            else:
                said += self._parts.write(part, at)
        content += said
        if content:
            results.append({"role": message.role, "content": content_of(content)})
        return results

    def _result(self, result: ToolResult, path: str, further: list[Content]) -> dict[str, Any]:
        """One result; what it cannot hold is added to `further`."""
        content: list[Content] = []
        for i, part in enumerate(result.parts):
            into = further if isinstance(part, Media) else content
            into += self._parts.write(part, f"{path}.parts[{i}]")
        if result.is_error:
            self._policy.unsupported("is_error", harmless=True, where=WHERE)
        if not content and any(isinstance(part, Media) for part in result.parts):
            content.append(text_content(_MEDIA_FOLLOWS))
        return {"role": "tool", "tool_call_id": result.call_id, "content": content_of(content)}

    def _assistant(self, message: Message, path: str) -> list[dict[str, Any]]:
        content: list[Content] = []
        calls: list[Any] = []
        made: dict[str, Any] = {"role": "assistant", "content": None}
        for i, part in enumerate(message.parts):
            match part:
                case Thinking() | ToolResult():
                    pass  # thoughts come below; a model has no results
                case ToolCall():
                    calls.append(call_of(part, part.id))
                case Refusal():
                    made["refusal"] = made.get("refusal", "") + part.text
                case Opaque() if part.origin == NATIVE and part.kind.endswith("_tool_call"):
                    calls.append(raw_of(part))
                case Opaque() if part.origin == NATIVE and part.kind == "audio":
                    made["audio"] = raw_of(part)
                case Media():
                    field = f"{path}.parts[{i}]"
                    self._policy.unsupported(field, harmless=False, where=WHERE)
                case _:
                    content += self._parts.write(part, f"{path}.parts[{i}]")
        thoughts = [p for p in message.parts if isinstance(p, Thinking) and p.text]
        if earlier := [t.text for t in thoughts if t.origin != NATIVE]:
            text = "<earlier_reasoning>\n" + "\n\n".join(earlier) + "\n</earlier_reasoning>"
            content.insert(0, text_content(text))
        if own := "".join(t.text for t in thoughts if t.origin == NATIVE):
            made["reasoning_content"] = own
        if content:
            made["content"] = content_of(content)
        if calls:
            made["tool_calls"] = calls
        return [made] if content or len(made) > 2 else []


def call_of(call: ToolCall, call_id: str) -> dict[str, Any]:
    """An entry of `tool_calls`, in requests and replies."""
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": call_id, "type": "function", "function": function}
