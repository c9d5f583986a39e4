"""Google's batches: `client.batches` works unchanged with inlined requests, whichever providers
answer them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import msgspec

from hybridllm.batching.structs import Batch, NewBatch, NewLine, Result
from hybridllm.engine.call import Answer
from hybridllm.errors import ErrorKind, RequestError
from hybridllm.gateway.batching import (
    DAY_SECONDS,
    Kept,
    accept,
    bounded,
    deadline_of,
    inline,
    iso,
    keep,
    kept_of,
    newest,
    not_found,
    own,
)
from hybridllm.gateway.endpoint import Endpoint, Service
from hybridllm.gateway.listing import json_answer
from hybridllm.gateway.request import Request
from hybridllm.gateway.streaming import streamed
from hybridllm.gateway.webhooks import wanted_webhook

_PATH = re.compile(r"/v1(?:beta)?/batches/([^/:]{1,200})(?::(cancel))?")
_COLLECTION = re.compile(r"/v1(?:beta)?/batches")
_METADATA_BYTES = 1024
_ENCODER = msgspec.json.Encoder()
_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch"
_CODES = {
    "CANCELLED": 1,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "UNAUTHENTICATED": 16,
}
"""google.rpc.Code, by the status that an error's body names."""


class _Inlined(msgspec.Struct):
    request: msgspec.Raw
    metadata: dict[str, str] | None = None


class _Requests(msgspec.Struct):
    requests: list[_Inlined]


class _Input(msgspec.Struct, rename="camel"):
    requests: _Requests | None = None
    file_name: str | None = None


class _Batch(msgspec.Struct, rename="camel"):
    input_config: _Input
    display_name: str = ""


class _Create(msgspec.Struct):
    batch: _Batch


class _Named(msgspec.Struct):
    model: str | None = None


def endpoint_of(method: str, path: str) -> Endpoint | None:
    """The endpoint of a batch's path, or of that of all."""
    if method == "GET" and _COLLECTION.fullmatch(path):
        return list_batches
    found = _PATH.fullmatch(path)
    endpoint = None if found is None else _BY_PATH.get((method, found[2]))
    return None if found is None or endpoint is None else partial(endpoint, found[1])


async def create(model: str, service: Service, request: Request) -> Answer:
    """POST /v1beta/models/{model}:batchGenerateContent"""
    key = service.gate.admit(request.key())
    config = service.engine.runtime.config
    webhook = wanted_webhook(request, config.batch)
    body = await request.body(config.batch.max_bytes, config.server.body_seconds)
    task, tags = (request.text(b"x-hybridllm-" + name) or "" for name in (b"task", b"tags"))
    read = partial(_read, body, model, config.batch.max_lines, task, tags)
    name, lines = await asyncio.to_thread(read)
    new = NewBatch(
        dialect="google",
        key=key,
        deadline_at=deadline_of(request, DAY_SECONDS),
        model=model,
        metadata=keep(Kept(name=name)),
        webhook=webhook,
    )
    return json_answer(_operation(await accept(service, new, lines)))


async def retrieve(id: str, service: Service, request: Request) -> Answer:
    """GET /v1beta/batches/{id}: with its results, once they are there."""
    batch = await _found(service, id, request)
    if batch.state != "ended":
        return json_answer(_operation(batch))
    return streamed(_with_results(service, batch), "application/json")


async def cancel(id: str, service: Service, request: Request) -> Answer:
    """POST /v1beta/batches/{id}:cancel"""
    batch = await _found(service, id, request)
    await service.lane.cancel(id, batch.new.key)
    return json_answer({})


async def delete(id: str, service: Service, request: Request) -> Answer:
    """DELETE /v1beta/batches/{id}"""
    batch = await _found(service, id, request)
    if batch.state != "ended":
        raise RequestError(
            "A batch that is running cannot be deleted.",
            field="name",
            remedy="Cancel it first, and wait until it has ended.",
        )
    await service.lane.delete(id, batch.new.key)
    return json_answer({})


async def list_batches(service: Service, request: Request) -> Answer:
    """GET /v1beta/batches: without their results."""
    key = service.gate.admit(request.key())
    limit = bounded(request, "pageSize", 50, 1000)
    token = request.query("pageToken")
    if token:
        await _found(service, token, request)
    found: list[Batch] = []
    more = False
    async for batch in newest(service.lane, key, "google", token):
        if len(found) == limit:
            more = True
            break
        found.append(batch)
    page: dict[str, Any] = {"operations": [_operation(batch) for batch in found]}
    if more:
        page["nextPageToken"] = found[-1].id
    return json_answer(page)


async def _found(service: Service, id: str, request: Request) -> Batch:
    key = service.gate.admit(request.key())
    missing = not_found("Batch", f"batches/{id}", "name")
    return own(await service.lane.batch(id, key), "google", missing)


# -- how a batch is shown


