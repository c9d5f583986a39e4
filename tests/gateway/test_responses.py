"""POST /v1/responses before a provider whose every byte is scripted: what passes through, what is
metered, what the ledger says, and where an earlier response is continued."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.upstream import (
    STREAM_HEAD,
    Seen,
    gateway_before,
    http,
    piece,
    streaming,
)
from tests.providers.servers import Peer, serving

PATH = "/v1/responses"
MINI = "openai/gpt-4o-mini"
SONNET = "anthropic/claude-sonnet-4-6"
USAGE = (
    b'"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,'
    b'"output_tokens_details":{"reasoning_tokens":0},"total_tokens":11}'
)
REPLY = (
    b'{ "id":"resp_1", "object":"response","created_at":1,"status":"completed",'
    b'"model":"gpt-4o-mini","output":[{"type":"message","id":"msg_1","role":"assistant",'
    b'"content":[{"type":"output_text","text":"Hi \\u00e9","annotations":[],"x_new":1.50}]}],'
    + USAGE
    + b',"x_future":{"z":[1e3,null]}}\n'
)
ANTHROPIC = (
    b'{"id":"msg_a1","type":"message","role":"assistant","model":"claude-sonnet-4-6",'
    b'"content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","stop_sequence":null,'
    b'"usage":{"input_tokens":9,"output_tokens":2}}'
)


def request(model: str) -> bytes:
    """A valid request, oddly spaced, with fields that no version of the API has."""
    return (
        b'{ "x_future" : {"deep":[1.0,2e3,"\\u00e9 \\/",{"null":null}]} ,\n  "model" :  "'
        + model.encode()
        + b'", "store":true, "input":[ {"role":"user","content":"Hi","x_new":[]} ]\t}'
    )


def asking(model: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "input": "Hi"} | fields


async def script(peer: Peer, seen: Seen) -> None:
    await peer.send(http(ANTHROPIC if seen.path == "/v1/messages" else REPLY))


async def test_bodies_pass_byte_for_byte_but_for_the_models_name(tmp_path: Path) -> None:
    async with gateway_before(script, tmp_path) as (gateway, seen):
        reply = await asyncio.to_thread(gateway.post, PATH, request(MINI))
        (row,) = await asyncio.to_thread(gateway.attempts, reply.headers["x-hybridllm-request-id"])
    assert (reply.status, reply.body) == (200, REPLY)
    (got,) = seen
    assert (got.path, got.body) == (PATH, request("gpt-4o-mini"))
    assert reply.headers["x-hybridllm-model"] == MINI
    assert reply.headers["x-hybridllm-cost-usd"] == "0.00000255"
    assert "x-hybridllm-dropped" not in reply.headers
    assert (row["dialect_in"], row["dialect_out"]) == ("responses", "responses")
    assert (row["input_tokens"], row["output_tokens"], row["usage_estimated"]) == (9, 2, False)


def event(kind: bytes, fields: bytes) -> bytes:
    return b"event: " + kind + b'\ndata: {"type":"' + kind + b'",' + fields + b"}\n\n"


BEGUN = b'"response":{"id":"resp_1","status":"in_progress","x_new":1.50}'
DELTA = b'"output_index":0,"content_index":0,"item_id":"msg_1","delta":"Hi","obfuscation":"xx"'
EVENTS = [
    b": a comment\n\n" + event(b"response.created", BEGUN + b',"sequence_number":0'),
    event(b"response.output_item.added", b'"output_index":0,"item":{"type":"message"}'),
    event(b"response.output_text.delta", DELTA),
    event(b"response.hologram.delta", b'"z":1.50'),
    event(b"response.completed", b'"response":{"id":"resp_1","status":"completed",' + USAGE + b"}"),
]


async def test_a_stream_passes_byte_for_byte_as_it_arrives(tmp_path: Path) -> None:
    """The provider sends the next event only after the caller has had the one before."""
    may_go_on = asyncio.Queue[None]()

    async def each(peer: Peer, seen: Seen) -> None:
        await peer.send(STREAM_HEAD + piece(EVENTS[0]) + piece(EVENTS[1]))
        for one in EVENTS[2:]:
            await peer.send(piece(one))
            await may_go_on.get()
        await peer.send(piece(b""))

    async with gateway_before(each, tmp_path) as (gateway, seen):
        async with streaming(gateway, PATH, asking(MINI, stream=True)) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            expected = [b"".join(EVENTS[:3]), *EVENTS[3:]]
            for one in expected:
                assert await asyncio.wait_for(stream.chunk(), 20) == one
                may_go_on.put_nowait(None)
            assert await stream.rest() == b""
            request_id = stream.headers["x-hybridllm-request-id"]
        (row,) = await asyncio.to_thread(gateway.attempts, request_id)
    assert "stream_options" not in seen[0].json()
    assert (row["input_tokens"], row["output_tokens"], row["usage_estimated"]) == (9, 2, False)
    assert (row["outcome"], row["stream"]) == ("ok", True)


async def test_a_gateways_own_fields_do_not_reach_the_provider(tmp_path: Path) -> None:
    async with gateway_before(script, tmp_path) as (gateway, seen):
        body = asking("auto", metadata={"task": "classification"}, session_id="s-1")
        reply = await asyncio.to_thread(gateway.post, PATH, body)
    assert reply.headers["x-hybridllm-task"] == "classification"
    assert seen[0].json() == {"model": "gpt-4o-mini", "input": "Hi"}


async def test_a_providers_error_is_handed_on_unchanged(tmp_path: Path) -> None:
    error = b'{"error":{"message":"Bad","type":"invalid_request_error","param":"text","x":1.50}}'

    async def each(peer: Peer, seen: Seen) -> None:
        await peer.send(http(error, status="400 Bad Request", extra="x-request-id: req_1\r\n"))

    async with gateway_before(each, tmp_path) as (gateway, seen):
        reply = await asyncio.to_thread(gateway.post, PATH, asking(MINI))
    assert (reply.status, reply.body) == (400, error)
    assert reply.headers["x-request-id"] == "req_1" and len(seen) == 1


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        (event(b"error", b'"code":"server_error","message":"Broke.","param":null'), "server_error"),
        (
            event(
                b"response.failed",
                b'"response":{"id":"resp_1","status":"failed",'
                b'"error":{"code":"server_error","message":"Broke."},' + USAGE + b"}",
            ),
            "server_error",
        ),
    ],
)
async def test_a_stream_that_fails_is_passed_on_and_journalled(
    ending: bytes, kind: str, tmp_path: Path
) -> None:
    async def each(peer: Peer, seen: Seen) -> None:
        await peer.send(STREAM_HEAD + b"".join(map(piece, [*EVENTS[:3], ending, b""])))

    async with gateway_before(each, tmp_path) as (gateway, _):
        async with streaming(gateway, PATH, asking(MINI, stream=True)) as stream:
            assert await stream.rest() == b"".join([*EVENTS[:3], ending])
            request_id = stream.headers["x-hybridllm-request-id"]
        (row,) = await asyncio.to_thread(gateway.attempts, request_id)
    assert (row["outcome"], row["error_kind"], row["answered"]) == ("cut", kind, True)


async def test_a_stream_that_fails_before_content_goes_to_another_model(tmp_path: Path) -> None:
    failed = event(
        b"response.failed",
        b'"response":{"id":"resp_1","error":{"code":"server_error","message":"Broke."}}',
    )
    google = b'data: {"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP"}],'
    google += b'"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":2}}\n\n'

    async def each(peer: Peer, seen: Seen) -> None:
        own = [EVENTS[0], failed] if seen.path == PATH else [google]
        await peer.send(STREAM_HEAD + b"".join(map(piece, [*own, b""])))

    async with gateway_before(each, tmp_path) as (gateway, seen):
        body = asking("task/classification", stream=True)
        async with streaming(gateway, PATH, body) as stream:
            got = await stream.rest()
    assert [one.path for one in seen][-1].endswith(":streamGenerateContent?alt=sse")
    assert b"Broke" not in got and got.count(b"event: response.completed") == 1


async def test_foreign_reasoning_does_not_reach_openai(tmp_path: Path) -> None:
    items = [
        {"role": "user", "content": "Hi"},
        {
            "type": "reasoning",
            "id": "rs_msg_a1_0",
            "summary": [{"type": "summary_text", "text": "Hm."}],
            "encrypted_content": "hllm1.anthropic.sig",
        },
        {"type": "reasoning", "id": "rs_9", "summary": [], "encrypted_content": "gAA"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "ok"},
    ]
    async with gateway_before(script, tmp_path) as (gateway, seen):
        body = {"model": MINI, "input": items, "instructions": "Be.", "x_future": {"a": 1}}
        reply = await asyncio.to_thread(gateway.post, PATH, body)
    assert reply.body == REPLY
    sent = seen[0].json()
    assert "hllm1" not in json.dumps(sent)
    assert (sent["instructions"], sent["x_future"]) == ("Be.", {"a": 1})
    kinds = [item.get("type") for item in sent["input"]]
    assert kinds == ["message", "message", "reasoning", "function_call", "function_call_output"]
    assert sent["input"][2] == items[2]


async def test_an_earlier_response_is_continued_by_its_own_provider_alone(tmp_path: Path) -> None:
    down = False

    async def each(peer: Peer, seen: Seen) -> None:
        if down:
            await peer.send(http(b"{}", status="500 Internal Server Error"))
        else:
            await script(peer, seen)

    async with gateway_before(each, tmp_path) as (gateway, seen):
        await asyncio.to_thread(gateway.post, PATH, asking(MINI))
        follow_up = asking("auto", previous_response_id="resp_1")
        # The task's own choice would be another provider's model.
        label = {"x-hybridllm-task": "analysis"}
        reply = await asyncio.to_thread(gateway.post, PATH, follow_up, label)
        assert reply.headers["x-hybridllm-model"] == MINI
        assert "continues" in reply.headers["x-hybridllm-reason"]
        assert seen[-1].json()["previous_response_id"] == "resp_1"
        rows = await asyncio.to_thread(gateway.attempts, reply.headers["x-hybridllm-request-id"])
        down = True
        reply = await asyncio.to_thread(gateway.post, PATH, follow_up, label)
    assert [row["model"] for row in rows] == [MINI]
    assert reply.status == 500
    assert {one.path for one in seen} == {PATH}, "no one else has the earlier turns"


async def test_what_another_provider_answered_cannot_be_continued(tmp_path: Path) -> None:
    async with gateway_before(script, tmp_path) as (gateway, seen):
        first = await asyncio.to_thread(gateway.post, PATH, asking(SONNET, store=True))
        answer = first.json()
        assert answer["store"] is False
        follow_up = asking("auto", previous_response_id=answer["id"])
        reply = await asyncio.to_thread(gateway.post, PATH, follow_up)
    assert reply.status == 400 and len(seen) == 1
    error = reply.json()["error"]
    assert error.pop("message").startswith(f"Previous response with id '{answer['id']}' not found.")
    assert error == {
        "type": "invalid_request_error",
        "param": "previous_response_id",
        "code": "previous_response_not_found",
    }


async def test_an_unknown_response_is_asked_of_those_who_may_have_it(tmp_path: Path) -> None:
    async with gateway_before(script, tmp_path) as (gateway, seen):
        follow_up = asking(MINI, previous_response_id="resp_from_before_a_restart")
        reply = await asyncio.to_thread(gateway.post, PATH, follow_up)
    assert reply.status == 200
    assert [one.json()["previous_response_id"] for one in seen] == ["resp_from_before_a_restart"]


async def test_a_compatible_server_is_spoken_to_in_chat(tmp_path: Path) -> None:
    chat = (
        b'{"id":"c1","object":"chat.completion","created":5,"model":"llama","choices":[{"index":0,'
        b'"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}'
    )

    paths: list[str] = []

    async def each(peer: Peer) -> None:
        while asked := await peer.request():
            paths.append(Seen(asked).path)
            await peer.send(http(chat))

    async with serving(each) as server:
        config = (
            f'[providers.vllm]\ndialect = "openai"\nbase_url = "http://127.0.0.1:{server.port}/v1"\n'
            'key_required = false\n[models."vllm/llama"]\ncontext_window = 8192\n'
            "max_output_tokens = 1024\nprice = { input = 0.0, output = 0.0 }\n"
        )
        async with gateway_before(script, tmp_path, config=config) as (gateway, _):
            reply = await asyncio.to_thread(gateway.post, PATH, asking("vllm/llama"))
    assert reply.status == 200, reply.body
    assert (reply.json()["id"], paths) == ("resp_c1", ["/v1/chat/completions"])
