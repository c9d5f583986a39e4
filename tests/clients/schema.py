"""Replies of the gateway held against the SDKs' own types, more strictly than the SDKs do it: every
field has its type without conversion (but Google's, whose JSON writes bytes, times and enums as
text), and there is no field that the type does not know."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.shared import ErrorResponse
from google.genai.types import GenerateContentResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.shared import ErrorObject
from pydantic import BaseModel, TypeAdapter

from tests.clients.tape import Exchange

BEYOND = {
    "openai": {"reasoning_content", "reasoning_details"},
    "anthropic": set[str](),
    "google": set[str](),
}
"""Fields that we send beyond the SDK's types: thoughts have no place in OpenAI's chat dialect
(`hybridllm.wire.openai.signatures` tells why they are sent all the same)."""

_WHOLE: dict[str, Any] = {
    "openai": ChatCompletion,
    "anthropic": Message,
    "google": GenerateContentResponse,
}
_EVENT: dict[str, Any] = {
    "openai": ChatCompletionChunk,
    "anthropic": RawMessageStreamEvent,
    "google": GenerateContentResponse,
}
_PING = {"type": "ping"}
"""On the wire, and documented, but not in the SDK's union."""


def check(dialect: str, exchange: Exchange) -> None:
    """The reply, or each event of the stream, is what the dialect's SDK declares."""
    body = bytes(exchange.body)
    if not exchange.streamed:
        assert exchange.headers["content-type"].startswith("application/json")
        conforms(_WHOLE[dialect], body, BEYOND[dialect])
        return
    events = list(datas(body))
    if dialect == "openai":
        assert events.pop() == b"[DONE]"
    assert events
    for event in events:
        if dialect == "anthropic" and json.loads(event) == _PING:
            continue
        conforms(_EVENT[dialect], event, BEYOND[dialect])
    if dialect == "anthropic":
        _check_order([json.loads(event) for event in events])


def check_error(dialect: str, exchange: Exchange) -> None:
    """The error has the provider's documented shape."""
    body = json.loads(exchange.body)
    match dialect:
        case "openai":
            assert body.keys() == {"error"}
            conforms(ErrorObject, json.dumps(body["error"]).encode())
        case "anthropic":
            conforms(ErrorResponse, bytes(exchange.body))
        case _:
            error = body["error"]
            assert error.keys() <= {"code", "message", "status", "details"}
            assert error["code"] == exchange.status
            assert isinstance(error["message"], str)
            assert error["status"] == error["status"].upper()


def conforms(kind: Any, data: bytes, beyond: Iterable[str] = ()) -> None:
    """`data` is JSON of the SDK's type `kind`, exactly."""
    made = _adapter(kind).validate_json(data, strict=kind is not GenerateContentResponse)
    unknown = [path for path in _unknown(made, "") if path.rpartition(".")[2] not in beyond]
    assert not unknown, f"{kind} has no {unknown}: {data[:500]!r}"


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def datas(body: bytes) -> Iterable[bytes]:
    """The data of each server-sent event."""
    for event in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = [line[6:] for line in event.split(b"\n") if line.startswith(b"data: ")]
        if lines:
            yield b"\n".join(lines)


def _unknown(value: Any, path: str) -> list[str]:
    if isinstance(value, BaseModel):
        found = [f"{path}.{name}" for name in value.model_extra or ()]
        for name in type(value).model_fields:
            found += _unknown(getattr(value, name), f"{path}.{name}")
        return found
    if isinstance(value, list):
        return [one for at, part in enumerate(value) for one in _unknown(part, f"{path}[{at}]")]
    return []


def _check_order(events: list[dict[str, Any]]) -> None:
    """Anthropic's blocks open, grow and close one after the other; the message frames them."""
    kinds = [event["type"] for event in events if event != _PING]
    assert (kinds[0], kinds[-2], kinds[-1]) == ("message_start", "message_delta", "message_stop")
    opened = -1
    is_open = False
    for event in events[1:-2]:
        match event["type"]:
            case "content_block_start":
                assert not is_open and event["index"] == opened + 1
                opened, is_open = event["index"], True
            case "content_block_delta":
                assert is_open and event["index"] == opened
            case "content_block_stop":
                assert is_open and event["index"] == opened
                is_open = False
            case kind:
                assert kind == "ping"
    assert not is_open
