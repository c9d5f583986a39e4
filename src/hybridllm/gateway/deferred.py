"""Ordinary requests that can wait: answered 202 at once, and by their deadline with what the live
request would have got."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from hybridllm.batching.structs import Batch, NewBatch, NewLine, Result
from hybridllm.durations import seconds_of
from hybridllm.engine.call import Answer, Call, Headers
from hybridllm.errors import RequestError
from hybridllm.gateway.batching import (
    DEADLINE,
    accept,
    inline,
    iso,
    not_found,
    now_us,
    parse_deadline,
)
from hybridllm.gateway.listing import json_answer
from hybridllm.gateway.request import Request
from hybridllm.gateway.webhooks import WEBHOOK, wanted_webhook
from hybridllm.money import dollars

if TYPE_CHECKING:
    from hybridllm.gateway.endpoint import Endpoint, Service

_ROOT = "/api/v1/deferred/"
_PATH = re.compile(r"/api/v1/deferred/([^/]{1,200})(/result)?")
_LIVE = ("now", "none", "0")
"""What the header says to have a request of a waiting task answered live."""
_CUSTOM_ID = "request"
_MOST_WAIT = 300.0


async def deferred(service: Service, request: Request, call: Call) -> Answer | None:
    """The 202 of a request that can wait; None for one that is to be answered live. Raises
    RequestError for one that says it can wait and cannot."""
    said = request.text(DEADLINE.encode())
    if said is not None and said.strip().lower() in _LIVE:
        return None
    now = now_us()
    if said is not None:
        deadline_at = parse_deadline(said, now)
    else:
        span = _of_task(service, call)
        if span is None:
            return None
        deadline_at = now + int(span * 1e6)
    streams = _streams(call)
    if streams and said is None:
        return None  # its task can wait, but the caller wants to watch
    if streams:
        raise RequestError(
            "A streamed request cannot wait for its answer.",
            field=DEADLINE,
            remedy="Leave out stream, or leave out the deadline.",
        )
    new = NewBatch(
        dialect="openai" if call.dialect.name == "responses" else call.dialect.name,
        key=call.key,
        deadline_at=deadline_at,
        endpoint=request.scope["path"] if call.dialect.name in ("openai", "responses") else "",
        kind="deferred",
        model=call.shape.model or "",
        webhook=wanted_webhook(request, service.engine.runtime.config.batch),
    )
    line = NewLine(custom_id=_CUSTOM_ID, body=call.body, task=call.task or "", tags=call.tags)
    batch = await accept(service, new, [line])
    answer = json_answer(_object(batch, None), 202)
    answer.headers.append((b"location", f"{_ROOT}{batch.id}".encode()))
    answer.headers.append((b"retry-after", b"%d" % _pause(batch)))
    return answer


def _of_task(service: Service, call: Call) -> float | None:
    """The seconds that the request's task gives every request, if it does. Raises RequestError for
    a request whose task cannot be named."""
    runtime = service.engine.runtime
    named = runtime.namer.name(call.dialect.facts(call.body, call.shape), call.task)
    deadline = named.task.deadline
    return None if deadline is None else seconds_of(deadline)


def _streams(call: Call) -> bool:
    if call.shape.stream is not None:
        return call.shape.stream
    return call.dialect.facts(call.body, call.shape).stream


# -- asking for it


def endpoint_of(method: str, path: str) -> Endpoint | None:
    """The endpoint of a path with a deferred request's id in it."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    endpoint = _BY_PATH.get((method, found[2]))
    return None if endpoint is None else partial(endpoint, found[1])


async def retrieve(id: str, service: Service, request: Request) -> Answer:
    """GET /api/v1/deferred/{id}, with ?wait=30 once it has ended or after so many seconds."""
    key = service.gate.admit(request.key())
    seconds = _wait(request)
    batch = _own(await service.lane.batch(id, key), id)
    if seconds and batch.state != "ended":
        batch = _own(await service.lane.wait(id, key, seconds), id)
    answer = json_answer(_object(batch, await _result(service, batch)))
    if batch.state != "ended":
        answer.headers.append((b"retry-after", b"%d" % _pause(batch)))
    return answer


