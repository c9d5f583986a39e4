"""Typed decoding of a request's JSON in which every mistake is named by its path."""

from __future__ import annotations

import re
from typing import NoReturn, TypeVar

import msgspec
from msgspec import Raw

from hybridllm.errors import RequestError

T = TypeVar("T")

_AT = re.compile(r" - at `\$\.?(.*?)`$")
_MISSING = re.compile(r"Object missing required field `(.+?)`")


def read(decoder: msgspec.json.Decoder[T], raw: bytes | Raw, path: str = "") -> T:
    """The value at `path` of the request. Raises RequestError naming the field at fault."""
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        refuse(e, path)


def check_text(body: bytes) -> None:
    """Refuse a body that is not UTF-8. A typed decoder does not look into what it skips."""
    try:
        body.decode()
    except UnicodeDecodeError as e:
        raise RequestError(
            f"The body is not UTF-8: byte {e.start:,} cannot be read.",
            remedy="Encode the JSON as UTF-8.",
        ) from e


def refuse(e: Exception, path: str = "") -> NoReturn:
    """A decoder's complaint about the value at `path` as a RequestError."""
    if isinstance(e, RecursionError):
        raise RequestError("The body is nested too deeply.") from e
    found = _AT.search(str(e))
    reason = _AT.sub("", str(e))
    if not isinstance(e, msgspec.ValidationError):
        raise RequestError(f"The body is not valid JSON: {reason}.") from e
    missing = _MISSING.match(reason)
    field = joined(path, found[1] if found else "")
    if missing:
        required(joined(field, missing[1]))
    raise RequestError(f"'{field or 'body'}' is malformed: {reason}.", field=field or None) from e


def required(field: str, remedy: str | None = None) -> NoReturn:
    """Refuse a request in which `field` is missing or empty."""
    raise RequestError(f"'{field}' is required.", field=field, remedy=remedy)


def joined(path: str, inner: str) -> str:
    """`inner` as seen from the body: `messages[1]` and `role` make `messages[1].role`."""
    if not path or not inner:
        return path or inner
    return path + inner if inner.startswith("[") else f"{path}.{inner}"
