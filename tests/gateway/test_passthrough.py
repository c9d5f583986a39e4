"""Same dialect in and out: the caller's bytes reach the provider, and the provider's the caller."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.upstream import (
    MODELS,
    PATHS,
    STREAM_HEAD,
    Seen,
    gateway_before,
    http,
    piece,
    streaming,
)
from tests.providers.servers import Peer

each_dialect = pytest.mark.parametrize("dialect", ["openai", "anthropic", "google"])

REPLIES = {
    "openai": b'{ "id":"c1", "object":"chat.completion","created":1,"model":"gpt-4o-mini", '
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"Hi \\u00e9"},'
    b'"finish_reason":"stop","x_new":1.50}],"usage":{"prompt_tokens":9,"completion_tokens":2,'
    b'"total_tokens":11},"x_future":{"z":[1e3,null]}}\n',
    "anthropic": b'{"id":"m1","type":"message" , "role":"assistant","model":"claude-sonnet-4-6",'
    b'"content":[{"type":"text","text":"Hi"},{"type":"new_kind","z":1.0}],'
    b'"stop_reason":"end_turn","stop_sequence":null,'
    b'"usage":{"input_tokens":9,"output_tokens":2,"x":{}} , "x_future":[1e3]}',
    "google": b'{"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]},'
    b'"finishReason":"STOP","xNew":1.50}],"usageMetadata":{"promptTokenCount":9,'
    b'"candidatesTokenCount":2,"totalTokenCount":11},"xFuture":{"z":[1e3]}}\n\n',
}


def request(dialect: str, model: str) -> bytes:
    """A valid request, oddly spaced, with fields that no version of any API has."""
    odd = b' "x_future" : {"deep":[1.0,2e3,"\\u00e9 \\/",{"null":null}]} ,\n'
    if dialect == "google":
        return b"{" + odd + b'"contents":[{"role":"user","parts":[{"text":"Hi","xNew":true}]}]  }'
    return (
        b"{" + odd + b'  "model" :  "' + model.encode() + b'", "max_tokens":50,'
        b'"messages":[ {"role":"user","content":"Hi","x_new":[]} ]\t}'
    )


@each_dialect
async def test_bodies_pass_byte_for_byte_but_for_the_models_name(
    dialect: str, tmp_path: Path
) -> None:
    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(http(REPLIES[dialect]))

    async with gateway_before(script, tmp_path) as (gateway, seen):
        body = request(dialect, MODELS[dialect])
        reply = await asyncio.to_thread(gateway.post, PATHS[dialect], body)
    assert reply.status == 200, reply.body
    assert reply.body == REPLIES[dialect]
    (got,) = seen
    assert got.body == request(dialect, MODELS[dialect].partition("/")[2])
    assert reply.headers["x-hybridllm-model"] == MODELS[dialect]
    assert "x-hybridllm-dropped" not in reply.headers


@each_dialect
async def test_the_provider_sees_its_own_key_and_nothing_of_the_callers(
    dialect: str, tmp_path: Path
) -> None:
    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(http(REPLIES[dialect]))

    secret = "the-gateways-own-secret"
    env = {"HYBRIDLLM_KEY": secret}
    async with gateway_before(script, tmp_path, env=env) as (gateway, seen):
        sent = {
            "authorization": f"Bearer {secret}",
            "cookie": "session=callers",
            "x-forwarded-for": "10.1.2.3",
        }
        body = request(dialect, MODELS[dialect])
        reply = await asyncio.to_thread(gateway.post, PATHS[dialect], body, sent)
    assert reply.status == 200
    (got,) = seen
    assert secret not in str(got.headers) + got.path
    assert not {"cookie", "x-forwarded-for"} & got.headers.keys()
    keys = [value for value in got.headers.values() if "provider-key-" in value]
    assert [key.removeprefix("Bearer ") for key in keys] == [f"provider-key-{dialect}"]


CHUNKS = [
    b': a comment\n\ndata: {"id":"c1","object":"chat.completion.chunk","created":1,'
    b'"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"role":"assistant","content":""},'
    b'"finish_reason":null}],"obfuscation":"xx"}\n\n',
    b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}],'
    b'"x_future":{"a":1.50}}\n\n',
    b'data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
]
USAGE = (
    b'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,'
    b'"total_tokens":11}}\n\n'
)
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize("asked", [True, False], ids=["usage asked for", "usage not asked for"])
async def test_usage_is_always_metered_and_shown_to_those_who_asked(
    asked: bool, tmp_path: Path
) -> None:
    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(STREAM_HEAD + b"".join(map(piece, [*CHUNKS, USAGE, DONE, b""])))

    body: dict[str, Any] = {
        "model": "openai/gpt-4o-mini",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
    }
    if asked:
        body["stream_options"] = {"include_usage": True, "include_obfuscation": False}
    async with gateway_before(script, tmp_path) as (gateway, seen):
        async with streaming(gateway, PATHS["openai"], body) as stream:
            assert stream.status == 200
            assert stream.headers["content-type"].startswith("text/event-stream")
            got = await stream.rest()
            request_id = stream.headers["x-hybridllm-request-id"]
        (row,) = await asyncio.to_thread(gateway.attempts, request_id)
    assert got == b"".join([*CHUNKS, *([USAGE] if asked else []), DONE])
    sent = seen[0].json()
    assert sent["stream_options"]["include_usage"] is True
    if asked:
        assert sent["stream_options"] == body["stream_options"]
    assert (row["input_tokens"], row["output_tokens"]) == (9, 2)
    assert row["cost_usd"] == "0.00000255"
    assert row["usage_estimated"] is False


async def test_every_event_is_handed_on_as_it_arrives(tmp_path: Path) -> None:
    """The provider sends the next event only after the caller has had the one before."""
    may_go_on = asyncio.Queue[None]()

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(STREAM_HEAD)
        for event in (*CHUNKS[1:], USAGE, DONE):
            await peer.send(piece(event))
            await may_go_on.get()
        await peer.send(piece(b""))

    body = {
        "model": "openai/gpt-4o-mini",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    async with (
        gateway_before(script, tmp_path) as (gateway, _),
        streaming(gateway, PATHS["openai"], body) as stream,
    ):
        for event in (*CHUNKS[1:], USAGE, DONE):
            assert await asyncio.wait_for(stream.chunk(), 20) == event
            may_go_on.put_nowait(None)
        assert await stream.rest() == b""


ERRORS = {
    "openai": b'{"error":{"message":"Bad value","type":"invalid_request_error","param":"seed",'
    b'"code":null,"x_new":1.50}}',
    "anthropic": b'{"type":"error","error":{"type":"invalid_request_error","message":"Bad"},'
    b'"request_id":"req_1","x_new":1.50}',
    "google": b'{"error":{"code":400,"message":"Bad","status":"INVALID_ARGUMENT","xNew":1.50}}',
}


@each_dialect
async def test_a_providers_error_is_handed_on_unchanged(dialect: str, tmp_path: Path) -> None:
    name = "request-id" if dialect == "anthropic" else "x-request-id"

    async def script(peer: Peer, seen: Seen) -> None:
        error = http(ERRORS[dialect], status="400 Bad Request", extra=f"{name}: req_1\r\n")
        await peer.send(error)

    async with gateway_before(script, tmp_path) as (gateway, seen):
        body = request(dialect, MODELS[dialect])
        reply = await asyncio.to_thread(gateway.post, PATHS[dialect], body)
        rows = await asyncio.to_thread(gateway.attempts, reply.headers["x-hybridllm-request-id"])
    assert (reply.status, reply.body) == (400, ERRORS[dialect])
    assert reply.headers[name] == "req_1"
    assert len(seen) == 1, "a bad request is not sent again"
    (row,) = rows
    assert (row["outcome"], row["error_kind"], row["status"]) == ("error", "bad_request", 400)
    assert (row["cost"], row["provider_request_id"]) == (0, "req_1")


async def test_a_gateways_own_fields_do_not_reach_the_provider(tmp_path: Path) -> None:
    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(http(REPLIES["openai"]))

    body = {
        "model": "auto",
        "messages": [{"role": "user", "content": "Hi"}],
        "metadata": {"task": "classification"},
        "session_id": "s-1",
    }
    async with gateway_before(script, tmp_path) as (gateway, seen):
        reply = await asyncio.to_thread(gateway.post, PATHS["openai"], body)
    assert reply.headers["x-hybridllm-task"] == "classification"
    sent = seen[0].json()
    assert sent.keys() == {"model", "messages"}
    assert sent["model"] == "gpt-4o-mini"
    assert json.dumps(sent["messages"]) == json.dumps(body["messages"])
