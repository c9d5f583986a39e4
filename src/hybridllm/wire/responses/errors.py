"""Errors of the Responses API: OpenAI's shape, and in a stream a flat event of type `error`.

Format: https://platform.openai.com/docs/api-reference/responses-streaming/error
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from hybridllm.errors import ErrorKind, HybridError, ProviderError
from hybridllm.wire.openai.errors import WireError, stream_failure, write_error
from hybridllm.wire.sse import sse

_PREVIOUS = "previous_response_id"
_NULL = Raw(b"null")


class _Flat(msgspec.Struct):
    """An `error` event: its fields at top level, or (as some servers send it) under `error`."""

    message: str | None = None
    code: str | int | None = None
    error: Raw = _NULL


class _Body(msgspec.Struct):
    error: dict[str, str | None]


_flat = msgspec.json.Decoder(_Flat)
_body = msgspec.json.Decoder(_Body)


def error_answer(error: HybridError, request_id: str) -> tuple[int, bytes]:
    """Status and body. An earlier response that is not to be had has a code of its own."""
    status, body = write_error(error, request_id)
    if error.kind is ErrorKind.NOT_FOUND and error.field == _PREVIOUS:
        said = _body.decode(body).error | {"code": "previous_response_not_found"}
        body = msgspec.json.encode({"error": said})
    return status, body


def stream_error(error: HybridError, number: int) -> bytes:
    """The last event of a stream that broke."""
    said = _body.decode(write_error(error, "")[1]).error
    flat = {
        "type": "error",
        "code": said["code"] or said["type"],
        "message": said["message"],
        "param": said["param"],
        "sequence_number": number,
    }
    return sse(msgspec.json.encode(flat), b"error")


def failure_of(event: bytes) -> ProviderError:
    """What an `error` event means. Raises msgspec.DecodeError."""
    found = _flat.decode(event)
    if bytes(found.error) != b"null":
        return stream_failure(found.error, event)
    error = WireError(message=found.message, code=found.code)
    return stream_failure(msgspec.json.encode(error), event)
