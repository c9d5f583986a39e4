"""Google's generateContent and streamGenerateContent, of the Gemini API.

Format: https://ai.google.dev/api/generate-content. Model and streaming are in the path, so they
come in the `RequestShape`; a stream is SSE with `?alt=sse`, else one JSON array.
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
from hybridllm.wire.google import errors, facts, metering, replies, request_writer, requests
from hybridllm.wire.google.facts import pass_on
from hybridllm.wire.google.relay import GoogleRelay
from hybridllm.wire.google.streams import GoogleStreamDecoder, GoogleStreamEncoder, stream_error
from hybridllm.wire.google.thinking import suits


class GoogleGenerateContent:
    """See `wire.dialect.Dialect`."""

    name = "google"

    def facts(self, body: bytes, shape: RequestShape) -> Facts:
        return facts.read_facts(body, shape)

    def decode_request(self, body: bytes, shape: RequestShape) -> Conversation:
        return requests.read_request(body, shape)

    def encode_request(self, conv: Conversation, target: Target, policy: DropPolicy) -> bytes:
        return request_writer.write_request(conv, target, policy)

    def suits(self, facts: Facts, target: Target) -> bool:
        return suits(facts.controls, target)

    def passthrough(self, body: bytes, facts: Facts, model: str) -> bytes:
        """The model is in the path: only what is ours alone is taken out."""
        return pass_on(body, facts)

    def decode_reply(self, body: bytes) -> Reply:
        return replies.read_reply(body)

    def encode_reply(self, reply: Reply) -> bytes:
        return replies.write_reply(reply)

    def meter(self, body: bytes) -> tuple[Usage | None, Finish | None]:
        return metering.meter(body)

    def relay(self, facts: Facts, shape: RequestShape) -> Relay:
        return GoogleRelay(sse=shape.sse, choices=facts.choices)

    def stream_decoder(self) -> StreamDecoder:
        return GoogleStreamDecoder()

    def stream_encoder(self, facts: Facts, shape: RequestShape) -> StreamEncoder:
        return GoogleStreamEncoder(sse=shape.sse)

    def stream_content_type(self, shape: RequestShape) -> str:
        return "text/event-stream" if shape.sse else "application/json"

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        return errors.read_error(status, headers, body)

    def encode_error(self, error: HybridError, request_id: str) -> tuple[int, bytes]:
        return errors.write_error(error, request_id)

    def encode_stream_error(
        self, error: HybridError, request_id: str, shape: RequestShape
    ) -> bytes:
        return stream_error(error, request_id, sse_form=shape.sse)


DIALECT: Dialect = GoogleGenerateContent()
