"""One hierarchy of errors. Each knows its kind, its HTTP status and its remedy.

The tree::

    HybridError
    ├── ConfigError        the configuration cannot be used: names file, line and key
    ├── RequestError       the caller's request cannot be served as it stands
    └── ProviderError      a provider refused, failed or could not be reached

Dialects turn a `HybridError` into their provider's documented JSON (`Dialect.encode_error`), so
nothing here knows of any wire format.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorKind(StrEnum):
    """What went wrong, told apart as far as a caller or the router acts differently on it."""

    BAD_REQUEST = "bad_request"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    BILLING = "billing"
    NOT_FOUND = "not_found"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    CONTEXT_EXCEEDED = "context_exceeded"
    CONTENT_FILTER = "content_filter"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    MALFORMED_REPLY = "malformed_reply"
    UNAVAILABLE = "unavailable"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


STATUS: dict[ErrorKind, int] = {
    ErrorKind.BAD_REQUEST: 400,
    ErrorKind.AUTHENTICATION: 401,
    ErrorKind.PERMISSION: 403,
    ErrorKind.BILLING: 402,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.UNSUPPORTED: 400,
    ErrorKind.CONTEXT_EXCEEDED: 400,
    ErrorKind.CONTENT_FILTER: 400,
    ErrorKind.RATE_LIMITED: 429,
    ErrorKind.QUOTA_EXHAUSTED: 429,
    ErrorKind.OVERLOADED: 503,
    ErrorKind.SERVER_ERROR: 502,
    ErrorKind.TIMEOUT: 504,
    ErrorKind.CONNECTION: 502,
    ErrorKind.MALFORMED_REPLY: 502,
    ErrorKind.UNAVAILABLE: 503,
    ErrorKind.CANCELLED: 499,
    ErrorKind.INTERNAL: 500,
}
"""The HTTP status that the gateway answers with for each kind, before a dialect adapts it
(Anthropic's overload is 529, Google's bad key is 400)."""


class HybridError(Exception):
    """Base of every error that hybridllm raises on purpose.

    `message` is one sentence for a person; `field` names the offending field or key where there
    is one (`messages[2].content`); `remedy` says what to do next. None of them may ever hold a
    key or a prompt.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind = ErrorKind.INTERNAL,
        field: str | None = None,
        remedy: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.field = field
        self.remedy = remedy
        self.status = status if status is not None else STATUS[kind]

    def text(self) -> str:
        """The message and its remedy as one string, as shown to a caller."""
        return f"{self.message} {self.remedy}" if self.remedy else self.message


class ConfigError(HybridError):
    """A configuration cannot be used. `where` is `file:line` when it is known, `field` the key."""

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        field: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, kind=ErrorKind.INTERNAL, field=field, remedy=remedy)
        self.where = where

    def __str__(self) -> str:
        at = ", ".join(part for part in (self.where, self.field) if part)
        return f"{at}: {self.text()}" if at else self.text()


class RequestError(HybridError):
    """The caller's request cannot be served as it stands (bad JSON, unknown model...)."""

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind = ErrorKind.BAD_REQUEST,
        field: str | None = None,
        remedy: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message, kind=kind, field=field, remedy=remedy, status=status)


class ProviderError(HybridError):
    """A provider refused, failed, or could not be reached.

    `message` is the provider's own words where it sent any. `body` is its raw error body, which a
    caller of the same dialect (`dialect`) is handed unchanged. `retry_after` is in seconds.
    `retryable` says that the same call may succeed later; kinds alone do not decide that
    (Anthropic's 429 for an exhausted spend limit must not be retried).
    """

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind,
        provider: str = "",
        status: int | None = None,
        code: str | None = None,
        field: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
        body: bytes = b"",
        dialect: str = "",
    ) -> None:
        super().__init__(message, kind=kind, field=field, status=status)
        self.provider = provider
        self.dialect = dialect
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.retryable = kind in RETRYABLE if retryable is None else retryable
        self.body = body


RETRYABLE = frozenset(
    {
        ErrorKind.RATE_LIMITED,
        ErrorKind.OVERLOADED,
        ErrorKind.SERVER_ERROR,
        ErrorKind.CONNECTION,
        ErrorKind.TIMEOUT,
        ErrorKind.UNAVAILABLE,
    }
)
"""Kinds for which sending the same call again, later or elsewhere, may help."""
