"""A request to a Conversation and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from openai.types.responses import response_create_params
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
from hybridllm.wire.registry import get_dialect
from hybridllm.wire.responses import DIALECT
from tests.wire.openai.strategies import reasonings
from tests.wire.openai.test_requests import exhaust
from tests.wire.responses.strategies import conversations

SHAPE = RequestShape()
GPT = Target(model="gpt-4o", max_output_tokens=16_384, reasoning=False)
GPT5 = Target(model="gpt-5-mini", max_output_tokens=128_000)
BLIND = Target(model="m", max_output_tokens=99, vision=False, documents=False, json_schema=False)
PARAMS: TypeAdapter[Any] = TypeAdapter(response_create_params.ResponseCreateParams)
ASK: dict[str, Any] = {"model": "m", "input": "x"}
HELLO = Message(role="user", parts=[Text(text="hello")])
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


def written(conv: Conversation, target: Target = GPT, policy: DropPolicy | None = None) -> Any:
    body = json.loads(DIALECT.encode_request(conv, target, policy or DropPolicy()))
    exhaust(PARAMS.validate_python(body))
    return body


def saying(*messages: Message, **fields: Any) -> Conversation:
    return Conversation(model="m", messages=list(messages) or [HELLO], **fields)


def decoded(**fields: Any) -> Conversation:
    return DIALECT.decode_request(json.dumps(ASK | fields).encode(), SHAPE)


def reading(*content: dict[str, Any]) -> list[Part]:
    return decoded(input=[{"role": "user", "content": list(content)}]).messages[0].parts


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
    """An opaque part by value, since JSON may be spaced in another way."""
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
        ({"type": "input_text", "text": "x"}, Text(text="x")),
        ({"type": "output_text", "text": "x", "annotations": []}, Text(text="x")),
        (
            {"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}},
            Text(text="x", cache=CacheMark.SHORT),
        ),
        ({"type": "refusal", "refusal": "no"}, Refusal(text="no")),
        (
            {"type": "input_image", "image_url": "https://a/b.png", "detail": "low"},
            Media(media_type="", url="https://a/b.png", detail="low"),
        ),
        (
            {
                "type": "input_image",
                "image_url": "data:image/webp;base64,AAAA",
                "detail": "auto",
                "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"},
            },
            Media(media_type="image/webp", data="AAAA", detail="auto", cache=CacheMark.LONG),
        ),
        (
            {"type": "input_image", "file_id": "file-1"},
            Media(media_type="image/*", file_id="file-1"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
            Media(media_type="audio/wav", data="UklG"),
        ),
        (
            {"type": "input_file", "file_data": "data:text/csv;base64,JV==", "filename": "a.csv"},
            Media(media_type="text/csv", data="JV==", name="a.csv"),
        ),
        (
            {"type": "input_file", "file_data": "JV=="},
            Media(media_type="application/pdf", data="JV=="),
        ),
        (
            {"type": "input_file", "file_url": "https://a/b.pdf"},
            Media(media_type="application/pdf", url="https://a/b.pdf"),
        ),
        ({"type": "input_file", "file_id": "file-1"}, Media(media_type="", file_id="file-1")),
        (
            {"type": "hologram", "depth": 1.50},
            Opaque(
                origin="responses",
                kind="content.hologram",
                raw='{"type": "hologram", "depth": 1.5}',
            ),
        ),
    ],
)
def test_content_is_read(content: dict[str, Any], part: Part) -> None:
    assert reading(content) == [part]


def test_an_agents_conversation_is_read() -> None:
    custom = {"type": "custom_tool_call", "call_id": "c3", "name": "patch", "input": "i"}
    patched = {"type": "custom_tool_call_output", "call_id": "c3", "output": "ok"}
    conv = decoded(
        instructions="be good",
        input=[
            {"role": "developer", "content": "a"},
            {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "b"}]},
            {"role": "user", "content": "do"},
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "hm"}],
                "encrypted_content": "gAA",
            },
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "I call", "annotations": []}],
            },
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "", "id": "fc_1"},
            {"type": "function_call", "call_id": "c2", "name": "f", "arguments": '{"a": 1.50}'},
            custom,
            {"type": "function_call_output", "call_id": "c1", "output": "one"},
            {
                "type": "function_call_output",
                "call_id": "c2",
                "output": [
                    {"type": "input_text", "text": "two"},
                    {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
                ],
            },
            patched,
            {"role": "user", "content": "and?"},
            {"role": "assistant", "content": "well"},
            {"role": "system", "content": "later"},
        ],
    )
    assert conv.system == [Text(text="be good"), Text(text="a"), Text(text="b")]
    assert conv.messages == [
        Message(role="user", parts=[Text(text="do")]),
        Message(
            role="assistant",
            parts=[
                Thinking(text="hm", sealed="gAA", origin="openai", id="rs_1"),
                Text(text="I call"),
                ToolCall(id="c1", name="f", arguments="{}"),
                ToolCall(id="c2", name="f", arguments='{"a": 1.50}'),
                Opaque(origin="responses", kind="custom_tool_call", raw=json.dumps(custom)),
            ],
        ),
        Message(
            role="user",
            parts=[
                ToolResult(call_id="c1", parts=[Text(text="one")]),
                ToolResult(
                    call_id="c2",
                    parts=[Text(text="two"), Media(media_type="image/png", data="AAAA")],
                ),
                Opaque(origin="responses", kind="custom_tool_call_output", raw=json.dumps(patched)),
            ],
        ),
        Message(role="user", parts=[Text(text="and?")]),
        Message(role="assistant", parts=[Text(text="well")]),
        Message(role="system", parts=[Text(text="later")]),
    ]


def test_foreign_thoughts_are_read_as_whose_they_are() -> None:
    def item(encrypted: str, *texts: str) -> dict[str, Any]:
        summary = [{"type": "summary_text", "text": text} for text in texts]
        return {"type": "reasoning", "id": "rs_x_0", "summary": summary} | {
            "encrypted_content": encrypted
        }

    conv = decoded(
        input=[
            item("hllm1.anthropic.sig.na", "Hm."),
            item("hllm1.anthropic:sealed.x"),
            item("hllm1.google.s"),
            item("hllm1.google.", "So"),
        ]
    )
    assert conv.messages[0].parts == [
        Thinking(text="Hm.", signature="sig.na", origin="anthropic"),
        Thinking(sealed="x", origin="anthropic"),
        Thinking(signature="s", origin="google"),
        Thinking(text="So", origin="google"),
    ]


def test_all_settings_are_read() -> None:
    conv = decoded(
        max_output_tokens=50,
        temperature=0.5,
        top_p=0.25,
        stream=True,
        parallel_tool_calls=False,
        reasoning={"effort": "high", "summary": "detailed", "context": "all_turns"},
        text={"verbosity": "low", "format": {"type": "json_object"}},
        safety_identifier="s",
        user="u",
        prompt_cache_key="k",
        metadata={"task": "t", "a": "b"},
        session_id="s-1",
        store=True,
        background=False,
        truncation="disabled",
        top_logprobs=0,
        include=["reasoning.encrypted_content"],
        max_tool_calls=None,
        previous_response_id="resp_1",
        future={"z": 1},
    )
    assert conv.sampling == Sampling(temperature=0.5, top_p=0.25)
    assert (conv.max_output_tokens, conv.stream, conv.parallel_tools) == (50, True, False)
    assert conv.reasoning == Reasoning(effort="high", show=True)
    assert conv.output == OutputFormat(kind="json")
    assert (conv.end_user, conv.cache_key) == ("s", "k")
    assert conv.extras == {
        "include": ["reasoning.encrypted_content"],
        "previous_response_id": "resp_1",
        "future": {"z": 1},
        "metadata": {"a": "b"},
        "verbosity": "low",
        "reasoning.summary": "detailed",
        "reasoning.context": "all_turns",
    }
    again = written(conv, GPT5)
    assert again["reasoning"] == {"effort": "high", "summary": "detailed", "context": "all_turns"}
    assert again["text"] == {"verbosity": "low", "format": {"type": "json_object"}}
    assert again["future"] == {"z": 1} and again["metadata"] == {"a": "b"}


@pytest.mark.parametrize(
    ("wire", "output"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, OutputFormat(kind="json")),
        (
            {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True},
            OutputFormat(kind="schema", name="n", schema=SCHEMA, strict=True),
        ),
    ],
)
def test_formats_are_read(wire: dict[str, Any], output: OutputFormat | None) -> None:
    assert decoded(text={"format": wire}).output == output


def test_a_format_newer_than_this_goes_back_as_it_came() -> None:
    conv = decoded(text={"format": {"type": "grammar", "z": 1}})
    body = json.loads(DIALECT.encode_request(conv, GPT, DropPolicy()))
    assert body["text"] == {"format": {"type": "grammar", "z": 1}}
    with pytest.raises(Inexpressible, match=r"text\.format"):
        get_dialect("anthropic").encode_request(conv, GPT, DropPolicy())


CHOICES: list[tuple[Any, ToolChoice]] = [
    ("auto", ToolChoice(mode="auto")),
    ("required", ToolChoice(mode="required")),
    ("none", ToolChoice(mode="none")),
    ({"type": "function", "name": "f"}, ToolChoice(mode="tool", name="f")),
    ({"type": "custom", "name": "run"}, ToolChoice(mode="tool", name="run")),
    ({"type": "web_search"}, ToolChoice(mode="tool", name="web_search")),
    ({"type": "mcp", "server_label": "wiki"}, ToolChoice(mode="tool", name="wiki")),
    (
        {
            "type": "allowed_tools",
            "mode": "required",
            "tools": [{"type": "function", "name": "f"}, {"type": "web_search"}],
        },
        ToolChoice(mode="required", allowed=("f", "web_search")),
    ),
]


@pytest.mark.parametrize(("wire", "choice"), CHOICES)
def test_tool_choices_there_and_back(wire: Any, choice: ToolChoice) -> None:
    tools = [
        {"type": "function", "name": "f", "parameters": SCHEMA, "strict": True},
        {"type": "custom", "name": "run", "format": {"type": "text"}},
        {"type": "web_search", "search_context_size": "low"},
        {"type": "mcp", "server_label": "wiki", "server_url": "https://a"},
    ]
    conv = decoded(tools=tools, tool_choice=wire)
    assert conv.tool_choice == choice
    body = json.loads(DIALECT.encode_request(conv, GPT, DropPolicy()))
    assert (body["tools"], body["tool_choice"]) == (tools, wire)


def test_what_a_function_has_beyond_its_schema_goes_back() -> None:
    tool = {"type": "function", "name": "f", "parameters": SCHEMA, "defer_loading": True}
    conv = decoded(tools=[tool])
    assert conv.tools == [Tool(name="f", schema=SCHEMA)]
    assert written(conv)["tools"] == [tool | {"strict": None}]


MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"model": 5}, "model"),
    ({"input": 5}, "input"),
    ({"input": [5]}, "input[0]"),
    ({"input": [{"role": "user"}]}, "input[0].content"),
    ({"input": [{"content": "x"}]}, "input[0].role"),
    ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
    ({"input": [{"role": "user", "content": [{"text": "x"}]}]}, "input[0].content[0].type"),
    (
        {"input": [{"role": "user", "content": [{"type": "input_text"}]}]},
        "input[0].content[0].text",
    ),
    (
        {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
        "input[0].content[0].image_url",
    ),
    (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:,x"}]}]},
        "input[0].content[0].image_url",
    ),
    (
        {"input": [{"role": "user", "content": [{"type": "input_file"}]}]},
        "input[0].content[0].file_data",
    ),
    (
        {"input": [{"role": "system", "content": [{"type": "input_image", "file_id": "f"}]}]},
        "input[0].content[0].type",
    ),
    ({"input": [{"type": "function_call", "name": "f", "call_id": ""}]}, "input[0].call_id"),
    ({"input": [{"type": "function_call", "call_id": "c"}]}, "input[0].name"),
    ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
    ({"input": [{"type": "function_call_output", "call_id": "c"}]}, "input[0].output"),
    (
        {
            "input": [
                {"type": "function_call_output", "call_id": "c", "output": [{"type": "hologram"}]}
            ]
        },
        "input[0].output[0].type",
    ),
    ({"input": [{"type": "reasoning", "summary": "x"}]}, "input[0].summary"),
    ({"tools": [{"type": "function"}]}, "tools[0].name"),
    ({"tools": [{"name": "f"}]}, "tools[0].type"),
    ({"tool_choice": "sometimes"}, "tool_choice"),
    ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
    ({"tool_choice": {"type": "allowed_tools", "mode": "x"}}, "tool_choice.mode"),
    ({"text": {"format": {"type": "json_schema", "schema": 5}}}, "text.format"),
    ({"reasoning": {"effort": "enormous"}}, "reasoning.effort"),
    ({"max_output_tokens": "many"}, "max_output_tokens"),
    ({"temperature": "hot"}, "temperature"),
    ({"stream": "yes"}, "stream"),
    ({"instructions": 5}, "instructions"),
]


@pytest.mark.parametrize(("fields", "field"), MALFORMED)
def test_malformed_fields_are_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as failed:
        decoded(**fields)
    assert failed.value.field == field


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"input":' + b"[" * 9999])
def test_a_body_that_is_no_request(body: bytes) -> None:
    with pytest.raises(RequestError):
        DIALECT.decode_request(body, SHAPE)


# -- what is written


def test_instructions_are_what_stands_first_in_the_system_prompt() -> None:
    body = written(saying(system=[Text(text="a"), Text(text="b")]))
    assert body["instructions"] == "a"
    assert body["input"][0] == {
        "type": "message",
        "role": "system",
        "content": [{"type": "input_text", "text": "b"}],
    }
    marked = saying(system=[Text(text="a", cache=CacheMark.SHORT)], origin="responses")
    assert "instructions" not in written(marked)


def test_another_dialects_caller_has_nothing_stored() -> None:
    body = written(saying(origin="anthropic"))
    assert body["store"] is False and body["include"] == ["reasoning.encrypted_content"]
    assert "store" not in written(saying(origin="responses"))


def test_only_openais_thoughts_go_back_as_thoughts() -> None:
    thoughts: list[Part] = [
        Thinking(text="first", signature="s", origin="anthropic"),
        Thinking(text="own", sealed="gAA", origin="openai", id="rs_1"),
        Thinking(text="second", origin="google"),
        Thinking(sealed="x", origin="anthropic"),
    ]
    turn = Message(role="assistant", parts=[*thoughts, Text(text="so")])
    told, own, said = written(saying(HELLO, turn))["input"][1:]
    earlier = "<earlier_reasoning>\nfirst\n\nsecond\n</earlier_reasoning>"
    assert [part["text"] for part in told["content"]] == [earlier]
    assert own == {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "own"}],
        "encrypted_content": "gAA",
    }
    assert [part["text"] for part in said["content"]] == ["so"]


def test_functions_of_others_are_strict_only_where_openai_would_take_them() -> None:
    loose = {"type": "object", "properties": {"a": {"type": "string"}}}
    conv = saying(
        origin="anthropic",
        tools=[
            Tool(name="f", schema=SCHEMA, strict=True),
            Tool(name="g", schema=loose, strict=True),
            Tool(name="h", schema=loose),
            Tool(name="i"),
        ],
        tool_choice=ToolChoice(mode="required", allowed=("f", "g", "h")),
        output=OutputFormat(kind="schema", name="a b", schema=loose),
    )
    body = written(conv)
    assert [(tool["name"], tool["strict"]) for tool in body["tools"]] == [
        ("f", True),
        ("g", False),
        ("h", False),
    ]
    assert body["tool_choice"] == "required"
    assert body["text"]["format"] == {
        "type": "json_schema",
        "name": "a_b",
        "schema": loose,
        "strict": False,
    }


def test_json_without_a_schema_is_spoken_of() -> None:
    body = written(saying(origin="google", output=OutputFormat(kind="json")))
    assert body["text"] == {"format": {"type": "json_object"}}
    assert "JSON" in body["input"][0]["content"][0]["text"]


def test_results_with_media_and_without_anything() -> None:
    results: list[Part] = [
        ToolResult(call_id="a", parts=[]),
        ToolResult(call_id="b", parts=[Media(media_type="image/png", data="AAAA")], is_error=True),
    ]
    conv = saying(HELLO, Message(role="user", parts=results))
    policy = DropPolicy()
    body = written(conv, GPT, policy)
    assert [item["output"] for item in body["input"][1:]] == [
        "",
        [{"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AAAA"}],
    ]
    assert policy.dropped == ["is_error"]


DROPS: list[tuple[dict[str, Any], Target, list[str]]] = [
    ({"sampling": Sampling(temperature=0.5, top_p=0.5)}, GPT5, ["temperature", "top_p"]),
    ({"sampling": Sampling(temperature=1, top_p=1)}, GPT5, []),
    ({"sampling": Sampling(temperature=0.5)}, GPT, []),
    ({"sampling": Sampling(top_k=1, seed=1)}, GPT, ["top_k", "seed"]),
    ({"sampling": Sampling(presence_penalty=1, frequency_penalty=0)}, GPT, ["presence_penalty"]),
    ({"reasoning": Reasoning(effort="high")}, GPT, ["reasoning"]),
    ({"reasoning": Reasoning(effort="none")}, GPT, []),
    ({"extras": {"labels": {"a": "b"}, "n": 1}}, GPT, ["labels"]),
]


@pytest.mark.parametrize(("fields", "target", "dropped"), DROPS)
def test_what_is_dropped(fields: dict[str, Any], target: Target, dropped: list[str]) -> None:
    assert dropping(saying(**fields), target) == dropped


REFUSED: list[tuple[Conversation, Target, str]] = [
    (saying(stop=["END"]), GPT, "stop"),
    (saying(extras={"logit_bias": {"1": 2}}), GPT, "logit_bias"),
    (saying(tools=[Tool(name="bash", opaque="{}", origin="anthropic")]), GPT, "bash"),
    (saying(tools=[Tool(name="a b")]), GPT, "tools[0].name"),
    (saying(output=OutputFormat(kind="schema", schema=SCHEMA)), BLIND, "output"),
]


@pytest.mark.parametrize(("conv", "target", "field"), REFUSED)
def test_what_is_refused(conv: Conversation, target: Target, field: str) -> None:
    with pytest.raises(Inexpressible) as failed:
        written(conv, target)
    assert failed.value.field == field


@pytest.mark.parametrize(
    "part",
    [
        Media(media_type="", file_id="files/1"),
        Media(media_type="image/png", data="AAAA"),
        Media(media_type="application/pdf", data="JV=="),
        Media(media_type="audio/flac", data="AAAA"),
        Media(media_type="audio/wav", url="https://a/b.wav"),
        Media(media_type="text/plain", data="/w=="),
        Opaque(origin="google", kind="executableCode", raw="{}"),
    ],
)
def test_media_that_the_model_cannot_see_is_refused(part: Part) -> None:
    with pytest.raises(Inexpressible):
        written(saying(Message(role="user", parts=[part])), BLIND)
    with pytest.raises(Inexpressible):
        written(saying(HELLO, Message(role="assistant", parts=[part])), BLIND)


def test_sound_and_documents_of_text() -> None:
    parts: list[Part] = [
        Media(media_type="audio/mpeg", data="AAAA"),
        Media(media_type="text/plain", data="aGk="),
    ]
    body = json.loads(
        DIALECT.encode_request(saying(Message(role="user", parts=parts)), GPT, DropPolicy())
    )
    assert body["input"][0]["content"] == [
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
        {"type": "input_text", "text": "hi"},
    ]


def test_limits_are_within_what_openai_takes() -> None:
    assert written(saying(max_output_tokens=1))["max_output_tokens"] == 16
    assert written(saying(max_output_tokens=10**6))["max_output_tokens"] == 16_384


# -- what other dialects make of what only this one says

ONLY_HERE: list[tuple[dict[str, Any], str]] = [
    ({"background": True}, "background"),
    ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ({"conversation": "conv_1"}, "conversation"),
    ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    ({"top_logprobs": 3}, "top_logprobs"),
    ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "item_reference"),
    ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "web_search_call"),
    ({"tools": [{"type": "web_search"}]}, "web_search"),
    ({"tools": [{"type": "custom", "name": "patch"}]}, "patch"),
    ({"tools": [{"type": "mcp", "server_label": "wiki"}]}, "wiki"),
]


@pytest.mark.parametrize("name", ["openai", "anthropic", "google"])
@pytest.mark.parametrize(("fields", "field"), ONLY_HERE)
def test_what_others_cannot_say_is_refused_by_name(
    name: str, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(Inexpressible) as failed:
        get_dialect(name).encode_request(decoded(**fields), GPT5, DropPolicy())
    assert failed.value.field == field and failed.value.remedy


@pytest.mark.parametrize("name", ["openai", "anthropic", "google"])
def test_an_agents_usual_settings_are_no_trouble_anywhere(name: str) -> None:
    """As Codex and the Agents SDK send them."""
    conv = decoded(
        store=False,
        include=["reasoning.encrypted_content"],
        truncation="disabled",
        parallel_tool_calls=True,
        prompt_cache_key="k",
        reasoning={"effort": "medium", "summary": "auto"},
        text={"format": {"type": "text"}},
        tools=[{"type": "function", "name": "f", "parameters": SCHEMA, "strict": False}],
        tool_choice="auto",
    )
    policy = DropPolicy()
    get_dialect(name).encode_request(conv, GPT5, policy)
    assert set(policy.dropped) <= {"cache_key"}
    more = decoded(
        truncation="auto",
        metadata={"a": "b"},
        service_tier="flex",
        text={"verbosity": "low"},
        reasoning={"summary": "concise"},
        max_tool_calls=3,
        stream_options={"include_obfuscation": False},
    )
    policy = DropPolicy()
    get_dialect(name).encode_request(more, GPT5, policy)
    assert {"truncation", "verbosity", "reasoning.summary", "max_tool_calls"} <= set(policy.dropped)
