"""OpenAI's Chat Completions API, whole and streamed, and the servers that speak it.

Format: https://platform.openai.com/docs/api-reference/chat.
"""

from __future__ import annotations

from collections.abc import Mapping

from hybridllm.catalog.structs import Usage
from hybridllm.errors import HybridError, ProviderError
from hybridllm.wire.conversation import Conversation, Finish, Reply
from hybridllm.wire.dialect import (
    Dialect,
    DropPolicy,
    Facts,
    Relay,
    RequestShape,
    StreamDecoder,
    StreamEncoder,
    Target,
)
from hybridllm.wire.openai import errors, facts, replies, request_writer, requests, usage
from hybridllm.wire.openai.facts import pass_on
from hybridllm.wire.openai.models import suits
from hybridllm.wire.openai.relay import OpenAIRelay
from hybridllm.wire.openai.stream_writer import OpenAIStreamEncoder
from hybridllm.wire.openai.streams import OpenAIStreamDecoder


class OpenAIChat:
    """See `wire.dialect.Dialect`. Model and streaming are in the body, so shapes say nothing."""

    name = "openai"

    def facts(self, body: bytes, shape: RequestShape) -> Facts:
        return facts.read_facts(body)

    def decode_request(self, body: bytes, shape: RequestShape) -> Conversation:
        return requests.read_request(body)

    def encode_request(self, conv: Conversation, target: Target, policy: DropPolicy) -> bytes:
        return request_writer.write_request(conv, target, policy)

    def suits(self, facts: Facts, target: Target) -> bool:
        return suits(facts.controls, target)

    def passthrough(self, body: bytes, facts: Facts, model: str) -> bytes:
        return pass_on(body, facts, model)

    def decode_reply(self, body: bytes) -> Reply:
        return replies.read_reply(body)

    def encode_reply(self, reply: Reply) -> bytes:
        return replies.write_reply(reply)

    def meter(self, body: bytes) -> tuple[Usage | None, Finish | None]:
        return usage.meter(body)

    def relay(self, facts: Facts, shape: RequestShape) -> Relay:
        return OpenAIRelay(usage=facts.usage_requested)

    def stream_decoder(self) -> StreamDecoder:
        return OpenAIStreamDecoder()

    def stream_encoder(self, facts: Facts, shape: RequestShape) -> StreamEncoder:
        return OpenAIStreamEncoder(facts.model, usage=facts.usage_requested)

    def stream_content_type(self, shape: RequestShape) -> str:
        return "text/event-stream"

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        return errors.read_error(status, headers, body)

    def encode_error(self, error: HybridError, request_id: str) -> tuple[int, bytes]:
        return errors.write_error(error, request_id)

    def encode_stream_error(
        self, error: HybridError, request_id: str, shape: RequestShape
    ) -> bytes:
        return errors.stream_error(error, request_id)


DIALECT: Dialect = OpenAIChat()
