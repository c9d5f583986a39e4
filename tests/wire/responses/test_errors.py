"""Errors in OpenAI's shape, and the one code that is this API's own."""

from __future__ import annotations

import json

import pytest
from openai.types.shared import ErrorObject

from hybridllm.errors import ErrorKind, HybridError, ProviderError, RequestError
from hybridllm.wire.responses import DIALECT
from hybridllm.wire.responses.errors import stream_error


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_every_kind_has_openais_shape(kind: ErrorKind) -> None:
    status, body = DIALECT.encode_error(HybridError("No.", kind=kind, field="a"), "req_1")
    assert 400 <= status <= 599
    found = json.loads(body)
    assert found.keys() == {"error"}
    assert ErrorObject.model_validate(found["error"], strict=True).param == "a"


def test_an_earlier_response_that_is_not_to_be_had() -> None:
    error = RequestError(
        "Gone.",
        kind=ErrorKind.NOT_FOUND,
        status=400,
        field="previous_response_id",
        remedy="Resend.",
    )
    status, body = DIALECT.encode_error(error, "req_1")
    assert status == 400
    assert json.loads(body)["error"] == {
        "message": "Gone. Resend.",
        "type": "invalid_request_error",
        "param": "previous_response_id",
        "code": "previous_response_not_found",
    }


def test_a_providers_error_is_read_as_openais() -> None:
    said = {"message": "Slow down.", "type": "requests", "code": "rate_limit_exceeded"}
    error = DIALECT.decode_error(
        429, {"retry-after": "3", "x-request-id": "r"}, json.dumps({"error": said}).encode()
    )
    assert (error.kind, error.retry_after, error.request_id) == (ErrorKind.RATE_LIMITED, 3.0, "r")


def test_an_error_in_a_stream_is_flat() -> None:
    error = ProviderError("gone", kind=ErrorKind.OVERLOADED)
    wire = stream_error(error, 5)
    assert wire.startswith(b"event: error\ndata: ")
    assert json.loads(wire.split(b"data: ")[1]) == {
        "type": "error",
        "code": "server_is_overloaded",
        "message": "gone",
        "param": None,
        "sequence_number": 5,
    }
