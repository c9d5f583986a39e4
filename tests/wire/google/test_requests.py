"""A request to a Conversation and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.errors import RequestError
from hybridllm.wire.conversation import (
    Conversation,
    Media,
    Message,
    Opaque,
    OutputFormat,
    Part,
    Reasoning,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from hybridllm.wire.dialect import DropPolicy, Inexpressible, RequestShape, Target
from hybridllm.wire.google import DIALECT

SHAPE = RequestShape(model="m", stream=False)
FLASH = Target(model="gemini-2.5-flash", max_output_tokens=65_536)


def written(conv: Conversation, target: Target = FLASH, policy: DropPolicy | None = None) -> Any:
    return json.loads(DIALECT.encode_request(conv, target, policy or DropPolicy()))


def decoded(body: dict[str, Any]) -> Conversation:
    return DIALECT.decode_request(json.dumps(body).encode(), SHAPE)


texts = st.text(min_size=1, max_size=20)
names = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
objects = st.dictionaries(names, st.one_of(st.integers(-9, 9), texts, st.none()), max_size=3)
media = st.one_of(
    st.builds(Media, media_type=st.just("image/png"), data=st.just("AAAA")),
    st.builds(Media, media_type=st.just("application/pdf"), url=st.just("https://a.b/c.pdf")),
    st.builds(Media, media_type=st.just("audio/wav"), file_id=st.just("gs://b/c.wav")),
)
said: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, text=texts),
    st.builds(
        Thinking, text=texts, signature=st.sampled_from([None, "c2ln"]), origin=st.just("google")
    ),
)


signatures = st.lists(st.sampled_from([None, "YQ=="]), max_size=3)
tools = st.builds(
    Tool, name=names, description=st.none() | texts, schema=st.just({"type": "object"})
)
OUTPUTS = [
    None,
    OutputFormat(kind="json"),
    OutputFormat(kind="schema", schema={"type": "array"}),
]


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Turns of a user and a model; each call is answered at once."""
    messages: list[Message] = []
    for turn in range(draw(st.integers(1, 3))):
        asked: list[Part] = [Text(text=draw(texts)), *draw(st.lists(media, max_size=2))]
        messages.append(Message(role="user", parts=asked))
        parts = draw(st.lists(said, min_size=1, max_size=3))
        calls = [
            ToolCall(
                id=f"id_{turn}_{i}",
                name=draw(names),
                arguments=json.dumps(draw(objects)),
                signature=signature,
                origin="google" if signature else "",
            )
            for i, signature in enumerate(
                draw(st.lists(st.sampled_from([None, "YQ=="]), max_size=3))
            )
        ]
        messages.append(Message(role="assistant", parts=[*parts, *calls]))
        if calls:
            results: list[Part] = [
                ToolResult(
                    call_id=call.id,
                    name=call.name,
                    parts=[Text(text=draw(texts | objects.map(json.dumps)))],
                    is_error=draw(st.booleans()),
                )
                for call in calls
            ]
            messages.append(Message(role="user", parts=results))
            messages.append(Message(role="assistant", parts=[Text(text="so")]))
    return Conversation(
        model="m",
        origin="google",
        messages=messages,
        system=[Text(text=text) for text in draw(st.lists(texts, max_size=2))],
        tools=draw(
            st.lists(
                st.builds(
                    Tool,
                    name=names,
                    description=st.none() | texts,
                    schema=st.just({"type": "object"}),
                ),
                max_size=2,
                unique_by=lambda tool: tool.name,
            )
        ),
        tool_choice=draw(
            st.sampled_from(
                [
                    None,
                    ToolChoice(mode="auto"),
                    ToolChoice(mode="none"),
                    ToolChoice(mode="required"),
                    ToolChoice(mode="tool", name="f"),
                    ToolChoice(mode="required", allowed=("f", "g")),
                    ToolChoice(mode="auto", allowed=("f",)),
                ]
            )
        ),
        output=draw(
            st.sampled_from(
                [
                    None,
                    OutputFormat(kind="json"),
                    OutputFormat(kind="schema", schema={"type": "array"}),
                ]
            )
        ),
        stop=draw(st.lists(texts, max_size=2)),
        max_output_tokens=draw(st.none() | st.integers(1, 1000)),
        sampling=Sampling(
            temperature=draw(st.none() | st.just(0.25)),
            top_k=draw(st.none() | st.just(40)),
            seed=draw(st.none() | st.just(7)),
        ),
        reasoning=draw(st.sampled_from([None, Reasoning(budget_tokens=512, show=True)])),
        extras=draw(st.sampled_from([{}, {"cachedContent": "c", "generationConfig.logprobs": 3}])),
    )


@settings(deadline=None, max_examples=150)
@given(conversations())
def test_what_is_written_reads_back_the_same(conv: Conversation) -> None:
    body = DIALECT.encode_request(conv, FLASH, DropPolicy())
    assert DIALECT.decode_request(body, SHAPE) == conv
    types.GenerationConfig.model_validate(json.loads(body).get("generationConfig", {}))
    for content in json.loads(body)["contents"]:
        types.Content.model_validate(content)


