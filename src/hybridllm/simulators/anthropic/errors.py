"""Anthropic's errors (https://docs.anthropic.com/en/api/errors)."""

from __future__ import annotations

import msgspec

from hybridllm.simulators.ask import Refused


def body_of(refused: Refused, request_id: str) -> bytes:
    """The error's JSON."""
    error = {"type": refused.type, "message": refused.message, **refused.extra}
    return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})


def invalid(message: str) -> Refused:
    return Refused(400, "invalid_request_error", message)


FROM_STATUS = {
    400: ("invalid_request_error", "Invalid request."),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your credit balance is too low to access the Anthropic API."),
    403: ("permission_error", "Your API key does not have permission to use this resource."),
    404: ("not_found_error", "Not found."),
    413: ("request_too_large", "Request exceeds the maximum allowed number of bytes."),
    429: ("rate_limit_error", "This request would exceed your account's rate limit."),
    500: ("api_error", "Internal server error"),
    504: ("timeout_error", "The request timed out."),
    529: ("overloaded_error", "Overloaded"),
}
"""Type and message of an error that is asked for by its status alone."""
