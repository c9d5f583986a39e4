"""Events to a streamed response.

Format: https://platform.openai.com/docs/api-reference/responses-streaming. Events are numbered; an
item is announced, told in deltas, repeated whole when it is done, and once more in the response
that ends the stream. Texts in a row are parts of one message.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct, field

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
    ThinkingDelta,
    ThinkingSigned,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    UsageUpdate,
)
from hybridllm.wire.openai.signatures import sealed_id
from hybridllm.wire.responses import output
from hybridllm.wire.responses.errors import stream_error
from hybridllm.wire.responses.output import Item, item_id, response_id
from hybridllm.wire.responses.signatures import MAKER, NATIVE, sealed, signed
from hybridllm.wire.responses.usage import incomplete_reason, wire_usage
from hybridllm.wire.sse import sse


class _Message(Struct):
    """The message that is open. `block` is that of its last part, None when that has ended."""

    id: str
    number: int
    content: list[Item] = field(default_factory=list)
    block: int | None = None
    pieces: list[str] = field(default_factory=list)


class _Thought(Struct):
    """A thought that is open. `signature` and `sealed` are as they stand on the wire."""

    id: str
    number: int
    origin: str
    pieces: list[str] = field(default_factory=list)
    signature: str | None = None
    sealed: str | None = None


class _Call(Struct):
    id: str
    number: int
    call_id: str
    name: str
    pieces: list[str] = field(default_factory=list)


class ResponsesStreamEncoder:
    """See `StreamEncoder`. `model` names the model where the stream does not."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._number = 0
        self._id = ""
        self._created = 0
        self._usage: Usage | None = None
        self._finish = Finish.OTHER
        self._refused = False
        self._items: list[Any] = []
        self._message: _Message | None = None
        self._thoughts: dict[int, _Thought] = {}
        self._calls: dict[int, _Call] = {}

    def encode(self, event: Event) -> bytes:
        """The event's events, if it makes any."""
        match event:
            case TextDelta() | RefusalDelta():
                return self._say(event) if event.text else b""
            case ToolCallDelta():
                return self._arguments(event) if event.arguments else b""
            case ThinkingDelta():
                return self._think(event)
            case Started():
                self._usage = event.usage
                return self._begin(event.id, event.model, event.created)
            case ThinkingSigned():
                return self._sign(event)
            case ToolCallStarted():
                return self._call(event)
            case OpaqueBlock():
                return self._opaque(event)
            case BlockEnd():
                return self._end_block(event.index)
            case UsageUpdate():
                self._usage = event.usage
            case Finished():
                self._finish = event.finish
            case StreamFailed():
                failure = ProviderError(event.message, kind=ErrorKind(event.kind), code=event.code)
                return stream_error(failure, self._number)
            case Ended():
                return self._end()
        return b""

    # -- the response

    def _begin(self, provider_id: str = "", model: str = "", created: int = 0) -> bytes:
        if self._id:
            return b""
        self._id = response_id(provider_id)
        self._model = model or self._model
        self._created = created
        response = output.frame(self._id, self._model, created, "in_progress")
        return self._event("response.created", response=response) + self._event(
            "response.in_progress", response=response
        )

    def _end(self) -> bytes:
        out = [self._begin()]
        out += [self._end_thought(index) for index in list(self._thoughts)]
        out += [self._end_call(index) for index in list(self._calls)]
        reason = incomplete_reason(self._finish, refused=self._refused)
        status = "completed" if reason is None else "incomplete"
        out.append(self._end_message(status))
        response = output.frame(self._id, self._model, self._created, status)
        response["output"] = self._items
        if reason is not None:
            response["incomplete_details"] = {"reason": reason}
        if self._usage is not None:
            response["usage"] = wire_usage(self._usage)
        out.append(self._event(f"response.{status}", response=response))
        return b"".join(out)

    def _event(self, kind: str, **fields: Any) -> bytes:
        data = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return sse(msgspec.json.encode(data), kind.encode())

    def _add(self, kind: str) -> tuple[str, int]:
        """The id and the number of a new item, whose place is kept."""
        number = len(self._items)
        self._items.append(None)
        return item_id(kind, self._id, number), number

    def _added(self, number: int, item: Any) -> bytes:
        return self._event("response.output_item.added", output_index=number, item=item)

    def _done(self, number: int, item: Any) -> bytes:
        self._items[number] = item
        return self._event("response.output_item.done", output_index=number, item=item)

    def _end_block(self, index: int) -> bytes:
        if index in self._calls:
            return self._end_call(index)
        if index in self._thoughts:
            return self._end_thought(index)
        if self._message is not None and self._message.block == index:
            return self._end_part(self._message)
        return b""

    # -- messages

    def _say(self, event: TextDelta | RefusalDelta) -> bytes:
        message = self._message
        if message is not None and message.block == event.index:
            return self._piece(message, event)
        out = [self._begin()]
        if message is None:
            message = self._message = _Message(*self._add("msg"))
            item = output.message_item(message.id, [], "in_progress")
            out.append(self._added(message.number, item))
        out += [self._end_part(message), self._begin_part(message, event)]
        out.append(self._piece(message, event))
        return b"".join(out)

    def _piece(self, message: _Message, event: TextDelta | RefusalDelta) -> bytes:
        message.pieces.append(event.text)
        at = self._at(message)
        if isinstance(event, RefusalDelta):
            return self._event("response.refusal.delta", **at, delta=event.text)
        return self._event("response.output_text.delta", **at, delta=event.text, logprobs=[])

    def _begin_part(self, message: _Message, event: TextDelta | RefusalDelta) -> bytes:
        message.block = event.index
        message.pieces = []
        if isinstance(event, RefusalDelta):
            self._refused = True
            part = output.refusal_part("")
        else:
            part = output.text_part("")
        message.content.append(part)
        return self._event("response.content_part.added", **self._at(message), part=part)

    def _at(self, message: _Message) -> dict[str, Any]:
        return {
            "item_id": message.id,
            "output_index": message.number,
            "content_index": len(message.content) - 1,
        }

    def _end_part(self, message: _Message) -> bytes:
        if message.block is None:
            return b""
        message.block = None
        part, text, at = message.content[-1], "".join(message.pieces), self._at(message)
        if part["type"] == "refusal":
            part["refusal"] = text
            out = self._event("response.refusal.done", **at, refusal=text)
        else:
            part["text"] = text
            out = self._event("response.output_text.done", **at, text=text, logprobs=[])
        return out + self._event("response.content_part.done", **at, part=part)

    def _end_message(self, status: str = "completed") -> bytes:
        """Something else begins. (What comes last in a cut reply is what was cut.)"""
        message = self._message
        if message is None:
            return b""
        out = self._end_part(message)
        self._message = None
        item = output.message_item(message.id, message.content, status)
        return out + self._done(message.number, item)

    # -- thoughts

    def _thought(self, index: int, origin: str) -> tuple[_Thought, bytes]:
        """The thought of a block. It is announced with its origin, which a signature may follow."""
        thought = self._thoughts.get(index)
        if thought is not None:
            return thought, b""
        out = self._begin() + self._end_message()
        own_id, number = self._add("rs")
        thought = self._thoughts[index] = _Thought(own_id, number, origin)
        item = output.reasoning_item(own_id, "", signed(None, origin))
        return thought, out + self._added(number, item)

    def _think(self, event: ThinkingDelta) -> bytes:
        thought, out = self._thought(event.index, event.origin)
        if not event.text:
            return out
        at = {"item_id": thought.id, "output_index": thought.number, "summary_index": 0}
        if not thought.pieces:
            part = output.summary_part("")
            out += self._event("response.reasoning_summary_part.added", **at, part=part)
        thought.pieces.append(event.text)
        return out + self._event("response.reasoning_summary_text.delta", **at, delta=event.text)

    def _sign(self, event: ThinkingSigned) -> bytes:
        thought, out = self._thought(event.index, event.origin)
        thought.origin = event.origin or thought.origin
        thought.signature = event.signature or thought.signature
        thought.sealed = event.sealed if event.sealed is not None else thought.sealed
        return out

    def _end_thought(self, index: int) -> bytes:
        """OpenAI's sealed thought is one item with its text; another's readable and signed text is
        one and what it has sealed another."""
        thought = self._thoughts.pop(index)
        text, out = "".join(thought.pieces), b""
        if text:
            at = {"item_id": thought.id, "output_index": thought.number, "summary_index": 0}
            part = output.summary_part(text)
            out = self._event("response.reasoning_summary_text.done", **at, text=text)
            out += self._event("response.reasoning_summary_part.done", **at, part=part)
        encrypted = signed(thought.signature, thought.origin)
        if thought.sealed is not None:
            seal = sealed(thought.sealed, thought.origin)
            if thought.origin != MAKER and (text or thought.signature):
                out += self._done(
                    thought.number, output.reasoning_item(thought.id, text, encrypted)
                )
                thought.id, thought.number = self._add("rs")
                text = ""
                item = output.reasoning_item(thought.id, "", seal)
                out += self._added(thought.number, item)
            encrypted = seal
        item = output.reasoning_item(thought.id, text, encrypted)
        return out + self._done(thought.number, item)

    # -- calls

    def _call(self, event: ToolCallStarted) -> bytes:
        out = self._begin() + self._end_message()
        call = ToolCall(
            id=event.id,
            name=event.name,
            arguments="",
            signature=event.signature,
            origin=event.origin,
        )
        own_id, number = self._add("fc")
        begun = _Call(own_id, number, sealed_id(call, []), event.name)
        self._calls[event.index] = begun
        return out + self._added(number, _item(begun, "", "in_progress"))

    def _arguments(self, event: ToolCallDelta) -> bytes:
        call = self._calls.get(event.index)
        if call is None:
            return b""
        call.pieces.append(event.arguments)
        return self._event(
            "response.function_call_arguments.delta",
            item_id=call.id,
            output_index=call.number,
            delta=event.arguments,
        )

    def _end_call(self, index: int) -> bytes:
        """A call without arguments has an empty object of them."""
        out = b""
        if not self._calls[index].pieces:
            out = self._arguments(ToolCallDelta(index=index, arguments="{}"))
        call = self._calls.pop(index)
        arguments = "".join(call.pieces)
        out += self._event(
            "response.function_call_arguments.done",
            item_id=call.id,
            output_index=call.number,
            arguments=arguments,
        )
        return out + self._done(call.number, _item(call, arguments, "completed"))

    def _opaque(self, event: OpaqueBlock) -> bytes:
        """An item that only this dialect knows; what is another's is left out."""
        if event.origin != NATIVE:
            return b""
        out = self._begin() + self._end_message()
        number = len(self._items)
        self._items.append(None)
        item = Raw(event.raw.encode())
        return out + self._added(number, item) + self._done(number, item)


def _item(call: _Call, arguments: str, status: str) -> Item:
    return output.call_item(call.id, call.call_id, call.name, arguments, status)