def test_calls_without_ids_are_matched_by_name_and_order() -> None:
    conv = decoded(
        {
            "contents": [
                {
                    "role": "model",
                    "parts": [{"functionCall": {"name": n}} for n in ("f", "g", "f")],
                },
                {
                    "role": "function",
                    "parts": [
                        {"functionResponse": {"name": n, "response": {"result": i}}}
                        for i, n in enumerate("gff")
                    ],
                },
            ]
        }
    )
    results = [part for part in conv.messages[1].parts if isinstance(part, ToolResult)]
    assert [result.call_id for result in results] == ["call_2", "call_1", "call_3"]
    assert results[0].parts == [Text(text='{"result": 0}')]
    assert conv.messages[0].parts[0] == ToolCall(id="call_1", name="f", arguments="{}")


def test_results_in_contents_of_their_own_are_one_message() -> None:
    result = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}
    assert len(decoded({"contents": [result, result]}).messages) == 1


def test_a_result_finds_its_function_by_the_call() -> None:
    call = ToolCall(id="a", name="f", arguments='{"x": 1.50}')
    result = ToolResult(call_id="a", parts=[Text(text="done")])
    messages = [Message(role="assistant", parts=[call]), Message(role="user", parts=[result])]
    body = DIALECT.encode_request(Conversation(model="m", messages=messages), FLASH, DropPolicy())
    assert b'"args":{"x": 1.50}' in body
    response = json.loads(body)["contents"][1]["parts"][0]["functionResponse"]
    assert response == {"id": "a", "name": "f", "response": {"output": "done"}}
    with pytest.raises(Inexpressible):
        written(Conversation(model="m", messages=messages[1:]))


def test_openapi_schemas_become_json_schema() -> None:
    parameters = {
        "type": "OBJECT",
        "properties": {
            "type": {"type": "STRING", "nullable": True, "enum": ["a"]},
            "list": {"type": "ARRAY", "items": {"type": "INTEGER"}, "min_items": "1"},
            "one": {"any_of": [{"type": "STRING"}, {"type": "NUMBER"}]},
        },
        "required": ["type"],
        "propertyOrdering": ["type"],
    }
    conv = decoded(
        {
            "contents": "x",
            "tools": [{"functionDeclarations": [{"name": "f", "parameters": parameters}]}],
        }
    )
    assert conv.tools[0].schema == {
        "type": "object",
        "properties": {
            "type": {"type": ["string", "null"], "enum": ["a", None]},
            "list": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
            "one": {"anyOf": [{"type": "string"}, {"type": "number"}]},
        },
        "required": ["type"],
    }


def test_what_only_google_has_comes_back_as_it_was() -> None:
    body = {
        "contents": [
            {
                "role": "user",
                "parts": [
                    {
                        "fileData": {"fileUri": "gs://b/v.mp4", "mimeType": "video/mp4"},
                        "videoMetadata": {"fps": 2},
                    }
                ],
            }
        ],
        "tools": [
            {"functionDeclarations": [{"name": "f", "behavior": "BLOCKING"}]},
            {"urlContext": {}},
        ],
        "safetySettings": [{"category": "c", "threshold": "t"}],
        "labels": {"team": "a"},
        "toolConfig": {
            "functionCallingConfig": {"mode": "VALIDATED"},
            "retrievalConfig": {"languageCode": "de"},
        },
        "generationConfig": {
            "speechConfig": {"languageCode": "de"},
            "responseMimeType": "text/x.enum",
            "responseSchema": {"type": "STRING", "enum": ["a"]},
        },
    }
    assert written(decoded(body)) == body
    assert isinstance(decoded(body).messages[0].parts[0], Opaque)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"contents": [{"role": "system", "parts": []}]}, "contents[0].role"),
        ({"contents": [{"parts": [{"text": 1}]}]}, "contents[0].parts[0].text"),
        (
            {"contents": [{"parts": [{"functionCall": {}}]}]},
            "contents[0].parts[0].functionCall.name",
        ),
        (
            {"contents": [{"parts": [{"functionCall": {"name": "f", "args": []}}]}]},
            "contents[0].parts[0].functionCall.args",
        ),
        (
            {"contents": [{"parts": [{"inlineData": {"data": "A"}}]}]},
            "contents[0].parts[0].inlineData.mimeType",
        ),
        ({"contents": [{"parts": [{}, {"thought": 3}]}]}, "contents[0].parts[1].thought"),
        (
            {"contents": "x", "toolConfig": {"functionCallingConfig": {"mode": "SOME"}}},
            "toolConfig.functionCallingConfig.mode",
        ),
        (
            {"contents": "x", "tools": [{"functionDeclarations": [{}]}]},
            "tools[0].functionDeclarations[0].name",
        ),
        (
            {"contents": "x", "generationConfig": {"thinkingConfig": {"thinkingLevel": "huge"}}},
            "generationConfig.thinkingConfig.thinkingLevel",
        ),
    ],
)
def test_malformed_fields_are_named(body: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as caught:
        decoded(body)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Media(media_type="", url="https://a.b/c.JPG?x=1"), "image/jpeg"),
        (Media(media_type="image/webp", url="https://a.b/c"), "image/webp"),
        (Media(media_type="", url="https://a.b/c"), "messages[0].parts[0].url"),
        (Media(media_type="image/png", file_id="file-1"), "messages[0].parts[0].file_id"),
    ],
)
def test_media_by_address(part: Media, expected: str) -> None:
    conv = Conversation(model="m", messages=[Message(role="user", parts=[part])])
    if part.file_id or expected.startswith("messages"):
        with pytest.raises(Inexpressible) as caught:
            written(conv)
        assert caught.value.field == expected
    else:
        made = written(conv)["contents"][0]["parts"][0]["fileData"]
        assert made == {"fileUri": part.url, "mimeType": expected}


