"""OpenAI's errors, both ways: `{"error": {"message", "type", "param", "code"}}`.

Format: https://platform.openai.com/docs/guides/error-codes. In a stream the same object is the data
of an event. Compatible servers vary: the fields at top level, a bare string, numbers for codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from hybridllm.errors import RETRYABLE, STATUS, ErrorKind, HybridError, ProviderError
from hybridllm.wire.openai.signatures import NATIVE
from hybridllm.wire.sse import sse


class WireError(Struct):
    """`error` of an error body or chunk."""

    message: str | None = None
    type: str | None = None
    param: str | int | None = None
    code: str | int | None = None


class _Body(Struct):
    error: WireError | str | None = None
    message: str | None = None
    type: str | None = None
    param: str | int | None = None
    code: str | int | None = None


_body = msgspec.json.Decoder(_Body)
_error = msgspec.json.Decoder(WireError | str)

_BY_WORD: dict[str, ErrorKind] = {
    "invalid_api_key": ErrorKind.AUTHENTICATION,
    "authentication_error": ErrorKind.AUTHENTICATION,
    "permission_error": ErrorKind.PERMISSION,
    "unsupported_country_region_territory": ErrorKind.PERMISSION,
    "insufficient_quota": ErrorKind.QUOTA_EXHAUSTED,
    "credit_balance_exhausted": ErrorKind.BILLING,
    "billing_hard_limit_reached": ErrorKind.BILLING,
    "billing_not_active": ErrorKind.BILLING,
    "context_length_exceeded": ErrorKind.CONTEXT_EXCEEDED,
    "content_policy_violation": ErrorKind.CONTENT_FILTER,
    "content_filter": ErrorKind.CONTENT_FILTER,
    "invalid_prompt": ErrorKind.CONTENT_FILTER,
    "model_not_found": ErrorKind.NOT_FOUND,
    "not_found_error": ErrorKind.NOT_FOUND,
    "rate_limit_exceeded": ErrorKind.RATE_LIMITED,
    "rate_limit_error": ErrorKind.RATE_LIMITED,
    "slow_down": ErrorKind.OVERLOADED,
    "server_is_overloaded": ErrorKind.OVERLOADED,
    "overloaded_error": ErrorKind.OVERLOADED,
    "service_unavailable_error": ErrorKind.OVERLOADED,
    "server_error": ErrorKind.SERVER_ERROR,
    "timeout": ErrorKind.TIMEOUT,
}
"""By `code`, else by `type`."""

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
    ("maximum context length", ErrorKind.CONTEXT_EXCEEDED),
    ("exceeds the context window", ErrorKind.CONTEXT_EXCEEDED),
    ("context length exceeded", ErrorKind.CONTEXT_EXCEEDED),
    ("content management policy", ErrorKind.CONTENT_FILTER),
    ("incorrect api key", ErrorKind.AUTHENTICATION),
)
"""Words that tell apart what comes as a plain invalid request."""


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """What OpenAI's error means. `headers` have lower-case names. A body that is not OpenAI's (a
    proxy's page) is judged by its status alone."""
    error = _read(body)
    kind = kind_of(error, status)
    return ProviderError(
        error.message or f"OpenAI answered with HTTP status {status}.",
        kind=kind,
        status=status,
        code=_code(error),
        field=error.param if isinstance(error.param, str) else None,
        request_id=headers.get("x-request-id"),
        retry_after=_retry_after(headers),
        retryable=_retryable(kind, error) and headers.get("x-should-retry") != "false",
        body=body,
        dialect=NATIVE,
    )


def _read(body: bytes) -> WireError:
    try:
        found = _body.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return WireError()
    if isinstance(found.error, WireError):
        return found.error
    return WireError(found.error or found.message, found.type, found.param, found.code)


def kind_of(error: WireError, status: int = 200) -> ErrorKind:
    """By code, then by type, which a stream's error has alone, then by status; finer where a plain
    invalid request stands for several things."""
    for word in (error.code, error.type):
        if isinstance(word, str) and word in _BY_WORD:
            return _BY_WORD[word]
    if status == 200 and isinstance(error.code, int):
        status = error.code
    kind = _BY_STATUS.get(status)
    if kind is None:
        bad = 400 <= status < 500 or (status == 200 and error.type == "invalid_request_error")
        kind = ErrorKind.BAD_REQUEST if bad else ErrorKind.SERVER_ERROR
    if kind is ErrorKind.BAD_REQUEST:
        message = (error.message or "").lower()
        return next((finer for words, finer in _BY_MESSAGE if words in message), kind)
    return kind


def _retryable(kind: ErrorKind, error: WireError) -> bool:
    """One request above a whole minute's limit is above it in the next minute too."""
    return kind in RETRYABLE and not (error.message or "").startswith("Request too large")


def stream_failure(raw: bytes | msgspec.Raw, data: bytes) -> ProviderError:
    """An error that came as a chunk of a stream which had begun with status 200."""
    try:
        found = _error.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = WireError()
    error = WireError(found) if isinstance(found, str) else found
    kind = kind_of(error)
    return ProviderError(
        error.message or "OpenAI reported an error within the stream.",
        kind=kind,
        code=_code(error),
        retryable=_retryable(kind, error),
        body=data,
        dialect=NATIVE,
    )


def _code(error: WireError) -> str | None:
    return str(error.code or error.type or "") or None


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


_INVALID = "invalid_request_error"
_SERVER = "server_error"
_STATUSES: dict[ErrorKind, tuple[int, str, str | None]] = {
    ErrorKind.AUTHENTICATION: (401, _INVALID, "invalid_api_key"),
    ErrorKind.BILLING: (429, "insufficient_quota", "billing_hard_limit_reached"),
    ErrorKind.PERMISSION: (403, _INVALID, "permission_denied"),
    ErrorKind.NOT_FOUND: (404, _INVALID, "model_not_found"),
    ErrorKind.TOO_LARGE: (413, _INVALID, "request_too_large"),
    ErrorKind.UNSUPPORTED: (400, _INVALID, "unsupported_parameter"),
    ErrorKind.CONTEXT_EXCEEDED: (400, _INVALID, "context_length_exceeded"),
    ErrorKind.CONTENT_FILTER: (400, _INVALID, "content_policy_violation"),
    ErrorKind.RATE_LIMITED: (429, "rate_limit_error", "rate_limit_exceeded"),
    ErrorKind.QUOTA_EXHAUSTED: (429, "insufficient_quota", "insufficient_quota"),
    ErrorKind.OVERLOADED: (503, _SERVER, "server_is_overloaded"),
    ErrorKind.UNAVAILABLE: (503, _SERVER, "server_is_overloaded"),
    ErrorKind.SERVER_ERROR: (500, _SERVER, None),
    ErrorKind.CONNECTION: (500, _SERVER, None),
    ErrorKind.MALFORMED_REPLY: (500, _SERVER, None),
    ErrorKind.INTERNAL: (500, _SERVER, None),
    ErrorKind.TIMEOUT: (504, _SERVER, "timeout"),
    ErrorKind.CANCELLED: (499, _SERVER, None),
}
"""Status, type and code; what is not here is 400 invalid_request_error."""


def write_error(error: HybridError, request_id: str) -> tuple[int, bytes]:
    """Status and body as OpenAI documents them (its request id is in a header). A status that was
    set apart from the kind's own (405, 415) is kept."""
    status, kind, code = _STATUSES.get(error.kind, (400, _INVALID, None))
    own = not isinstance(error, ProviderError) and error.status != STATUS[error.kind]
    if own and 400 <= error.status <= 599:
        status = error.status
    said: dict[str, Any] = {
        "message": error.text(),
        "type": kind,
        "param": error.field,
        "code": code,
    }
    return status, msgspec.json.encode({"error": said})


def stream_error(error: HybridError, request_id: str) -> bytes:
    """The last event of a stream that broke."""
    return sse(write_error(error, request_id)[1])