async def result(id: str, service: Service, request: Request) -> Answer:
    """GET /api/v1/deferred/{id}/result: exactly the live answer, its status and its body."""
    key = service.gate.admit(request.key())
    batch = _own(await service.lane.batch(id, key), id)
    found = await _result(service, batch)
    if found is None:
        raise RequestError(
            f"The request '{id}' has not been answered yet.",
            status=409,
            remedy=f"Wait for it: GET {_ROOT}{id}?wait=30.",
        )
    if found.state == "cancelled":
        raise RequestError(f"The request '{id}' was cancelled.", status=410)
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"x-hybridllm-request-id", found.request_id.encode("latin-1", "replace")),
        (b"x-hybridllm-task", found.task.encode("latin-1", "replace")),
        (b"x-hybridllm-model", found.model.encode("latin-1", "replace")),
        (b"x-hybridllm-mode", found.mode.encode()),
        (b"x-hybridllm-late", b"true" if found.late else b"false"),
        (b"x-hybridllm-cost-usd", dollars(found.cost).encode()),
        (b"x-hybridllm-baseline-usd", dollars(batch.baseline).encode()),
    ]
    return Answer(status=found.status, headers=headers, body=found.body)


async def cancel(id: str, service: Service, request: Request) -> Answer:
    """DELETE /api/v1/deferred/{id}: it is not done, unless it is being done already."""
    key = service.gate.admit(request.key())
    batch = _own(await service.lane.batch(id, key), id)
    if batch.state != "ended":
        batch = _own(await service.lane.cancel(id, key), id)
    return json_answer(_object(batch, await _result(service, batch)))


async def _result(service: Service, batch: Batch) -> Result | None:
    if batch.state != "ended":
        return None
    async for found in service.lane.results(batch.id):
        return found
    return None


def _own(batch: Batch | None, id: str) -> Batch:
    if batch is None or batch.new.kind != "deferred":
        raise not_found("deferred request", id)
    return batch


def _object(batch: Batch, found: Result | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": batch.id,
        "object": "deferred",
        "status": "cancelling" if batch.state == "cancelling" else "queued",
        "created_at": iso(batch.created_at),
        "deadline": iso(batch.new.deadline_at),
        "url": f"{_ROOT}{batch.id}",
        "result_url": f"{_ROOT}{batch.id}/result",
    }
    if found is None:
        return shown
    shown |= {
        "status": "completed" if found.state == "answered" else found.state,
        "ended_at": iso(batch.ended_at),
        "late": found.late,
        "request_id": found.request_id,
        "task": found.task,
        "model": found.model,
        "mode": found.mode,
        "cost_usd": dollars(found.cost),
        "baseline_usd": dollars(batch.baseline),
    }
    if found.state != "cancelled":
        shown["response"] = {"status_code": found.status, "body": inline(found)}
    return shown


def _pause(batch: Batch) -> int:
    """Seconds after which it is worth asking again: a hundredth of what is left, within reason."""
    left = max(0, batch.new.deadline_at - now_us()) // 1_000_000
    return max(1, min(left // 100, 60))


def _wait(request: Request) -> float:
    said = request.query("wait")
    if said is None:
        return 0.0
    try:
        return min(seconds_of(said), _MOST_WAIT)
    except ValueError:
        raise RequestError(
            f"'{said[:40]}' is no number of seconds.", field="wait", remedy="Send ?wait=30."
        ) from None


_BY_PATH = {
    ("GET", None): retrieve,
    ("GET", "/result"): result,
    ("DELETE", None): cancel,
}

__all__ = ["DEADLINE", "WEBHOOK", "deferred", "endpoint_of"]
