"""A form with one file, read as it arrives: fields are kept, the file's bytes are handed on."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from hybridllm.errors import RequestError

# What the parser finds wrong is told to the caller, not to the log.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)

_FIELD_BYTES = 16_384
_FIELDS = 50


class Sink(Protocol):
    """Where a file's bytes go."""

    async def write(self, data: bytes, /) -> None: ...


Begin = Callable[[str], Awaitable[Sink]]
"""Told the file's name when its part begins."""


class Form:
    """A multipart/form-data body. `fields` holds those that have arrived; `begin` is called once,
    when the part named `file` begins, and gets all of that part's bytes."""

    def __init__(self, content_type: str, begin: Begin) -> None:
        """Raises RequestError unless it is a form with a boundary."""
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise RequestError(
                "The body is no multipart form.",
                field="content-type",
                remedy="Send multipart/form-data with the fields `file` and `purpose`.",
            )
        self.fields: dict[str, str] = {}
        self._begin = begin
        self._sink: Sink | None = None
        self._ended = False
        self._name = ""
        self._header = b""
        self._pending = b""
        self._headers: dict[bytes, bytes] = {}
        self._value = b""
        self._events: list[tuple[str, bytes]] = []
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begins,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_ends,
                    "on_headers_finished": lambda: self._events.append(("part", self._part())),
                    "on_part_data": lambda d, a, b: self._events.append(("data", d[a:b])),
                    "on_part_end": lambda: self._events.append(("end", b"")),
                    "on_end": self._all_read,
                },
            )
        except FormParserError as e:
            raise _malformed() from e

    async def read(self, pieces: AsyncIterator[bytes]) -> None:
        """Read it to its end. Raises RequestError for a form that is malformed or cut short."""
        async for piece in pieces:
            try:
                self._parser.write(piece)
            except FormParserError as e:
                raise _malformed() from e
            # The parser calls back in the middle of its work; writing has to wait until it is done.
            events, self._events = self._events, []
            for kind, data in events:
                await self._take(kind, data)
        if not self._ended:
            raise _malformed()

    async def _take(self, kind: str, data: bytes) -> None:
        if kind == "part":
            self._name, _, filename = (text.decode("utf-8", "replace") for text in _split(data))
            self._value = b""
            if self._name == "file":
                if self._sink is not None:
                    raise RequestError("The form holds more than one file.", field="file")
                self._sink = await self._begin(filename or "file")
        elif kind == "data":
            if self._name == "file" and self._sink is not None:
                await self._sink.write(data)
            else:
                self._value += data
                if len(self._value) > _FIELD_BYTES:
                    raise RequestError("The field is too long.", field=self._name[:100])
        elif self._name != "file":
            if len(self.fields) >= _FIELDS:
                raise RequestError("The form has too many fields.")
            self.fields[self._name] = self._value.decode("utf-8", "replace")

    # -- the parser's callbacks

    def _part_begins(self) -> None:
        self._headers = {}
        self._header = b""
        self._pending = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._pending += data[start:end]

    def _header_ends(self) -> None:
        self._headers[self._header.lower()] = self._pending
        self._header = self._pending = b""

    def _part(self) -> bytes:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        return options.get(b"name", b"") + b"\0" + options.get(b"filename", b"")

    def _all_read(self) -> None:
        self._ended = True


def _split(named: bytes) -> tuple[bytes, bytes, bytes]:
    return named.partition(b"\0")


def _malformed() -> RequestError:
    return RequestError(
        "The multipart form is malformed or ends too early.",
        remedy="Send it as a form of `file` and `purpose`, to its closing boundary.",
    )
