"""Whole replies, their usage and their finish."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import Message
from hypothesis import given, settings

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.wire.anthropic import DIALECT
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
from tests.wire.anthropic.strategies import replies

REPLY = (
    b'{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-4-7","content":['
    b'{"type":"thinking","thinking":"","signature":"sig=="},'
    b'{"type":"redacted_thinking","data":"enc"},'
    b'{"type":"text","text":"\xc3\xbc","citations":null},'
    b'{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":1.50}},'
    b'{"type":"tool_use","id":"toolu_1","name":"f","input":{"a": 1.50, "b":[]}}],'
    b'"stop_reason":"tool_use","stop_sequence":null,"future":1,'
    b'"usage":{"input_tokens":7,"output_tokens":5,"service_tier":"standard"}}'
)


def test_a_reply() -> None:
    assert DIALECT.decode_reply(REPLY) == Reply(
        id="msg_1",
        model="claude-opus-4-7",
        parts=[
            Thinking(signature="sig==", origin="anthropic"),
            Thinking(sealed="enc", origin="anthropic"),
            Text(text="ü"),
            Opaque(
                origin="anthropic",
                kind="server_tool_use",
                raw='{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":1.50}}',
            ),
            ToolCall(id="toolu_1", name="f", arguments='{"a": 1.50, "b":[]}'),
        ],
        finish=Finish.TOOL_CALLS,
        usage=Usage(input_tokens=7, output_tokens=5),
    )


@settings(deadline=None, max_examples=150)
@given(replies())
def test_what_is_answered_survives_the_wire(reply: Reply) -> None:
    body = DIALECT.encode_reply(reply)
    Message.model_validate_json(body, strict=True)
    assert DIALECT.decode_reply(body) == reply
    assert DIALECT.meter(body) == (reply.usage, reply.finish)


USAGES: list[tuple[dict[str, Any], Usage]] = [
    # Worked by hand: what Anthropic writes, and the tokens that each rate is charged for.
    ({"input_tokens": 100, "output_tokens": 20}, Usage(input_tokens=100, output_tokens=20)),
    (
        {
            "input_tokens": 50,
            "cache_read_input_tokens": 100_000,
            "cache_creation_input_tokens": 248,
            "output_tokens": 503,
        },
        Usage(
            input_tokens=50, cache_read_tokens=100_000, cache_write_tokens=248, output_tokens=503
        ),
    ),
    (
        {
            "input_tokens": 2048,
            "cache_read_input_tokens": 1800,
            "cache_creation_input_tokens": 248,
            "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
            "output_tokens": 503,
            "output_tokens_details": {"thinking_tokens": 400},
        },
        Usage(
            input_tokens=2048,
            cache_read_tokens=1800,
            cache_write_tokens=148,
            cache_write_long_tokens=100,
            output_tokens=503,
            reasoning_tokens=400,
        ),
    ),
    (
        {
            "input_tokens": 1,
            "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
            "output_tokens": 2,
        },
        Usage(input_tokens=1, cache_write_tokens=3, cache_write_long_tokens=4, output_tokens=2),
    ),
    (
        {
            "input_tokens": 1,
            "cache_creation_input_tokens": 10,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 4},
            "output_tokens": 2,
        },
        Usage(input_tokens=1, cache_write_tokens=6, cache_write_long_tokens=4, output_tokens=2),
    ),
    (
        {
            "input_tokens": 9,
            "cache_read_input_tokens": None,
            "cache_creation_input_tokens": None,
            "cache_creation": None,
            "output_tokens": 0,
            "output_tokens_details": None,
            "server_tool_use": {"web_search_requests": 1},
        },
        Usage(input_tokens=9),
    ),
]


@pytest.mark.parametrize(("wire", "usage"), USAGES)
def test_usage_by_hand(wire: dict[str, Any], usage: Usage) -> None:
    body = json.dumps({"content": [], "stop_reason": "end_turn", "usage": wire}).encode()
    assert DIALECT.meter(body) == (usage, Finish.STOP)
    assert DIALECT.decode_reply(body).usage == usage


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", Finish.STOP),
        ("max_tokens", Finish.LENGTH),
        ("stop_sequence", Finish.STOP_SEQUENCE),
        ("tool_use", Finish.TOOL_CALLS),
        ("pause_turn", Finish.PAUSE),
        ("refusal", Finish.REFUSAL),
        ("model_context_window_exceeded", Finish.CONTEXT_EXCEEDED),
        ("reason_of_the_future", Finish.OTHER),
    ],
)
def test_why_a_reply_ended(reason: str, finish: Finish) -> None:
    body = json.dumps({"content": [], "stop_reason": reason, "stop_sequence": "X"}).encode()
    reply = DIALECT.decode_reply(body)
    assert (reply.finish, reply.stop_sequence, reply.usage) == (finish, "X", None)


@pytest.mark.parametrize("finish", list(Finish))
def test_every_finish_is_one_that_the_sdk_knows(finish: Finish) -> None:
    body = DIALECT.encode_reply(Reply(id="", model="m", parts=[], finish=finish))
    message = Message.model_validate_json(body, strict=True)
    assert message.stop_reason and message.id and message.usage.output_tokens == 0


def test_calls_end_a_turn_as_tool_use() -> None:
    call = ToolCall(id="a:1", name="f", arguments="")
    message = json.loads(DIALECT.encode_reply(Reply(id="x", model="m", parts=[call])))
    assert message["stop_reason"] == "tool_use"
    assert message["content"][0]["input"] == {} and ":" not in message["content"][0]["id"]


@pytest.mark.parametrize(
    ("finish", "reason"), [(Finish.TOOL_CALLS, "end_turn"), (Finish.LENGTH, "max_tokens")]
)
def test_a_call_that_is_no_json_is_not_run(finish: Finish, reason: str) -> None:
    call = ToolCall(id="a", name="f", arguments='{"x"')
    body = DIALECT.encode_reply(Reply(id="x", model="m", parts=[call], finish=finish))
    message = json.loads(body)
    assert message["content"] == [{"type": "text", "text": 'Malformed tool call: f({"x")'}]
    assert message["stop_reason"] == reason


def test_parts_of_others() -> None:
    parts: list[Part] = [
        Refusal(text="no"),
        Text(text=""),
        Opaque(origin="google", kind="executableCode", raw="{}"),
        Media(media_type="image/png", data="AA"),
        Thinking(text="t", sealed="s", origin="openai"),
    ]
    message = json.loads(DIALECT.encode_reply(Reply(id="x", model="m", parts=parts)))
    assert message["content"] == [
        {"type": "text", "text": "no"},
        {"type": "thinking", "thinking": "t", "signature": "hllm1.openai."},
        {"type": "redacted_thinking", "data": "hllm1.openai.s"},
    ]


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"content":1}', b'{"content":[{"text":"x"}]}', b'{"usage":{}}'],
)
def test_what_is_no_reply(body: bytes) -> None:
    with pytest.raises(ProviderError) as caught:
        DIALECT.decode_reply(body)
    assert caught.value.kind is ErrorKind.MALFORMED_REPLY
    assert DIALECT.meter(body)[1] is None