def test_foreign_fields_are_dropped_or_refused_by_name() -> None:
    said = [Message(role="user", parts=[Text(text="x")])]
    conv = Conversation(model="m", messages=said, origin="openai", extras={"store": True, "n": 2})
    with pytest.raises(Inexpressible, match="'n'"):
        written(conv)
    policy = DropPolicy(drop=frozenset({"n"}))
    assert "n" not in written(conv, policy=policy)
    assert policy.dropped == ["store", "n"]


@pytest.mark.parametrize(
    ("name", "value", "dropped"),
    [
        ("context_management", {"edits": []}, True),
        ("diagnostics", {}, True),
        ("n", 1, False),
        ("logprobs", False, False),
        ("logprobs", None, False),
        ("container", None, False),
    ],
)
def test_fields_that_change_no_answer_stand_in_no_ones_way(
    name: str, value: Any, dropped: bool
) -> None:
    said = [Message(role="user", parts=[Text(text="x")])]
    conv = Conversation(model="m", messages=said, origin="anthropic", extras={name: value})
    policy = DropPolicy()
    assert name not in written(conv, policy=policy)
    assert policy.dropped == ([name] if dropped else [])


def test_system_text_in_mid_conversation_and_alone() -> None:
    later = Message(role="system", parts=[Text(text="now in German")])
    user = Message(role="user", parts=[Text(text="x")])
    conv = Conversation(model="m", messages=[user, later], system=[Text(text="be brief")])
    assert written(conv)["systemInstruction"]["parts"] == [
        {"text": "be brief"},
        {"text": "now in German"},
    ]
    alone = Conversation(model="m", messages=[], system=[Text(text="be brief")])
    assert written(alone) == {"contents": [{"role": "user", "parts": [{"text": "be brief"}]}]}


@pytest.mark.parametrize(
    ("model", "reasoning", "config"),
    [
        ("gemini-2.5-flash", Reasoning(effort="none"), {"thinkingBudget": 0}),
        ("gemini-2.5-pro", Reasoning(effort="none"), {"thinkingBudget": 128}),
        ("gemini-2.5-flash", Reasoning(effort="max"), {"thinkingBudget": 24_576}),
        ("gemini-2.5-pro", Reasoning(budget_tokens=-1), {"thinkingBudget": -1}),
        ("gemini-2.5-pro", Reasoning(effort="medium"), {"thinkingBudget": 8192}),
        ("gemini-3-pro-preview", Reasoning(effort="minimal"), {"thinkingLevel": "LOW"}),
        ("gemini-3-flash", Reasoning(effort="none"), {"thinkingLevel": "MINIMAL"}),
        ("gemini-3-flash", Reasoning(budget_tokens=8192), {"thinkingLevel": "MEDIUM"}),
        (
            "gemini-3-flash",
            Reasoning(effort="max", show=True),
            {"includeThoughts": True, "thinkingLevel": "HIGH"},
        ),
        ("gemini-3-flash", Reasoning(), None),
    ],
)
def test_reasoning_in_each_generation_s_words(
    model: str, reasoning: Reasoning, config: dict[str, Any] | None
) -> None:
    said = [Message(role="user", parts=[Text(text="x")])]
    conv = Conversation(model="m", messages=said, reasoning=reasoning)
    target = Target(model=model, max_output_tokens=1_000_000)
    assert written(conv, target).get("generationConfig", {}).get("thinkingConfig") == config


def test_a_model_that_cannot_reason_is_not_asked_to() -> None:
    conv = Conversation(
        model="m",
        messages=[Message(role="user", parts=[Text(text="x")])],
        reasoning=Reasoning(effort="high"),
    )
    policy = DropPolicy()
    target = Target(model="gemini-2.0-flash", max_output_tokens=8192, reasoning=False)
    assert "generationConfig" not in written(conv, target, policy)
    assert policy.dropped == ["reasoning"]
