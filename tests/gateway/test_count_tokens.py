"""Counting input tokens: passed to providers that count, translated between them, or estimated."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import anthropic
import pytest
from google import genai

from hybridllm.engine import local_count
from hybridllm.simulators import Simulators
from hybridllm.tokens import token_ids
from tests.gateway.upstream import Seen, gateway_before, http
from tests.providers.servers import Peer
from tests.running import Reply, RunningGateway

SONNET = "anthropic/claude-sonnet-4-6"
FLASH = "google/gemini-2.5-flash"
MINI = "openai/gpt-4o-mini"
COUNT = "/v1/messages/count_tokens"

TOOL = {
    "name": "read_file",
    "description": "Read a file.",
    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
}
AGENT: dict[str, Any] = {
    "system": [{"type": "text", "text": "You code.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": "Fix the bug."},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "t1", "name": "read_file", "input": {"path": "a"}}
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x = 1"}],
        },
    ],
    "tools": [TOOL],
    "tool_choice": {"type": "auto"},
    "thinking": {"type": "enabled", "budget_tokens": 10_000},
}
"""A coding agent's question: tools, their results, thinking, cache marks, no max_tokens."""


def count(gateway: RunningGateway, model: str, **fields: Any) -> Reply:
    return gateway.post(COUNT, {"model": model, **(fields or AGENT)})


# The official SDKs, against each provider


@pytest.mark.parametrize("model", [SONNET, FLASH, MINI, "auto", "task/code_generation"])
def test_anthropics_sdk_counts_an_agents_conversation(gateway: RunningGateway, model: str) -> None:
    sdk = anthropic.Anthropic(base_url=gateway.url, api_key="any", max_retries=0)
    raw = sdk.messages.with_raw_response.count_tokens(model=model, **AGENT)
    assert 20 < raw.parse().input_tokens < 200
    estimated = raw.headers["x-hybridllm-model"].startswith("openai/")
    assert raw.headers.get("x-hybridllm-estimated") == ("true" if estimated else None)
    assert raw.headers["request-id"]
    if "/" in model and not model.startswith("task/"):
        assert raw.headers["x-hybridllm-model"] == model


@pytest.mark.parametrize("model", [SONNET, FLASH, MINI, "auto", "task/classification"])
def test_googles_sdk_counts(gateway: RunningGateway, model: str) -> None:
    sdk = genai.Client(api_key="any", http_options={"base_url": gateway.url})
    short = sdk.models.count_tokens(model=model, contents="Hello").total_tokens
    long = sdk.models.count_tokens(model=model, contents="Hello there, my friend").total_tokens
    assert short is not None and long is not None and 0 < short < long


def test_a_whole_request_is_counted_in_googles_form(gateway: RunningGateway) -> None:
    """With system instruction and tools, which count too."""
    for model in (FLASH, SONNET, MINI):
        contents = [{"role": "user", "parts": [{"text": "Hello"}]}]
        path = f"/v1beta/models/{model}:countTokens"
        plain = gateway.post(path, {"contents": contents})
        whole = {
            "model": f"models/{model}",
            "contents": contents,
            "systemInstruction": {"parts": [{"text": "Be good and kind."}]},
            "tools": [{"functionDeclarations": [{"name": "f", "description": "A function."}]}],
        }
        more = gateway.post(path, {"generateContentRequest": whole})
        assert (plain.status, more.status) == (200, 200), more.body
        assert more.json()["totalTokens"] > plain.json()["totalTokens"] > 0


@pytest.mark.parametrize("model", [SONNET, FLASH])
def test_the_count_is_what_the_message_is_billed(gateway: RunningGateway, model: str) -> None:
    said = {"messages": [{"role": "user", "content": "How are you today?"}], "system": "Be kind."}
    counted = count(gateway, model, **said).json()["input_tokens"]
    reply = gateway.post("/v1/messages", {"model": model, "max_tokens": 20, **said})
    assert reply.json()["usage"]["input_tokens"] == counted


