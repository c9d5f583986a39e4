"""Google's errors: status names of gRPC (https://ai.google.dev/gemini-api/docs/troubleshooting)."""

from __future__ import annotations

from typing import Any

import msgspec

from hybridllm.simulators.ask import Refused

_TYPE = "type.googleapis.com/google.rpc."


def invalid(message: str) -> Refused:
    return Refused(400, "INVALID_ARGUMENT", message)


def body_of(refused: Refused) -> bytes:
    """The error's JSON."""
    error = {"code": refused.status, "message": refused.message, "status": refused.type}
    return msgspec.json.encode({"error": {**error, **refused.extra}})


def unknown_name(name: str, path: str) -> Refused:
    """A field that does not exist, as the JSON reader refuses it."""
    at = f" at '{path}'" if path else ""
    message = f'Invalid JSON payload received. Unknown name "{name[:64]}"{at}: Cannot find field.'
    violation = {"description": message} | ({"field": path} if path else {})
    details = [{"@type": _TYPE + "BadRequest", "fieldViolations": [violation]}]
    return Refused(400, "INVALID_ARGUMENT", message, extra={"details": details})


def bad_key() -> Refused:
    details = [
        {
            "@type": _TYPE + "ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        }
    ]
    return Refused(
        400,
        "INVALID_ARGUMENT",
        "API key not valid. Please pass a valid API key.",
        extra={"details": details},
    )


def retry_details(seconds: float, **violation: Any) -> list[dict[str, Any]]:
    """Details of a 429: which quota, and when to come back."""
    details: list[dict[str, Any]] = [
        {"@type": _TYPE + "RetryInfo", "retryDelay": f"{max(round(seconds), 1)}s"}
    ]
    if violation:
        details.insert(0, {"@type": _TYPE + "QuotaFailure", "violations": [violation]})
    return details


FROM_STATUS = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    403: ("PERMISSION_DENIED", "The caller does not have permission"),
    404: ("NOT_FOUND", "Requested entity was not found."),
    413: ("INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes."),
    429: ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    500: ("INTERNAL", "An internal error has occurred. Please retry."),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
    504: ("DEADLINE_EXCEEDED", "The request timed out. Please try again."),
}
"""Status name and message of an error that is asked for by its status alone."""
