"""Embeddings through the gateway: bytes that pass, vectors that are translated, rows and prices."""

from __future__ import annotations

import asyncio
import json
from array import array
from base64 import b64encode
from pathlib import Path
from typing import Any

import openai
import pytest
from google import genai

from hybridllm.simulators import Fault, Simulators
from tests.gateway.upstream import Seen, gateway_before, http
from tests.providers.servers import Peer
from tests.running import RunningGateway

SMALL = "openai/text-embedding-3-small"
GEMINI = "google/gemini-embedding-001"
BATCH = f"/v1beta/models/{GEMINI}:batchEmbedContents"

each_model = pytest.mark.parametrize("model", [SMALL, GEMINI])


def packed(*numbers: float) -> str:
    return b64encode(array("f", numbers).tobytes()).decode()


def openai_sdk(gateway: RunningGateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0)


def google_sdk(gateway: RunningGateway) -> genai.Client:
    return genai.Client(api_key="any", http_options={"base_url": gateway.url})


# The official SDKs, against each provider that has embeddings


@each_model
@pytest.mark.parametrize("encoding", [None, "float", "base64"])
def test_openais_sdk(gateway: RunningGateway, model: str, encoding: Any) -> None:
    more = {} if encoding is None else {"encoding_format": encoding}
    raw = openai_sdk(gateway).embeddings.with_raw_response.create(
        model=model, input=["red fox", "blue whale", "red fox"], dimensions=16, **more
    )
    reply = raw.parse()
    assert reply.model == model.partition("/")[2]
    assert [one.index for one in reply.data] == [0, 1, 2]
    first, second, third = (one.embedding for one in reply.data)
    if encoding == "base64":
        assert isinstance(first, str)
    else:
        assert len(first) == 16 and abs(sum(x * x for x in first) - 1) < 1e-6
    assert first == third != second
    assert reply.usage.prompt_tokens == reply.usage.total_tokens > 0
    assert raw.headers["x-hybridllm-model"] == model
    assert "x-hybridllm-dropped" not in raw.headers


@each_model
def test_openais_sdk_by_default(gateway: RunningGateway, model: str) -> None:
    """It asks for base64 and hands on numbers; without `dimensions` the model's own length."""
    reply = openai_sdk(gateway).embeddings.create(model=model, input="red fox")
    (one,) = reply.data
    assert len(one.embedding) == (1536 if model == SMALL else 3072)
    assert all(isinstance(number, float) for number in one.embedding)


async def test_openais_async_sdk(gateway: RunningGateway) -> None:
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="any") as sdk:
        reply = await sdk.embeddings.create(model=GEMINI, input=["a", "b"], dimensions=4)
    assert [len(one.embedding) for one in reply.data] == [4, 4]


def test_both_forms_of_numbers_are_the_same_numbers(gateway: RunningGateway) -> None:
    body = {"model": GEMINI, "input": "red fox", "dimensions": 8}
    numbers = gateway.post("/v1/embeddings", body).json()["data"][0]["embedding"]
    encoded = gateway.post("/v1/embeddings", body | {"encoding_format": "base64"}).json()
    assert encoded["data"][0]["embedding"] == packed(*numbers)


@each_model
def test_googles_sdk(gateway: RunningGateway, model: str) -> None:
    sdk = google_sdk(gateway)
    reply = sdk.models.embed_content(
        model=model,
        contents=["red fox", "blue whale"],
        config={"output_dimensionality": 16, "task_type": "RETRIEVAL_QUERY"},
    )
    assert reply.embeddings is not None
    assert [len(one.values or []) for one in reply.embeddings] == [16, 16]
    assert reply.usage_metadata is not None and reply.usage_metadata.prompt_token_count


