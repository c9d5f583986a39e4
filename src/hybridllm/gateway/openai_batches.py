"""OpenAI's batches: `client.batches` works unchanged, whichever providers answer the lines."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import partial
from secrets import token_hex
from typing import Any, Literal

import msgspec

from hybridllm.batching.refusals import Refusal
from hybridllm.batching.structs import Batch, NewBatch
from hybridllm.durations import MAX_DEADLINE_SECONDS, seconds_of
from hybridllm.engine.call import Answer
from hybridllm.errors import ErrorKind, RequestError
from hybridllm.gateway import google_batches
from hybridllm.gateway.batching import (
    DEADLINE,
    Kept,
    accept,
    bounded,
    deadline_of,
    keep,
    kept_of,
    newest,
    not_found,
    now_us,
    own,
    seconds,
)
from hybridllm.gateway.endpoint import Endpoint, Service
from hybridllm.gateway.listing import json_answer
from hybridllm.gateway.openai_files import make_known, results_files
from hybridllm.gateway.openai_lines import Check, Fault, requests
from hybridllm.gateway.request import Request
from hybridllm.gateway.webhooks import wanted_webhook
from hybridllm.money import dollars

_PATH = re.compile(r"/v1/batches/([^/:]{1,200})(/cancel)?")
_ENDPOINTS = ("/v1/chat/completions", "/v1/responses")
_ELSEWHERE = (
    "/v1/embeddings",
    "/v1/completions",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/videos",
)


class _Create(msgspec.Struct):
    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None = None
    output_expires_after: dict[str, Any] | None = None


def endpoint_of(method: str, path: str) -> Endpoint | None:
    """The endpoint of a path with a batch's id in it."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    if found[2]:
        return partial(cancel, found[1]) if method == "POST" else None
    return partial(retrieve, found[1]) if method == "GET" else None


async def create(service: Service, request: Request) -> Answer:
    """POST /v1/batches"""
    key = service.gate.admit(request.key())
    config = service.engine.runtime.config
    said = _read(await request.body(config.server.max_body_bytes, config.server.body_seconds))
    span = _checked(said)
    webhook = wanted_webhook(request, config.batch)
    file = await service.files.file(said.input_file_id, key)
    if file is None or file.purpose != "batch":
        raise RequestError(
            f"No batch input file found with id '{said.input_file_id[:100]}'.",
            kind=ErrorKind.BAD_REQUEST if file is not None else ErrorKind.NOT_FOUND,
            field="input_file_id",
            remedy="Upload one with purpose 'batch'.",
        )
    check = Check(said.endpoint, config.batch.max_lines, config.server.max_body_bytes)
    faults = await check.read(service.files, file.id)
    if faults:
        return json_answer(await _refuse(service, key, said, faults))
    new = NewBatch(
        dialect="openai",
        key=key,
        deadline_at=deadline_of(request, span),
        endpoint=said.endpoint,
        metadata=keep(Kept(metadata=said.metadata, window=said.completion_window)),
        webhook=webhook,
        input_file=file.id,
    )
    task, tags = (request.text(b"x-hybridllm-" + name) or "" for name in (b"task", b"tags"))
    batch = await accept(service, new, requests(service.files, file.id, task, tags))
    return json_answer(batch_object(batch))


async def retrieve(id: str, service: Service, request: Request) -> Answer:
    """GET /v1/batches/{id}, which Google's SDK asks for by the same path."""
    if b"x-goog-api-key" in request.headers:
        return await google_batches.retrieve(id, service, request)
    key = service.gate.admit(request.key())
    batch = await service.lane.batch(id, key)
    refusal = await service.refusals.find(id, key) if batch is None else None
    if refusal is not None:
        return json_answer(_document(refusal))
    return json_answer(await _shown(service, own(batch, "openai", _missing(id))))


async def cancel(id: str, service: Service, request: Request) -> Answer:
    """POST /v1/batches/{id}/cancel"""
    key = service.gate.admit(request.key())
    batch = await _found(service, id, key)
    if batch.state == "ended":
        status = _status(batch)
        raise RequestError(
            f"Cannot cancel a batch with status '{status}'.", field="batch_id", status=409
        )
    cancelled = await service.lane.cancel(id, key)
    return json_answer(await _shown(service, cancelled or batch))


async def list_batches(service: Service, request: Request) -> Answer:
    """GET /v1/batches, likewise."""
    if b"x-goog-api-key" in request.headers:
        return await google_batches.list_batches(service, request)
    key = service.gate.admit(request.key())
    limit = bounded(request, "limit", 20, 100)
    data: list[Any] = []
    more = False
    async for found in _all(service, key, request.query("after") or ""):
        if len(data) == limit:
            more = True
            break
        if isinstance(found, Refusal):
            data.append(_document(found))
        else:
            data.append(await _shown(service, found))
    return json_answer(
        {
            "object": "list",
            "data": data,
            "has_more": more,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
        }
    )


