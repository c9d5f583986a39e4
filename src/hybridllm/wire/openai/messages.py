"""The messages of a request to the system prompt and neutral turns.

Results, which are messages of their own here, join into one user turn. The legacy `function_call`
has no id: each gets a number, and a `function` message answers the last one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from hybridllm.errors import RequestError
from hybridllm.wire.conversation import (
    Media,
    Message,
    Opaque,
    Part,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from hybridllm.wire.openai.parts import read_content, read_texts
from hybridllm.wire.openai.signatures import NATIVE, Opened, opened_id, thoughts_of
from hybridllm.wire.reading import read, refuse, required

NULL = Raw(b"null")
SYSTEM = frozenset({"system", "developer"})


class _Message(Struct):
    role: str
    content: Raw | UnsetType = UNSET
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[Raw] | None = None
    tool_call_id: str | None = None
    function_call: Raw = NULL
    audio: Raw = NULL
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: Raw = NULL


class _Typed(Struct):
    type: str = "function"
    id: str = ""


class _Function(Struct):
    name: str
    arguments: str = ""


class _Call(Struct):
    id: str
    function: _Function


_message = msgspec.json.Decoder(_Message)
_typed = msgspec.json.Decoder(_Typed)
_call = msgspec.json.Decoder(_Call)
_function = msgspec.json.Decoder(_Function)


def read_messages(raws: Sequence[Raw]) -> tuple[list[Text], list[Message]]:
    """The leading system messages, and the turns. Raises RequestError naming the field."""
    reader = _Reader()
    for i, raw in enumerate(raws):
        path = f"messages[{i}]"
        reader.read(read(_message, raw, path), path)
    return reader.system, reader.messages


class _Reader:
    """Reads the messages of one request in order."""

    def __init__(self) -> None:
        self.system: list[Text] = []
        self.messages: list[Message] = []
        self._legacy_calls = 0
        self._results: Message | None = None

    def read(self, message: _Message, path: str) -> None:
        """Add the message at `path`."""
        role = message.role
        if role in ("tool", "function"):
            self._result(message, path)
            return
        self._results = None
        if role in SYSTEM:
            texts = read_texts(_content(message, path), f"{path}.content")
            if self.messages:
                self._add("system", list(texts), message.name)
            else:
                self.system += texts
        elif role == "user":
            self._add(
                "user", read_content(_content(message, path), f"{path}.content"), message.name
            )
        elif role == "assistant":
            self._add("assistant", self._assistant(message, path), message.name)
        else:
            raise RequestError(
                f"'{path}.role' must be system, developer, user, assistant or tool.",
                field=f"{path}.role",
            )

    def _add(self, role: str, parts: list[Part], name: str | None = None) -> Message:
        added = Message(role=role, parts=parts, name=name)
        self.messages.append(added)
        return added

    def _assistant(self, message: _Message, path: str) -> list[Part]:
        content = NULL if message.content is UNSET else message.content
        said = read_content(content, f"{path}.content")
        if message.refusal:
            said.append(Refusal(text=message.refusal))
        if bytes(message.audio) != b"null":
            said.append(Opaque(origin=NATIVE, kind="audio", raw=bytes(message.audio).decode()))
        ids: list[Opened] = []
        for i, raw in enumerate(message.tool_calls or ()):
            said.append(_call_part(raw, f"{path}.tool_calls[{i}]", ids))
        if bytes(message.function_call) != b"null":
            self._legacy_calls += 1
            function = read(_function, message.function_call, f"{path}.function_call")
            said.append(_tool_call(Opened(self._legacy_id()), function))
        reasoning = message.reasoning_content or message.reasoning
        try:
            return [*thoughts_of(reasoning, message.reasoning_details, ids), *said]
        except msgspec.DecodeError as e:
            refuse(e, f"{path}.reasoning_details")

    def _result(self, message: _Message, path: str) -> None:
        if message.role == "function":
            call_id = self._legacy_id()
        else:
            call_id = message.tool_call_id or required(f"{path}.tool_call_id")
        parts: list[Text | Media] = []
        for i, part in enumerate(read_content(_content(message, path), f"{path}.content")):
            if not isinstance(part, Text | Media):
                at = f"{path}.content"
                raise RequestError(f"'{at}' may hold text only.", field=f"{at}[{i}].type")
            parts.append(part)
        result = ToolResult(call_id=opened_id(call_id).id, name=message.name or "", parts=parts)
        if self._results is None:
            self._results = self._add("user", [])
        self._results.parts.append(result)

    def _legacy_id(self) -> str:
        return f"call_{self._legacy_calls}"


def _content(message: _Message, path: str) -> Raw:
    if message.content is UNSET:
        required(f"{path}.content")
    return message.content


def _call_part(raw: Raw, path: str, ids: list[Opened]) -> Part:
    typed = read(_typed, raw, path)
    if typed.type != "function":
        return Opaque(origin=NATIVE, kind=f"{typed.type}_tool_call", raw=bytes(raw).decode())
    call = read(_call, raw, path)
    ids.append(opened_id(call.id or required(f"{path}.id")))
    return _tool_call(ids[-1], call.function)


def _tool_call(opened: Opened, function: _Function) -> ToolCall:
    return ToolCall(
        id=opened.id,
        name=function.name,
        arguments=function.arguments or "{}",
        signature=opened.signature,
        origin=opened.origin,
    )
