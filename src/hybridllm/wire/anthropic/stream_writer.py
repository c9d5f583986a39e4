"""Events to a streamed Message. Format: https://docs.anthropic.com/en/api/messages-streaming

Blocks may not interleave here, as OpenAI's tool calls may: one block is open at a time, and what
belongs to others waits until it has ended.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.wire.anthropic.block_writer import tool_id
from hybridllm.wire.anthropic.errors import stream_error
from hybridllm.wire.anthropic.replies import UNKNOWN_ID
from hybridllm.wire.anthropic.signatures import NATIVE, to_wire
from hybridllm.wire.anthropic.usage import delta_usage, stop_reason, wire_usage
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
    ThinkingDelta,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
    UsageUpdate,
)
from hybridllm.wire.sse import sse

BlockEvent = (
    TextDelta
    | RefusalDelta
    | ThinkingDelta
    | ThinkingSigned
    | ToolCallStarted
    | ToolCallDelta
    | OpaqueBlock
    | BlockEnd
)


class AnthropicStreamEncoder:
    """See `StreamEncoder`. Stop reason and usage leave with the end, since providers send them in
    either order. `model` names the model where the stream does not."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._begun = False
        self._usage: Usage | None = None
        self._finished = Finished(finish=Finish.OTHER)
        self._blocks = _Blocks()
        self._open: int | None = None
        self._waiting: dict[int, list[BlockEvent]] = {}

    def encode(self, event: Event) -> bytes:
        """The event's wire events, if it makes any."""
        match event:
            case TextDelta() | ToolCallDelta() | ThinkingDelta() if self._begun:
                return self._block(event)
            case Started():
                self._usage = event.usage
                return self._begin(event.id, event.model or self._model)
            case UsageUpdate():
                self._usage = event.usage
                return b""
            case Finished():
                self._finished = event
                return b""
            case StreamFailed():
                failure = ProviderError(event.message, kind=ErrorKind(event.kind), code=event.code)
                return stream_error(failure, "")
            case Ended():
                return self._begin() + self._flush() + self._end()
            case _:
                return self._begin() + self._block(event)

    def _begin(self, message_id: str = "", model: str = "") -> bytes:
        if self._begun:
            return b""
        self._begun = True
        message: dict[str, Any] = {
            "id": message_id or UNKNOWN_ID,
            "type": "message",
            "role": "assistant",
            "model": model or self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": wire_usage(self._usage),
        }
        return _event("message_start", message=message)

    def _block(self, event: BlockEvent) -> bytes:
        """Write the event if its block's turn has come. Text and thought are over as soon as
        something else begins; a tool call is not, until it says so."""
        if event.index == self._open and not isinstance(event, BlockEnd):
            return self._blocks.write(event)
        out = b""
        ends_another = isinstance(event, BlockEnd) and event.index != self._open
        if ends_another and event.index not in self._waiting:
            return b""  # the block was ended when another began
        if self._open is not None and event.index != self._open:
            if self._blocks.calling:
                self._waiting.setdefault(event.index, []).append(event)
                return b""
            out = self._blocks.close()
        self._open = event.index
        out += self._blocks.write(event)
        if isinstance(event, BlockEnd):
            self._open = None
            out += self._next()
        return out

    def _next(self) -> bytes:
        """The blocks that waited, up to the first that is not over yet."""
        out = b""
        while self._open is None and self._waiting:
            index = next(iter(self._waiting))
            for event in self._waiting.pop(index):
                self._open = index
                out += self._blocks.write(event)
                if isinstance(event, BlockEnd):
                    self._open = None
        return out

    def _flush(self) -> bytes:
        """Everything that still waits: the stream has ended, and with it every block."""
        out = self._blocks.close()
        while self._waiting:
            self._open = None
            out += self._next() + self._blocks.close()
        return out

    def _end(self) -> bytes:
        delta = {
            "stop_reason": stop_reason(self._finished.finish, self._blocks.called),
            "stop_sequence": self._finished.stop_sequence,
        }
        usage = delta_usage(self._usage)
        return _event("message_delta", delta=delta, usage=usage) + _event("message_stop")


_encode = msgspec.json.Encoder().encode
_DELTA_TAIL = b'""}}\n\n'


