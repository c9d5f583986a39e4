"""Errors, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.shared import ErrorObject

from hybridllm.errors import STATUS, ErrorKind, ProviderError, RequestError
from hybridllm.wire.dialect import RequestShape
from hybridllm.wire.openai import DIALECT


def error(status: int, headers: dict[str, str] | None = None, **fields: Any) -> ProviderError:
    said = {"message": "m", "type": "invalid_request_error", "param": None, "code": None} | fields
    return DIALECT.decode_error(status, headers or {}, json.dumps({"error": said}).encode())


KINDS: list[tuple[int, dict[str, Any], ErrorKind, bool]] = [
    (400, {}, ErrorKind.BAD_REQUEST, False),
    (400, {"code": "context_length_exceeded"}, ErrorKind.CONTEXT_EXCEEDED, False),
    (
        400,
        {"message": "This model's maximum context length is 8192 tokens."},
        ErrorKind.CONTEXT_EXCEEDED,
        False,
    ),
    (400, {"code": "content_policy_violation"}, ErrorKind.CONTENT_FILTER, False),
    (400, {"code": "content_filter"}, ErrorKind.CONTENT_FILTER, False),
    (
        400,
        {"message": "... triggered Azure OpenAI's content management policy"},
        ErrorKind.CONTENT_FILTER,
        False,
    ),
    (401, {"code": "invalid_api_key"}, ErrorKind.AUTHENTICATION, False),
    (400, {"message": "Incorrect API key provided: sk-..."}, ErrorKind.AUTHENTICATION, False),
    (401, {"type": "invalid_request_error"}, ErrorKind.AUTHENTICATION, False),
    (402, {}, ErrorKind.BILLING, False),
    (403, {"code": "unsupported_country_region_territory"}, ErrorKind.PERMISSION, False),
    (403, {}, ErrorKind.PERMISSION, False),
    (404, {"code": "model_not_found"}, ErrorKind.NOT_FOUND, False),
    (404, {}, ErrorKind.NOT_FOUND, False),
    (408, {}, ErrorKind.TIMEOUT, True),
    (409, {}, ErrorKind.BAD_REQUEST, False),
    (413, {}, ErrorKind.TOO_LARGE, False),
    (422, {}, ErrorKind.BAD_REQUEST, False),
    (429, {"type": "requests", "code": "rate_limit_exceeded"}, ErrorKind.RATE_LIMITED, True),
    (429, {"type": "tokens"}, ErrorKind.RATE_LIMITED, True),
    (
        429,
        {"code": "rate_limit_exceeded", "message": "Request too large for gpt-4o in org"},
        ErrorKind.RATE_LIMITED,
        False,
    ),
    (429, {"code": "insufficient_quota"}, ErrorKind.QUOTA_EXHAUSTED, False),
    (429, {"type": "insufficient_quota"}, ErrorKind.QUOTA_EXHAUSTED, False),
    (429, {"code": "credit_balance_exhausted"}, ErrorKind.BILLING, False),
    (429, {"code": "billing_hard_limit_reached"}, ErrorKind.BILLING, False),
    (500, {"type": "server_error"}, ErrorKind.SERVER_ERROR, True),
    (502, {}, ErrorKind.SERVER_ERROR, True),
    (503, {"code": "slow_down"}, ErrorKind.OVERLOADED, True),
    (503, {"code": "server_is_overloaded"}, ErrorKind.OVERLOADED, True),
    (503, {}, ErrorKind.OVERLOADED, True),
    (504, {}, ErrorKind.TIMEOUT, True),
]


@pytest.mark.parametrize(("status", "fields", "kind", "retryable"), KINDS)
def test_kinds(status: int, fields: dict[str, Any], kind: ErrorKind, retryable: bool) -> None:
    found = error(status, **fields)
    assert (found.kind, found.retryable, found.status) == (kind, retryable, status)
    assert found.dialect == "openai"


def test_all_that_an_error_says() -> None:
    headers = {"x-request-id": "req_1", "retry-after": "2"}
    found = error(400, headers, message="bad", param="messages[0].role", code="invalid_value")
    assert (found.message, found.field, found.code) == ("bad", "messages[0].role", "invalid_value")
    assert (found.request_id, found.retry_after) == ("req_1", 2.0)
    assert json.loads(found.body)["error"]["message"] == "bad"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "1.5"}, 1.5),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({}, None),
    ],
)
def test_when_to_try_again(headers: dict[str, str], seconds: float | None) -> None:
    assert error(429, headers).retry_after == seconds


def test_a_server_that_says_not_to_try_again() -> None:
    assert error(503, {"x-should-retry": "true"}).retryable
    assert not error(503, {"x-should-retry": "false"}).retryable
    assert not error(400, {"x-should-retry": "true"}).retryable


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":"model is loading"}', "model is loading"),
        (b'{"object":"error","message":"m","type":"BadRequestError","code":400}', "m"),
        (b'{"error":{"message":"m","code":503}}', "m"),
        (b"<html>Bad gateway</html>", "OpenAI answered with HTTP status 503."),
        (b"", "OpenAI answered with HTTP status 503."),
        (b"[]", "OpenAI answered with HTTP status 503."),
        (b'{"error":[1]}', "OpenAI answered with HTTP status 503."),
        (b'{"error":null}', "OpenAI answered with HTTP status 503."),
    ],
)
def test_what_other_servers_send(body: bytes, message: str) -> None:
    found = DIALECT.decode_error(503, {}, body)
    assert (found.message, found.kind, found.body) == (message, ErrorKind.OVERLOADED, body)


WRITTEN: list[tuple[ErrorKind, int, str, str | None]] = [
    (ErrorKind.BAD_REQUEST, 400, "invalid_request_error", None),
    (ErrorKind.UNSUPPORTED, 400, "invalid_request_error", "unsupported_parameter"),
    (ErrorKind.AUTHENTICATION, 401, "invalid_request_error", "invalid_api_key"),
    (ErrorKind.PERMISSION, 403, "invalid_request_error", "permission_denied"),
    (ErrorKind.NOT_FOUND, 404, "invalid_request_error", "model_not_found"),
    (ErrorKind.CONTEXT_EXCEEDED, 400, "invalid_request_error", "context_length_exceeded"),
    (ErrorKind.CONTENT_FILTER, 400, "invalid_request_error", "content_policy_violation"),
    (ErrorKind.RATE_LIMITED, 429, "rate_limit_error", "rate_limit_exceeded"),
    (ErrorKind.QUOTA_EXHAUSTED, 429, "insufficient_quota", "insufficient_quota"),
    (ErrorKind.BILLING, 429, "insufficient_quota", "billing_hard_limit_reached"),
    (ErrorKind.OVERLOADED, 503, "server_error", "server_is_overloaded"),
    (ErrorKind.SERVER_ERROR, 500, "server_error", None),
    (ErrorKind.CONNECTION, 500, "server_error", None),
    (ErrorKind.TIMEOUT, 504, "server_error", "timeout"),
    (ErrorKind.TOO_LARGE, 413, "invalid_request_error", "request_too_large"),
]


@pytest.mark.parametrize(("kind", "status", "type_", "code"), WRITTEN)
def test_how_each_kind_is_told(kind: ErrorKind, status: int, type_: str, code: str | None) -> None:
    made = ProviderError("m", kind=kind, status=418, field="stop")
    found, body = DIALECT.encode_error(made, "req_1")
    said = json.loads(body)["error"]
    ErrorObject.model_validate(said, strict=True)
    assert (found, said) == (
        status,
        {"message": "m", "type": type_, "param": "stop", "code": code},
    )


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_every_kind_is_understood_again(kind: ErrorKind) -> None:
    status, body = DIALECT.encode_error(RequestError("m", kind=kind), "req_1")
    again = DIALECT.decode_error(status, {}, body)
    merged = {
        ErrorKind.UNSUPPORTED: ErrorKind.BAD_REQUEST,
        ErrorKind.CANCELLED: ErrorKind.SERVER_ERROR,
        ErrorKind.CONNECTION: ErrorKind.SERVER_ERROR,
        ErrorKind.MALFORMED_REPLY: ErrorKind.SERVER_ERROR,
        ErrorKind.INTERNAL: ErrorKind.SERVER_ERROR,
        ErrorKind.UNAVAILABLE: ErrorKind.OVERLOADED,
    }
    assert again.kind is merged.get(kind, kind)
    assert STATUS[kind] >= 400


def test_a_status_of_its_own_and_a_remedy_are_kept() -> None:
    made = RequestError("No.", status=405, remedy="POST it.")
    status, body = DIALECT.encode_error(made, "req_1")
    assert status == 405 and json.loads(body)["error"]["message"] == "No. POST it."


def test_the_error_of_a_stream() -> None:
    made = ProviderError("slow", kind=ErrorKind.OVERLOADED)
    wire = DIALECT.encode_stream_error(made, "req_1", RequestShape())
    assert wire.startswith(b'data: {"error":{') and wire.endswith(b"}}\n\n")
