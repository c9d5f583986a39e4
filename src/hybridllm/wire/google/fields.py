"""One JSON object of a request, read field by field, each mistake named by its path.

Names are looked up in camelCase, whichever of proto JSON's two spellings the caller used; null is
absent, as in proto JSON. Values stay raw until they are taken, so that what is nobody's business
(a tool call's arguments) keeps its exact text.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from hybridllm.errors import RequestError

T = TypeVar("T")

_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_array = msgspec.json.Decoder(list[Raw]).decode
_decode_any = msgspec.json.Decoder().decode
_SNAKE = re.compile(r"_([a-z0-9])")
_KINDS: dict[type, tuple[msgspec.json.Decoder[Any], str]] = {
    str: (msgspec.json.Decoder(str), "a string"),
    bool: (msgspec.json.Decoder(bool), "true or false"),
    float: (msgspec.json.Decoder(float), "a number"),
    int: (msgspec.json.Decoder(int, strict=False), "a whole number"),
}


def camel(name: str) -> str:
    """`function_call` as `functionCall`."""
    return _SNAKE.sub(lambda m: m[1].upper(), name) if "_" in name[1:] else name


def as_object(raw: Raw, path: str) -> dict[str, Raw]:
    """The fields of a JSON object as they are spelled, nulls left out. Raises RequestError."""
    return {
        k: v for k, v in _decoded(raw, path, _decode_object, "an object").items() if not _null(v)
    }


def as_array(raw: Raw, path: str) -> list[Raw]:
    """A JSON array; a single object stands for an array of one, as Google reads it."""
    if bytes(raw).lstrip()[:1] == b"{":
        return [raw]
    return list(_decoded(raw, path, _decode_array, "an array"))


def text_of(raw: Raw) -> str:
    """The JSON text itself."""
    return bytes(raw).decode()


class Fields:
    """A JSON object whose fields are taken out one by one; `rest` is what nobody took."""

    __slots__ = ("_values", "path")

    def __init__(self, raw: Raw, path: str) -> None:
        self.path = path
        self._values = {camel(k): v for k, v in as_object(raw, path).items()}

    def at(self, name: str) -> str:
        """The path of a field of this object."""
        return f"{self.path}.{name}" if self.path else name

    def raw(self, name: str) -> Raw | None:
        return self._values.pop(name, None)

    def take(self, name: str, kind: type[T]) -> T | None:
        """A str, bool, int or float. Raises RequestError if it is something else."""
        raw = self.raw(name)
        if raw is None:
            return None
        decoder, what = _KINDS[kind]
        value: T = _decoded(raw, self.at(name), decoder.decode, what)
        return value

    def json(self, name: str) -> Any:
        """Any JSON value, decoded."""
        raw = self.raw(name)
        return None if raw is None else _decoded(raw, self.at(name), _decode_any, "JSON")

    def object(self, name: str) -> Fields | None:
        raw = self.raw(name)
        return None if raw is None else Fields(raw, self.at(name))

    def array(self, name: str) -> list[tuple[Raw, str]]:
        """The elements, each with its path."""
        raw = self.raw(name)
        if raw is None:
            return []
        path = self.at(name)
        return [(item, f"{path}[{i}]") for i, item in enumerate(as_array(raw, path))]

    def objects(self, name: str) -> list[Fields]:
        return [Fields(raw, path) for raw, path in self.array(name)]

    def strings(self, name: str) -> list[str]:
        decoder, what = _KINDS[str]
        return [_decoded(raw, path, decoder.decode, what) for raw, path in self.array(name)]

    def rest(self) -> dict[str, Any]:
        """The fields that nobody took, decoded, by camelCase name."""
        return {
            name: _decoded(v, self.at(name), _decode_any, "JSON")
            for name, v in self._values.items()
        }

    def __bool__(self) -> bool:
        return bool(self._values)


def _null(raw: Raw) -> bool:
    return bytes(raw) == b"null"


def _decoded(raw: Raw, path: str, decode: Any, what: str) -> Any:
    try:
        return decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        field = path or None
        raise RequestError(f"'{path or 'body'}' must be {what}.", field=field) from e
