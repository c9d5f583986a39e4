"""Whole replies, their usage and their finish."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from openai.types.chat import ChatCompletion

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.wire.conversation import (
    Finish,
    Media,
    Opaque,
    Part,
    Refusal,
    Reply,
    Text,
    Thinking,
    ToolCall,
)
from hybridllm.wire.openai import DIALECT
from tests.wire.openai.strategies import replies


def completion(message: dict[str, Any], **fields: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": None} | message}
    choice["finish_reason"] = fields.pop("finish", "stop")
    frame = {"id": "c", "object": "chat.completion", "created": 7, "model": "m"}
    return json.dumps(frame | {"choices": [choice]} | fields).encode()


def test_a_reply() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1.50}'}}
    custom = {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "x"}}
    body = completion(
        {
            "content": "ü",
            "refusal": "no",
            "reasoning_content": "hm",
            "tool_calls": [call, custom],
            "audio": {"id": "a"},
        },
        finish="tool_calls",
        usage={"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
        future=1,
    )
    assert DIALECT.decode_reply(body) == Reply(
        id="c",
        model="m",
        created=7,
        parts=[
            Thinking(text="hm", origin="openai"),
            Text(text="ü"),
            Refusal(text="no"),
            Opaque(origin="openai", kind="audio", raw='{"id": "a"}'),
            ToolCall(id="c1", name="f", arguments='{"a": 1.50}'),
            Opaque(origin="openai", kind="custom_tool_call", raw=json.dumps(custom)),
        ],
        finish=Finish.TOOL_CALLS,
        usage=Usage(input_tokens=7, output_tokens=5),
    )


@settings(deadline=None, max_examples=200)
@given(replies())
def test_what_is_answered_survives_the_wire(reply: Reply) -> None:
    body = DIALECT.encode_reply(reply)
    ChatCompletion.model_validate_json(body, strict=True)
    assert DIALECT.decode_reply(body) == reply
    assert DIALECT.meter(body) == (reply.usage, reply.finish)


USAGES: list[tuple[dict[str, Any], Usage]] = [
    # Worked by hand: what OpenAI writes, and the tokens that each rate is charged for.
    ({"prompt_tokens": 100, "completion_tokens": 20}, Usage(input_tokens=100, output_tokens=20)),
    (
        {
            "prompt_tokens": 2006,
            "completion_tokens": 300,
            "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 192, "audio_tokens": 0},
        },
        Usage(input_tokens=86, cache_read_tokens=1920, output_tokens=300, reasoning_tokens=192),
    ),
    (
        # 5,000 in all: 1,024 read, 3,000 written, the rest at full price.
        {
            "prompt_tokens": 5000,
            "completion_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 3000},
        },
        Usage(input_tokens=976, cache_read_tokens=1024, cache_write_tokens=3000, output_tokens=1),
    ),
    (
        {
            "prompt_tokens": 5000,
            "completion_tokens": 1,
            "prompt_tokens_details": {
                "cache_write_tokens": 3000,
                "cache_write_tokens_details": {"ttl_30m_tokens": 1000, "ttl_12h_tokens": 2000},
            },
        },
        Usage(
            input_tokens=2000,
            cache_write_tokens=1000,
            cache_write_long_tokens=2000,
            output_tokens=1,
        ),
    ),
    (
        # A provider that counts more than there is never makes us charge less than nothing.
        {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 99}},
        Usage(cache_read_tokens=10),
    ),
    (
        {"prompt_tokens": 10, "completion_tokens": 2, "prompt_cache_hit_tokens": 4},
        Usage(input_tokens=6, cache_read_tokens=4, output_tokens=2),
    ),
    (
        # xAI counts reasoning beside the completion, as its total shows.
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 115,
            "completion_tokens_details": {"reasoning_tokens": 100},
        },
        Usage(input_tokens=10, output_tokens=105, reasoning_tokens=100),
    ),
    ({"prompt_tokens_details": None, "completion_tokens_details": None}, Usage()),
    ({}, Usage()),
]


@pytest.mark.parametrize(("wire", "usage"), USAGES)
def test_usages_worked_by_hand(wire: dict[str, Any], usage: Usage) -> None:
    body = completion({"content": "x"}, usage=wire)
    assert DIALECT.meter(body) == (usage, Finish.STOP)
    assert DIALECT.decode_reply(body).usage == usage


def test_usage_as_it_is_written() -> None:
    usage = Usage(
        input_tokens=10,
        cache_read_tokens=200,
        cache_write_tokens=3000,
        cache_write_long_tokens=40000,
        output_tokens=7,
        reasoning_tokens=5,
    )
    body = json.loads(DIALECT.encode_reply(Reply(id="", model="m", parts=[], usage=usage)))
    assert body["usage"] == {
        "prompt_tokens": 43210,
        "completion_tokens": 7,
        "total_tokens": 43217,
        "prompt_tokens_details": {
            "cached_tokens": 200,
            "cache_write_tokens": 43000,
            "cache_write_tokens_details": {"ttl_30m_tokens": 3000, "ttl_12h_tokens": 40000},
        },
        "completion_tokens_details": {"reasoning_tokens": 5},
    }


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", Finish.STOP),
        ("length", Finish.LENGTH),
        ("tool_calls", Finish.TOOL_CALLS),
        ("function_call", Finish.TOOL_CALLS),
        ("content_filter", Finish.CONTENT_FILTER),
        ("solar_flare", Finish.OTHER),
    ],
)
def test_finish_reasons(reason: str, finish: Finish) -> None:
    assert DIALECT.decode_reply(completion({"content": "x"}, finish=reason)).finish is finish


@pytest.mark.parametrize("finish", list(Finish))
def test_every_finish_can_be_said(finish: Finish) -> None:
    for parts in ([Text(text="x")], [ToolCall(id="c", name="f", arguments="{}")]):
        said: list[Part] = list(parts)
        body = DIALECT.encode_reply(Reply(id="", model="m", parts=said, finish=finish))
        reason = ChatCompletion.model_validate_json(body, strict=True).choices[0].finish_reason
        calls = isinstance(said[0], ToolCall)
        assert (reason == "tool_calls") is (calls and finish in (Finish.STOP, Finish.TOOL_CALLS))


def test_a_call_that_ends_as_a_plain_stop() -> None:
    call = {"function": {"name": "f", "arguments": {}}}
    with pytest.raises(ProviderError):
        DIALECT.decode_reply(completion({"tool_calls": [call]}))
    call = {"function": {"name": "f", "arguments": ""}}
    reply = DIALECT.decode_reply(completion({"tool_calls": [call]}))
    assert reply.finish is Finish.TOOL_CALLS
    assert reply.parts == [ToolCall(id="call_1", name="f", arguments="{}")]


def test_what_compatible_servers_add() -> None:
    body = completion({"content": [{"type": "text", "text": "a"}], "reasoning": "hm"})
    assert DIALECT.decode_reply(body).parts == [
        Thinking(text="hm", origin="openai"),
        Text(text="a"),
    ]
    vllm = json.loads(completion({"content": "x"}))
    vllm["choices"][0]["stop_reason"] = "END"
    reply = DIALECT.decode_reply(json.dumps(vllm).encode())
    assert (reply.finish, reply.stop_sequence) == (Finish.STOP_SEQUENCE, "END")
    vllm["choices"][0]["stop_reason"] = 128001
    assert DIALECT.decode_reply(json.dumps(vllm).encode()).finish is Finish.STOP


def test_the_first_of_several_choices_is_the_reply() -> None:
    body = json.loads(completion({"content": "a"}))
    second = {"index": 1, "finish_reason": "length"}
    body["choices"].append(second | {"message": {"role": "assistant", "content": "b"}})
    assert DIALECT.decode_reply(json.dumps(body).encode()).parts == [Text(text="a")]
    assert DIALECT.meter(json.dumps(body).encode()) == (None, Finish.STOP)


def test_legacy_function_call_of_a_reply() -> None:
    body = completion({"function_call": {"name": "f", "arguments": "{}"}}, finish="function_call")
    reply = DIALECT.decode_reply(body)
    assert reply.parts == [ToolCall(id="call_1", name="f", arguments="{}")]


def test_what_only_another_dialect_can_say_is_left_out() -> None:
    parts: list[Part] = [
        Opaque(origin="google", kind="executableCode", raw="{}"),
        Media(media_type="image/png", data="AAAA"),
        Text(text="a"),
        Text(text="b"),
    ]
    message = json.loads(DIALECT.encode_reply(Reply(id="", model="m", parts=parts)))["choices"][0]
    assert message["message"] == {"role": "assistant", "content": "ab", "refusal": None}


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"choices":[]}', b'{"choices":[{}]}', b"\xff", b"[" * 9999],
)
def test_a_malformed_reply(body: bytes) -> None:
    with pytest.raises(ProviderError) as failed:
        DIALECT.decode_reply(body)
    assert failed.value.kind is ErrorKind.MALFORMED_REPLY
    assert DIALECT.meter(body) == (None, None)