def test_the_same_vector_by_either_way_in(gateway: RunningGateway) -> None:
    for model in (SMALL, GEMINI):
        body: dict[str, Any] = {"model": model, "input": "red fox", "dimensions": 8}
        said = gateway.post("/v1/embeddings", body).json()["data"][0]["embedding"]
        one = {"content": {"parts": [{"text": "red fox"}]}, "outputDimensionality": 8}
        single = gateway.post(f"/v1beta/models/{model}:embedContent", one).json()
        assert single["embedding"]["values"] == said
        several = {"requests": [one | {"model": f"models/{model}"}] * 2}
        batch = gateway.post(f"/v1beta/models/{model}:batchEmbedContents", several).json()
        assert [e["values"] for e in batch["embeddings"]] == [said, said]


def test_lists_of_token_ids_reach_openai(gateway: RunningGateway) -> None:
    reply = openai_sdk(gateway).embeddings.create(model=SMALL, input=[[9906, 1917], [15339]])
    assert len(reply.data) == 2 and reply.usage.prompt_tokens == 3


# The ledger


def test_one_row_with_the_price_of_the_input(gateway: RunningGateway) -> None:
    # Seven cl100k tokens at $0.02 a million: 7 x 20,000 picodollars.
    reply = gateway.post("/v1/embeddings", {"model": SMALL, "input": [[1, 2, 3, 4], [5, 6, 7]]})
    (row,) = gateway.attempts(reply.headers["x-hybridllm-request-id"])
    assert (row["input_tokens"], row["output_tokens"], row["cost"]) == (7, 0, 140_000)
    assert reply.headers["x-hybridllm-cost-usd"] == row["cost_usd"] == "0.00000014"
    assert (row["task"], row["task_source"], row["outcome"]) == ("embedding", "endpoint", "ok")
    assert (row["requested"], row["model"]) == (SMALL, SMALL)
    assert row["answered"] and not row["usage_estimated"] and not row["unpriced"]
    # No chat model would have done it: nothing was saved.
    assert (row["baseline"], row["baseline_model"]) == (row["cost"], SMALL)
    assert reply.headers["x-hybridllm-task"] == "embedding"
    assert reply.headers["x-hybridllm-attempts"] == "1"


def test_a_translated_call_has_the_dialects_of_both_sides(gateway: RunningGateway) -> None:
    reply = gateway.post("/v1/embeddings", {"model": GEMINI, "input": "x y z", "user": "u"})
    assert reply.headers["x-hybridllm-dropped"] == "user"
    (row,) = gateway.attempts(reply.headers["x-hybridllm-request-id"])
    assert (row["dialect_in"], row["dialect_out"]) == ("openai", "google")
    # $0.15 a million.
    assert row["input_tokens"] > 0 and row["cost"] == row["input_tokens"] * 150_000


# What cannot be


