"""A request of production and its answer, whichever dialect they came in, as samples have them:
OpenAI's messages and options, and the answer as one text."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from hybridllm.engine.sampling import Seen
from hybridllm.errors import HybridError
from hybridllm.wire.conversation import Refusal, Reply, Text, ToolCall
from hybridllm.wire.dialect import DropPolicy, Target
from hybridllm.wire.registry import get_dialect
from hybridllm.wire.replay import reply_of

OPTIONS = (
    "temperature", "top_p", "max_completion_tokens", "stop", "tools", "tool_choice",
    "parallel_tool_calls", "response_format", "reasoning_effort", "seed", "presence_penalty",
    "frequency_penalty",
)  # fmt: skip
"""What is taken over of a request besides its messages: all that changes an answer. Who asked, and
what is only a caller's bookkeeping, is not."""

_TARGET = Target(model="gpt-4o", max_output_tokens=1_000_000)


class Observed(Struct, frozen=True, kw_only=True):
    """`answer` is what was said, or where tools are called instead, the JSON list of the calls.
    `finish` says why it ended; `media` that the messages hold images, documents or sound."""

    request_id: str
    task: str
    model: str
    at: int
    dialect: str
    messages: list[dict[str, Any]]
    options: dict[str, Any]
    answer: str
    finish: str
    media: bool


def observed(seen: Seen) -> Observed | None:
    """None for an answer that is not whole, has nothing to grade, or belongs to a request that
    cannot be put in that form."""
    call = seen.call
    try:
        reply = whole_reply(seen)
        conversation = call.dialect.decode_request(call.body, call.shape)
        body = get_dialect("openai").encode_request(conversation, _TARGET, DropPolicy())
    except HybridError:
        return None
    if reply is None or not (answer := answer_of(reply)):
        return None
    said = msgspec.json.decode(body)
    messages: list[dict[str, Any]] = said["messages"]
    return Observed(
        request_id=seen.request_id,
        task=seen.task,
        model=seen.model,
        at=seen.at,
        dialect=call.dialect.name,
        messages=messages,
        options={name: said[name] for name in OPTIONS if said.get(name) is not None},
        answer=answer,
        finish=reply.finish.value,
        media=any(map(_has_media, messages)),
    )


def whole_reply(seen: Seen) -> Reply | None:
    """The reply; None for a stream that is not whole. Raises ProviderError for what is no reply."""
    dialect = seen.call.dialect
    if not seen.stream:
        return dialect.decode_reply(seen.reply)
    decoder = dialect.stream_decoder()
    return reply_of([*decoder.feed(seen.reply), *decoder.end()])


def answer_of(reply: Reply) -> str:
    """What a reply says, as graders see it."""
    said = "".join(part.text for part in reply.parts if isinstance(part, Text | Refusal))
    calls = [
        {"name": part.name, "arguments": msgspec.Raw(part.arguments.encode() or b"{}")}
        for part in reply.parts
        if isinstance(part, ToolCall)
    ]
    return said or (msgspec.json.encode(calls).decode() if calls else "")


def _has_media(message: dict[str, Any]) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(part.get("type") != "text" for part in content)
