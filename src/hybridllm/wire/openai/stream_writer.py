"""Events to a streamed ChatCompletion.

Format: https://platform.openai.com/docs/api-reference/chat/streaming. The first chunk names the
role, one gives the reason for the end, and the usage comes last, if it was asked for. A thought's
text is streamed as `reasoning_content`; its entry of `reasoning_details` follows whole, when the
thought is over.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.wire.conversation import (
    BlockEnd,
    Ended,
    Event,
    Finish,
    Finished,
    OpaqueBlock,
    RefusalDelta,
    Started,
    StreamFailed,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingSigned,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    UsageUpdate,
)
from hybridllm.wire.openai.errors import stream_error
from hybridllm.wire.openai.replies import UNKNOWN_ID
from hybridllm.wire.openai.signatures import NATIVE, details_of, sealed_id
from hybridllm.wire.openai.streams import DONE
from hybridllm.wire.openai.usage import finish_reason, wire_usage
from hybridllm.wire.sse import sse


class OpenAIStreamEncoder:
    """See `StreamEncoder`. Reason and usage leave with the end, since providers send them in either
    order. `model` names the model where the stream does not; `usage`: the caller asked for it."""

    def __init__(self, model: str, *, usage: bool) -> None:
        self._model = model
        self._wants_usage = usage
        self._frame: dict[str, Any] = {}
        self._head = b""
        self._usage: Usage | None = None
        self._finish = Finish.OTHER
        self._thoughts: dict[int, Thinking] = {}
        self._written: list[Thinking] = []
        self._details = 0
        self._calls: dict[int, _Call] = {}

    def encode(self, event: Event) -> bytes:
        """The event's chunks, if it makes any."""
        match event:
            case TextDelta() if self._frame and event.text:
                return self._delta({"content": event.text})
            case Started():
                self._usage = event.usage
                return self._begin(event.id, event.model, event.created)
            case UsageUpdate():
                self._usage = event.usage
                return b""
            case Finished():
                self._finish = event.finish
                return b""
            case StreamFailed():
                failure = ProviderError(event.message, kind=ErrorKind(event.kind), code=event.code)
                return stream_error(failure, "")
            case Ended():
                return self._begin() + self._tell_all() + self._end()
        return self._begin() + self._content(event)

    def _begin(self, reply_id: str = "", model: str = "", created: int = 0) -> bytes:
        if self._frame:
            return b""
        self._frame = {
            "id": reply_id or UNKNOWN_ID,
            "object": "chat.completion.chunk",
            "created": created,
            "model": model or self._model,
        }
        self._head = _chunk({**self._frame, "choices": [{"index": 0}]}).removesuffix(b"}]}\n\n")
        return self._delta({"role": "assistant", "content": ""})

    def _content(self, event: Event) -> bytes:
        match event:
            case TextDelta():
                return self._delta({"content": event.text}) if event.text else b""
            case RefusalDelta():
                return self._delta({"refusal": event.text}) if event.text else b""
            case ThinkingDelta():
                thought = self._thoughts.setdefault(event.index, Thinking(origin=event.origin))
                thought.text += event.text
                return self._delta({"reasoning_content": event.text}) if event.text else b""
            case ThinkingSigned():
                thought = self._thoughts.setdefault(event.index, Thinking())
                thought.signature = event.signature or thought.signature
                thought.sealed = event.sealed if event.sealed is not None else thought.sealed
                thought.origin = event.origin
            case ToolCallStarted():
                return self._tell_all() + self._call(event)
            case ToolCallDelta() if event.index in self._calls:
                if event.arguments:
                    return self._arguments(self._calls[event.index], event.arguments)
            case OpaqueBlock():
                return self._opaque(event)
            case BlockEnd():
                return self._ended(event.index)
        return b""

    def _ended(self, index: int) -> bytes:
        """A block is over. A call without arguments has an empty object of them."""
        call = self._calls.get(index)
        if call is not None and not call.has_arguments:
            return self._arguments(call, "{}")
        return self._tell(index)

    def _tell(self, index: int) -> bytes:
        """The entries of one thought that is over."""
        thought = self._thoughts.pop(index, None)
        if thought is None:
            return b""
        self._written.append(thought)
        entries = details_of([thought])
        if not entries:
            return b""
        for entry in entries:
            entry["index"] = self._details
            self._details += 1
        return self._delta({"reasoning_details": entries})

    def _tell_all(self) -> bytes:
        return b"".join([self._tell(index) for index in list(self._thoughts)])

    def _call(self, event: ToolCallStarted) -> bytes:
        """A call begins with empty arguments. The first has the thoughts so far in its id."""
        call = ToolCall(
            id=event.id,
            name=event.name,
            arguments="",
            signature=event.signature,
            origin=event.origin,
        )
        call_id = sealed_id(call, [] if self._calls else self._written)
        number = len(self._calls)
        self._calls[event.index] = _Call(number)
        function = {"name": event.name, "arguments": ""}
        begun = {"index": number, "id": call_id, "type": "function", "function": function}
        return self._delta({"tool_calls": [begun]})

    def _arguments(self, call: _Call, arguments: str) -> bytes:
        call.has_arguments = True
        fragment = {"index": call.number, "function": {"arguments": arguments}}
        return self._delta({"tool_calls": [fragment]})

    def _opaque(self, event: OpaqueBlock) -> bytes:
        """A custom tool's call is OpenAI's own; what is another dialect's is left out."""
        if event.origin != NATIVE or not event.kind.endswith("_tool_call"):
            return b""
        number = len(self._calls)
        self._calls[event.index] = _Call(number, has_arguments=True)
        raw: dict[str, Any] = msgspec.json.decode(event.raw)
        return self._delta({"tool_calls": [{"index": number, **raw}]})

    def _end(self) -> bytes:
        reason = finish_reason(self._finish, calls=bool(self._calls))
        out = self._delta({}, reason)
        if self._wants_usage:
            usage = wire_usage(self._usage or Usage())
            out += _chunk({**self._frame, "choices": [], "usage": usage})
        return out + sse(DONE)

    def _delta(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        """A chunk. All are the same up to what is new in them."""
        finish = b"null" if reason is None else _encode(reason)
        tail = b',"logprobs":null,"finish_reason":' + finish + b"}]}\n\n"
        return self._head + b',"delta":' + _encode(delta) + tail


_encode = msgspec.json.Encoder().encode


class _Call:
    """A call that has begun: its number among the reply's calls."""

    __slots__ = ("has_arguments", "number")

    def __init__(self, number: int, *, has_arguments: bool = False) -> None:
        self.number = number
        self.has_arguments = has_arguments


def _chunk(chunk: dict[str, Any]) -> bytes:
    return sse(msgspec.json.encode(chunk))
