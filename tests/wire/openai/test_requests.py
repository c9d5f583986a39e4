"""A request to a Conversation and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from openai.types.chat import completion_create_params
from pydantic import TypeAdapter

from hybridllm.errors import RequestError
from hybridllm.wire.conversation import (
    CacheMark,
    Conversation,
    Media,
    Message,
    Opaque,
    OutputFormat,
    Part,
    Reasoning,
    Refusal,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from hybridllm.wire.dialect import DropPolicy, Inexpressible, RequestShape, Target
from hybridllm.wire.openai import DIALECT
from tests.wire.openai.strategies import conversations, reasonings

SHAPE = RequestShape()
GPT = Target(model="gpt-4o", max_output_tokens=16_384, reasoning=False)
GPT5 = Target(model="gpt-5-mini", max_output_tokens=128_000)
PARAMS = TypeAdapter(completion_create_params.CompletionCreateParams)
ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
HELLO = Message(role="user", parts=[Text(text="hello")])
STRICT = {
    "type": "object",
    "properties": {
        "a": {"type": ["string", "null"]},
        "b": {"type": "array", "items": {"enum": [1]}},
    },
    "required": ["b", "a"],
    "additionalProperties": False,
}


def exhaust(value: Any) -> None:
    """pydantic checks the items of an iterable only as they are taken."""
    if isinstance(value, dict):
        value = value.values()
    if not isinstance(value, str) and isinstance(value, Iterable):
        for item in value:
            exhaust(item)


def written(conv: Conversation, target: Target = GPT, policy: DropPolicy | None = None) -> Any:
    body = json.loads(DIALECT.encode_request(conv, target, policy or DropPolicy()))
    exhaust(PARAMS.validate_python(body))
    return body


def saying(*messages: Message, **fields: Any) -> Conversation:
    return Conversation(model="m", messages=list(messages) or [HELLO], **fields)


def decoded(**fields: Any) -> Conversation:
    return DIALECT.decode_request(json.dumps(ASK | fields).encode(), SHAPE)


def reading(*content: dict[str, Any]) -> list[Part]:
    return decoded(messages=[{"role": "user", "content": list(content)}]).messages[0].parts


def dropping(conv: Conversation, target: Target = GPT) -> list[str]:
    policy = DropPolicy()
    written(conv, target, policy)
    return policy.dropped


@settings(deadline=None, max_examples=200)
@given(conversations())
def test_what_is_said_survives_the_wire(conv: Conversation) -> None:
    policy = DropPolicy()
    body = DIALECT.encode_request(conv, GPT, policy)
    exhaust(PARAMS.validate_python(json.loads(body)))
    assert policy.dropped == []
    again = DIALECT.decode_request(body, SHAPE)
    assert again.model == GPT.model
    again.model = conv.model
    assert _normal(again) == _normal(conv)


def _normal(conv: Conversation) -> Conversation:
    """An opaque part by value, since JSON may be spaced in another way; and a system message
    directly after the system prompt belongs to it."""
    for message in conv.messages:
        for part in message.parts:
            if isinstance(part, Opaque):
                part.raw = json.dumps(json.loads(part.raw))
    return conv


@given(reasonings)
def test_effort_survives_the_wire(reasoning: Reasoning) -> None:
    target = Target(model="gpt-7", max_output_tokens=9)
    body = DIALECT.encode_request(saying(reasoning=reasoning), target, DropPolicy())
    assert DIALECT.decode_request(body, SHAPE).reasoning == reasoning


# -- what is read


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ({"type": "text", "text": "x"}, Text(text="x")),
        (
            {"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}},
            Text(text="x", cache=CacheMark.SHORT),
        ),
        (
            {
                "type": "text",
                "text": "x",
                "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"},
            },
            Text(text="x", cache=CacheMark.LONG),
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low"}},
            Media(media_type="", url="https://a/b.png", detail="low"),
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/webp;base64,AAAA"}},
            Media(media_type="image/webp", data="AAAA"),
        ),
        (
            {"type": "image_url", "image_url": "https://a/b"},
            Media(media_type="", url="https://a/b"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
            Media(media_type="audio/wav", data="UklG"),
        ),
        (
            {
                "type": "file",
                "file": {"file_data": "data:application/pdf;base64,JV==", "filename": "a.pdf"},
            },
            Media(media_type="application/pdf", data="JV==", name="a.pdf"),
        ),
        (
            {"type": "file", "file": {"file_data": "JV=="}},
            Media(media_type="application/pdf", data="JV=="),
        ),
        (
            {"type": "file", "file": {"file_id": "file-1"}},
            Media(media_type="", file_id="file-1"),
        ),
        (
            {"type": "hologram", "depth": 1.50},
            Opaque(origin="openai", kind="hologram", raw='{"type": "hologram", "depth": 1.5}'),
        ),
    ],
)
def test_content_is_read(content: dict[str, Any], part: Part) -> None:
    assert reading(content) == [part]


def test_a_conversation_with_tools_is_read() -> None:
    conv = decoded(
        messages=[
            {"role": "developer", "content": "a"},
            {"role": "system", "content": [{"type": "text", "text": "b"}]},
            {"role": "user", "content": "do", "name": "ann"},
            {
                "role": "assistant",
                "content": "I call",
                "reasoning_content": "hm",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}},
                    {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "i"}},
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "one"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "two"}]},
            {"role": "user", "content": "and?"},
            {"role": "assistant", "content": None, "refusal": "no"},
            {"role": "system", "content": "later"},
        ]
    )
    assert conv.system == [Text(text="a"), Text(text="b")]
    custom = '{"id": "c2", "type": "custom", "custom": {"name": "g", "input": "i"}}'
    assert conv.messages == [
        Message(role="user", parts=[Text(text="do")], name="ann"),
        Message(
            role="assistant",
            parts=[
                Thinking(text="hm", origin="openai"),
                Text(text="I call"),
                ToolCall(id="c1", name="f", arguments="{}"),
                Opaque(origin="openai", kind="custom_tool_call", raw=custom),
            ],
        ),
        Message(
            role="user",
            parts=[
                ToolResult(call_id="c1", parts=[Text(text="one")]),
                ToolResult(call_id="c2", parts=[Text(text="two")]),
            ],
        ),
        Message(role="user", parts=[Text(text="and?")]),
        Message(role="assistant", parts=[Refusal(text="no")]),
        Message(role="system", parts=[Text(text="later")]),
    ]


def test_legacy_functions_are_read_as_tools() -> None:
    call = {"name": "f", "arguments": '{"a":1}'}
    conv = decoded(
        functions=[{"name": "f", "description": "d", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
        max_tokens=5,
        messages=[
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": None, "function_call": call},
            {"role": "function", "name": "f", "content": "r"},
        ],
    )
    assert conv.tools == [Tool(name="f", description="d", schema={"type": "object"})]
    assert conv.tool_choice == ToolChoice(mode="tool", name="f")
    assert conv.max_output_tokens == 5
    made, answered = (message.parts[0] for message in conv.messages[1:])
    assert made == ToolCall(id="call_1", name="f", arguments='{"a":1}')
    assert answered == ToolResult(call_id="call_1", name="f", parts=[Text(text="r")])


@pytest.mark.parametrize(
    ("wire", "choice"),
    [
        ("auto", ToolChoice(mode="auto")),
        ("required", ToolChoice(mode="required")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice(mode="tool", name="f")),
        ({"type": "custom", "custom": {"name": "f"}}, ToolChoice(mode="tool", name="f")),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "f"}}],
                },
            },
            ToolChoice(mode="required", allowed=("f",)),
        ),
    ],
)
def test_choices_among_tools_are_read(wire: Any, choice: ToolChoice) -> None:
    assert decoded(tool_choice=wire).tool_choice == choice


def test_the_fields_of_a_request() -> None:
    conv = decoded(
        max_completion_tokens=7,
        max_tokens=9,
        stop="END",
        temperature=0.1,
        top_p=0.2,
        seed=3,
        presence_penalty=0.4,
        frequency_penalty=0.5,
        reasoning_effort="low",
        user="u",
        safety_identifier="s",
        prompt_cache_key="k",
        stream=True,
        stream_options={"include_usage": True, "include_obfuscation": False},
        metadata={"task": "t", "a": "b"},
        session_id="gone",
        parallel_tool_calls=False,
        response_format={"type": "json_object"},
        logit_bias={"1": 2},
    )
    assert (conv.max_output_tokens, conv.stop, conv.include_usage) == (7, ["END"], True)
    assert conv.sampling == Sampling(
        temperature=0.1, top_p=0.2, seed=3, presence_penalty=0.4, frequency_penalty=0.5
    )
    assert conv.reasoning == Reasoning(effort="low")
    assert (conv.end_user, conv.cache_key, conv.parallel_tools) == ("s", "k", False)
    assert conv.output == OutputFormat(kind="json")
    assert conv.extras == {
        "metadata": {"a": "b"},
        "stream_options": {"include_obfuscation": False},
        "logit_bias": {"1": 2},
    }
    body = written(conv)
    assert body["stream_options"] == {"include_obfuscation": False, "include_usage": True}
    assert body["metadata"] == {"a": "b"} and body["logit_bias"] == {"1": 2}
    assert "session_id" not in body


USER = {"role": "user", "content": "x"}
MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"model": 1}, "model"),
    ({"messages": {}}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": [1]}, "messages[0]"),
    ({"messages": [{"content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "narrator", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [USER, {"role": "user", "content": 1}]}, "messages[1].content"),
    ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type"),
    (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        "messages[0].content[0].text",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        "messages[0].content[0].image_url.url",
    ),
    (
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]}
            ]
        },
        "messages[0].content[0].image_url.url",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
        "messages[0].content[0].file.file_data",
    ),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
    (
        {"messages": [{"role": "assistant", "tool_calls": [{"id": "c", "type": "function"}]}]},
        "messages[0].tool_calls[0].function",
    ),
    (
        {"messages": [{"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": 1}}]}]},
        "messages[0].tool_calls[0].function.name",
    ),
    ({"tools": [{"type": "function"}]}, "tools[0].function"),
    (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
        "tools[0].function.parameters",
    ),
    ({"functions": [{}]}, "functions[0].name"),
    ({"tool_choice": "maybe"}, "tool_choice"),
    ({"tool_choice": {"type": "function"}}, "tool_choice.function.name"),
    ({"function_call": "maybe"}, "function_call"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"stop": 1}, "stop"),
    ({"temperature": "hot"}, "temperature"),
    ({"reasoning_effort": "enormous"}, "reasoning_effort"),
    ({"stream": "yes"}, "stream"),
]


@pytest.mark.parametrize(("fields", "path"), MALFORMED)
def test_a_malformed_field_is_named(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(RequestError) as refused:
        decoded(**fields)
    assert refused.value.field == path


# -- what is written


def test_models_that_reason_take_no_sampling_but_its_default() -> None:
    sampling = Sampling(temperature=0.5, top_p=0.5, presence_penalty=1, frequency_penalty=1, seed=4)
    conv = saying(sampling=sampling, max_output_tokens=50)
    body = written(conv, GPT5)
    assert body["max_completion_tokens"] == 50 and "max_tokens" not in body
    assert "temperature" not in body and body["seed"] == 4
    assert dropping(conv, GPT5) == [
        "temperature",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
    ]
    assert dropping(saying(sampling=Sampling(temperature=1, top_p=1)), GPT5) == []
    older = written(conv)
    assert older["max_tokens"] == 50 and older["temperature"] == 0.5


@pytest.mark.parametrize(
    ("model", "reasoning", "effort"),
    [
        ("gpt-5.2", Reasoning(effort="xhigh"), "xhigh"),
        ("gpt-5.1", Reasoning(effort="xhigh"), "high"),
        ("gpt-5.1", Reasoning(effort="minimal"), "low"),
        ("gpt-5-mini", Reasoning(effort="none"), "minimal"),
        ("o4-mini", Reasoning(effort="max"), "high"),
        ("o3", Reasoning(budget_tokens=0), "low"),
        ("gpt-5.2", Reasoning(budget_tokens=0), "none"),
        ("gpt-5.2", Reasoning(budget_tokens=2000), "low"),
        ("gpt-5.2", Reasoning(budget_tokens=16384), "high"),
        ("gpt-5.2", Reasoning(budget_tokens=-1), "medium"),
        ("gpt-5.2", Reasoning(show=True), None),
        ("qwen3-32b", Reasoning(effort="minimal"), "minimal"),
    ],
)
def test_efforts_in_each_generations_words(
    model: str, reasoning: Reasoning, effort: str | None
) -> None:
    body = written(saying(reasoning=reasoning), Target(model=model, max_output_tokens=9))
    assert body.get("reasoning_effort") == effort


def test_thought_that_cannot_be_had_is_dropped() -> None:
    assert dropping(saying(reasoning=Reasoning(budget_tokens=9))) == ["reasoning"]
    assert dropping(saying(reasoning=Reasoning(budget_tokens=0))) == []


def test_pictures_of_a_result_follow_in_a_users_message() -> None:
    picture = Media(media_type="image/png", data="AAAA")
    conv = saying(
        Message(role="assistant", parts=[ToolCall(id="c", name="f", arguments="{}")]),
        Message(
            role="user",
            parts=[
                ToolResult(call_id="c", parts=[picture]),
                ToolResult(call_id="d", parts=[Text(text="ok")], is_error=True),
                Text(text="go on"),
            ],
        ),
    )
    policy = DropPolicy()
    _, first, second, user = written(conv, policy=policy)["messages"]
    assert first["role"] == "tool" and "follows" in first["content"]
    assert second == {"role": "tool", "tool_call_id": "d", "content": "ok"}
    url = {"url": "data:image/png;base64,AAAA"}
    assert user["content"] == [
        {"type": "image_url", "image_url": url},
        {"type": "text", "text": "go on"},
    ]
    assert policy.dropped == ["is_error"]


def test_anothers_thoughts_become_text() -> None:
    thought = Thinking(text="hm", signature="s", origin="anthropic")
    sealed = Thinking(sealed="s", origin="anthropic")
    own = Thinking(text="so", origin="openai")
    conv = saying(Message(role="assistant", parts=[thought, sealed, own, Text(text="a")]))
    assert written(conv)["messages"] == [
        {
            "role": "assistant",
            "reasoning_content": "so",
            "content": [
                {"type": "text", "text": "<earlier_reasoning>\nhm\n</earlier_reasoning>"},
                {"type": "text", "text": "a"},
            ],
        }
    ]


@pytest.mark.parametrize(
    ("part", "field", "target"),
    [
        (Media(media_type="image/png", data="A"), "messages[0].parts[0].media_type", "blind"),
        (Media(media_type="application/pdf", data="A"), "messages[0].parts[0].media_type", "blind"),
        (Media(media_type="application/pdf", url="https://a/b"), "messages[0].parts[0].url", ""),
        (Media(media_type="", url="https://a/b.pdf"), "messages[0].parts[0].url", ""),
        (Media(media_type="", file_id="files/1"), "messages[0].parts[0].file_id", ""),
        (Media(media_type="audio/flac", data="A"), "messages[0].parts[0].media_type", ""),
        (Media(media_type="video/mp4", data="A"), "messages[0].parts[0].media_type", ""),
        (Opaque(origin="google", kind="executableCode", raw="{}"), "executableCode", ""),
    ],
)
def test_what_cannot_be_shown_is_refused(part: Part, field: str, target: str) -> None:
    seeing = not target
    goal = Target(model="m", max_output_tokens=9, vision=seeing, documents=seeing)
    conv = saying(Message(role="user", parts=[part, Text(text="x")]))
    with pytest.raises(Inexpressible) as refused:
        DIALECT.encode_request(conv, goal, DropPolicy())
    assert refused.value.field == field
    policy = DropPolicy(drop=frozenset({"messages", "executableCode"}))
    assert written(conv, goal, policy)["messages"] == [{"role": "user", "content": "x"}]
    assert policy.dropped == [field]


def test_a_part_newer_than_this_file_goes_back_as_it_came() -> None:
    for part in ({"type": "verse", "text": "x"}, {"type": "hologram", "depth": 1.5}):
        conv = decoded(messages=[{"role": "user", "content": [part]}])
        body = json.loads(DIALECT.encode_request(conv, GPT, DropPolicy()))
        assert body["messages"][0]["content"] == [part]


def test_a_document_of_plain_text_is_text() -> None:
    part = Media(media_type="text/plain", data="w6k=")
    body = written(saying(Message(role="user", parts=[part])))
    assert body["messages"][0]["content"] == "é"


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (STRICT, True),
        (STRICT | {"additionalProperties": True}, False),
        (STRICT | {"required": ["a"]}, False),
        (STRICT | {"minProperties": 1}, False),
        (STRICT | {"properties": {"a": {"type": "string", "format": "uri"}, "b": {}}}, False),
        ({"type": "array", "items": STRICT}, False),
        ({"type": "object", "properties": 3}, False),
        ({"type": "object", "additionalProperties": False, "anyOf": [STRICT]}, False),
    ],
)
def test_anothers_schema_is_strict_if_it_can_be(schema: dict[str, Any], strict: bool) -> None:
    output = OutputFormat(kind="schema", name="my format!" * 9, schema=schema, strict=True)
    tool = Tool(name="f", schema=schema, strict=True)
    body = json.loads(
        DIALECT.encode_request(saying(output=output, tools=[tool]), GPT, DropPolicy())
    )
    made = body["response_format"]["json_schema"]
    assert made["strict"] is strict and made["schema"] == schema
    assert made["name"] == ("my_format_" * 9)[:64]
    assert body["tools"][0]["function"]["strict"] is strict


def test_json_without_a_schema_must_be_spoken_of() -> None:
    conv = saying(output=OutputFormat(kind="json"))
    body = written(conv)
    assert body["response_format"] == {"type": "json_object"}
    assert "JSON" in body["messages"][0]["content"]
    spoken = saying(Message(role="user", parts=[Text(text="as Json")]), output=conv.output)
    assert len(written(spoken)["messages"]) == 1


def test_a_model_without_schemas() -> None:
    target = Target(model="m", max_output_tokens=9, json_schema=False)
    conv = saying(output=OutputFormat(kind="schema", schema=STRICT))
    with pytest.raises(Inexpressible, match="output"):
        DIALECT.encode_request(conv, target, DropPolicy())
    body = written(conv, target, DropPolicy(drop=frozenset({"output"})))
    assert body["response_format"] == {"type": "json_object"}
    assert "additionalProperties" in body["messages"][0]["content"]


def test_choosing_among_some_tools_leaves_out_the_others() -> None:
    tools = [Tool(name="f"), Tool(name="g")]
    conv = saying(tools=tools, tool_choice=ToolChoice(mode="required", allowed=("g",)))
    body = written(conv)
    assert [tool["function"]["name"] for tool in body["tools"]] == ["g"]
    assert body["tool_choice"] == "required"
    assert "tool_choice" not in written(saying(tool_choice=ToolChoice(mode="auto")))


@pytest.mark.parametrize(
    ("name", "value", "harmless"),
    [
        ("context_management", {"edits": []}, True),
        ("diagnostics", {}, True),
        ("tool_options", {"f": {}}, True),
        ("safetySettings", [], True),
        ("container", "c", False),
        ("cachedContent", "c", False),
        ("generationConfig.candidateCount", 1, None),
        ("generationConfig.candidateCount", 2, False),
        ("generationConfig.responseModalities", ["TEXT"], None),
    ],
)
def test_fields_of_other_dialects(name: str, value: Any, harmless: bool | None) -> None:
    conv = saying(extras={name: value}, origin="google")
    if harmless is False:
        with pytest.raises(Inexpressible):
            DIALECT.encode_request(conv, GPT, DropPolicy())
    else:
        assert dropping(conv) == ([name] if harmless else [])


def test_what_is_dropped_is_named() -> None:
    assert dropping(saying(sampling=Sampling(top_k=3))) == ["top_k"]
    marked = Message(role="user", parts=[Text(text="x", cache=CacheMark.LONG)])
    assert dropping(saying(marked, origin="anthropic")) == []
    assert written(saying(marked, origin="anthropic"))["messages"][0]["content"] == "x"


def test_stop_sequences_that_cannot_be_kept_are_refused() -> None:
    with pytest.raises(Inexpressible, match="stop"):
        written(saying(stop=["a"]), GPT5)
    with pytest.raises(Inexpressible, match="stop"):
        written(saying(stop=list("abcde")))
    policy = DropPolicy(drop=frozenset({"stop"}))
    assert written(saying(stop=list("abcde")), policy=policy)["stop"] == list("abcd")
    qwen = Target(model="qwen3-32b", max_output_tokens=9)
    assert written(saying(stop=["a"]), qwen)["stop"] == ["a"]


def test_a_tools_name_must_fit() -> None:
    with pytest.raises(Inexpressible) as refused:
        written(saying(tools=[Tool(name="a.b")]))
    assert refused.value.field == "tools[0].name"
    foreign = Tool(name="web_search", opaque="{}", origin="anthropic")
    with pytest.raises(Inexpressible, match="web_search"):
        written(saying(tools=[foreign]))


def test_a_stream_is_asked_for_its_usage() -> None:
    body = written(saying(stream=True))
    assert body["stream"] is True and body["stream_options"] == {"include_usage": True}