def _operation(batch: Batch) -> dict[str, Any]:
    """The long-running operation that a batch is, without results."""
    ended = batch.state == "ended"
    metadata: dict[str, Any] = {
        "@type": _TYPE,
        "model": f"models/{batch.new.model}",
        "displayName": kept_of(batch).name,
        "createTime": iso(batch.created_at),
        "updateTime": iso(batch.ended_at or batch.cancelled_at or batch.created_at),
        "batchStats": {
            "requestCount": str(batch.total),
            "successfulRequestCount": str(batch.answered),
            "failedRequestCount": str(batch.failed + batch.cancelled),
            "pendingRequestCount": str(batch.total - batch.ended),
        },
        "state": _state(batch),
        "name": f"batches/{batch.id}",
    }
    if ended:
        metadata["endTime"] = iso(batch.ended_at)
    operation: dict[str, Any] = {"name": f"batches/{batch.id}", "metadata": metadata}
    if ended:
        operation["done"] = True
    return operation


def _state(batch: Batch) -> str:
    if batch.state != "ended":
        return "BATCH_STATE_RUNNING" if batch.ended else "BATCH_STATE_PENDING"
    return "BATCH_STATE_CANCELLED" if batch.cancelled_at else "BATCH_STATE_SUCCEEDED"


async def _with_results(service: Service, batch: Batch) -> AsyncIterator[bytes]:
    """The operation with its results in it, written as they are read: in the order of the requests,
    both where the SDK looks for them and where the operation's own response is."""
    operation = _operation(batch)
    mark = "results-go-here"
    operation["metadata"]["output"] = {"inlinedResponses": {"inlinedResponses": mark}}
    head, tail = _ENCODER.encode(operation).split(f'"{mark}"'.encode())
    yield head + b"["
    comma = b""
    async for result in service.lane.results(batch.id):
        yield comma + _ENCODER.encode(_inlined(result))
        comma = b","
    yield b"]" + tail


def _inlined(result: Result) -> dict[str, Any]:
    _, metadata = msgspec.json.decode(result.custom_id)
    shown: dict[str, Any] = {} if metadata is None else {"metadata": metadata}
    if result.state == "answered":
        return {"response": inline(result), **shown}
    if result.state == "cancelled":
        return {"error": {"code": 1, "message": "The batch was cancelled."}, **shown}
    return {"error": _error(result.body), **shown}


def _error(body: bytes) -> dict[str, Any]:
    """A google.rpc.Status of a live error's body."""
    try:
        said = msgspec.json.decode(body)["error"]
        code = _CODES.get(said["status"], 2)
        return {"code": code, "message": str(said["message"])}
    except (msgspec.DecodeError, LookupError, TypeError):
        return {"code": 2, "message": body.decode("utf-8", "replace")[:1000]}


# -- what a caller brings


def _read(body: bytes, model: str, most: int, task: str, tags: str) -> tuple[str, list[NewLine]]:
    """(display name, requests). Raises RequestError naming what cannot be."""
    try:
        batch = msgspec.json.decode(body, type=_Create).batch
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise _wrong(e) from None
    said = batch.input_config
    if said.file_name is not None or said.requests is None:
        raise RequestError(
            "Only inlined requests make a batch here.",
            kind=ErrorKind.UNSUPPORTED,
            field="batch.input_config",
            remedy="Send batch.inputConfig.requests.requests.",
        )
    if not 1 <= len(said.requests.requests) <= most:
        raise RequestError(
            f"A batch has 1 to {most:,} requests, not {len(said.requests.requests):,}.",
            field="batch.input_config.requests",
        )
    lines = []
    for place, one in enumerate(said.requests.requests):
        custom_id = _ENCODER.encode([place, one.metadata]).decode()
        if len(custom_id) > _METADATA_BYTES:
            raise RequestError(
                "The metadata of the request is too large.",
                field=f"{_field(place)}.metadata",
                remedy=f"Send at most {_METADATA_BYTES - 20} bytes of JSON.",
            )
        request = _without_model(bytes(one.request), model, place)
        lines.append(NewLine(custom_id=custom_id, body=request, task=task, tags=tags))
    return batch.display_name[:512], lines


def _without_model(request: bytes, model: str, place: int) -> bytes:
    """The request as it would be sent live, where the path names the model."""
    try:
        named = msgspec.json.decode(request, type=_Named).model
    except msgspec.DecodeError:
        raise RequestError("The request is no object.", field=f"{_field(place)}.request") from None
    if named is None:
        return request
    if named.removeprefix("models/") != model.removeprefix("models/"):
        raise RequestError(
            "The request names another model than the batch.",
            field=f"{_field(place)}.request.model",
            remedy="Leave it out: all requests of a batch go to the model in its path.",
        )
    fields = msgspec.json.decode(request, type=dict[str, msgspec.Raw])
    del fields["model"]
    return _ENCODER.encode(fields)


def _field(place: int) -> str:
    return f"batch.input_config.requests.requests[{place}]"


def _wrong(error: Exception) -> RequestError:
    found = re.search(r"at `\$\.?(.*)`", str(error))
    return RequestError(
        f"Invalid JSON payload received. {error}.",
        field=found[1] if found else None,
        remedy="Send batch.inputConfig.requests.requests: a list of {request, metadata}.",
    )


_BY_PATH = {
    ("GET", None): retrieve,
    ("DELETE", None): delete,
    ("POST", "cancel"): cancel,
}
