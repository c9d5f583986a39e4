"""Anthropic's message batches: `client.messages.batches` works unchanged, whichever providers
answer the requests."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import msgspec

from hybridllm.batching.structs import Batch, NewBatch, NewLine, Result
from hybridllm.engine.call import Answer
from hybridllm.errors import ErrorKind, RequestError
from hybridllm.gateway.batching import (
    DAY_SECONDS,
    accept,
    bounded,
    deadline_of,
    inline,
    iso,
    newest,
    not_found,
    own,
)
from hybridllm.gateway.endpoint import Endpoint, Service
from hybridllm.gateway.listing import json_answer
from hybridllm.gateway.request import Request
from hybridllm.gateway.streaming import streamed
from hybridllm.gateway.webhooks import wanted_webhook

_COLLECTION = "/v1/messages/batches"
_PATH = re.compile(r"/v1/messages/batches/([^/]{1,200})(?:/(cancel|results))?")
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ENCODER = msgspec.json.Encoder()


class _Request(msgspec.Struct):
    custom_id: str
    params: msgspec.Raw


class _Create(msgspec.Struct):
    requests: list[_Request]


def endpoint_of(method: str, path: str) -> Endpoint | None:
    """The endpoint of a path with a batch's id in it."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    endpoint = _BY_PATH.get((method, found[2]))
    return None if endpoint is None else partial(endpoint, found[1])


async def create(service: Service, request: Request) -> Answer:
    """POST /v1/messages/batches"""
    key = service.gate.admit(request.key())
    config = service.engine.runtime.config
    webhook = wanted_webhook(request, config.batch)
    body = await request.body(config.batch.max_bytes, config.server.body_seconds)
    task, tags = (request.text(b"x-hybridllm-" + name) or "" for name in (b"task", b"tags"))
    lines = await asyncio.to_thread(_read, body, config.batch.max_lines, task, tags)
    new = NewBatch(
        dialect="anthropic",
        key=key,
        deadline_at=deadline_of(request, DAY_SECONDS),
        webhook=webhook,
    )
    return json_answer(_object(request, await accept(service, new, lines)))


async def retrieve(id: str, service: Service, request: Request) -> Answer:
    """GET /v1/messages/batches/{id}"""
    return json_answer(_object(request, await _found(service, id, request)))


async def cancel(id: str, service: Service, request: Request) -> Answer:
    """POST /v1/messages/batches/{id}/cancel"""
    batch = await _found(service, id, request)
    cancelled = await service.lane.cancel(id, batch.new.key)
    return json_answer(_object(request, cancelled or batch))


async def delete(id: str, service: Service, request: Request) -> Answer:
    """DELETE /v1/messages/batches/{id}"""
    batch = await _found(service, id, request)
    if batch.state != "ended":
        raise RequestError(
            f"Batch '{id}' cannot be deleted while it is in progress.",
            field="message_batch_id",
            remedy="Cancel it first, and wait until it has ended.",
        )
    await service.lane.delete(id, batch.new.key)
    return json_answer({"id": id, "type": "message_batch_deleted"})


async def results(id: str, service: Service, request: Request) -> Answer:
    """GET /v1/messages/batches/{id}/results"""
    batch = await _found(service, id, request)
    if batch.state != "ended":
        raise RequestError(
            f"Batch '{id}' has no results yet: it has not ended.",
            kind=ErrorKind.NOT_FOUND,
            remedy="Wait until its processing_status is 'ended'.",
        )
    return streamed(_result_lines(service, id), "application/x-jsonl")


async def list_batches(service: Service, request: Request) -> Answer:
    """GET /v1/messages/batches"""
    key = service.gate.admit(request.key())
    limit = bounded(request, "limit", 20, 1000)
    before, after = request.query("before_id"), request.query("after_id")
    if before and after:
        raise RequestError("before_id and after_id cannot both be sent.", field="before_id")
    for id in filter(None, (before, after)):
        await _found(service, id, request)
    found, more = await _page(service, key, before, after, limit)
    return json_answer(
        {
            "data": [_object(request, batch) for batch in found],
            "has_more": more,
            "first_id": found[0].id if found else None,
            "last_id": found[-1].id if found else None,
        }
    )


async def _page(
    service: Service, key: str, before: str | None, after: str | None, limit: int
) -> tuple[list[Batch], bool]:
    """Up to `limit` batches, newest first: those next behind `after`, or next ahead of `before`."""
    if before:
        ahead: deque[Batch] = deque(maxlen=limit)
        count = 0
        async for batch in newest(service.lane, key, "anthropic", None):
            if batch.id == before:
                break
            ahead.append(batch)
            count += 1
        return list(ahead), count > limit
    found: list[Batch] = []
    async for batch in newest(service.lane, key, "anthropic", after):
        if len(found) == limit:
            return found, True
        found.append(batch)
    return found, False