def batch_object(batch: Batch) -> dict[str, Any]:
    """As OpenAI shows a batch, and what it cost so far under `hybridllm`."""
    kept, files = kept_of(batch), results_files(batch)
    ended = seconds(batch.ended_at) if batch.ended_at else None
    status = _status(batch)
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.new.endpoint,
        "errors": None,
        "input_file_id": batch.new.input_file,
        "completion_window": kept.window,
        "status": status,
        "output_file_id": files.get("output"),
        "error_file_id": files.get("errors"),
        "created_at": seconds(batch.created_at),
        "in_progress_at": seconds(batch.created_at),
        "expires_at": seconds(batch.new.deadline_at),
        "finalizing_at": ended,
        "completed_at": ended if status == "completed" else None,
        "failed_at": None,
        "expired_at": None,
        "cancelling_at": seconds(batch.cancelled_at) if batch.cancelled_at else None,
        "cancelled_at": ended if status == "cancelled" else None,
        "request_counts": {
            "total": batch.total,
            "completed": batch.answered,
            "failed": batch.failed,
        },
        "metadata": kept.metadata,
        "hybridllm": {
            "cost_usd": dollars(batch.cost),
            "baseline_usd": dollars(batch.baseline),
            "cancelled": batch.cancelled,
            "late": batch.late,
        },
    }


def _status(batch: Batch) -> Literal["in_progress", "cancelling", "cancelled", "completed"]:
    if batch.state == "ended":
        return "cancelled" if batch.cancelled_at else "completed"
    return "cancelling" if batch.state == "cancelling" else "in_progress"


async def _shown(service: Service, batch: Batch) -> dict[str, Any]:
    if batch.ended_at:
        await make_known(service.files, batch)
    return batch_object(batch)


async def _found(service: Service, id: str, key: str) -> Batch:
    return own(await service.lane.batch(id, key), "openai", _missing(id))


def _missing(id: str) -> RequestError:
    return not_found("Batch", id, "batch_id")


# -- batches that could not be taken


async def _refuse(service: Service, key: str, said: _Create, faults: list[Fault]) -> dict[str, Any]:
    now, id = now_us(), f"batch_{token_hex(12)}"
    document = {
        "id": id,
        "object": "batch",
        "endpoint": said.endpoint,
        "errors": {"object": "list", "data": [msgspec.to_builtins(fault) for fault in faults]},
        "input_file_id": said.input_file_id,
        "completion_window": said.completion_window,
        "status": "failed",
        "created_at": seconds(now),
        "failed_at": seconds(now),
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "metadata": said.metadata,
    }
    text = msgspec.json.encode(document).decode()
    await service.refusals.add(Refusal(id, key, now, text))
    return document


def _document(refusal: Refusal) -> Any:
    return msgspec.json.decode(refusal.document)


async def _all(service: Service, key: str, after: str) -> AsyncIterator[Batch | Refusal]:
    """A key's batches from behind `after` on, taken or not, newest first."""
    cursor, at = None, None
    if after:
        refused = await service.refusals.find(after, key)
        at = refused.at if refused else (await _found(service, after, key)).created_at
        cursor = None if refused else after
    refusals = await service.refusals.before(key, at)
    async for batch in newest(service.lane, key, "openai", cursor):
        if at is not None and cursor is None and batch.created_at >= at:
            continue
        while refusals and refusals[0].at > batch.created_at:
            yield refusals.pop(0)
        yield batch
    for refusal in refusals:
        yield refusal


# -- what a caller says of a new one


def _read(body: bytes) -> _Create:
    try:
        return msgspec.json.decode(body, type=_Create)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        found = re.search(r"required field `(\w+)`", str(e))
        field = found[1] if found else None
        raise RequestError(
            f"Missing required parameter: '{field}'." if field else f"The body is wrong: {e}.",
            field=field,
            remedy="Send input_file_id, endpoint and completion_window, as JSON.",
        ) from None


def _checked(said: _Create) -> float:
    """The completion window in seconds. Raises RequestError for what cannot be a batch."""
    if said.endpoint in _ELSEWHERE:
        raise RequestError(
            f"{said.endpoint} is not served in batches here.",
            kind=ErrorKind.UNSUPPORTED,
            field="endpoint",
            remedy=f"Batches are of {' or '.join(_ENDPOINTS)}; other requests can be sent live.",
        )
    if said.endpoint not in _ENDPOINTS:
        raise RequestError(
            f"Invalid value: '{said.endpoint[:100]}'.",
            field="endpoint",
            remedy=f"Send {' or '.join(_ENDPOINTS)}.",
        )
    metadata = said.metadata or {}
    if len(metadata) > 16 or any(len(k) > 64 or len(v) > 512 for k, v in metadata.items()):
        raise RequestError(
            "The metadata is too large.",
            field="metadata",
            remedy="Send at most 16 pairs: keys of up to 64 characters, values of up to 512.",
        )
    try:
        span = seconds_of(said.completion_window)
    except ValueError:
        span = 0.0
    if not 0 < span <= MAX_DEADLINE_SECONDS:
        raise RequestError(
            f"Invalid value: '{said.completion_window[:40]}'.",
            field="completion_window",
            remedy=f"Send 24h, or another span of up to 30 days; the header {DEADLINE} goes before "
            "it.",
        )
    return span


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("POST", "/v1/batches"): create,
    ("GET", "/v1/batches"): list_batches,
}