@pytest.mark.parametrize("name", ["auto", "task/classification", "tier/simple"])
def test_no_name_that_leaves_the_choice_to_us(gateway: RunningGateway, name: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        openai_sdk(gateway).embeddings.create(model=name, input="x")
    assert caught.value.param == "model"
    assert SMALL in caught.value.message and GEMINI in caught.value.message


@pytest.mark.parametrize("name", ["gpt-4o-mini", "claude-sonnet-4-6", "gemini-2.5-flash"])
def test_a_chat_model_makes_no_embeddings(gateway: RunningGateway, name: str) -> None:
    with pytest.raises(openai.BadRequestError, match=f"{name}' makes no embeddings"):
        openai_sdk(gateway).embeddings.create(model=name, input="x")
    sdk = google_sdk(gateway)
    with pytest.raises(genai.errors.ClientError) as caught:
        sdk.models.embed_content(model=name, contents="x")
    assert caught.value.code == 400 and caught.value.status == "INVALID_ARGUMENT"


def test_an_unknown_model_is_not_found(gateway: RunningGateway) -> None:
    with pytest.raises(openai.NotFoundError, match="text-embedding-3-small"):
        openai_sdk(gateway).embeddings.create(model="text-embedding-3-smal", input="x")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_an_embedding_model_does_not_chat(gateway: RunningGateway, path: str) -> None:
    body = {"model": SMALL, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    reply = gateway.post(path, body)
    assert reply.status == 400
    assert "does not chat" in reply.json()["error"]["message"]


def test_token_ids_mean_nothing_to_google(gateway: RunningGateway) -> None:
    with pytest.raises(openai.BadRequestError, match="Token ids") as caught:
        openai_sdk(gateway).embeddings.create(model=GEMINI, input=[1, 2])
    assert caught.value.param == "input"


def test_what_openai_cannot_say_is_dropped_by_name_or_refused(gateway: RunningGateway) -> None:
    path = f"/v1/models/{SMALL}:embedContent"
    one = {"content": {"parts": [{"text": "x"}]}, "taskType": "CLUSTERING"}
    reply = gateway.post(path, one)
    assert (reply.status, reply.headers["x-hybridllm-dropped"]) == (200, "taskType")
    reply = gateway.post(path, one | {"title": "T"})
    assert reply.status == 400 and "title" in reply.json()["error"]["message"]


def test_the_listing_says_which_are_which(gateway: RunningGateway) -> None:
    listed = gateway.request("GET", "/v1beta/models").json()["models"]
    methods = {one["name"]: one["supportedGenerationMethods"] for one in listed}
    assert "embedContent" in methods[f"models/{SMALL}"]
    assert "countTokens" in methods["models/auto"]
    assert SMALL in [m.id for m in openai_sdk(gateway).models.list()]


# A provider whose every byte is known


REPLY = (
    b'{ "object":"list", "data":[{"object":"embedding","index":0,"embedding":"'
    + packed(0.5, -1.0).encode()
    + b'"}], "model":"text-embedding-3-small","usage":{"prompt_tokens":5,"total_tokens":5},'
    b'"x_future":[1e3] }\n'
)


async def test_openais_bytes_pass_but_for_the_models_name(tmp_path: Path) -> None:
    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(http(REPLY, extra="x-request-id: req_7\r\n"))

    body = b'{ "x_new":1.50,"input":["\\u00e9 a"] , "model":"%s","encoding_format":"base64"\t}'
    async with gateway_before(script, tmp_path) as (gateway, seen):
        reply = await asyncio.to_thread(gateway.post, "/v1/embeddings", body % SMALL.encode())
        rows = await asyncio.to_thread(gateway.attempts, reply.headers["x-hybridllm-request-id"])
    assert (reply.status, reply.body) == (200, REPLY)
    assert reply.headers["x-request-id"] == "req_7"
    assert seen[0].body == body % b"text-embedding-3-small"
    assert seen[0].path == "/v1/embeddings"
    assert seen[0].headers["authorization"] == "Bearer provider-key-openai"
    (row,) = rows
    assert (row["input_tokens"], row["cost"]) == (5, 5 * 20_000)


async def test_googles_bytes_pass_but_for_the_models_name(tmp_path: Path) -> None:
    told = (
        b'{"embeddings":[ {"values":[0.10,1e-3],"x":1} ] ,"usageMetadata":{"promptTokenCount":5}}'
    )

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(http(told))

    body = b'{"requests" : [ {"content":{"parts":[{"text":"a"}]},"x":1.50, "model":"models/%s"} ]}'
    async with gateway_before(script, tmp_path) as (gateway, seen):
        reply = await asyncio.to_thread(gateway.post, BATCH, body % GEMINI.encode())
    assert (reply.status, reply.body) == (200, told)
    assert seen[0].body == body % b"gemini-embedding-001"
    assert seen[0].path == "/v1beta/models/gemini-embedding-001:batchEmbedContents"


async def test_a_provider_that_tells_no_usage_is_estimated_and_marked(tmp_path: Path) -> None:
    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(http(b'{"embeddings":[{"values":[0.5]},{"values":[1]}]}'))

    body = {"model": GEMINI, "input": ["x" * 1000, "y" * 3000]}
    async with gateway_before(script, tmp_path) as (gateway, _):
        reply = await asyncio.to_thread(gateway.post, "/v1/embeddings", body)
        rows = await asyncio.to_thread(gateway.attempts, reply.headers["x-hybridllm-request-id"])
    assert reply.headers["x-hybridllm-estimated"] == "true"
    (row,) = rows
    assert row["usage_estimated"] and row["output_tokens"] == 0
    assert reply.json()["usage"]["prompt_tokens"] == row["input_tokens"] > 0
    assert row["cost"] == row["input_tokens"] * 150_000


async def test_a_vector_too_few_is_an_error_not_a_shift(tmp_path: Path) -> None:
    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(http(b'{"embeddings":[{"values":[0.5]}]}'))

    async with gateway_before(script, tmp_path) as (gateway, seen):
        body = {"model": GEMINI, "input": ["a", "b"]}
        reply = await asyncio.to_thread(gateway.post, "/v1/embeddings", body)
        rows = await asyncio.to_thread(gateway.attempts, reply.headers["x-hybridllm-request-id"])
    assert reply.status == 500 and "1 vectors for 2 inputs" in reply.json()["error"]["message"]
    assert len(seen) == 1, "no other model's vectors take the place"
    (row,) = rows
    assert (row["outcome"], row["error_kind"]) == ("error", "malformed_reply")


async def test_a_providers_error_comes_in_the_callers_form(tmp_path: Path) -> None:
    error = b'{"error":{"code":400,"message":"Too long","status":"INVALID_ARGUMENT","x":1.50}}'

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(http(error, status="400 Bad Request"))

    async with gateway_before(script, tmp_path) as (gateway, seen):
        body = {"model": GEMINI, "input": "x"}
        theirs = await asyncio.to_thread(gateway.post, "/v1/embeddings", body)
        same = await asyncio.to_thread(gateway.post, BATCH, {"requests": [{"content": "x"}]})
    assert (theirs.status, theirs.json()["error"]["message"]) == (400, "Too long")
    assert theirs.json()["error"]["type"] == "invalid_request_error"
    assert (same.status, same.body) == (400, error)
    assert len(seen) == 2


QUICK = "[retries]\nbase_seconds = 0.01\ncap_seconds = 0.2\nbudget_floor = 100.0\n"


def test_an_outage_is_retried_and_then_told(simulators: Simulators, tmp_path: Path) -> None:
    with RunningGateway(tmp_path, simulators.env(), config=QUICK) as gateway:
        try:
            simulators.faults(Fault(kind="error", provider="openai", status=503, calls=1))
            reply = gateway.post("/v1/embeddings", {"model": SMALL, "input": "x"})
            rows = gateway.attempts(reply.headers["x-hybridllm-request-id"])
            assert reply.status == 200
            assert [row["outcome"] for row in rows] == ["error", "ok"]
            simulators.clear_faults()
            simulators.faults(Fault(kind="outage", provider="openai", status=503))
            reply = gateway.post("/v1/embeddings", {"model": SMALL, "input": "x"})
            rows = gateway.attempts(reply.headers["x-hybridllm-request-id"])
        finally:
            simulators.clear_faults()
        assert reply.status == 503
        assert {row["model"] for row in rows} == {SMALL}, "no fallback to another model's vectors"
        names = {f"{row['request_id']}-{row['attempt']}" for row in rows}
        assert names <= {call.attempt for call in simulators.calls()}
        assert {row["cost"] for row in rows} == {0}


def test_without_a_key_it_is_said_which(simulators: Simulators, tmp_path: Path) -> None:
    env = {k: v for k, v in simulators.env().items() if not k.startswith(("GEMINI", "GOOGLE"))}
    with RunningGateway(tmp_path, env) as gateway:
        reply = gateway.post("/v1/embeddings", {"model": GEMINI, "input": "x"})
    assert reply.status == 503
    assert "GEMINI_API_KEY" in json.loads(reply.body)["error"]["message"]
