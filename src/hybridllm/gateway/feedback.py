"""POST /v1/feedback: a caller's word on an answer that it got."""

from __future__ import annotations

import asyncio

import msgspec

from hybridllm.engine.call import Answer
from hybridllm.gateway.endpoint import Endpoint, Service
from hybridllm.gateway.listing import json_answer
from hybridllm.gateway.request import Request
from hybridllm.ledger.feedback import read_feedback, take_feedback

_LARGEST = 65_536


async def feedback(service: Service, request: Request) -> Answer:
    """Counts a score, or a thumb, for the task and the model of a request."""
    label = service.gate.admit(request.key())
    body = await request.body(_LARGEST, service.engine.runtime.config.server.body_seconds)
    said = read_feedback(body)
    taken = await asyncio.to_thread(take_feedback, service.ledger, said, label)
    return json_answer(msgspec.to_builtins(taken))


ENDPOINTS: dict[tuple[str, str], Endpoint] = {("POST", "/v1/feedback"): feedback}
