"""Google's JSON is protobuf's: names in lowerCamelCase or snake_case, unknown ones refused."""

from __future__ import annotations

import re
from typing import Any

from hybridllm.simulators.google import errors

_CAMEL = re.compile(r"_([a-z0-9])")


def camel(name: str) -> str:
    """Protobuf's JSON reader takes snake_case names as well as lowerCamelCase ones."""
    return _CAMEL.sub(lambda match: match.group(1).upper(), name) if "_" in name else name


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda match: "_" + match.group(1).lower(), name)


def message_of(value: Any, known: frozenset[str], path: str) -> dict[str, Any]:
    """A JSON object with lowerCamelCase names and no nulls. Raises Refused for an unknown name."""
    if not isinstance(value, dict):
        raise errors.invalid(
            f"Invalid value at '{path or 'request'}' (Message), expected an object."
        )
    named = {camel(name): one for name, one in value.items() if one is not None}
    for name in named:
        if name not in known:
            raise errors.unknown_name(name, path)
    return named


def list_of(value: Any) -> list[Any]:
    """A repeated field; the reader takes a single value for a list of one."""
    if isinstance(value, list):
        return value
    return [value]
