"""Google's countTokens. Format: https://ai.google.dev/api/tokens

The body holds `contents` alone, or a whole `generateContentRequest` with system instruction, tools
and all.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from hybridllm.errors import ErrorKind, ProviderError, RequestError
from hybridllm.wire.counting import CountCodec
from hybridllm.wire.dialect import Facts, RequestShape
from hybridllm.wire.google.embeddings import renamed
from hybridllm.wire.google.facts import pass_on
from hybridllm.wire.google.signatures import NATIVE
from hybridllm.wire.splice import splice


class _Reply(Struct):
    totalTokens: int = 0
    """Proto JSON leaves a zero out."""


_reply = msgspec.json.Decoder(_Reply)
_top = msgspec.json.Decoder(dict[str, Raw])
_WRAPPINGS = ("generateContentRequest", "generate_content_request")


class GoogleCount:
    """See `wire.counting.CountCodec`."""

    dialect = NATIVE

    def as_chat(self, body: bytes, shape: RequestShape) -> bytes:
        name, inner = _wrapped(body)
        return splice(inner, {"model": None}) if name else body

    def passthrough(self, body: bytes, facts: Facts, model: str) -> bytes:
        name, inner = _wrapped(body)
        if not name:
            return pass_on(body, facts)
        kept = renamed(pass_on(inner, facts), facts.model, model)
        return body if kept == inner else splice(body, {name: kept})

    def encode_request(self, chat: bytes, model: str) -> bytes:
        named = splice(chat, {"model": msgspec.json.encode(f"models/{model}")})
        return b'{"generateContentRequest":' + named + b"}"

    def decode_reply(self, body: bytes) -> int:
        try:
            return _reply.decode(body).totalTokens
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            raise ProviderError(
                f"Google's count cannot be read: {e}.", kind=ErrorKind.MALFORMED_REPLY
            ) from e

    def encode_reply(self, tokens: int) -> bytes:
        return msgspec.json.encode({"totalTokens": tokens})


def _wrapped(body: bytes) -> tuple[str, bytes]:
    """The name of the wrapping and what is in it; "" and nothing where there is none. Raises
    RequestError."""
    try:
        top = _top.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise RequestError(f"The body is not a JSON object: {e}.") from e
    name = next((name for name in _WRAPPINGS if name in top), "")
    return name, bytes(top[name]) if name else b""


COUNT: CountCodec = GoogleCount()
