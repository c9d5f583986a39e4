"""What routing reads of a Messages body, and the body that passes through."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hybridllm.errors import ErrorKind, RequestError
from hybridllm.wire.anthropic import DIALECT
from hybridllm.wire.dialect import Facts, RequestShape, Turn

SHAPE = RequestShape()
ASK: dict[str, Any] = {
    "model": "m",
    "max_tokens": 5,
    "messages": [{"role": "user", "content": "x"}],
}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
PNG = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
PLAIN = {"type": "text", "media_type": "text/plain", "data": "abcdef"}
SHORT = {"type": "ephemeral"}


def facts_of(**fields: Any) -> Facts:
    return DIALECT.facts(json.dumps(ASK | fields).encode(), SHAPE)


def saying(*blocks: dict[str, Any], role: str = "user") -> Facts:
    return facts_of(messages=[{"role": role, "content": list(blocks)}])


def test_everything_that_routing_needs() -> None:
    tool = {"name": "f", "input_schema": {"type": "object"}}
    facts = facts_of(
        model="auto",
        stream=True,
        max_tokens=0,
        system=[{"type": "text", "text": "Be"}, {"type": "text", "text": "kind"}],
        messages=[
            {"role": "user", "content": "naïve?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hmm", "signature": "s"},
                    {"type": "text", "text": "See"},
                    {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t",
                        "content": [
                            {"type": "text", "text": "12"},
                            {"type": "image", "source": PNG},
                        ],
                    },
                    {"type": "tool_result", "tool_use_id": "u", "content": "345"},
                    {"type": "document", "source": PDF},
                ],
            },
        ],
        tools=[tool],
        thinking={"type": "enabled", "budget_tokens": 1024},
        output_config={"format": {"type": "json_schema", "schema": {}}},
        metadata={"task": "math", "user_id": "u"},
        session_id="s-1",
    )
    counted = ["Be", "kind", "naïve?", "hmm", "See", "f", '{"a": 1}', "12", "345", json.dumps(tool)]
    assert facts == Facts(
        model="auto",
        stream=True,
        system="Be\nkind",
        turns=[Turn("user", "naïve?"), Turn("assistant", "See"), Turn("user", "")],
        text_bytes=sum(len(text.encode()) for text in counted),
        media=2,
        documents=1,
        tools=1,
        tool_calls=1,
        wants_schema=True,
        wants_json=True,
        thinks=True,
        max_output_tokens=0,
        label="math",
        controls=("thinking.enabled",),
        session="s-1",
    )


def test_a_plain_request_asks_for_nothing() -> None:
    assert facts_of() == Facts(
        model="m", turns=[Turn("user", "x")], text_bytes=1, max_output_tokens=5
    )


def test_the_user_is_no_session() -> None:
    assert facts_of(metadata={"user_id": "user_1_session_2"}).session is None


@pytest.mark.parametrize(
    ("thinking", "thinks"),
    [({"type": "adaptive"}, True), ({"type": "disabled"}, False), (None, False)],
)
def test_thinking(thinking: Any, thinks: bool) -> None:
    assert facts_of(thinking=thinking).thinks is thinks


def test_a_document_of_text_is_text() -> None:
    facts = saying({"type": "document", "source": PLAIN})
    assert (facts.media, facts.documents) == (0, 0)
    assert facts.text_bytes == len(json.dumps(PLAIN))


@pytest.mark.parametrize(
    "fields",
    [
        {"cache_control": SHORT},
        {"system": [{"type": "text", "text": "x", "cache_control": SHORT}]},
        {"tools": [{"name": "f", "input_schema": {}, "cache_control": SHORT}]},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image", "source": PNG, "cache_control": SHORT}],
                }
            ]
        },
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "t",
                            "content": [{"type": "text", "text": "x", "cache_control": SHORT}],
                        }
                    ],
                }
            ]
        },
    ],
)
def test_a_cache_breakpoint_anywhere(fields: dict[str, Any]) -> None:
    assert facts_of(**fields).cache_marked


@pytest.mark.parametrize(
    "fields",
    [
        {"system": 'say "cache_control"', "cache_control": None},
        {"tools": [{"name": "f", "input_schema": {"properties": {"cache_control": {}}}}]},
    ],
)
def test_the_words_alone_are_no_breakpoint(fields: dict[str, Any]) -> None:
    assert not facts_of(**fields).cache_marked


@pytest.mark.parametrize(
    ("block", "foreign"),
    [
        ({"type": "thinking", "thinking": "", "signature": "hllm1.google.abc"}, True),
        ({"type": "redacted_thinking", "data": "hllm1.openai.abc"}, True),
        ({"type": "thinking", "thinking": "hllm1.", "signature": "abc"}, False),
        ({"type": "text", "text": "hllm1.google.abc"}, False),
    ],
)
def test_signatures_of_other_providers(block: dict[str, Any], foreign: bool) -> None:
    assert saying(block, role="assistant").foreign_signatures is foreign


FOREIGN_CALL = {"type": "tool_use", "id": "call_1", "name": "f", "input": {}}
OWN_CALL = FOREIGN_CALL | {"id": "toolu_1"}
THOUGHT = {"type": "thinking", "thinking": "", "signature": "abc"}


@pytest.mark.parametrize(
    ("blocks", "thinking", "lacks"),
    [
        ([FOREIGN_CALL], "enabled", True),
        ([{"type": "text", "text": "x"}, OWN_CALL, FOREIGN_CALL], "enabled", True),
        ([FOREIGN_CALL], "adaptive", False),
        ([FOREIGN_CALL], None, False),
        ([THOUGHT, FOREIGN_CALL], "enabled", False),
        ([OWN_CALL], "enabled", False),
    ],
)
def test_a_turn_taken_elsewhere_lacks_the_thought_that_a_budget_demands(
    blocks: list[dict[str, Any]], thinking: str | None, lacks: bool
) -> None:
    """A caller's own mistake is the provider's to refuse; what another provider left out is not."""
    facts = facts_of(
        messages=[{"role": "assistant", "content": blocks}],
        thinking=thinking and {"type": thinking, "budget_tokens": 2000},
    )
    assert facts.foreign_signatures is lacks


def test_blocks_of_kinds_yet_to_come() -> None:
    facts = saying(
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "content": {"type": "error", "error_code": "x"}},
        {"type": "hologram", "depth": {"z": [1]}},
        role="assistant",
    )
    assert facts.turns == [Turn("assistant", "")]


BAD = [
    ({"model": None}, "model"),
    ({"model": ""}, "model"),
    ({"max_tokens": None}, "max_tokens"),
    ({"max_tokens": "9"}, "max_tokens"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": {}}, "messages"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
    (
        {"messages": [*ASK["messages"], {"role": "assistant", "content": [{"type": 7}]}]},
        "messages[1].content[0].type",
    ),
    ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
    (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        "messages[0].content[0].text",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": 1}}]}]},
        "messages[0].content[0].source.type",
    ),
    ({"system": 1}, "system"),
    ({"system": [{"type": "text", "text": 1}]}, "system[0].text"),
    ({"tools": {}}, "tools"),
    ({"stream": "yes"}, "stream"),
    ({"thinking": "yes"}, "thinking"),
    ({"output_config": []}, "output_config"),
    ({"metadata": {"task": 1}}, "metadata.task"),
    ({"session_id": None}, "session_id"),
]


@pytest.mark.parametrize(("fields", "field"), BAD)
def test_a_mistake_is_named_by_its_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as caught:
        facts_of(**fields)
    assert caught.value.field == field and field in caught.value.message
    assert caught.value.kind is ErrorKind.BAD_REQUEST


@pytest.mark.parametrize("name", ["model", "max_tokens", "messages"])
def test_what_must_be_there(name: str) -> None:
    body = {key: value for key, value in ASK.items() if key != name}
    with pytest.raises(RequestError, match="required") as caught:
        DIALECT.facts(json.dumps(body).encode(), SHAPE)
    assert caught.value.field == name and caught.value.remedy


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model": "\xff"}', b"[" * 100_000])
def test_what_is_no_json_object(body: bytes) -> None:
    with pytest.raises(RequestError):
        DIALECT.facts(body, SHAPE)


def passed(body: bytes, model: str) -> bytes:
    return DIALECT.passthrough(body, DIALECT.facts(body, SHAPE), model)


REST = b'"max_tokens":5, "future":{"x":[1.50]},\n"messages":[{"role":"user","content":"\\u0041"}]'


@pytest.mark.parametrize(
    ("body", "out"),
    [
        (b'{ "model" : "a", ' + REST + b"}", b'{ "model" : "b", ' + REST + b"}"),
        (b'{"session_id":"s", "model":"a",' + REST + b"}", b'{"model":"b",' + REST + b"}"),
        (
            b'{"model":"a","metadata":{"user_id" : "u", "task":"t", "z":1.0},' + REST + b"}",
            b'{"model":"b","metadata":{"user_id" : "u", "z":1.0},' + REST + b"}",
        ),
        (b'{"model":"a","metadata":{"task":"t"},' + REST + b"}", b'{"model":"b",' + REST + b"}"),
    ],
)
def test_only_what_is_ours_changes(body: bytes, out: bytes) -> None:
    assert passed(body, "b") == out


def test_nothing_to_change_is_the_same_object() -> None:
    body = b'{"model":"a","metadata":{"user_id":"u"},' + REST + b"}"
    assert passed(body, "a") is body
