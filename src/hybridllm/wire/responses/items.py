"""The input of a request to the system prompt and neutral turns.

Input is a string or a list of items. What a model said, thought and called in a row is one turn of
the assistant, results in a row are one turn of the user's. An item of a type that has no neutral
part (a built-in tool's call, a custom tool's, a reference to a stored item) is kept whole.
Format: https://platform.openai.com/docs/api-reference/responses/create (input)
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from hybridllm.errors import RequestError
from hybridllm.wire.conversation import Message, Opaque, Part, Text, Thinking, ToolCall, ToolResult
from hybridllm.wire.openai.signatures import opened_id
from hybridllm.wire.reading import read, required
from hybridllm.wire.responses.parts import read_content, read_output, read_texts
from hybridllm.wire.responses.signatures import NATIVE, thought_of

SYSTEM = frozenset({"system", "developer"})
_OF_THE_CALLER = frozenset(
    {
        "additional_tools",
        "compaction_trigger",
        "configuration_update",
        "item_reference",
        "mcp_approval_response",
    }
)
"""Items that are not the model's, besides those whose type ends in `_output`."""


class _Typed(Struct):
    type: str | None = None


class _Message(Struct):
    role: str
    content: Raw | UnsetType = UNSET


class _Summary(Struct):
    text: str = ""


class _Reasoning(Struct):
    id: str | None = None
    summary: list[_Summary] | None = None
    content: list[_Summary] | None = None
    encrypted_content: str | None = None


class _Call(Struct):
    call_id: str
    name: str
    arguments: str = ""


class _Output(Struct):
    call_id: str
    output: Raw
    name: str | None = None


_typed = msgspec.json.Decoder(_Typed)
_message = msgspec.json.Decoder(_Message)
_reasoning = msgspec.json.Decoder(_Reasoning)
_call = msgspec.json.Decoder(_Call)
_output = msgspec.json.Decoder(_Output)
_string = msgspec.json.Decoder(str)
_array = msgspec.json.Decoder(list[Raw])


def read_input(raw: Raw) -> tuple[list[Text], list[Message]]:
    """The leading system messages, and the turns. Raises RequestError naming the field."""
    if bytes(raw)[:1] == b'"':
        return [], [Message(role="user", parts=[Text(text=read(_string, raw, "input"))])]
    reader = _Reader()
    items: list[Raw] = read(_array, raw, "input")
    for i, item in enumerate(items):
        reader.read(item, f"input[{i}]")
    return reader.system, reader.messages


class _Reader:
    """Reads the items of one request in order."""

    def __init__(self) -> None:
        self.system: list[Text] = []
        self.messages: list[Message] = []
        self._open: Message | None = None

    def read(self, raw: Raw, path: str) -> None:
        """Add the item at `path`."""
        match read(_typed, raw, path).type or "message":
            case "message":
                self._message(read(_message, raw, path), path)
            case "reasoning":
                self._join("assistant", _thought(read(_reasoning, raw, path)))
            case "function_call":
                self._join("assistant", _tool_call(read(_call, raw, path), path))
            case "function_call_output":
                self._join("results", _result(read(_output, raw, path), path))
            case kind:
                callers = kind.endswith("_output") or kind in _OF_THE_CALLER
                opaque = Opaque(origin=NATIVE, kind=kind, raw=bytes(raw).decode())
                self._join("results" if callers else "assistant", opaque)

    def _message(self, message: _Message, path: str) -> None:
        content = message.content
        if content is UNSET:
            required(f"{path}.content")
        if message.role in SYSTEM:
            texts = read_texts(content, f"{path}.content")
            if self.messages:
                self._add("system", list(texts))
            else:
                self.system += texts
        elif message.role == "user":
            self._add("user", read_content(content, f"{path}.content"))
        elif message.role == "assistant":
            for part in read_content(content, f"{path}.content"):
                self._join("assistant", part)
        else:
            raise RequestError(
                f"'{path}.role' must be system, developer, user or assistant.",
                field=f"{path}.role",
            )

    def _add(self, role: str, parts: list[Part]) -> Message:
        self._open = None
        added = Message(role=role, parts=parts)
        self.messages.append(added)
        return added

    def _join(self, kind: str, part: Part) -> None:
        """Add to the open turn of this kind, or open one."""
        role = "assistant" if kind == "assistant" else "user"
        message = self._open
        if message is None or message.role != role:
            message = self._add(role, [])
            self._open = message
        message.parts.append(part)


def _thought(item: _Reasoning) -> Thinking:
    texts = [one.text for one in item.summary or () if one.text]
    texts = texts or [one.text for one in item.content or () if one.text]
    return thought_of("\n\n".join(texts), item.encrypted_content, item.id)


def _tool_call(call: _Call, path: str) -> ToolCall:
    opened = opened_id(call.call_id or required(f"{path}.call_id"))
    return ToolCall(
        id=opened.id,
        name=call.name or required(f"{path}.name"),
        arguments=call.arguments or "{}",
        signature=opened.signature,
        origin=opened.origin,
    )


def _result(result: _Output, path: str) -> ToolResult:
    call_id = result.call_id or required(f"{path}.call_id")
    return ToolResult(
        call_id=opened_id(call_id).id,
        name=result.name or "",
        parts=read_output(result.output, f"{path}.output"),
    )
