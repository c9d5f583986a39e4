"""OpenAI's files, as far as batches need them: uploads of input, and downloads of results that are
written as they are read."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Literal

import msgspec

from hybridllm.batching.files import File, Files, Upload
from hybridllm.batching.structs import Batch, Result
from hybridllm.engine.call import Answer
from hybridllm.errors import RequestError
from hybridllm.gateway.batching import bounded, inline, not_found, seconds
from hybridllm.gateway.endpoint import Endpoint, Service
from hybridllm.gateway.listing import json_answer
from hybridllm.gateway.multipart import Form
from hybridllm.gateway.request import Request
from hybridllm.gateway.streaming import streamed

_PATH = re.compile(r"/v1/files/([^/]{1,200})(/content)?")
_FORM_BYTES = 65_536  # what a form may have around its file
_MONTH_SECONDS = 30 * 86_400
_ENCODER = msgspec.json.Encoder()


def endpoint_of(method: str, path: str) -> Endpoint | None:
    """The endpoint of a path with a file's id in it."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    if found[2]:
        return partial(content, found[1]) if method == "GET" else None
    endpoint = {"GET": retrieve, "DELETE": delete}.get(method)
    return None if endpoint is None else partial(endpoint, found[1])


async def create(service: Service, request: Request) -> Answer:
    """POST /v1/files"""
    key = service.gate.admit(request.key())
    config = service.engine.runtime.config
    limit = config.batch.max_bytes
    upload: Upload | None = None

    async def begin(filename: str) -> Upload:
        nonlocal upload
        upload = await service.files.upload(key, filename[:255], limit)
        return upload

    form = Form(request.text(b"content-type") or "", begin)
    try:
        await form.read(request.pieces(limit + _FORM_BYTES, config.server.body_seconds))
        if upload is None:
            raise RequestError("Missing required parameter: 'file'.", field="file")
        file = await upload.finish(_purpose(form.fields), _lifetime(form.fields))
    except BaseException:
        if upload is not None:
            await upload.abort()
        raise
    return json_answer(file_object(file))


async def retrieve(id: str, service: Service, request: Request) -> Answer:
    """GET /v1/files/{id}"""
    file = await _found(service, id, service.gate.admit(request.key()))
    return json_answer(file_object(await _measured(service, file)))


async def content(id: str, service: Service, request: Request) -> Answer:
    """GET /v1/files/{id}/content"""
    file = await _found(service, id, service.gate.admit(request.key()))
    pieces = _lines(service, file) if file.batch else service.files.chunks(file.id)
    return streamed(pieces, "application/octet-stream")


async def delete(id: str, service: Service, request: Request) -> Answer:
    """DELETE /v1/files/{id}"""
    key = service.gate.admit(request.key())
    if not await service.files.delete(id, key):
        raise not_found("File", id, "id")
    return json_answer({"id": id, "object": "file", "deleted": True})


async def list_files(service: Service, request: Request) -> Answer:
    """GET /v1/files"""
    key = service.gate.admit(request.key())
    limit = bounded(request, "limit", 10_000, 10_000)
    order: Literal["asc", "desc"] = "asc" if request.query("order") == "asc" else "desc"
    found = await service.files.files(
        key,
        purpose=request.query("purpose") or "",
        after=request.query("after") or "",
        order=order,
        limit=limit + 1,
    )
    data = [file_object(await _measured(service, file)) for file in found[:limit]]
    return json_answer(
        {
            "object": "list",
            "data": data,
            "has_more": len(found) > limit,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
        }
    )


def file_object(file: File) -> dict[str, Any]:
    """As OpenAI shows a file."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": seconds(file.created_at),
        "expires_at": seconds(file.expires_at) if file.expires_at else None,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


# -- files that are made of results


def results_files(batch: Batch) -> dict[str, str]:
    """The ids of an ended batch's files: `output` where there is an answer, `errors` where there is
    anything else."""
    made = {}
    if batch.ended_at and batch.answered:
        made["output"] = f"file-{batch.id}-output"
    if batch.ended_at and batch.failed + batch.cancelled:
        made["errors"] = f"file-{batch.id}-errors"
    return made


async def make_known(files: Files, batch: Batch) -> None:
    """Let an ended batch's files be found and listed."""
    for which, id in results_files(batch).items():
        name = f"{batch.id}_{which}.jsonl"
        await files.derive(id, batch.new.key, name, "batch_output", batch.id, batch.ended_at)


async def _found(service: Service, id: str, key: str) -> File:
    file = await service.files.file(id, key)
    if file is None:
        raise not_found("File", id, "id")
    return file


async def _measured(service: Service, file: File) -> File:
    if file.bytes >= 0:
        return file
    size = 0
    async for piece in _lines(service, file):
        size += len(piece)
    await service.files.measured(file.id, size)
    return msgspec.structs.replace(file, bytes=size)


async def _lines(service: Service, file: File) -> AsyncIterator[bytes]:
    answers = file.id.endswith("-output")
    async for result in service.lane.results(file.batch):
        if (result.state == "answered") == answers:
            yield output_line(result)


def output_line(result: Result) -> bytes:
    """A line of an output or error file."""
    response, error = None, None
    if result.state == "cancelled":
        error = {
            "code": "batch_cancelled",
            "message": "This request was not executed, because the batch was cancelled.",
        }
    else:
        response = {
            "status_code": result.status,
            "request_id": result.request_id,
            "body": inline(result),
        }
    line = {
        "id": f"batch_req_{result.request_id or result.place}",
        "custom_id": result.custom_id,
        "response": response,
        "error": error,
    }
    return _ENCODER.encode(line) + b"\n"


# -- an upload's fields


def _purpose(fields: dict[str, str]) -> str:
    purpose = fields.get("purpose")
    if purpose is None:
        raise RequestError("Missing required parameter: 'purpose'.", field="purpose")
    if purpose != "batch":
        raise RequestError(
            f"'{purpose[:40]}' is not one of the purposes that files are kept for here.",
            field="purpose",
            remedy="Files are kept for batches alone: send purpose 'batch'.",
        )
    return purpose


def _lifetime(fields: dict[str, str]) -> int:
    """Seconds until the file expires."""
    said = fields.get("expires_after[seconds]")
    if said is None:
        return _MONTH_SECONDS
    if not said.isdecimal() or not 3600 <= int(said[:9]) <= _MONTH_SECONDS:
        raise RequestError(
            "The file's lifetime is not between one hour and 30 days.",
            field="expires_after[seconds]",
            remedy="Send 3600 to 2592000 seconds.",
        )
    return int(said)


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("POST", "/v1/files"): create,
    ("GET", "/v1/files"): list_files,
}