async def _found(service: Service, id: str, request: Request) -> Batch:
    key = service.gate.admit(request.key())
    missing = not_found("Message batch", id, "message_batch_id")
    return own(await service.lane.batch(id, key), "anthropic", missing)


def _object(request: Request, batch: Batch) -> dict[str, Any]:
    """As Anthropic shows a batch: its counts move when all of it has ended."""
    ended = batch.state == "ended"
    status = "ended" if ended else "canceling" if batch.state == "cancelling" else "in_progress"
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": status,
        "request_counts": {
            "processing": 0 if ended else batch.total,
            "succeeded": batch.answered if ended else 0,
            "errored": batch.failed if ended else 0,
            "canceled": batch.cancelled if ended else 0,
            "expired": 0,
        },
        "created_at": iso(batch.created_at),
        "ended_at": iso(batch.ended_at) if ended else None,
        "expires_at": iso(batch.new.deadline_at),
        "cancel_initiated_at": iso(batch.cancelled_at) if batch.cancelled_at else None,
        "archived_at": None,
        "results_url": f"{_origin(request)}{_COLLECTION}/{batch.id}/results" if ended else None,
    }


def _origin(request: Request) -> str:
    """Scheme and authority by which the caller reached us, also through a proxy that says so."""
    scheme = request.text(b"x-forwarded-proto") or request.scope.get("scheme", "http")
    return f"{scheme}://{request.text(b'host') or '127.0.0.1'}"


async def _result_lines(service: Service, id: str) -> AsyncIterator[bytes]:
    async for result in service.lane.results(id):
        line = {"custom_id": result.custom_id, "result": _result(result)}
        yield _ENCODER.encode(line) + b"\n"


def _result(result: Result) -> dict[str, Any]:
    if result.state == "answered":
        return {"type": "succeeded", "message": inline(result)}
    if result.state == "failed":
        return {"type": "errored", "error": inline(result)}
    return {"type": "canceled"}


# -- what a caller brings


def _read(body: bytes, most: int, task: str, tags: str) -> list[NewLine]:
    """The requests. Raises RequestError naming the first that cannot be one."""
    try:
        said = msgspec.json.decode(body, type=_Create)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise _wrong(e) from None
    if not 1 <= len(said.requests) <= most:
        raise RequestError(
            f"requests: a batch has 1 to {most:,} requests, not {len(said.requests):,}.",
            field="requests",
        )
    seen: set[str] = set()
    lines = []
    for place, one in enumerate(said.requests):
        field = f"requests.{place}.custom_id"
        if not _CUSTOM_ID.fullmatch(one.custom_id):
            raise RequestError(
                f"{field}: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'.", field=field
            )
        if one.custom_id in seen:
            raise RequestError(
                f"{field}: custom_id '{one.custom_id}' is that of an earlier request; it must be "
                "unique in the batch.",
                field=field,
            )
        if not bytes(one.params).startswith(b"{"):
            name = f"requests.{place}.params"
            raise RequestError(f"{name}: Input should be an object.", field=name)
        seen.add(one.custom_id)
        body_ = bytes(one.params)
        lines.append(NewLine(custom_id=one.custom_id, body=body_, task=task, tags=tags))
    return lines


def _wrong(error: Exception) -> RequestError:
    """What msgspec says, with the path as Anthropic writes it: `requests.3.custom_id`."""
    found = re.fullmatch(r"(.*?)(?: - at `\$(.*)`)?", str(error), re.DOTALL)
    what, path = (found[1], found[2] or "") if found else (str(error), "")
    missing = re.search(r"required field `(\w+)`", what)
    field = re.sub(r"\[(\d+|\.\.\.)\]", r".\1", path).lstrip(".")
    if missing is not None:
        field = f"{field}.{missing[1]}".lstrip(".")
        what = "Field required"
    elif not field:
        what = "The body is no valid JSON object"
    return RequestError(f"{field}: {what}." if field else f"{what}.", field=field or None)


_BY_PATH = {
    ("GET", None): retrieve,
    ("DELETE", None): delete,
    ("POST", "cancel"): cancel,
    ("GET", "results"): results,
}

ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("POST", _COLLECTION): create,
    ("GET", _COLLECTION): list_batches,
}
