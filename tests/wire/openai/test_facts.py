"""Facts of a body, and the body that passes through."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hybridllm.errors import RequestError
from hybridllm.wire.conversation import Thinking, ToolCall
from hybridllm.wire.dialect import Facts, RequestShape, Turn
from hybridllm.wire.openai import DIALECT
from hybridllm.wire.openai.signatures import details_of, sealed_id

SHAPE = RequestShape()
ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
SIGNED = Thinking(text="", signature="sig", origin="anthropic")


def facts_of(**fields: Any) -> Facts:
    return DIALECT.facts(json.dumps(ASK | fields).encode(), SHAPE)


def talking(*messages: dict[str, Any]) -> Facts:
    return facts_of(messages=list(messages))


def test_everything_that_routing_needs() -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {}}}
    legacy = {"name": "old"}
    body = json.dumps(
        {
            "model": "task/triage",
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {"role": "system", "content": [{"type": "text", "text": "Bé kind."}]},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What"},
                        {"type": "image_url", "image_url": {"url": "https://a/b"}},
                        {"type": "text", "text": "is it?"},
                        {"type": "file", "file": {"file_id": "f"}},
                        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": None,
                    "refusal": "no",
                    "tool_calls": [
                        {
                            "id": "c",
                            "type": "function",
                            "function": {"name": "look", "arguments": "{}"},
                        },
                        {"id": "d", "type": "custom", "custom": {"name": "g", "input": "ls"}},
                    ],
                },
                {"role": "tool", "tool_call_id": "c", "content": "a cat"},
                {"role": "system", "content": "later"},
            ],
            "tools": [tool],
            "functions": [legacy],
            "response_format": {"type": "json_schema", "json_schema": {"name": "n"}},
            "reasoning_effort": "low",
            "max_completion_tokens": 7,
            "max_tokens": 9,
            "n": 2,
            "metadata": {"task": "triage"},
            "session_id": "s",
        }
    ).encode()
    texts = ["Be brief.", "Bé kind.", "What", "is it?", "no", "look", "{}", "g", "ls", "a cat"]
    size = sum(len(text.encode()) for text in [*texts, "later"])
    size += len(json.dumps(tool)) + len(json.dumps(legacy))
    assert DIALECT.facts(body, SHAPE) == Facts(
        model="task/triage",
        stream=True,
        system="Be brief.\nBé kind.",
        turns=[
            Turn("user", "What\nis it?"),
            Turn("assistant", ""),
            Turn("tool", ""),
            Turn("system", "later"),
        ],
        text_bytes=size,
        media=3,
        documents=1,
        tools=2,
        tool_calls=2,
        wants_schema=True,
        wants_json=True,
        thinks=True,
        max_output_tokens=7,
        label="triage",
        controls=("max_tokens", "reasoning_effort"),
        session="s",
        usage_requested=True,
        choices=2,
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"stream": False, "max_output_tokens": None, "choices": 1, "label": None}),
        ({"max_tokens": 9}, {"max_output_tokens": 9}),
        ({"reasoning_effort": "none"}, {"thinks": False}),
        ({"response_format": {"type": "json_object"}}, {"wants_json": True, "wants_schema": False}),
        ({"response_format": {"type": "text"}}, {"wants_json": False}),
        ({"stream": None, "stream_options": None, "metadata": None, "n": None}, {"choices": 1}),
        ({"stream_options": {"include_usage": False}}, {"usage_requested": False}),
    ],
)
def test_single_facts(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    facts = facts_of(**fields)
    assert {name: getattr(facts, name) for name in expected} == expected


def test_what_is_newer_than_this_file_passes() -> None:
    facts = talking(
        {"role": "user", "content": [{"type": "hologram", "depth": {"a": 1}}], "mood": 1},
        {"role": "narrator", "content": "once", "future": {}},
        {"role": "assistant", "audio": {"id": "a"}},
    )
    assert [turn.role for turn in facts.turns] == ["user", "narrator", "assistant"]
    assert facts_of(future={"deep": [1]}, tools=[{"type": "web_search"}]).tools == 1


def test_legacy_calls_are_counted() -> None:
    call = {"name": "f", "arguments": "{}"}
    facts = talking(
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": None, "function_call": call},
        {"role": "function", "name": "f", "content": "r"},
    )
    assert (facts.tool_calls, facts.text_bytes, facts.turns[-1].text) == (1, 5, "")


def test_our_marks_are_seen() -> None:
    call_id = sealed_id(ToolCall(id="c", name="f", arguments="{}"), [SIGNED])
    call = {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    for message in (
        {"role": "assistant", "content": "x", "reasoning_details": details_of([SIGNED])},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call_id, "content": "r"},
    ):
        assert talking(message).foreign_signatures
    for message in (
        {"role": "assistant", "content": "x", "reasoning_details": [{"type": "x", "text": "y"}]},
        {"role": "assistant", "content": "x", "reasoning_content": "hllm1.", "name": "-hllm1-"},
        {"role": "tool", "tool_call_id": "c", "content": '"hllm1.'},
    ):
        assert not talking(message).foreign_signatures


def test_cache_breakpoints_are_seen() -> None:
    part: dict[str, Any] = {"type": "text", "text": "x"}
    assert not talking({"role": "user", "content": [part]}).cache_marked
    part = part | {"prompt_cache_breakpoint": {"mode": "explicit"}}
    assert talking({"role": "user", "content": [part]}).cache_marked


MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model"),
    ({"model": ""}, "model"),
    ({"model": 1}, "model"),
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": ["x"]}, "messages[0]"),
    ({"messages": [{"content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type"),
    (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        "messages[0].content[0].text",
    ),
    ({"messages": [{"role": "assistant", "tool_calls": 1}]}, "messages[0].tool_calls"),
    ({"tools": {}}, "tools"),
    ({"stream": "yes"}, "stream"),
    ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    ({"response_format": "json"}, "response_format"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
    ({"metadata": {"task": 1}}, "metadata.task"),
    ({"session_id": 1}, "session_id"),
    ({"n": "2"}, "n"),
]


@pytest.mark.parametrize(("fields", "path"), MALFORMED)
def test_a_malformed_field_is_named(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(RequestError) as refused:
        facts_of(**fields)
    assert refused.value.field == path


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"model":"\xff"}', b'{"messages":' + b"[" * 9999]
)
def test_a_body_that_is_no_json_object(body: bytes) -> None:
    with pytest.raises(RequestError):
        DIALECT.facts(body, SHAPE)
    with pytest.raises(RequestError):
        DIALECT.decode_request(body, SHAPE)


@pytest.mark.parametrize("missing", ["model", "messages"])
def test_what_is_missing_is_named(missing: str) -> None:
    body = json.dumps({k: v for k, v in ASK.items() if k != missing}).encode()
    with pytest.raises(RequestError) as refused:
        DIALECT.facts(body, SHAPE)
    assert refused.value.field == missing


# -- the body that passes through


def passed(body: bytes, model: str) -> bytes:
    return DIALECT.passthrough(body, DIALECT.facts(body, SHAPE), model)


SPACED = (
    b'{ "messages" : [ {"role":"user","content":"\\u00fc","x":1.50} ],\n "model":"m", "y":[1e3]}'
)


def test_a_body_that_needs_nothing_is_the_same_object() -> None:
    assert passed(SPACED, "m") is SPACED


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (SPACED, SPACED.replace(b'"m"', b'"gpt"')),
        (
            b'{"model":"m","messages":[{"role":"user","content":"x"}],"session_id":"s"}',
            b'{"model":"gpt","messages":[{"role":"user","content":"x"}]}',
        ),
        (
            b'{"model":"m","metadata":{"task":"t"},"messages":[{"role":"user"}],"f":1.0}',
            b'{"model":"gpt","messages":[{"role":"user"}],"f":1.0}',
        ),
        (
            b'{"model":"m","metadata":{"a":"b", "task":"t"},"messages":[{"role":"user"}]}',
            b'{"model":"gpt","metadata":{"a":"b"},"messages":[{"role":"user"}]}',
        ),
        (
            b'{"model":"m","stream":true,"messages":[{"role":"user"}]}',
            b'{"model":"gpt","stream":true,"messages":[{"role":"user"}],'
            b'"stream_options":{"include_usage":true}}',
        ),
        (
            b'{"model":"m","stream":true,"stream_options":null,"messages":[{"role":"user"}]}',
            b'{"model":"gpt","stream":true,"stream_options":{"include_usage":true},'
            b'"messages":[{"role":"user"}]}',
        ),
        (
            b'{"model":"m","stream":true,"stream_options":{"include_obfuscation": false,'
            b'"include_usage":false},"messages":[{"role":"user"}]}',
            b'{"model":"gpt","stream":true,"stream_options":{"include_obfuscation": false,'
            b'"include_usage":true},"messages":[{"role":"user"}]}',
        ),
        (
            b'{"model":"m","stream":true,"stream_options":{ "include_usage" : true },'
            b'"messages":[{"role":"user"}]}',
            b'{"model":"gpt","stream":true,"stream_options":{ "include_usage" : true },'
            b'"messages":[{"role":"user"}]}',
        ),
    ],
)
def test_only_what_must_change_does(body: bytes, sent: bytes) -> None:
    assert passed(body, "gpt") == sent
