"""Anthropic's count_tokens. Format: https://docs.anthropic.com/en/api/messages-count-tokens"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.wire.anthropic.facts import pass_on
from hybridllm.wire.anthropic.signatures import NATIVE
from hybridllm.wire.counting import CountCodec
from hybridllm.wire.dialect import Facts, RequestShape
from hybridllm.wire.splice import splice


class _Reply(Struct):
    input_tokens: int


_reply = msgspec.json.Decoder(_Reply)
_top = msgspec.json.Decoder(dict[str, Raw])
_COUNTED = frozenset(
    {
        "cache_control",
        "messages",
        "model",
        "output_config",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    }
)
"""Fields of a message that count_tokens takes; it refuses those of the output."""


class AnthropicCount:
    """See `wire.counting.CountCodec`. A Messages body without the fields of the output."""

    dialect = NATIVE

    def as_chat(self, body: bytes, shape: RequestShape) -> bytes:
        return splice(body, {"max_tokens": b"1"})

    def passthrough(self, body: bytes, facts: Facts, model: str) -> bytes:
        return pass_on(body, facts, model)

    def encode_request(self, chat: bytes, model: str) -> bytes:
        found = _top.decode(chat).items()
        return msgspec.json.encode({name: raw for name, raw in found if name in _COUNTED})

    def decode_reply(self, body: bytes) -> int:
        try:
            return _reply.decode(body).input_tokens
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            raise ProviderError(
                f"Anthropic's count cannot be read: {e}.", kind=ErrorKind.MALFORMED_REPLY
            ) from e

    def encode_reply(self, tokens: int) -> bytes:
        return msgspec.json.encode({"input_tokens": tokens})


COUNT: CountCodec = AnthropicCount()
