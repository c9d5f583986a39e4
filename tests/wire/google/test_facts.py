"""What routing reads of a generateContent body, and the body that passes through."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hybridllm.errors import RequestError
from hybridllm.wire.dialect import RequestShape, Turn
from hybridllm.wire.google import DIALECT
from hybridllm.wire.google.signatures import to_wire

SHAPE = RequestShape(model="gemini-2.5-pro", stream=True)
CAMEL: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "contents": [
        {
            "role": "user",
            "parts": [
                {"text": "héllo"},
                {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
            ],
        },
        {
            "role": "model",
            "parts": [
                {"text": "hm", "thought": True},
                {"functionCall": {"name": "f", "args": {}}},
            ],
        },
        {"parts": [{"functionResponse": {"name": "f", "response": {"output": "3"}}}]},
    ],
    "tools": [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}, {"googleSearch": {}}],
    "generationConfig": {
        "maxOutputTokens": "64",
        "candidateCount": 2,
        "responseMimeType": "application/json",
        "responseSchema": {"type": "OBJECT"},
        "thinkingConfig": {"thinkingBudget": -1},
    },
    "labels": {"task": "extraction", "team": "a"},
    "session_id": "s1",
}
SNAKE_NAMES = {
    "systemInstruction": "system_instruction",
    "generationConfig": "generation_config",
    "functionDeclarations": "function_declarations",
    "inlineData": "inline_data",
    "mimeType": "mime_type",
    "functionCall": "function_call",
    "functionResponse": "function_response",
    "maxOutputTokens": "max_output_tokens",
    "candidateCount": "candidate_count",
    "responseMimeType": "response_mime_type",
    "responseSchema": "response_schema",
    "thinkingConfig": "thinking_config",
    "thinkingBudget": "thinking_budget",
    "googleSearch": "google_search",
}


def snake(body: dict[str, Any]) -> bytes:
    text = json.dumps(body)
    for camel, name in SNAKE_NAMES.items():
        text = text.replace(f'"{camel}"', f'"{name}"')
    return text.encode()


def test_facts_of_a_whole_request() -> None:
    facts = DIALECT.facts(json.dumps(CAMEL).encode(), SHAPE)
    assert facts.model == "gemini-2.5-pro"
    assert facts.stream
    assert facts.system == "Be brief."
    assert facts.turns == [Turn("user", "héllo"), Turn("assistant", ""), Turn("user", "")]
    assert (facts.media, facts.tools, facts.tool_calls) == (1, 3, 1)
    assert facts.wants_schema and facts.wants_json and facts.thinks
    assert (facts.max_output_tokens, facts.choices) == (64, 2)
    assert (facts.label, facts.session) == ("extraction", "s1")
    assert not facts.foreign_signatures
    counted = ["Be brief.", "héllo", "hm", '{"name": "f", "args": {}}', '{"name": "f"}']
    counted += ['{"name": "g"}', '{"name": "f", "response": {"output": "3"}}']
    assert facts.text_bytes == sum(len(text.encode()) for text in counted)


def test_snake_case_says_the_same() -> None:
    camel = DIALECT.facts(json.dumps(CAMEL).encode(), SHAPE)
    found = DIALECT.facts(snake(CAMEL), SHAPE)
    found.text_bytes = camel.text_bytes  # a raw call's own spelling may differ in length
    assert found == camel
    ours, theirs = (
        DIALECT.decode_request(body, SHAPE) for body in (json.dumps(CAMEL).encode(), snake(CAMEL))
    )
    assert ours == theirs


@pytest.mark.parametrize("contents", ["hello", ["hello"], [{"parts": {"text": "hello"}}]])
def test_short_forms_of_contents(contents: Any) -> None:
    body = json.dumps({"contents": contents}).encode()
    assert DIALECT.facts(body, SHAPE).turns == [Turn("user", "hello")]
    assert DIALECT.decode_request(body, SHAPE).messages[0].parts[0].text == "hello"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("config", "thinks"),
    [
        ({}, False),
        ({"thinkingBudget": 0, "includeThoughts": True}, False),
        ({"thinkingBudget": 512}, True),
        ({"thinkingLevel": "LOW"}, True),
        ({"includeThoughts": True}, True),
    ],
)
def test_thinks(config: dict[str, Any], thinks: bool) -> None:
    body = json.dumps({"contents": "x", "generationConfig": {"thinkingConfig": config}}).encode()
    assert DIALECT.facts(body, SHAPE).thinks is thinks


def test_a_wrapped_signature_is_noticed() -> None:
    part = {"text": "", "thought": True, "thoughtSignature": to_wire("sig", "anthropic")}
    body = json.dumps({"contents": [{"role": "model", "parts": [part]}]}).encode()
    assert DIALECT.facts(body, SHAPE).foreign_signatures


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "contents"),
        ({"contents": []}, "contents"),
        ({"contents": None}, "contents"),
        ({"contents": [{"parts": "x"}]}, "contents[0].parts"),
        ({"contents": [{"parts": [{"text": "a"}, {"text": 3}]}]}, "contents[0].parts[1].text"),
        ({"contents": "x", "generationConfig": []}, "generationConfig"),
        ({"contents": "x", "tools": "all"}, "tools"),
        (
            {"contents": "x", "generationConfig": {"maxOutputTokens": 0}},
            "generationConfig.maxOutputTokens",
        ),
        (
            {"contents": "x", "generationConfig": {"candidateCount": "two"}},
            "generationConfig.candidateCount",
        ),
        ({"contents": "x", "labels": {"task": 1}}, "labels[...]"),
    ],
)
def test_malformed_fields_are_named(body: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as caught:
        DIALECT.facts(json.dumps(body).encode(), SHAPE)
    assert caught.value.field == field


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"contents":"\xff"}', b'{"a":' * 5000])
def test_what_is_no_json_object(body: bytes) -> None:
    with pytest.raises(RequestError):
        DIALECT.facts(body, SHAPE)


@pytest.mark.parametrize(
    ("body", "passed"),
    [
        (b'{ "contents":"x", "new": 1.0 }', b'{ "contents":"x", "new": 1.0 }'),
        (b'{"contents":"x","session_id":"s"}', b'{"contents":"x"}'),
        (b'{"sessionId":"s", "contents":"x"}', b'{"contents":"x"}'),
        (b'{"contents":"x","labels":{"task":"t"}}', b'{"contents":"x"}'),
        (
            b'{"labels":{"task":"t","team":"a"},"contents":"x"}',
            b'{"labels":{"team":"a"},"contents":"x"}',
        ),
    ],
)
def test_only_what_is_ours_is_taken_out(body: bytes, passed: bytes) -> None:
    assert DIALECT.passthrough(body, DIALECT.facts(body, SHAPE), "gemini-2.5-flash") == passed


def test_an_untouched_body_is_the_same_object() -> None:
    body = b'{"contents":"x"}'
    assert DIALECT.passthrough(body, DIALECT.facts(body, SHAPE), "m") is body


@pytest.mark.parametrize("name", ["cachedContent", "cached_content"])
def test_of_a_cache_that_the_caller_names_the_model_sees_more(name: str) -> None:
    body: dict[str, Any] = {"contents": "x", name: "cachedContents/abc"}
    assert DIALECT.facts(json.dumps(body).encode(), SHAPE).unseen_input
    assert not DIALECT.facts(json.dumps({**body, name: ""}).encode(), SHAPE).unseen_input
