"""Existing batch code of the three official SDKs works unchanged, on models of every provider."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest
from anthropic.types import Message
from anthropic.types.messages import MessageBatch
from google import genai
from google.genai import types
from openai.types import Batch, FileObject
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from tests.running import RunningGateway
from tests.waiting import until

MODELS = (
    "openai/gpt-4o-mini",
    "anthropic/claude-sonnet-4-6",
    "google/gemini-2.5-flash",
    "auto",
    "task/classification",
    "tier/simple",
)
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def openais(waiting_gateway: RunningGateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{waiting_gateway.url}/v1", api_key="k", max_retries=0)


@pytest.fixture(scope="module")
def anthropics(waiting_gateway: RunningGateway) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=waiting_gateway.url, api_key="k", max_retries=0)


@pytest.fixture(scope="module", params=["v1", "v1beta"])
def googles(waiting_gateway: RunningGateway, request: pytest.FixtureRequest) -> genai.Client:
    options = types.HttpOptions(base_url=waiting_gateway.url, api_version=request.param)
    return genai.Client(api_key="k", http_options=options)


def valid(kind: Any, value: Any) -> Any:
    """`value`, if the SDK's own type takes it strictly."""
    return kind.model_validate(json.loads(value.model_dump_json()), strict=False)


@pytest.mark.parametrize("endpoint", [CHAT, "/v1/responses"])
def test_openais_batches(openais: openai.OpenAI, endpoint: str) -> None:
    said = (
        {"input": "hi"} if endpoint != CHAT else {"messages": [{"role": "user", "content": "hi"}]}
    )
    lines = [
        {"custom_id": m, "method": "POST", "url": endpoint, "body": {"model": m, **said}}
        for m in MODELS
    ]
    data = "\n".join(map(json.dumps, lines)).encode()
    file = openais.files.create(file=("prompts.jsonl", data), purpose="batch")
    valid(FileObject, file)
    assert openais.files.content(file.id).read() == data
    made = openais.batches.create(
        input_file_id=file.id,
        endpoint=endpoint,  # type: ignore[arg-type]
        completion_window="24h",
        metadata={"job": "nightly"},
    )
    done = until(lambda: openais.batches.retrieve(made.id), lambda seen: seen.status == "completed")
    valid(Batch, done)
    assert done.request_counts is not None and done.request_counts.completed == len(MODELS)
    assert done.output_file_id is not None and done.error_file_id is None
    rows = [json.loads(row) for row in openais.files.content(done.output_file_id).iter_lines()]
    assert [row["custom_id"] for row in rows] == list(MODELS)
    for row in rows:
        (ChatCompletion if endpoint == CHAT else Response).model_validate(row["response"]["body"])
    assert made.id in [each.id for each in openais.batches.list(limit=1)]
    assert openais.files.delete(file.id).deleted


def test_openais_mistakes(openais: openai.OpenAI) -> None:
    file = openais.files.create(file=("prompts.jsonl", b"{oops\n"), purpose="batch")
    made = openais.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
    assert made.status == "failed" and made.errors is not None and made.errors.data is not None
    assert (made.errors.data[0].line, made.errors.data[0].code) == (1, "invalid_json_line")
    assert openais.batches.retrieve(made.id).status == "failed"
    with pytest.raises(openai.NotFoundError):
        openais.batches.retrieve("batch_none")
    with pytest.raises(openai.BadRequestError, match="not served in batches"):
        openais.batches.create(
            input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h"
        )
    with pytest.raises(openai.BadRequestError, match="purpose"):
        openais.files.create(file=("a.png", b"x"), purpose="vision")


def test_anthropics_batches(anthropics: anthropic.Anthropic) -> None:
    names = [model.replace("/", "_").replace(".", "-") for model in MODELS]
    made = anthropics.messages.batches.create(
        requests=[
            {
                "custom_id": name,
                "params": {
                    "model": model,
                    "max_tokens": 50,
                    "messages": [{"role": "user", "content": "hi"}],
                },
            }
            for name, model in zip(names, MODELS, strict=True)
        ]
    )
    valid(MessageBatch, made)
    done = until(
        lambda: anthropics.messages.batches.retrieve(made.id),
        lambda seen: seen.processing_status == "ended",
    )
    assert done.request_counts.succeeded == len(MODELS)
    found = list(anthropics.messages.batches.results(made.id))
    assert [row.custom_id for row in found] == names
    for row in found:
        assert row.result.type == "succeeded"
        valid(Message, row.result.message)
    assert made.id in [each.id for each in anthropics.messages.batches.list(limit=1)]
    assert anthropics.messages.batches.delete(made.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        anthropics.messages.batches.retrieve(made.id)


def test_anthropics_mistakes(anthropics: anthropic.Anthropic) -> None:
    params: Any = {"model": "auto", "max_tokens": 5, "messages": []}
    requests: Any = [{"custom_id": "a", "params": params}] * 2
    with pytest.raises(anthropic.BadRequestError, match="unique in the batch"):
        anthropics.messages.batches.create(requests=requests)


@pytest.mark.parametrize("model", ["task/classification", "openai/gpt-4o-mini", "auto"])
def test_googles_batches(googles: genai.Client, model: str) -> None:
    made = googles.batches.create(
        model=model,
        src=[
            types.InlinedRequest(contents="hi", metadata={"key": "first"}),
            types.InlinedRequest(
                contents="yo", config=types.GenerateContentConfig(max_output_tokens=30)
            ),
        ],
        config=types.CreateBatchJobConfig(display_name="nightly"),
    )
    assert made.name is not None and made.display_name == "nightly"
    name = made.name
    done = until(lambda: googles.batches.get(name=name), lambda seen: seen.done)
    assert done.state == types.JobState.JOB_STATE_SUCCEEDED and done.dest is not None
    found = done.dest.inlined_responses
    assert found is not None and found[0].metadata == {"key": "first"}
    assert all(row.response is not None and row.response.text for row in found)
    assert name in [each.name for each in googles.batches.list(config={"page_size": 2})]
    googles.batches.delete(name=name)
    with pytest.raises(genai.errors.ClientError):
        googles.batches.get(name=name)
