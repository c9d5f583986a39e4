"""Google's errors, both ways.

`{"error": {"code", "message", "status", "details": [{"@type": ...}]}}`, and the same within an
array of one where a stream was asked for. Formats: https://ai.google.dev/gemini-api/docs/troubleshooting
and google.rpc's error_details (ErrorInfo, RetryInfo, QuotaFailure, BadRequest, RequestInfo).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

from hybridllm.errors import STATUS, ErrorKind, HybridError, ProviderError

_TYPE = "type.googleapis.com/google.rpc."


class _Violation(Struct):
    quotaId: str = ""
    field: str | None = None


class _Detail(Struct, rename={"type": "@type"}):
    type: str = ""
    reason: str = ""
    retryDelay: str = ""
    requestId: str | None = None
    violations: list[_Violation] = field(default_factory=list)
    fieldViolations: list[_Violation] = field(default_factory=list)


class _Error(Struct):
    code: int | None = None
    message: str = ""
    status: str = ""
    details: list[_Detail] = field(default_factory=list)


class _Body(Struct):
    error: _Error


_decode = msgspec.json.Decoder(_Body | list[_Body]).decode

_BY_STATUS: dict[int, ErrorKind] = {
    400: ErrorKind.BAD_REQUEST,
    401: ErrorKind.AUTHENTICATION,
    402: ErrorKind.BILLING,
    403: ErrorKind.PERMISSION,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.TIMEOUT,
    413: ErrorKind.TOO_LARGE,
    429: ErrorKind.RATE_LIMITED,
    499: ErrorKind.CANCELLED,
    500: ErrorKind.SERVER_ERROR,
    501: ErrorKind.UNSUPPORTED,
    503: ErrorKind.OVERLOADED,
    504: ErrorKind.TIMEOUT,
}
_KEY_REASONS = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED", "API_KEY_MISSING"})


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """What Google's error means. `headers` have lower-case names. A body that is not Google's
    (a proxy's page) is judged by its status alone."""
    try:
        found = _decode(body)
        error = (found[0] if isinstance(found, list) else found).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, IndexError):
        error = _Error()
    kind = _kind(status, error)
    details = error.details
    fields = [v.field for d in details for v in d.fieldViolations if v.field]
    ids = [d.requestId for d in details if d.requestId]
    return ProviderError(
        error.message or f"Google answered with status {status}.",
        kind=kind,
        status=status,
        code=next((d.reason for d in details if d.reason), error.status) or None,
        field=fields[0] if fields else None,
        request_id=headers.get("x-request-id")
        or headers.get("x-goog-request-id")
        or (ids[0] if ids else None),
        retry_after=_retry_after(headers, details),
        body=body,
        dialect="google",
    )


def _kind(status: int, error: _Error) -> ErrorKind:
    """The kind by status, but where Google uses one status for several things."""
    message = error.message.lower()
    reasons = {detail.reason for detail in error.details}
    if reasons & _KEY_REASONS or message.startswith("api key not"):
        return ErrorKind.AUTHENTICATION
    if "BILLING_DISABLED" in reasons or error.status == "FAILED_PRECONDITION":
        return ErrorKind.BILLING if "billing" in message or reasons else ErrorKind.PERMISSION
    if status == 400 and "exceeds the maximum number of tokens" in message:
        return ErrorKind.CONTEXT_EXCEEDED
    if status == 429:
        quotas = [v.quotaId for detail in error.details for v in detail.violations]
        if any("PerDay" in quota for quota in quotas):
            return ErrorKind.QUOTA_EXHAUSTED
    by_status = _BY_STATUS.get(status)
    if by_status is not None:
        return by_status
    return ErrorKind.SERVER_ERROR if status >= 500 else ErrorKind.BAD_REQUEST


def _retry_after(headers: Mapping[str, str], details: list[_Detail]) -> float | None:
    """Seconds, from RetryInfo ("3.5s") or else the header."""
    delays = [detail.retryDelay.removesuffix("s") for detail in details if detail.retryDelay]
    for text in (*delays, headers.get("retry-after", "")):
        try:
            seconds = float(text)
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return None


_STATUSES: dict[ErrorKind, tuple[int, str]] = {
    ErrorKind.AUTHENTICATION: (400, "INVALID_ARGUMENT"),
    ErrorKind.BILLING: (403, "PERMISSION_DENIED"),
    ErrorKind.PERMISSION: (403, "PERMISSION_DENIED"),
    ErrorKind.NOT_FOUND: (404, "NOT_FOUND"),
    ErrorKind.TOO_LARGE: (413, "INVALID_ARGUMENT"),
    ErrorKind.RATE_LIMITED: (429, "RESOURCE_EXHAUSTED"),
    ErrorKind.QUOTA_EXHAUSTED: (429, "RESOURCE_EXHAUSTED"),
    ErrorKind.OVERLOADED: (503, "UNAVAILABLE"),
    ErrorKind.UNAVAILABLE: (503, "UNAVAILABLE"),
    ErrorKind.CONNECTION: (503, "UNAVAILABLE"),
    ErrorKind.SERVER_ERROR: (500, "INTERNAL"),
    ErrorKind.MALFORMED_REPLY: (500, "INTERNAL"),
    ErrorKind.INTERNAL: (500, "INTERNAL"),
    ErrorKind.TIMEOUT: (504, "DEADLINE_EXCEEDED"),
    ErrorKind.CANCELLED: (499, "CANCELLED"),
}
"""What is not here is 400 INVALID_ARGUMENT."""

_REASONS = {
    ErrorKind.AUTHENTICATION: "API_KEY_INVALID",
    ErrorKind.BILLING: "BILLING_DISABLED",
}


def write_error(error: HybridError, request_id: str) -> tuple[int, bytes]:
    """Status and body as Google documents them. A status that was set apart from the kind's own
    (405, 415) is kept."""
    code, status = _STATUSES.get(error.kind, (400, "INVALID_ARGUMENT"))
    own = not isinstance(error, ProviderError) and error.status != STATUS[error.kind]
    if own and 400 <= error.status <= 599:
        code = error.status
    body = {"error": {"code": code, "message": error.text(), "status": status}}
    body["error"]["details"] = _details(error, request_id)
    return code, msgspec.json.encode(body)


def _details(error: HybridError, request_id: str) -> list[dict[str, Any]]:
    details: list[dict[str, Any]] = []
    if reason := _REASONS.get(error.kind):
        details.append({"@type": _TYPE + "ErrorInfo", "reason": reason, "domain": "googleapis.com"})
    if error.field:
        violation = {"field": error.field, "description": error.message}
        details.append({"@type": _TYPE + "BadRequest", "fieldViolations": [violation]})
    if isinstance(error, ProviderError) and error.retry_after is not None:
        details.append({"@type": _TYPE + "RetryInfo", "retryDelay": f"{error.retry_after:g}s"})
    details.append({"@type": _TYPE + "RequestInfo", "requestId": request_id})
    return details
