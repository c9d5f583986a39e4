"""The input file of OpenAI's batches, line by line: checked whole before any of it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from hybridllm.batching.files import Files, Lines
from hybridllm.batching.structs import NewLine

_MOST_TOLD = 100
_ID_BYTES = 512


class Fault(msgspec.Struct, omit_defaults=True):
    """One mistake, as a batch's `errors.data` shows it. `line` counts from 1; None: of the whole
    file."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class _Line(msgspec.Struct):
    custom_id: str
    body: msgspec.Raw
    method: str = ""
    url: str = ""


_DECODER = msgspec.json.Decoder(_Line)
_NEEDED = ("custom_id", "method", "url", "body")


class Check:
    """Reads a file once and keeps its first mistakes; `count` is the number of its requests."""

    def __init__(self, endpoint: str, most_lines: int, most_bytes: int) -> None:
        self.faults: list[Fault] = []
        self.count = 0
        self._endpoint = endpoint
        self._most_lines = most_lines
        self._most_bytes = most_bytes
        self._seen: set[str] = set()

    async def read(self, files: Files, file: str) -> list[Fault]:
        """All that is wrong with the file, the first hundred mistakes of it."""
        async for group in files.lines(file):
            await asyncio.to_thread(self._group, group)
            if len(self.faults) >= _MOST_TOLD or self.count > self._most_lines:
                break
        if self.count > self._most_lines:
            message = f"The batch input file has more than {self._most_lines:,} requests."
            self.faults.append(Fault("too_many_tasks", message))
        elif not self.count and not self.faults:
            self.faults.append(Fault("empty_file", "The batch input file is empty."))
        return self.faults[:_MOST_TOLD]

    def _group(self, lines: Lines) -> None:
        for number, line in lines:
            self.count += 1
            fault = self._fault(line)
            if fault is not None:
                fault.line = number
                self.faults.append(fault)

    def _fault(self, data: bytes) -> Fault | None:
        if len(data) > self._most_bytes:
            return Fault("line_too_long", f"The line is longer than {self._most_bytes:,} bytes.")
        try:
            line = _DECODER.decode(data)
        except msgspec.DecodeError:
            return _malformed(data)
        if line.custom_id in self._seen:
            return Fault(
                "duplicate_custom_id",
                "The custom_id of this request is that of an earlier one. It must be unique in "
                "the batch.",
                param="custom_id",
            )
        if len(line.custom_id.encode()) > _ID_BYTES:
            message = f"The custom_id is longer than {_ID_BYTES} bytes."
            return Fault("invalid_custom_id", message, param="custom_id")
        self._seen.add(line.custom_id)
        for name in ("method", "url"):
            if not getattr(line, name):
                return _missing(name)
        if line.method != "POST":
            return Fault(
                "invalid_method", "The method of this request is not POST.", param="method"
            )
        if line.url != self._endpoint:
            message = f"The URL of this request is not the batch's endpoint, {self._endpoint}."
            return Fault("url_mismatch", message, param="url")
        if not bytes(line.body).startswith(b"{"):
            return Fault("invalid_body", "The body of this request is no object.", param="body")
        return None


async def requests(files: Files, file: str, task: str, tags: str) -> AsyncIterator[NewLine]:
    """The requests of a file that was checked."""
    async for group in files.lines(file):
        for line in await asyncio.to_thread(_decoded, group, task, tags):
            yield line


def _decoded(group: Lines, task: str, tags: str) -> list[NewLine]:
    lines = (_DECODER.decode(data) for _, data in group)
    return [
        NewLine(custom_id=line.custom_id, body=bytes(line.body), task=task, tags=tags)
        for line in lines
    ]


def _malformed(data: bytes) -> Fault:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Fault("invalid_json_line", "This line is not parseable as valid JSON.")
    if not isinstance(found, dict):
        return Fault("invalid_json_line", "This line is no JSON object.")
    for name in _NEEDED:
        if name not in found:
            return _missing(name)
    for name in _NEEDED[:3]:
        if not isinstance(found[name], str):
            return Fault("invalid_type", f"'{name}' is no string.", param=name)
    return Fault("invalid_json_line", "This line is not parseable as valid JSON.")


def _missing(name: str) -> Fault:
    message = f"Missing required parameter: '{name}'."
    return Fault("missing_required_parameter", message, param=name)
