"""Anthropic's errors, both ways."""

from __future__ import annotations

import json

import pytest
from anthropic.types.shared import ErrorResponse

from hybridllm.errors import ErrorKind, HybridError, ProviderError, RequestError
from hybridllm.wire.anthropic import DIALECT
from hybridllm.wire.dialect import RequestShape
from hybridllm.wire.sse import event_data, event_name


def wire(kind: str, message: str = "No.", more: str = "") -> bytes:
    return (
        f'{{"type":"error","error":{{"type":"{kind}","message":"{message}"{more}}},'
        '"request_id":"req_1"}'
    ).encode()


INVALID = "invalid_request_error"
SPENT = ',"details":{"error_code":"enforced_spend_limit_reached"}'
READ = [
    (400, wire(INVALID), ErrorKind.BAD_REQUEST, False),
    (400, wire(INVALID, "prompt is too long: 2 tokens > 1"), ErrorKind.CONTEXT_EXCEEDED, False),
    (
        400,
        wire(INVALID, "input length and `max_tokens` exceed context limit: 9 + 9 > 10"),
        ErrorKind.CONTEXT_EXCEEDED,
        False,
    ),
    (
        400,
        wire(INVALID, "Your credit balance is too low to access the Anthropic API."),
        ErrorKind.BILLING,
        False,
    ),
    (
        400,
        wire(INVALID, "You have reached your specified API usage limits."),
        ErrorKind.QUOTA_EXHAUSTED,
        False,
    ),
    (
        400,
        wire(INVALID, "Output blocked by content filtering policy"),
        ErrorKind.CONTENT_FILTER,
        False,
    ),
    (401, wire("authentication_error"), ErrorKind.AUTHENTICATION, False),
    (402, wire("billing_error"), ErrorKind.BILLING, False),
    (403, wire("permission_error"), ErrorKind.PERMISSION, False),
    (404, wire("not_found_error"), ErrorKind.NOT_FOUND, False),
    (413, wire("request_too_large"), ErrorKind.TOO_LARGE, False),
    (429, wire("rate_limit_error"), ErrorKind.RATE_LIMITED, True),
    (429, wire("rate_limit_error", more=SPENT), ErrorKind.QUOTA_EXHAUSTED, False),
    (500, wire("api_error"), ErrorKind.SERVER_ERROR, True),
    (504, wire("timeout_error"), ErrorKind.TIMEOUT, True),
    (529, wire("overloaded_error"), ErrorKind.OVERLOADED, True),
    (422, wire("error_of_the_future"), ErrorKind.BAD_REQUEST, False),
    (413, b"<html>nginx</html>", ErrorKind.TOO_LARGE, False),
    (502, b"", ErrorKind.SERVER_ERROR, True),
    (503, b"[]", ErrorKind.OVERLOADED, True),
]


@pytest.mark.parametrize(("status", "body", "kind", "retryable"), READ)
def test_what_an_error_means(status: int, body: bytes, kind: ErrorKind, retryable: bool) -> None:
    error = DIALECT.decode_error(status, {}, body)
    assert (error.kind, error.retryable, error.status, error.body) == (
        kind,
        retryable,
        status,
        body,
    )
    assert error.message


def test_what_an_error_says() -> None:
    body = wire(INVALID, "messages.0.content: Field required")
    error = DIALECT.decode_error(400, {"request-id": "req_2"}, body)
    assert error.message == "messages.0.content: Field required"
    assert (error.field, error.code, error.request_id) == ("messages.0.content", INVALID, "req_2")
    assert DIALECT.decode_error(400, {}, body).request_id == "req_1"
    spent = DIALECT.decode_error(429, {}, wire("rate_limit_error", more=SPENT))
    assert spent.code == "enforced_spend_limit_reached"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    assert DIALECT.decode_error(429, headers, wire("rate_limit_error")).retry_after == seconds


def test_a_provider_that_says_not_to_retry() -> None:
    headers = {"x-should-retry": "false"}
    assert not DIALECT.decode_error(529, headers, wire("overloaded_error")).retryable


WRITTEN = [
    (ErrorKind.BAD_REQUEST, 400, INVALID),
    (ErrorKind.UNSUPPORTED, 400, INVALID),
    (ErrorKind.CONTEXT_EXCEEDED, 400, INVALID),
    (ErrorKind.CONTENT_FILTER, 400, INVALID),
    (ErrorKind.AUTHENTICATION, 401, "authentication_error"),
    (ErrorKind.BILLING, 402, "billing_error"),
    (ErrorKind.PERMISSION, 403, "permission_error"),
    (ErrorKind.NOT_FOUND, 404, "not_found_error"),
    (ErrorKind.TOO_LARGE, 413, "request_too_large"),
    (ErrorKind.RATE_LIMITED, 429, "rate_limit_error"),
    (ErrorKind.QUOTA_EXHAUSTED, 429, "rate_limit_error"),
    (ErrorKind.CANCELLED, 499, "api_error"),
    (ErrorKind.SERVER_ERROR, 500, "api_error"),
    (ErrorKind.CONNECTION, 500, "api_error"),
    (ErrorKind.MALFORMED_REPLY, 500, "api_error"),
    (ErrorKind.INTERNAL, 500, "api_error"),
    (ErrorKind.TIMEOUT, 504, "timeout_error"),
    (ErrorKind.OVERLOADED, 529, "overloaded_error"),
    (ErrorKind.UNAVAILABLE, 529, "overloaded_error"),
]


def test_every_kind_has_its_row() -> None:
    assert {kind for kind, _, _ in WRITTEN} == set(ErrorKind)


@pytest.mark.parametrize(("kind", "status", "type_"), WRITTEN)
def test_how_an_error_is_told(kind: ErrorKind, status: int, type_: str) -> None:
    error = HybridError("No.", kind=kind, remedy="Do this.")
    told, body = DIALECT.encode_error(error, "hl-1")
    assert told == status
    assert (
        body
        == (
            f'{{"type":"error","error":{{"type":"{type_}","message":"No. Do this."}},'
            '"request_id":"hl-1"}'
        ).encode()
    )
    if type_ != "request_too_large":  # documented, but not among the SDK's types
        assert ErrorResponse.model_validate_json(body, strict=True).error.type == type_


def test_a_status_of_its_own_is_kept() -> None:
    assert DIALECT.encode_error(RequestError("No.", status=415), "r")[0] == 415
    provider = ProviderError("No.", kind=ErrorKind.SERVER_ERROR, status=503)
    assert DIALECT.encode_error(provider, "r")[0] == 500


def test_an_error_ends_a_stream_as_an_event() -> None:
    error = HybridError("Cut.", kind=ErrorKind.CONNECTION)
    event = DIALECT.encode_stream_error(error, "hl-1", RequestShape())
    assert event_name(event) == b"error" and event.endswith(b"\n\n")
    assert json.loads(event_data(event)) == {
        "type": "error",
        "error": {"type": "api_error", "message": "Cut."},
        "request_id": "hl-1",
    }