def test_counting_is_free_and_leaves_no_row(gateway: RunningGateway) -> None:
    reply = count(gateway, SONNET)
    request_id = reply.headers["x-hybridllm-request-id"]
    assert gateway.request("GET", f"/api/v1/requests/{request_id}").status == 404
    assert not [name for name in reply.headers if name.startswith("x-hybridllm-cost")]


# Models whose providers do not count


def test_openais_tokens_are_counted_here(gateway: RunningGateway) -> None:
    text = "The quick brown fox jumps over the lazy dog."
    reply = count(gateway, MINI, messages=[{"role": "user", "content": text}])
    # The text, four around the message, three before the answer.
    assert reply.json() == {"input_tokens": len(token_ids(text)) + 4 + 3}
    assert reply.headers["x-hybridllm-estimated"] == "true"


def test_without_the_tokenizer_bytes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    from hybridllm.catalog.load import load_catalog
    from hybridllm.wire.dialect import RequestShape
    from hybridllm.wire.registry import get_dialect

    model = load_catalog("2026-04").models[MINI]
    dialect = get_dialect("openai")
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 4000}]})
    facts = dialect.facts(body.encode(), RequestShape())
    conversation = dialect.decode_request(body.encode(), RequestShape())
    monkeypatch.setattr(local_count, "exact_available", lambda: False)
    counted = local_count.count_here(model, facts, conversation)
    assert counted == 4000 * model.tokens_per_kbyte // 1000


def test_no_key_is_needed_to_count_here(simulators: Simulators, tmp_path: Path) -> None:
    env = {k: v for k, v in simulators.env().items() if k.startswith("ANTHROPIC")}
    with RunningGateway(tmp_path, env) as gateway:
        assert count(gateway, MINI).status == 200
        keyless = count(gateway, FLASH)
    assert keyless.status == 529, "Anthropic's status of what is not to be had now"
    assert keyless.json()["type"] == "error"
    assert "GEMINI_API_KEY" in keyless.json()["error"]["message"]


# Bytes and errors


async def test_anthropics_bytes_pass_but_for_the_models_name(tmp_path: Path) -> None:
    told = b'{ "input_tokens" : 2095,"x_future":[1e3] }\n'

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(http(told, extra="request-id: req_7\r\n"))

    body = b'{ "x_new":1.50, "model" :"%s","messages":[ {"role":"user","content":"Hi"} ],"a":[]}'
    sent = body % SONNET.encode()
    headers = {"anthropic-beta": "context-1m"}
    async with gateway_before(script, tmp_path) as (gateway, seen):
        reply = await asyncio.to_thread(gateway.post, f"{COUNT}", sent, headers)
    assert (reply.status, reply.body, reply.headers["request-id"]) == (200, told, "req_7")
    assert seen[0].path == COUNT
    assert seen[0].body == body % b"claude-sonnet-4-6"
    assert seen[0].headers["anthropic-beta"] == "context-1m"
    assert seen[0].headers["x-api-key"] == "provider-key-anthropic"


async def test_googles_bytes_pass_but_for_the_models_name(tmp_path: Path) -> None:
    told = b'{"totalTokens":31 ,"promptTokensDetails":[{"modality":"TEXT","tokenCount":31}]}'

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(http(told))

    path = f"/v1beta/models/{FLASH}:countTokens"
    plain = b'{ "contents" : [{"parts":[{"text":"\\u00e9","x":1.50}]}] }'
    whole = b'{"generateContentRequest" : {"x":1.50, "model":"models/%s" , "contents":[{}]} }'
    async with gateway_before(script, tmp_path) as (gateway, seen):
        first = await asyncio.to_thread(gateway.post, path, plain)
        second = await asyncio.to_thread(gateway.post, path, whole % FLASH.encode())
    assert first.body == second.body == told
    assert seen[0].path == "/v1beta/models/gemini-2.5-flash:countTokens"
    assert [one.body for one in seen] == [plain, whole % b"gemini-2.5-flash"]


