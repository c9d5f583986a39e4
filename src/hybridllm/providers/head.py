"""The head of an HTTP/1.1 request as bytes, and the one place where header injection is stopped."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hybridllm.errors import RequestError

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
"""RFC 9110, section 5.6.2."""
_UNSAFE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search
"""Control characters, tab apart: RFC 9110, section 5.5."""
_TARGET = re.compile(rb"/[\x21-\x7e]*").fullmatch


def field_lines(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """`name: value` lines, each with its CRLF. Raises RequestError naming a field whose name or
    value could end its line; the value itself is never shown."""
    lines: list[bytes] = []
    for name, value in fields:
        if not _TOKEN(name) or _UNSAFE(value):
            raise RequestError(
                "A header to be sent to the provider has a control character in it.",
                field=name[:80].decode("latin-1").encode("unicode_escape").decode(),
                remedy="Send the header without line breaks or other control characters.",
            )
        lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join(lines)


def request_line(method: str, target: str) -> bytes:
    """The first line with its CRLF. `target` is in origin form, already percent-encoded. Raises
    RequestError if it holds a space or a control character."""
    encoded = target.encode("utf-8")
    if not _TARGET(encoded):
        raise RequestError("The path of a call to the provider has a character that cannot be.")
    return b"%b %b HTTP/1.1\r\n" % (method.encode("ascii"), encoded)
