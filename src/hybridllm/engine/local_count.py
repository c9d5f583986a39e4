"""Counts of input tokens worked out here, for models whose providers do not count.

For OpenAI's models each text is counted exactly where the tokenizer is installed (the extra
`hybridllm[tokens]`); what stands around the texts follows OpenAI's cookbook, "How to count tokens
with tiktoken": three tokens and the role for each message, and three before the answer. OpenAI
publishes no such figures for tools, nor for the newest models, so the sum is near and not exact.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from hybridllm.catalog.structs import Model
from hybridllm.routing.cost import MEDIA_TOKENS
from hybridllm.tokens import count_text, encoding_of, estimate_bytes, exact_available
from hybridllm.wire.conversation import (
    Conversation,
    Media,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from hybridllm.wire.dialect import Facts

_MESSAGE_TOKENS = 4
"""Three around a message, and its role."""
_ANSWER_TOKENS = 3


def count_here(model: Model, facts: Facts, conversation: Conversation) -> int:
    """Tokens of the request for `model`. Images, documents and recordings count as in routing, a
    thousand each. Where no tokenizer is known or installed, the estimate is by bytes."""
    media = facts.media * MEDIA_TOKENS
    if encoding_of(model.id) is None or not exact_available():
        return estimate_bytes(facts.text_bytes, model.tokens_per_kbyte) + media
    messages = len(conversation.messages) + bool(conversation.system)
    texts = sum(count_text(text, model.id) for text in _texts(conversation))
    return texts + messages * _MESSAGE_TOKENS + _ANSWER_TOKENS + media


def _texts(conversation: Conversation) -> Iterator[str]:
    """All that becomes text for the model."""
    for text in conversation.system:
        yield text.text
    for message in conversation.messages:
        for part in message.parts:
            yield from _texts_of(part)
    for tool in conversation.tools:
        yield tool.name
        if tool.description:
            yield tool.description
        if tool.schema:
            yield msgspec.json.encode(tool.schema).decode()
    if conversation.output is not None and conversation.output.schema:
        yield msgspec.json.encode(conversation.output.schema).decode()


def _texts_of(part: Part) -> Iterator[str]:
    match part:
        case Text() | Refusal() | Thinking():
            yield part.text
        case ToolCall():
            yield part.name
            yield part.arguments
        case ToolResult():
            for inner in part.parts:
                if not isinstance(inner, Media):
                    yield inner.text