class _Blocks:
    """Writes one block after another. `calling`: the open one is a tool call; `called`: there has
    been one. A signature after a text waits for a block to follow, and is left out where none does
    (see `signatures.signs_answer`)."""

    def __init__(self) -> None:
        self._number = 0
        self._kind = ""
        self._origin = ""
        self._signed = False
        self._said = False
        self._held: ThinkingSigned | None = None
        self._heads: dict[str, bytes] = {}
        self.called = False

    @property
    def calling(self) -> bool:
        return self._kind == "tool_use"

    def write(self, event: BlockEvent) -> bytes:
        match event:
            case TextDelta() | RefusalDelta():
                if not event.text:
                    return b""
                opening = b""
                if self._kind != "text":
                    opening = self._opened("text", {"type": "text", "text": ""})
                return opening + self._delta("text_delta", "text", event.text)
            case ThinkingDelta():
                if not event.text:
                    return b""
                return self._thought(event.origin) + self._delta(
                    "thinking_delta", "thinking", event.text
                )
            case ThinkingSigned():
                return self._sign(event)
            case ToolCallStarted():
                return self._call(event)
            case ToolCallDelta():
                if not event.arguments:
                    return b""
                return self._delta("input_json_delta", "partial_json", event.arguments)
            case OpaqueBlock():
                if event.origin != NATIVE:
                    return b""
                return self._whole(event.kind, Raw(event.raw.encode()))
            case BlockEnd():
                return self.close()

    def close(self) -> bytes:
        """End the open block. A foreign thought that was never signed gets its wrapper."""
        if not self._kind:
            return b""
        out = b""
        if self._kind == "thinking" and not self._signed and self._origin != NATIVE:
            out = self._delta("signature_delta", "signature", to_wire(None, self._origin))
        out += _event("content_block_stop", index=self._number)
        self._heads.clear()
        self._kind = ""
        self._number += 1
        return out

    def _opened(self, kind: str, block: Any) -> bytes:
        """Open a block of this kind unless one is open; end any other."""
        if self._kind == kind:
            return b""
        out = self.close() + self._release()
        self._kind = kind
        self._said = kind == "text"
        return out + _event("content_block_start", index=self._number, content_block=block)

    def _thought(self, origin: str) -> bytes:
        out = self._opened("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        if out:
            self._origin, self._signed = origin, False
        return out

    def _release(self) -> bytes:
        """The signature that waited, in a block of its own."""
        held, self._held = self._held, None
        if held is None:
            return b""
        self._said = False
        return self._sign(held) + self.close()

    def _sign(self, event: ThinkingSigned) -> bytes:
        out = b""
        if self._said and event.origin != NATIVE and event.sealed is None:
            self._held = event
            return self.close()
        if event.signature:
            out = self._thought(event.origin)
            signature = to_wire(event.signature, event.origin)
            out += self._delta("signature_delta", "signature", signature)
            self._signed = True
        if event.sealed is not None:
            data = to_wire(event.sealed, event.origin)
            out += self._whole("redacted_thinking", {"type": "redacted_thinking", "data": data})
        return out

    def _call(self, call: ToolCallStarted) -> bytes:
        out = self.close() + self._release()
        self._said = False
        if call.signature:
            out += self._sign(
                ThinkingSigned(index=call.index, signature=call.signature, origin=call.origin)
            )
            out += self.close()
        self.called = True
        block = {"type": "tool_use", "id": tool_id(call.id), "name": call.name, "input": {}}
        return out + self._opened("tool_use", block)

    def _whole(self, kind: str, block: Any) -> bytes:
        """A block without deltas."""
        return self.close() + self._opened(kind, block) + self.close()

    def _delta(self, kind: str, field: str, text: str) -> bytes:
        """A delta of the open block. All of its kind are the same up to their text."""
        head = self._heads.get(kind)
        if head is None:
            whole = _event(
                "content_block_delta", index=self._number, delta={"type": kind, field: ""}
            )
            head = self._heads[kind] = whole.removesuffix(_DELTA_TAIL)
        return head + _encode(text) + b"}}\n\n"


def _event(kind: str, **fields: Any) -> bytes:
    return sse(msgspec.json.encode({"type": kind, **fields}), kind.encode())
