"""Anthropic's errors, both ways: `{"type": "error", "error": {"type", "message"}, "request_id"}`.

Format: https://docs.anthropic.com/en/api/errors. In a stream the same object is the data of an
`error` event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from hybridllm.errors import RETRYABLE, STATUS, ErrorKind, HybridError, ProviderError
from hybridllm.wire.sse import sse


class _Details(Struct):
    error_code: str | None = None


class WireError(Struct):
    """`error` of an error body or event."""

    type: str = ""
    message: str = ""
    details: _Details | None = None


class _Body(Struct):
    error: WireError
    request_id: str | None = None


_body = msgspec.json.Decoder(_Body)

_BY_TYPE: dict[str, ErrorKind] = {
    "invalid_request_error": ErrorKind.BAD_REQUEST,
    "authentication_error": ErrorKind.AUTHENTICATION,
    "billing_error": ErrorKind.BILLING,
    "permission_error": ErrorKind.PERMISSION,
    "not_found_error": ErrorKind.NOT_FOUND,
    "request_too_large": ErrorKind.TOO_LARGE,
    "rate_limit_error": ErrorKind.RATE_LIMITED,
    "api_error": ErrorKind.SERVER_ERROR,
    "timeout_error": ErrorKind.TIMEOUT,
    "overloaded_error": ErrorKind.OVERLOADED,
}
_BY_STATUS: dict[int, ErrorKind] = {
    401: ErrorKind.AUTHENTICATION,
    402: ErrorKind.BILLING,
    403: ErrorKind.PERMISSION,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.TIMEOUT,
    413: ErrorKind.TOO_LARGE,
    429: ErrorKind.RATE_LIMITED,
    503: ErrorKind.OVERLOADED,
    504: ErrorKind.TIMEOUT,
    529: ErrorKind.OVERLOADED,
}
_BY_MESSAGE: tuple[tuple[str, ErrorKind], ...] = (
    ("prompt is too long", ErrorKind.CONTEXT_EXCEEDED),
    ("exceed context limit", ErrorKind.CONTEXT_EXCEEDED),
    ("credit balance is too low", ErrorKind.BILLING),
    ("specified api usage limits", ErrorKind.QUOTA_EXHAUSTED),
    ("content filtering policy", ErrorKind.CONTENT_FILTER),
)
"""Words that tell apart what all comes as invalid_request_error."""

_FIELD = re.compile(r"([a-z_]+(?:\.[A-Za-z0-9_]+)*): ")


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """What Anthropic's error means. `headers` have lower-case names. A body that is not
    Anthropic's (a proxy's page) is judged by its status alone."""
    try:
        found = _body.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = _Body(WireError(message=f"Anthropic answered with HTTP status {status}."))
    error = found.error
    kind = kind_of(error, status)
    field = _FIELD.match(error.message) if kind is ErrorKind.BAD_REQUEST else None
    return ProviderError(
        error.message,
        kind=kind,
        status=status,
        code=_code(error),
        field=field[1] if field else None,
        request_id=headers.get("request-id") or found.request_id,
        retry_after=_retry_after(headers),
        retryable=kind in RETRYABLE and headers.get("x-should-retry") != "false",
        body=body,
        dialect="anthropic",
    )


def kind_of(error: WireError, status: int = 200) -> ErrorKind:
    """By type, which a stream's error has alone, then by status; finer where one type stands for
    several things."""
    code = error.details.error_code if error.details is not None else None
    if code is not None and code.endswith("spend_limit_reached"):
        return ErrorKind.QUOTA_EXHAUSTED
    kind = _BY_TYPE.get(error.type) or _BY_STATUS.get(status)
    if kind is None:
        kind = ErrorKind.BAD_REQUEST if 400 <= status < 500 else ErrorKind.SERVER_ERROR
    if kind is ErrorKind.BAD_REQUEST:
        message = error.message.lower()
        return next((finer for words, finer in _BY_MESSAGE if words in message), kind)
    return kind


def stream_failure(error: WireError, data: bytes) -> ProviderError:
    """An error that came as an event of a stream which had begun with status 200."""
    return ProviderError(
        error.message, kind=kind_of(error), code=_code(error), body=data, dialect="anthropic"
    )


def _code(error: WireError) -> str | None:
    code = error.details.error_code if error.details is not None else None
    return code or error.type or None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; the header in milliseconds is the finer one."""
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / scale
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return None


_STATUSES: dict[ErrorKind, tuple[int, str]] = {
    ErrorKind.AUTHENTICATION: (401, "authentication_error"),
    ErrorKind.BILLING: (402, "billing_error"),
    ErrorKind.PERMISSION: (403, "permission_error"),
    ErrorKind.NOT_FOUND: (404, "not_found_error"),
    ErrorKind.TOO_LARGE: (413, "request_too_large"),
    ErrorKind.RATE_LIMITED: (429, "rate_limit_error"),
    ErrorKind.QUOTA_EXHAUSTED: (429, "rate_limit_error"),
    ErrorKind.CANCELLED: (499, "api_error"),
    ErrorKind.SERVER_ERROR: (500, "api_error"),
    ErrorKind.CONNECTION: (500, "api_error"),
    ErrorKind.MALFORMED_REPLY: (500, "api_error"),
    ErrorKind.INTERNAL: (500, "api_error"),
    ErrorKind.TIMEOUT: (504, "timeout_error"),
    ErrorKind.OVERLOADED: (529, "overloaded_error"),
    ErrorKind.UNAVAILABLE: (529, "overloaded_error"),
}
"""What is not here is 400 invalid_request_error."""


def write_error(error: HybridError, request_id: str) -> tuple[int, bytes]:
    """Status and body as Anthropic documents them. A status that was set apart from the kind's own
    (405, 415) is kept."""
    status, kind = _STATUSES.get(error.kind, (400, "invalid_request_error"))
    own = not isinstance(error, ProviderError) and error.status != STATUS[error.kind]
    if own and 400 <= error.status <= 599:
        status = error.status
    body: dict[str, Any] = {
        "type": "error",
        "error": {"type": kind, "message": error.text()},
        "request_id": request_id,
    }
    return status, msgspec.json.encode(body)


def stream_error(error: HybridError, request_id: str) -> bytes:
    """The last event of a stream that broke."""
    return sse(write_error(error, request_id)[1], b"error")