async def test_what_is_translated_holds_only_what_counts(tmp_path: Path) -> None:
    """Anthropic's count refuses the fields of the output."""

    async def script(peer: Peer, seen: Seen) -> None:
        google = "countTokens" in seen.path
        await peer.send(http(b'{"totalTokens":7}' if google else b'{"input_tokens":9}'))

    body = {
        "generateContentRequest": {
            "model": f"models/{SONNET}",
            "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
            "generationConfig": {"maxOutputTokens": 5, "temperature": 0.5},
        }
    }
    async with gateway_before(script, tmp_path) as (gateway, seen):
        path = f"/v1beta/models/{SONNET}:countTokens"
        to_anthropic = await asyncio.to_thread(gateway.post, path, body)
        to_google = await asyncio.to_thread(count, gateway, FLASH)
    assert to_anthropic.json() == {"totalTokens": 9}
    assert seen[0].json().keys() == {"model", "messages"}
    assert to_google.json() == {"input_tokens": 7}
    inner = seen[1].json()["generateContentRequest"]
    assert inner["model"] == "models/gemini-2.5-flash"
    assert inner["tools"][0]["functionDeclarations"][0]["name"] == "read_file"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"model": "claude-nope", "messages": [{"role": "user", "content": "Hi"}]}, "claude-nope"),
        ({"model": SONNET}, "messages"),
        ({"messages": [{"role": "user", "content": "Hi"}]}, "model"),
        ({"model": SONNET, "messages": [{"role": "user", "content": 1}]}, "messages"),
    ],
)
def test_a_mistake_is_named_in_the_callers_form(
    gateway: RunningGateway, fields: dict[str, Any], field: str
) -> None:
    reply = gateway.post(COUNT, fields)
    assert reply.status in (400, 404)
    assert reply.json()["type"] == "error"
    assert field in reply.json()["error"]["message"]


def test_googles_mistakes_too(gateway: RunningGateway) -> None:
    for body in ({}, [], {"generateContentRequest": {}}, {"generateContentRequest": 1}):
        reply = gateway.post(f"/v1beta/models/{MINI}:countTokens", body)
        assert reply.status == 400, body
        assert reply.json()["error"]["status"] == "INVALID_ARGUMENT"


QUICK = "[retries]\nbase_seconds = 0.01\ncap_seconds = 0.2\nbudget_floor = 100.0\n"


async def test_failures_are_retried_and_touch_neither_breaker_nor_keys(tmp_path: Path) -> None:
    overloaded = b'{"type":"error","error":{"type":"overloaded_error","message":"Busy","x":1.50}}'
    limited = b'{"type":"error","error":{"type":"rate_limit_error","message":"Slow down"}}'
    answers = [http(overloaded, status="529 Overloaded")] * 12
    answers += [http(limited, status="429 Too Many Requests", extra="retry-after: 600\r\n")]
    answers += [http(b'{"input_tokens":9}')]

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(answers.pop(0))

    async with gateway_before(script, tmp_path, config=QUICK) as (gateway, seen):
        busy = [await asyncio.to_thread(count, gateway, SONNET) for _ in range(4)]
        health = await asyncio.to_thread(gateway.request, "GET", "/api/v1/health")
        too_many = await asyncio.to_thread(count, gateway, SONNET)
        served = await asyncio.to_thread(count, gateway, SONNET)
    assert {(reply.status, reply.body) for reply in busy} == {(529, overloaded)}
    assert health.json()["resting_models"] == []
    assert (too_many.status, too_many.headers["retry-after"]) == (429, "600")
    assert served.json() == {"input_tokens": 9}
    assert len(seen) == 14, "three tries each, but none again before ten minutes"
