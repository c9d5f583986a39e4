"""What routing and metering learn of a request, and the body that passes through."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from hybridllm.errors import RequestError
from hybridllm.wire.conversation import Conversation
from hybridllm.wire.dialect import DropPolicy, Facts, RequestShape, Target, Turn
from hybridllm.wire.responses import DIALECT
from tests.wire.responses.strategies import conversations

SHAPE = RequestShape()
ASK: dict[str, Any] = {"model": "m", "input": "x"}


def facts(**fields: Any) -> Facts:
    return DIALECT.facts(json.dumps(ASK | fields).encode(), SHAPE)


def test_the_least_request() -> None:
    assert facts() == Facts(
        model="m",
        turns=[Turn("user", "x")],
        text_bytes=1,
        usage_requested=True,
        keeps_replies=True,
    )


def test_an_agents_conversation() -> None:
    tool = {"type": "function", "name": "f", "parameters": {}}
    body = {
        "model": "m",
        "instructions": "be",
        "input": [
            {"role": "developer", "content": "good"},
            {"role": "user", "content": [{"type": "input_text", "text": "dö"}]},
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "hm"}],
                "encrypted_content": "gAA",
            },
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "I call", "annotations": []}],
            },
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":1}'},
            {"type": "custom_tool_call", "call_id": "d", "name": "g", "input": "ls"},
            {"type": "function_call_output", "call_id": "c", "output": "one"},
            {
                "type": "function_call_output",
                "call_id": "d",
                "output": [
                    {"type": "input_text", "text": "two"},
                    {"type": "input_image", "image_url": "https://a"},
                ],
            },
            {"role": "system", "content": "later"},
            {"role": "user", "content": [{"type": "input_file", "file_id": "f"}]},
        ],
        "tools": [tool],
        "reasoning": {"effort": "low"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}},
        "max_output_tokens": 7,
        "temperature": 0.5,
        "stream": True,
        "metadata": {"task": "t"},
        "session_id": "s",
    }
    raw = json.dumps(body).encode()
    assert DIALECT.facts(raw, SHAPE) == Facts(
        model="m",
        stream=True,
        system="be\ngood",
        turns=[
            Turn("user", "dö"),
            Turn("assistant", "I call"),
            Turn("tool", ""),
            Turn("tool", ""),
            Turn("system", "later"),
            Turn("user", ""),
        ],
        # be good dö hm I-call f {"a":1} g ls one two later, and the tool.
        text_bytes=2 + 4 + 3 + 2 + 6 + 1 + 7 + 1 + 2 + 3 + 3 + 5 + len(json.dumps(tool)),
        media=2,
        documents=1,
        tools=1,
        tool_calls=2,
        wants_schema=True,
        wants_json=True,
        thinks=True,
        max_output_tokens=7,
        label="t",
        session="s",
        usage_requested=True,
        controls=("temperature", "reasoning_effort"),
        keeps_replies=True,
    )


def reasoning(encrypted: str) -> dict[str, Any]:
    return {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": encrypted}


@pytest.mark.parametrize(
    ("item", "foreign"),
    [
        (reasoning("gAAAhllm1."), False),
        (reasoning("hllm1.anthropic.s"), True),
        (reasoning("hllm1.openai."), True),
        ({"type": "function_call", "call_id": "c-hllm1-x", "name": "f", "arguments": ""}, True),
        ({"type": "function_call_output", "call_id": "c-hllm1-x", "output": ""}, True),
        ({"role": "user", "content": "hllm1.anthropic.s"}, False),
    ],
)
def test_foreign_signatures_are_noticed(item: dict[str, Any], foreign: bool) -> None:
    assert facts(input=[item]).foreign_signatures is foreign


@pytest.mark.parametrize(
    ("fields", "previous", "unseen"),
    [
        ({"previous_response_id": "resp_1"}, "resp_1", True),
        ({"previous_response_id": None}, None, False),
        ({"conversation": "conv_1"}, None, True),
        ({"prompt": {"id": "p"}}, None, True),
        ({"conversation": None, "prompt": None}, None, False),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, None, True),
    ],
)
def test_what_the_provider_keeps(fields: dict[str, Any], previous: Any, unseen: bool) -> None:
    found = facts(**fields)
    assert (found.previous, found.unseen_input) == (previous, unseen)


def test_what_is_kept_may_stand_for_the_input() -> None:
    body = {"model": "m", "previous_response_id": "resp_1"}
    assert DIALECT.facts(json.dumps(body).encode(), SHAPE).turns == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"model": ""}, "model"),
        ({"model": None}, "model"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": 5}, "input"),
        ({"input": [{"content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": [{"text": "x"}]}]}, "input[0].content[0].type"),
        ({"max_output_tokens": -1}, "max_output_tokens"),
        ({"max_output_tokens": "many"}, "max_output_tokens"),
        ({"metadata": {"task": 5}}, "metadata.task"),
        ({"previous_response_id": 5}, "previous_response_id"),
        ({"session_id": 5}, "session_id"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_malformed_fields_are_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as failed:
        facts(**fields)
    assert failed.value.field == field


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"{}", b'{"input":' + b"[" * 9999])
def test_a_body_that_is_no_request(body: bytes) -> None:
    with pytest.raises(RequestError):
        DIALECT.facts(body, SHAPE)


@settings(deadline=None)
@given(conversations())
def test_facts_agree_with_the_conversation(conv: Conversation) -> None:
    target = Target(model="m", max_output_tokens=9000)
    found = DIALECT.facts(DIALECT.encode_request(conv, target, DropPolicy()), SHAPE)
    assert (found.stream, found.tools) == (conv.stream, len(conv.tools))
    assert found.max_output_tokens == conv.max_output_tokens
    assert found.system == "\n".join(text.text for text in conv.system)
    assert found.wants_json is (conv.output is not None)


def test_the_body_passes_byte_for_byte_but_for_what_is_ours() -> None:
    body = (
        b'{ "x" : [1e3,"\\u00e9"] ,"model" :"auto", "metadata":{"task":"t", "a":"b"},'
        b'"session_id":"s","input":"x" }'
    )
    found = DIALECT.facts(body, SHAPE)
    assert DIALECT.passthrough(body, found, "gpt-5") == (
        b'{ "x" : [1e3,"\\u00e9"] ,"model" :"gpt-5", "metadata":{"a":"b"},"input":"x" }'
    )
    alone = b'{"model":"m","input":"x","metadata":{"task":"t"}}'
    found = DIALECT.facts(alone, SHAPE)
    assert DIALECT.passthrough(alone, found, "m") == b'{"model":"m","input":"x"}'
    plain = b'{"model":"m","input":"x"}'
    assert DIALECT.passthrough(plain, DIALECT.facts(plain, SHAPE), "m") is plain


@pytest.mark.parametrize(
    ("fields", "model", "suits"),
    [
        ({"temperature": 0.5}, "gpt-4o", True),
        ({"temperature": 0.5}, "gpt-5", False),
        ({"top_p": 0.5}, "o3", False),
        ({}, "o3", True),
        ({"reasoning": {"effort": "low"}}, "gpt-5", True),
        ({"reasoning": {"effort": "low"}}, "gpt-4o", False),
    ],
)
def test_settings_that_not_every_model_takes(
    fields: dict[str, Any], model: str, suits: bool
) -> None:
    target = Target(model=model, max_output_tokens=9, reasoning=model != "gpt-4o")
    assert DIALECT.suits(facts(**fields), target) is suits
