"""OpenAI's Responses API, whole and streamed.

Format: https://platform.openai.com/docs/api-reference/responses.
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
from hybridllm.wire.openai.errors import read_error
from hybridllm.wire.openai.models import suits
from hybridllm.wire.responses import errors, facts, replies, request_writer, requests, usage
from hybridllm.wire.responses.facts import pass_on
from hybridllm.wire.responses.relay import ResponsesRelay
from hybridllm.wire.responses.signatures import NATIVE
from hybridllm.wire.responses.stream_writer import ResponsesStreamEncoder
from hybridllm.wire.responses.streams import ResponsesStreamDecoder


class OpenAIResponses:
    """See `wire.dialect.Dialect`. Model and streaming are in the body, so shapes say nothing."""

    name = NATIVE

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
        return ResponsesRelay()

    def stream_decoder(self) -> StreamDecoder:
        return ResponsesStreamDecoder()

    def stream_encoder(self, facts: Facts, shape: RequestShape) -> StreamEncoder:
        return ResponsesStreamEncoder(facts.model)

    def stream_content_type(self, shape: RequestShape) -> str:
        return "text/event-stream"

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        return read_error(status, headers, body)

    def encode_error(self, error: HybridError, request_id: str) -> tuple[int, bytes]:
        return errors.error_answer(error, request_id)

    def encode_stream_error(
        self, error: HybridError, request_id: str, shape: RequestShape
    ) -> bytes:
        """Its number among the stream's events is not known here."""
        return errors.stream_error(error, 0)


DIALECT: Dialect = OpenAIResponses()
