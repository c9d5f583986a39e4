"""/v1/files: what a batch reads, and what it writes
(https://platform.openai.com/docs/api-reference/files)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count
from typing import Any, ClassVar

from msgspec import Struct
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from hybridllm.simulators.ask import Refused
from hybridllm.simulators.openai import errors
from hybridllm.simulators.openai.paging import page
from hybridllm.simulators.provider import Administration, Document, Request
from hybridllm.simulators.world import World

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
MAX_BATCH_BYTES = 200_000_000
MAX_BYTES = 512_000_000
_DAYS_30 = 2_592_000
_ONE = re.compile("/v1/files/(?P<id>[^/]+)")


class File(Struct, kw_only=True):
    """`created` and `expires` are Unix seconds."""

    id: str
    key: str
    filename: str
    purpose: str
    data: bytes | bytearray
    created: int
    expires: int | None = None

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.data),
            "created_at": self.created,
            "expires_at": self.expires,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


class FileStore:
    """The files of all keys, each seen by its own alone."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._files: dict[str, File] = {}
        self._numbers = count(1)

    def add(
        self,
        key: str,
        filename: str,
        purpose: str,
        data: bytes | bytearray,
        seconds: int | None = None,
    ) -> File:
        """Keep a file, for `seconds` or until it is deleted."""
        created = int(self._world.wall())
        file = File(
            id=f"file-{next(self._numbers):022d}",
            key=key,
            filename=filename,
            purpose=purpose,
            data=data,
            created=created,
            expires=created + seconds if seconds else None,
        )
        self._files[file.id] = file
        return file

    def find(self, key: str, file_id: str) -> File | None:
        file = self._files.get(file_id)
        if file is None or file.key != key:
            return None
        if file.expires is not None and file.expires <= self._world.wall():
            del self._files[file_id]
            return None
        return file

    def all(self, key: str) -> list[File]:
        """A key's files, the newest first."""
        found = [self.find(key, file_id) for file_id in reversed(list(self._files))]
        return [file for file in found if file is not None]

    def delete(self, file: File) -> None:
        self._files.pop(file.id, None)

    def clear(self) -> None:
        self._files.clear()

    def get(self, key: str, file_id: str) -> File:
        """Raises Refused where there is no such file."""
        file = self.find(key, file_id)
        if file is None:
            raise Refused(404, errors.INVALID, f"No such File object: {file_id[:64]}", param="id")
        return file


class _OfFiles(Administration):
    def __init__(self, files: FileStore) -> None:
        self.files = files


class CreateFile(_OfFiles):
    name = "files.create"
    pattern = re.compile("/v1/files")
    max_bytes: ClassVar[int] = MAX_BYTES

    async def serve(self, request: Request) -> Any:
        form = _Form(request.headers, request.body)
        purpose = form.fields.get("purpose")
        if purpose is None:
            raise errors.invalid("'purpose' is a required property")
        if purpose not in PURPOSES:
            raise errors.invalid(
                f"'{purpose[:50]}' is not one of {list(PURPOSES)} - 'purpose'", "purpose"
            )
        if form.filename is None:
            raise errors.invalid("'file' is a required property")
        if purpose == "batch":
            if not form.filename.endswith(".jsonl"):
                raise errors.invalid("Invalid file format for Batch API. Must be .jsonl")
            if len(form.data) > MAX_BATCH_BYTES:
                raise errors.invalid("File is too large.")
        seconds = _lifetime(form.fields, _DAYS_30 if purpose == "batch" else None)
        file = self.files.add(request.key, form.filename, purpose, form.data, seconds)
        return file.shown()


class ListFiles(_OfFiles):
    name = "files.list"
    method = "GET"
    pattern = re.compile("/v1/files")

    async def serve(self, request: Request) -> Any:
        purpose = request.query.get("purpose")
        files = [
            file.shown() for file in self.files.all(request.key) if purpose in (None, file.purpose)
        ]
        if request.query.get("order") == "asc":
            files.reverse()
        return page(files, request.query, 10_000)


class GetFile(_OfFiles):
    name = "files.retrieve"
    method = "GET"
    pattern = _ONE

    async def serve(self, request: Request) -> Any:
        return self.files.get(request.key, request.named).shown()


class GetContent(_OfFiles):
    name = "files.content"
    method = "GET"
    pattern = re.compile("/v1/files/(?P<id>[^/]+)/content")

    async def serve(self, request: Request) -> Document:
        file = self.files.get(request.key, request.named)
        return Document([file.data], b"application/octet-stream")


class DeleteFile(_OfFiles):
    name = "files.delete"
    method = "DELETE"
    pattern = _ONE

    async def serve(self, request: Request) -> Any:
        file = self.files.get(request.key, request.named)
        self.files.delete(file)
        return {"id": file.id, "object": "file", "deleted": True}


def _lifetime(fields: Mapping[str, str], usual: int | None) -> int | None:
    anchor, given = fields.get("expires_after[anchor]"), fields.get("expires_after[seconds]")
    if anchor is None and given is None:
        return usual
    if anchor != "created_at":
        raise errors.one_of(anchor, ["created_at"], "expires_after[anchor]")
    if given is None or not given.isdecimal() or not 3600 <= int(given) <= _DAYS_30:
        raise errors.invalid(
            f"Invalid 'expires_after[seconds]': expected an integer from 3600 to {_DAYS_30}.",
            "expires_after[seconds]",
        )
    return int(given)


class _Form:
    """A multipart form with one file. Raises Refused for another body."""

    def __init__(self, headers: Mapping[str, str], body: bytes) -> None:
        kind, options = parse_options_header(headers.get("content-type", ""))
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise errors.invalid("Invalid Content-Type header: expected multipart/form-data.")
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self.data = bytearray()
        self._name = ""
        self._head = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._into = self.data
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._head.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._header,
                "on_headers_finished": self._headers_finished,
                "on_part_data": lambda data, start, end: self._into.extend(
                    memoryview(data)[start:end]
                ),
                "on_part_end": self._end,
            },
        )
        try:
            parser.write(body)
            parser.finalize()
        except FormParserError:
            raise errors.invalid("Could not parse multipart form") from None

    def _begin(self) -> None:
        self._disposition = b""

    def _header(self) -> None:
        if self._head.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._head.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if self._name == "file":
            self.filename = options.get(b"filename", b"upload").decode("utf-8", "replace")
            self._into = self.data
        else:
            self._into = bytearray()

    def _end(self) -> None:
        if self._name != "file":
            self.fields[self._name] = self._into.decode("utf-8", "replace")


def file_endpoints(files: FileStore) -> tuple[Administration, ...]:
    return (
        CreateFile(files),
        ListFiles(files),
        GetFile(files),
        GetContent(files),
        DeleteFile(files),
    )
