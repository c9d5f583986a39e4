"""OpenAI's errors, in its own words (https://platform.openai.com/docs/guides/error-codes)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hybridllm.simulators.ask import Refused

INVALID = "invalid_request_error"


def body_of(refused: Refused) -> bytes:
    """The error's JSON."""
    error = {
        "message": refused.message,
        "type": refused.type,
        "param": refused.param,
        "code": refused.code,
        **refused.extra,
    }
    return msgspec.json.encode({"error": error})


def invalid(message: str, param: str | None = None, code: str | None = None) -> Refused:
    return Refused(400, INVALID, message, param=param, code=code)


def wrong_type(param: str, expected: str, value: object) -> Refused:
    got = {
        dict: "an object", list: "an array", str: "a string", bool: "a boolean",
        int: "an integer", float: "a decimal", type(None): "null",
    }[type(value)]  # fmt: skip
    return invalid(
        f"Invalid type for '{param}': expected {expected}, but got {got} instead.",
        param,
        "invalid_type",
    )


def missing(param: str) -> Refused:
    return invalid(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def unknown(param: str) -> Refused:
    return invalid(f"Unknown parameter: '{param}'.", param, "unknown_parameter")


def one_of(value: object, known: Iterable[str], param: str) -> Refused:
    return invalid(
        f"Invalid value: '{str(value)[:50]}'. Supported values are: "
        + ", ".join(f"'{name}'" for name in known)
        + ".",
        param,
        "invalid_value",
    )


def unsupported(param: str, message: str) -> Refused:
    return invalid(message, param, "unsupported_parameter")


FROM_STATUS = {
    401: (INVALID, "invalid_api_key", "Incorrect API key provided."),
    403: (
        "invalid_request_error",
        "unsupported_country_region_territory",
        "Country, region, or territory not supported",
    ),
    404: (INVALID, "model_not_found", "The model does not exist."),
    408: ("timeout", None, "Request timed out."),
    413: (INVALID, None, "Request too large."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached. Please try again later."),
    500: (
        "server_error",
        None,
        "The server had an error while processing your request. Sorry about that!",
    ),
    502: ("server_error", None, "Bad gateway."),
    503: (
        "server_error",
        "server_is_overloaded",
        "The engine is currently overloaded, please try again later.",
    ),
}
"""Type, code and message of an error that is asked for by its status alone."""
