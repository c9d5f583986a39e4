"""A coding agent's conversation: signed thoughts, a long cached prefix, parallel calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hybridllm.wire.anthropic import DIALECT
from hybridllm.wire.conversation import (
    CacheMark,
    Finish,
    Reply,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Usage,
)
from hybridllm.wire.dialect import DropPolicy, RequestShape, Target
from hybridllm.wire.registry import get_dialect
from tests.wire.anthropic.streaming import events_of

SHAPE = RequestShape()
OPUS = Target(model="claude-opus-4-7", max_output_tokens=128_000)
GEMINI = Target(model="gemini-2.5-pro", max_output_tokens=65_536)
CACHED = {"type": "ephemeral", "ttl": "1h"}
SIGNED = {"type": "thinking", "thinking": "", "signature": "EqQBCgIYAhIM+/=="}
SHOWN = {"type": "thinking", "thinking": "Look first.\n", "signature": "EvABC=="}
TURN: list[dict[str, Any]] = [
    SIGNED,
    {"type": "text", "text": "I read both files."},
    {"type": "tool_use", "id": "toolu_01", "name": "Read", "input": {"path": "a.py"}},
    {"type": "tool_use", "id": "toolu_02", "name": "Read", "input": {"path": "b.py", "n": 1.5}},
]
BODY: dict[str, Any] = {
    "model": "task/agentic",
    "max_tokens": 32_000,
    "stream": True,
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "high"},
    "metadata": {"user_id": "user_1_account_2_session_3"},
    "system": [
        {"type": "text", "text": "You are a coding agent."},
        {"type": "text", "text": "Rules. " * 500, "cache_control": CACHED},
    ],
    "tools": [
        {
            "name": "Read",
            "description": "Read a file",
            "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
            "cache_control": CACHED,
        }
    ],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Fix the bug."}]},
        {"role": "assistant", "content": TURN},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_01", "content": "x = 1"},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_02",
                    "content": [{"type": "text", "text": "No such file"}],
                    "is_error": True,
                },
            ],
        },
        {"role": "assistant", "content": [SHOWN, {"type": "redacted_thinking", "data": "enc=="}]},
        {
            "role": "user",
            "content": [{"type": "text", "text": "go on", "cache_control": {"type": "ephemeral"}}],
        },
    ],
}


def body_of(messages: list[dict[str, Any]] | None = None) -> bytes:
    return json.dumps(BODY | ({"messages": messages} if messages else {})).encode()


def test_it_passes_through_but_for_the_models_name() -> None:
    body = body_of()
    facts = DIALECT.facts(body, SHAPE)
    assert (facts.tools, facts.tool_calls, len(facts.turns)) == (1, 2, 5)
    assert facts.thinks and facts.cache_marked and not facts.foreign_signatures
    sent = DIALECT.passthrough(body, facts, "claude-opus-4-7")
    assert sent == body.replace(b'"task/agentic"', b'"claude-opus-4-7"')


def test_it_survives_being_read_and_written() -> None:
    policy = DropPolicy()
    sent = json.loads(
        DIALECT.encode_request(DIALECT.decode_request(body_of(), SHAPE), OPUS, policy)
    )
    expected = BODY | {"model": "claude-opus-4-7"}
    expected["messages"] = json.loads(json.dumps(BODY["messages"]))
    expected["messages"][2]["content"][1]["content"] = "No such file"
    assert sent == expected and policy.dropped == []


def test_the_signed_blocks_are_equal_to_the_byte() -> None:
    sent = DIALECT.encode_request(DIALECT.decode_request(body_of(), SHAPE), OPUS, DropPolicy())
    for block in (SIGNED, SHOWN):
        assert json.dumps(block, separators=(",", ":")).encode() in sent


def test_what_others_are_told_of_it() -> None:
    conv = DIALECT.decode_request(body_of(), SHAPE)
    assert conv.system[1].cache is CacheMark.LONG and conv.tools[0].cache is CacheMark.LONG
    thought, text, first, second = conv.messages[1].parts
    assert thought == Thinking(signature="EqQBCgIYAhIM+/==", origin="anthropic")
    assert text == Text(text="I read both files.")
    assert isinstance(first, ToolCall) and isinstance(second, ToolCall)
    assert second.arguments == '{"path": "b.py", "n": 1.5}'
    results = conv.messages[2].parts
    assert [p.is_error for p in results if isinstance(p, ToolResult)] == [False, True]


def foreign_turn() -> list[dict[str, Any]]:
    """What the agent keeps of a turn that Gemini took, whole."""
    reply = Reply(
        id="r",
        model="gemini-2.5-pro",
        parts=[
            Thinking(text="Hm.", signature="Z29vZ2xl", origin="google"),
            Text(text="Now the test."),
            ToolCall(
                id="call_1", name="Read", arguments='{"n":1.50}', signature="Y2FsbA==",
                origin="google",
            ),
        ],
        finish=Finish.TOOL_CALLS,
    )  # fmt: skip
    content: list[dict[str, Any]] = json.loads(DIALECT.encode_reply(reply))["content"]
    return content


def moved() -> bytes:
    answer = {"type": "tool_result", "tool_use_id": "call_1", "content": "ok"}
    return body_of(
        [
            *BODY["messages"],
            {"role": "assistant", "content": foreign_turn()},
            {"role": "user", "content": [answer]},
        ]
    )


def test_a_turn_of_another_provider_is_marked_as_such() -> None:
    assert DIALECT.facts(moved(), SHAPE).foreign_signatures
    assert [block["type"] for block in foreign_turn()] == [
        "thinking",
        "text",
        "thinking",
        "tool_use",
    ]


def test_back_at_anthropic_foreign_signatures_are_left_out() -> None:
    policy = DropPolicy()
    sent = DIALECT.encode_request(DIALECT.decode_request(moved(), SHAPE), OPUS, policy)
    turn = json.loads(sent)["messages"][-2]["content"]
    assert turn == [
        {"type": "text", "text": "<earlier_reasoning>\nHm.\n</earlier_reasoning>"},
        {"type": "text", "text": "Now the test."},
        {"type": "tool_use", "id": "call_1", "name": "Read", "input": {"n": 1.5}},
    ]
    assert b"hllm1." not in sent and json.dumps(SIGNED, separators=(",", ":")).encode() in sent
    assert policy.dropped == []


def test_staying_with_google_its_signatures_come_back() -> None:
    conv = DIALECT.decode_request(moved(), SHAPE)
    sent = json.loads(get_dialect("google").encode_request(conv, GEMINI, DropPolicy()))
    parts = sent["contents"][-2]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == ["Z29vZ2xl", None, "Y2FsbA=="]
    assert "EqQBCgIYAhIM" not in json.dumps(sent)


@pytest.mark.parametrize("origin", ["anthropic", "openai", "google", ""])
def test_streamed_and_whole_replies_carry_the_same_blocks(origin: str) -> None:
    reply = Reply(
        id="r",
        model="m",
        parts=[
            Thinking(text="a", signature="s", origin=origin),
            Thinking(sealed="x", origin=origin),
        ],
        usage=Usage(),
    )
    encoder = DIALECT.stream_encoder(DIALECT.facts(body_of(), SHAPE), SHAPE)
    wire = b"".join(encoder.encode(event) for event in events_of(reply))
    for block in json.loads(DIALECT.encode_reply(reply))["content"]:
        carried = block.get("signature") or block["data"]
        assert json.dumps(carried).encode() in wire
        assert carried.startswith("hllm1.") is (origin != "anthropic")
