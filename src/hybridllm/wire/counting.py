"""Counting a request's input tokens, and what a dialect's codec of it does. Floor 1, pure."""

from __future__ import annotations

from typing import Protocol

from hybridllm.wire.dialect import Facts, RequestShape


class CountCodec(Protocol):
    """One dialect's endpoint that counts the input of a chat without answering it.

    The request is a chat's in another wrapping, so `Dialect` reads and writes what is inside.
    """

    dialect: str

    def as_chat(self, body: bytes, shape: RequestShape) -> bytes:
        """The chat request whose input is to be counted. Raises RequestError. What it says of the
        output is not the caller's and means nothing."""
        ...

    def passthrough(self, body: bytes, facts: Facts, model: str) -> bytes:
        """The caller's own body, byte for byte but for the model's name and what is ours alone."""
        ...

    def encode_request(self, chat: bytes, model: str) -> bytes:
        """The body to send, of a chat request for the model of that wire name."""
        ...

    def decode_reply(self, body: bytes) -> int:
        """Tokens. Raises ProviderError(MALFORMED_REPLY)."""
        ...

    def encode_reply(self, tokens: int) -> bytes: ...
