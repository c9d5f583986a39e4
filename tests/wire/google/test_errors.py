"""Google's errors, both ways: bytes as they come, and what they mean."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.genai import errors as sdk

from hybridllm.errors import ErrorKind, HybridError, ProviderError, RequestError
from hybridllm.wire.google import DIALECT

RPC = "type.googleapis.com/google.rpc."
RETRY = {"@type": RPC + "RetryInfo", "retryDelay": "3.5s"}


def wire(code: int, status: str, message: str, *details: dict[str, Any]) -> bytes:
    error = {"code": code, "message": message, "status": status, "details": list(details)}
    return json.dumps({"error": error}).encode()


def quota(name: str) -> dict[str, Any]:
    return {"@type": RPC + "QuotaFailure", "violations": [{"quotaId": name, "quotaValue": "5"}]}


# (status, body, kind, retryable, retry_after)
CASES: list[tuple[int, bytes, str, bool, float | None]] = [
    (
        400,
        wire(
            400,
            "INVALID_ARGUMENT",
            "API key not valid.",
            {"@type": RPC + "ErrorInfo", "reason": "API_KEY_INVALID"},
        ),
        "authentication",
        False,
        None,
    ),
    (
        400,
        wire(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
        "authentication",
        False,
        None,
    ),
    (
        400,
        wire(
            400,
            "INVALID_ARGUMENT",
            "The input token count exceeds the maximum number of tokens allowed.",
        ),
        "context_exceeded",
        False,
        None,
    ),
    (400, wire(400, "INVALID_ARGUMENT", "Unknown name."), "bad_request", False, None),
    (
        400,
        wire(400, "FAILED_PRECONDITION", "Please enable billing on your project."),
        "billing",
        False,
        None,
    ),
    (
        400,
        wire(400, "FAILED_PRECONDITION", "User location is not supported."),
        "permission",
        False,
        None,
    ),
    (401, wire(401, "UNAUTHENTICATED", "No credentials."), "authentication", False, None),
    (403, wire(403, "PERMISSION_DENIED", "No."), "permission", False, None),
    (
        403,
        wire(
            403,
            "PERMISSION_DENIED",
            "No.",
            {"@type": RPC + "ErrorInfo", "reason": "BILLING_DISABLED"},
        ),
        "billing",
        False,
        None,
    ),
    (404, wire(404, "NOT_FOUND", "models/x is not found."), "not_found", False, None),
    (
        429,
        wire(
            429, "RESOURCE_EXHAUSTED", "Quota.", RETRY, quota("GenerateRequestsPerMinutePerProject")
        ),
        "rate_limited",
        True,
        3.5,
    ),
    (
        429,
        b"[" + wire(429, "RESOURCE_EXHAUSTED", "Quota.", RETRY) + b"\n]",
        "rate_limited",
        True,
        3.5,
    ),
    (
        429,
        wire(
            429,
            "RESOURCE_EXHAUSTED",
            "Quota.",
            RETRY,
            quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
        ),
        "quota_exhausted",
        False,
        3.5,
    ),
    (500, wire(500, "INTERNAL", "An internal error."), "server_error", True, None),
    (502, b"<html>Bad gateway</html>", "server_error", True, None),
    (503, wire(503, "UNAVAILABLE", "The model is overloaded."), "overloaded", True, None),
    (504, wire(504, "DEADLINE_EXCEEDED", "Too slow."), "timeout", True, None),
    (413, b"", "too_large", False, None),
    (400, b"[]", "bad_request", False, None),
]


@pytest.mark.parametrize(("status", "body", "kind", "retryable", "retry_after"), CASES)
def test_what_an_error_means(
    status: int, body: bytes, kind: str, retryable: bool, retry_after: float | None
) -> None:
    error = DIALECT.decode_error(status, {}, body)
    assert (error.kind, error.retryable, error.retry_after) == (kind, retryable, retry_after)
    assert (error.status, error.body, error.dialect) == (status, body, "google")
    assert error.message


def test_what_else_an_error_tells() -> None:
    violation = {"field": "contents[0].role", "description": "bad"}
    body = wire(
        400,
        "INVALID_ARGUMENT",
        "Bad role.",
        {"@type": RPC + "BadRequest", "fieldViolations": [violation]},
        {"@type": RPC + "RequestInfo", "requestId": "g-1"},
    )
    error = DIALECT.decode_error(400, {}, body)
    assert (error.message, error.field) == ("Bad role.", "contents[0].role")
    assert (error.request_id, error.code) == ("g-1", "INVALID_ARGUMENT")
    assert DIALECT.decode_error(429, {"retry-after": "7"}, b"").retry_after == 7.0


ENCODED = [
    ("authentication", 400, "INVALID_ARGUMENT"),
    ("bad_request", 400, "INVALID_ARGUMENT"),
    ("unsupported", 400, "INVALID_ARGUMENT"),
    ("context_exceeded", 400, "INVALID_ARGUMENT"),
    ("content_filter", 400, "INVALID_ARGUMENT"),
    ("too_large", 413, "INVALID_ARGUMENT"),
    ("permission", 403, "PERMISSION_DENIED"),
    ("billing", 403, "PERMISSION_DENIED"),
    ("not_found", 404, "NOT_FOUND"),
    ("rate_limited", 429, "RESOURCE_EXHAUSTED"),
    ("quota_exhausted", 429, "RESOURCE_EXHAUSTED"),
    ("cancelled", 499, "CANCELLED"),
    ("server_error", 500, "INTERNAL"),
    ("malformed_reply", 500, "INTERNAL"),
    ("internal", 500, "INTERNAL"),
    ("overloaded", 503, "UNAVAILABLE"),
    ("unavailable", 503, "UNAVAILABLE"),
    ("connection", 503, "UNAVAILABLE"),
    ("timeout", 504, "DEADLINE_EXCEEDED"),
]


def test_every_kind_has_a_row() -> None:
    assert {kind for kind, _, _ in ENCODED} == {kind.value for kind in ErrorKind}


@pytest.mark.parametrize(("kind", "code", "status"), ENCODED)
def test_an_error_as_google_says_it(kind: str, code: int, status: str) -> None:
    error = HybridError("It failed.", kind=ErrorKind(kind), remedy="Try this.")
    found, body = DIALECT.encode_error(error, "hl-1")
    told = json.loads(body)["error"]
    assert (found, told["code"], told["status"]) == (code, code, status)
    assert told["message"] == "It failed. Try this."
    assert {"@type": RPC + "RequestInfo", "requestId": "hl-1"} in told["details"]
    with pytest.raises(sdk.APIError) as caught:
        sdk.APIError.raise_error(found, json.loads(body), None)
    assert (caught.value.code, caught.value.status) == (code, status)


def test_details_of_our_errors() -> None:
    _, body = DIALECT.encode_error(RequestError("Bad.", field="contents"), "hl-1")
    assert json.loads(body)["error"]["details"][0] == {
        "@type": RPC + "BadRequest",
        "fieldViolations": [{"field": "contents", "description": "Bad."}],
    }
    key = HybridError("No key.", kind=ErrorKind.AUTHENTICATION)
    assert b'"reason":"API_KEY_INVALID"' in DIALECT.encode_error(key, "hl-1")[1]
    limit = ProviderError("Wait.", kind=ErrorKind.RATE_LIMITED, retry_after=2.5)
    assert b'"retryDelay":"2.5s"' in DIALECT.encode_error(limit, "hl-1")[1]
    method = RequestError("POST it.", status=405)
    assert DIALECT.encode_error(method, "hl-1")[0] == 405


@pytest.mark.parametrize(("status", "body", "kind", "retryable", "retry_after"), CASES[:13])
def test_an_error_that_is_passed_on_means_the_same(
    status: int, body: bytes, kind: str, retryable: bool, retry_after: float | None
) -> None:
    code, again = DIALECT.encode_error(DIALECT.decode_error(status, {}, body), "hl-1")
    error = DIALECT.decode_error(code, {}, again)
    assert error.retry_after == retry_after
    if kind != "quota_exhausted":
        assert error.kind == kind
