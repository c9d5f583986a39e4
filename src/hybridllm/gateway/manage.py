"""The gateway's own endpoints: is it well, and what became of a request."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

from hybridllm.engine.call import Answer
from hybridllm.errors import ErrorKind, RequestError
from hybridllm.gateway.endpoint import Endpoint, Service
from hybridllm.gateway.listing import json_answer
from hybridllm.gateway.request import Request
from hybridllm.money import dollars

_REQUESTS = "/api/v1/requests/"


def endpoint_of(method: str, path: str) -> Endpoint | None:
    """The endpoint of a path that ends in a request id."""
    if method == "GET" and path.startswith(_REQUESTS):
        return partial(request_record, path[len(_REQUESTS) :])
    return None


async def health(service: Service, request: Request) -> Answer:
    """GET /healthz: needs no key, tells nothing but that the gateway answers."""
    return json_answer({"status": "ok"})


async def providers(service: Service, request: Request) -> Answer:
    """GET /api/v1/health: providers in use, and the models whose breaker is open."""
    service.gate.admit(request.key())
    runtime = service.engine.runtime
    return json_answer(
        {
            "providers": sorted(runtime.usable),
            "resting_models": sorted(runtime.breakers.down(time.monotonic())),
        }
    )


async def request_record(request_id: str, service: Service, request: Request) -> Answer:
    """GET /api/v1/requests/{id}: the ledger's rows of one request, one an attempt."""
    label = service.gate.admit(request.key())
    rows = await asyncio.to_thread(_find, service, request_id)
    rows = [row for row in rows if row["key"] == label]
    if not rows:
        raise RequestError(
            f"No request '{request_id[:100]}' is in the ledger.",
            kind=ErrorKind.NOT_FOUND,
            remedy="Use the value of the x-hybridllm-request-id header of an answer that has "
            "ended; a request is recorded when its reply ends.",
        )
    for row in rows:
        row["cost_usd"] = dollars(row["cost"])
        row["baseline_usd"] = dollars(row["baseline"])
    return json_answer({"request_id": request_id, "attempts": rows})


def _find(service: Service, request_id: str) -> list[dict[str, Any]]:
    service.ledger.flush()
    return service.ledger.find(request_id)


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", "/healthz"): health,
    ("GET", "/api/v1/health"): providers,
}
