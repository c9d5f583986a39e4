"""A request to a Conversation and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from anthropic.types import message_create_params
from hypothesis import given, settings
from pydantic import TypeAdapter

from hybridllm.errors import RequestError
from hybridllm.wire.anthropic import DIALECT
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
from tests.wire.anthropic.strategies import conversations

SHAPE = RequestShape()
CLAUDE = Target(model="claude-sonnet-4-6", max_output_tokens=64_000)
PARAMS = TypeAdapter(message_create_params.MessageCreateParams)
ASK: dict[str, Any] = {
    "model": "m",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "x"}],
}
HELLO = Message(role="user", parts=[Text(text="hello")])


def written(conv: Conversation, target: Target = CLAUDE, policy: DropPolicy | None = None) -> Any:
    body = json.loads(DIALECT.encode_request(conv, target, policy or DropPolicy()))
    exhaust(PARAMS.validate_python(body))
    return body


def exhaust(value: Any) -> None:
    """pydantic checks the items of an iterable only as they are taken."""
    if isinstance(value, dict):
        value = value.values()
    if not isinstance(value, str) and isinstance(value, Iterable):
        for item in value:
            exhaust(item)


def decoded(**fields: Any) -> Conversation:
    return DIALECT.decode_request(json.dumps(ASK | fields).encode(), SHAPE)


def reading(*blocks: dict[str, Any], role: str = "user") -> list[Part]:
    return decoded(messages=[{"role": role, "content": list(blocks)}]).messages[0].parts


def writing(*parts: Part, role: str = "user", **fields: Any) -> Any:
    """The content of the last of two messages."""
    message = Message(role=role, parts=list(parts))
    return written(Conversation(model="m", messages=[HELLO, message], **fields))["messages"][-1]


@settings(deadline=None, max_examples=150)
@given(conversations())
def test_what_is_said_survives_the_wire(conv: Conversation) -> None:
    policy = DropPolicy()
    body = DIALECT.encode_request(conv, CLAUDE, policy)
    exhaust(PARAMS.validate_python(json.loads(body)))
    assert policy.dropped == []
    again = DIALECT.decode_request(body, SHAPE)
    assert again.model == CLAUDE.model
    again.model = conv.model
    assert _normal(again) == _normal(conv)


def _normal(conv: Conversation) -> Conversation:
    """Arguments by value: a request's JSON may be spaced in another way."""
    for message in conv.messages:
        for part in message.parts:
            if isinstance(part, ToolCall):
                part.arguments = json.dumps(json.loads(part.arguments))
            elif isinstance(part, Media) and part.url:
                part.media_type = part.media_type or "image/*"
            elif isinstance(part, Opaque):
                part.raw = json.dumps(json.loads(part.raw))
    for result in (p for m in conv.messages for p in m.parts if isinstance(p, ToolResult)):
        for inner in result.parts:
            if isinstance(inner, Media) and inner.url:
                inner.media_type = inner.media_type or "image/*"
    return conv


# -- what is read


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            Text(text="x", cache=CacheMark.LONG),
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "https://a/b"}},
            Media(media_type="", url="https://a/b"),
        ),
        (
            {"type": "document", "source": {"type": "file", "file_id": "file_1"}, "title": "T"},
            Media(media_type="application/pdf", file_id="file_1", name="T"),
        ),
        (
            {"type": "tool_result", "tool_use_id": "t", "content": "ok", "is_error": True},
            ToolResult(call_id="t", parts=[Text(text="ok")], is_error=True),
        ),
        ({"type": "tool_result", "tool_use_id": "t"}, ToolResult(call_id="t", parts=[])),
        (
            {"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "direct"}},
            ToolCall(id="t", name="f", arguments="{}"),
        ),
    ],
)
def test_blocks(block: dict[str, Any], part: Part) -> None:
    assert reading(block) == [part]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "x"},
            "citations": {"enabled": True},
        },
        {"type": "document", "source": {"type": "content", "content": "x"}},
        {
            "type": "tool_use",
            "id": "t",
            "name": "f",
            "input": {},
            "caller": {"type": "code_execution_20250825", "tool_id": "s"},
        },
        {
            "type": "tool_result",
            "tool_use_id": "t",
            "content": [{"type": "search_result", "source": "s", "title": "t", "content": []}],
        },
    ],
)
def test_what_only_anthropic_can_say_is_kept_whole(block: dict[str, Any]) -> None:
    conv = decoded(messages=[{"role": "user", "content": [block]}])
    part = conv.messages[0].parts[0]
    assert isinstance(part, Opaque) and json.loads(part.raw) == block
    assert written(conv)["messages"][0]["content"] == [block]


def test_the_request_around_the_messages() -> None:
    conv = decoded(
        system="Be kind",
        tools=[
            {"name": "f", "input_schema": {"type": "object"}, "input_examples": [{}]},
            {"type": "bash_20250124", "name": "bash"},
        ],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        stop_sequences=["END"],
        temperature=0.5,
        metadata={"user_id": "u", "task": "t"},
        session_id="s",
        container="c",
    )
    assert conv.system == [Text(text="Be kind")]
    assert conv.tools[0] == Tool(name="f", schema={"type": "object"})
    assert conv.tools[1].opaque == '{"type": "bash_20250124", "name": "bash"}'
    assert (conv.tool_choice, conv.parallel_tools) == (ToolChoice(mode="required"), False)
    assert (conv.stop, conv.sampling.temperature, conv.end_user) == (["END"], 0.5, "u")
    assert conv.extras == {"container": "c", "tool_options": {"f": {"input_examples": [{}]}}}
    again = written(conv)
    assert again["container"] == "c" and again["tools"][0]["input_examples"] == [{}]
    assert again["metadata"] == {"user_id": "u"} and "session_id" not in again


def test_a_cache_breakpoint_of_the_whole_request_marks_its_last_block() -> None:
    conv = decoded(cache_control={"type": "ephemeral", "ttl": "1h"})
    assert conv.messages[0].parts == [Text(text="x", cache=CacheMark.LONG)]


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({}, None),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2000}},
            Reasoning(budget_tokens=2000, show=True),
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}},
            Reasoning(budget_tokens=2000, show=False),
        ),
        (
            {"thinking": {"type": "adaptive", "display": "omitted"}},
            Reasoning(budget_tokens=-1, show=False),
        ),
        ({"thinking": {"type": "disabled"}}, Reasoning(budget_tokens=0)),
        ({"thinking": {"type": "between_tools"}}, Reasoning(budget_tokens=-1)),
        ({"output_config": {"effort": "xhigh"}}, Reasoning(effort="xhigh")),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
            Reasoning(effort="low", budget_tokens=-1),
        ),
    ],
)
def test_reasoning(fields: dict[str, Any], reasoning: Reasoning | None) -> None:
    assert decoded(**fields).reasoning == reasoning


BAD = [
    ({"messages": [{"role": "bot", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
    (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        "messages[0].content[0].text",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "x"}}]}]},
        "messages[0].content[0].source.type",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url"}}]}]},
        "messages[0].content[0].source.url",
    ),
    (
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "t", "name": "f", "input": []}],
                }
            ]
        },
        "messages[0].content[0].input",
    ),
    (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text"}]}
                    ],
                }
            ]
        },
        "messages[0].content[0].content[0].text",
    ),
    ({"system": [{"type": "image", "source": {"type": "url", "url": "u"}}]}, "system[0].type"),
    ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
    ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
    ({"tools": [{"name": "f", "input_schema": 1}]}, "tools[0].input_schema"),
    ({"tool_choice": {"type": "maybe"}}, "tool_choice.type"),
    ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
    ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
    ({"output_config": {"effort": "huge"}}, "output_config.effort"),
    ({"output_config": {"format": {"type": "xml", "schema": {}}}}, "output_config.format.type"),
    ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
    ({"stop_sequences": [1]}, "stop_sequences[0]"),
    ({"temperature": "hot"}, "temperature"),
    ({"cache_control": {"ttl": "1d"}}, "cache_control.ttl"),
]


@pytest.mark.parametrize(("fields", "field"), BAD)
def test_a_mistake_is_named_by_its_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as caught:
        decoded(**fields)
    assert caught.value.field == field


# -- what is written for others


def test_turns_alternate_and_begin_with_the_user() -> None:
    conv = Conversation(
        model="m",
        messages=[
            Message(role="assistant", parts=[Text(text="a")]),
            Message(role="user", parts=[Text(text="b"), Text(text="")]),
            Message(role="system", parts=[Text(text="s")]),
            Message(role="user", parts=[Text(text="c")]),
            Message(role="assistant", parts=[Text(text=""), Refusal(text="no")]),
        ],
    )
    body = written(conv)
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user", "assistant"]
    assert [b["text"] for b in body["messages"][2]["content"]] == ["b", "c"]
    assert body["messages"][3]["content"] == [{"type": "text", "text": "no"}]
    assert body["system"] == "s"


def test_a_system_text_alone_is_asked_by_the_user() -> None:
    body = written(Conversation(model="m", messages=[], system=[Text(text="s")]))
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "s"}]}]
    assert "system" not in body


def test_results_come_first_and_ids_agree() -> None:
    calls: list[Part] = [
        ToolCall(id=call_id, name="f", arguments="") for call_id in ("call:1", "call.1", "ok-1")
    ]
    results: list[Part] = [
        ToolResult(call_id=call_id, parts=[Text(text="r")])
        for call_id in ("call:1", "call.1", "ok-1")
    ]
    conv = Conversation(
        model="m",
        messages=[
            HELLO,
            Message(role="assistant", parts=calls),
            Message(role="user", parts=[Text(text="go on"), *results]),
        ],
    )
    _, call_turn, result_turn = written(conv)["messages"]
    ids = [block["id"] for block in call_turn["content"]]
    assert ids == [block["tool_use_id"] for block in result_turn["content"][:3]]
    assert result_turn["content"][3]["type"] == "text"
    assert len(set(ids)) == 3 and ids[2] == "ok-1"
    assert all(c.isalnum() or c in "_-" for call_id in ids for c in call_id)


def test_another_providers_thoughts_leave_their_text() -> None:
    parts: list[Part] = [
        Thinking(text="one", signature="s", origin="google"),
        Thinking(sealed="s", origin="openai"),
        Text(text="said"),
        ToolCall(id="t", name="f", arguments="{}", signature="s", origin="google"),
        Thinking(text="two", origin="anthropic"),
    ]
    earlier = "<earlier_reasoning>\none\n\ntwo\n</earlier_reasoning>"
    assert writing(*parts, role="assistant")["content"] == [
        {"type": "text", "text": earlier},
        {"type": "text", "text": "said"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    ]


def test_own_thoughts_stay_in_front() -> None:
    parts: list[Part] = [
        Thinking(text="", signature="s", origin="anthropic"),
        Thinking(text="x", origin="openai"),
        Text(text="said"),
    ]
    kinds = [b["type"] for b in writing(*parts, role="assistant")["content"]]
    assert kinds == ["thinking", "text", "text"]


def test_max_tokens_is_always_there_and_within_limits() -> None:
    for asked, sent in ((None, 64_000), (100, 100), (100_000, 64_000)):
        conv = Conversation(model="m", messages=[HELLO], max_output_tokens=asked)
        assert written(conv)["max_tokens"] == sent


def dropped(target: Target = CLAUDE, **fields: Any) -> tuple[Any, list[str]]:
    policy = DropPolicy()
    fields = {"messages": [HELLO]} | fields
    return written(Conversation(model="m", **fields), target, policy), policy.dropped


def test_sampling_of_others() -> None:
    sampling = Sampling(temperature=1.5, seed=1, presence_penalty=0.5, frequency_penalty=0.5)
    body, left = dropped(sampling=sampling)
    assert body["temperature"] == 1
    assert left == ["seed", "presence_penalty", "frequency_penalty", "temperature"]
    body, left = dropped(sampling=Sampling(temperature=0.5, top_p=0.5, top_k=5))
    assert (body["temperature"], body["top_k"], left) == (0.5, 5, ["top_p"])
    newest = Target(model="claude-opus-4-7", max_output_tokens=9)
    body, left = dropped(newest, sampling=Sampling(temperature=0.5, top_p=0.5, top_k=5))
    assert left == ["temperature", "top_p", "top_k"]
    assert not body.keys() & {"temperature", "top_p", "top_k"}
    _, left = dropped(newest, sampling=Sampling(temperature=1, top_p=1))
    assert left == []


def test_thinking_leaves_temperature_alone() -> None:
    body, left = dropped(sampling=Sampling(temperature=0.2), reasoning=Reasoning(effort="high"))
    assert body["thinking"] == {"type": "adaptive"} and "temperature" not in body
    assert left == ["temperature"]


FORCED = [ToolChoice(mode="required"), ToolChoice(mode="tool", name="f")]


@pytest.mark.parametrize("choice", FORCED)
def test_a_forced_tool_forbids_thinking(choice: ToolChoice) -> None:
    body, left = dropped(
        tools=[Tool(name="f")], tool_choice=choice, reasoning=Reasoning(effort="low")
    )
    assert "thinking" not in body and left == ["reasoning"]
    assert body["tool_choice"]["type"] in ("any", "tool")


OLD = Target(model="claude-haiku-4-5", max_output_tokens=64_000)


def test_thinking_by_budget_wants_every_tool_turn_begun_by_a_thought() -> None:
    call = ToolCall(id="t", name="f", arguments="{}")
    answer = Message(role="user", parts=[ToolResult(call_id="t", parts=[])])
    signed = Thinking(signature="s", origin="anthropic")
    begun: dict[bool, list[Part]] = {False: [call], True: [signed, call]}
    for thinks, parts in begun.items():
        turn = Message(role="assistant", parts=parts)
        body, left = dropped(OLD, messages=[HELLO, turn, answer], reasoning=Reasoning(effort="low"))
        assert ("thinking" in body) is thinks
        assert left == ([] if thinks else ["reasoning"])


def test_a_model_that_cannot_think() -> None:
    target = Target(model="claude-3-haiku", max_output_tokens=4096, reasoning=False)
    assert dropped(target, reasoning=Reasoning(effort="high"))[1] == ["reasoning"]
    assert dropped(target, reasoning=Reasoning(effort="none"))[1] == []


def test_tools_of_others() -> None:
    tools = [Tool(name="f", schema={"properties": {}}), Tool(name="g"), Tool(name="h")]
    body, left = dropped(
        tools=tools,
        tool_choice=ToolChoice(mode="required", allowed=("f", "g")),
        parallel_tools=False,
    )
    assert [tool["name"] for tool in body["tools"]] == ["f", "g"]
    assert all(tool["input_schema"]["type"] == "object" for tool in body["tools"])
    assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert left == []
    assert "tool_choice" not in dropped(tool_choice=ToolChoice(mode="auto"))[0]


def test_a_schema_is_closed_and_its_bounds_are_told() -> None:
    schema = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 1, "description": "Count"},
            "of": {"type": "array", "minItems": 2, "items": {"type": "object"}},
            "or": {"oneOf": [{"type": "null"}, {"$ref": "#/$defs/d"}]},
        },
        "$defs": {"d": {"type": "object", "additionalProperties": True}},
    }
    body, left = dropped(output=OutputFormat(kind="schema", schema=schema))
    assert left == []
    assert body["output_config"]["format"]["schema"] == {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "description": 'Count\n\n{"minimum":1}'},
            "of": {
                "type": "array",
                "items": {"type": "object", "additionalProperties": False},
                "description": '{"minItems":2}',
            },
            "or": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/d"}]},
        },
        "$defs": {"d": {"type": "object", "additionalProperties": False}},
        "additionalProperties": False,
    }
    assert "minimum" in schema["properties"]["n"]  # type: ignore[index]


def test_an_anthropic_callers_schema_is_his_own() -> None:
    schema = {"type": "object", "properties": {"n": {"minimum": 1}}}
    conv = decoded(output_config={"format": {"type": "json_schema", "schema": schema}})
    assert written(conv)["output_config"]["format"]["schema"] == schema


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"output": OutputFormat(kind="json")}, "output"),
        ({"extras": {"n": 2}}, "n"),
        ({"extras": {"logprobs": True}}, "logprobs"),
        ({"tools": [Tool(name="a.b")]}, "tools[0].name"),
        ({"tools": [Tool(name="google_search", opaque="{}", origin="google")]}, "google_search"),
        (
            {
                "messages": [
                    Message(role="user", parts=[Opaque(origin="google", kind="k", raw="{}")])
                ]
            },
            "k",
        ),
        (
            {"messages": [Message(role="user", parts=[Media(media_type="audio/wav", data="AA")])]},
            "messages[0].parts[0].media_type",
        ),
        (
            {"messages": [Message(role="user", parts=[Media(media_type="", file_id="file-1")])]},
            "messages[0].parts[0].file_id",
        ),
        (
            {"messages": [Message(role="user", parts=[ToolCall(id="t", name="f", arguments="[")])]},
            "messages[0].parts[0].arguments",
        ),
    ],
)
def test_what_anthropic_cannot_say_is_refused(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Inexpressible) as caught:
        dropped(**fields)
    assert caught.value.field == field


def test_what_asks_for_nothing_is_no_trouble() -> None:
    extras = {"n": 1, "logprobs": False, "store": True, "top_logprobs": None}
    assert dropped(extras=extras, cache_key="k")[1] == ["store", "cache_key"]


def test_json_without_a_schema_is_asked_for_if_it_may_be_dropped() -> None:
    policy = DropPolicy(drop=frozenset({"output"}))
    conv = Conversation(model="m", messages=[HELLO], output=OutputFormat(kind="json"))
    body = written(conv, policy=policy)
    assert "JSON object" in body["system"] and policy.dropped == ["output"]


def test_stop_sequences_of_white_space_are_dropped() -> None:
    body, left = dropped(stop=["\n", "END"])
    assert (body["stop_sequences"], left) == (["END"], ["stop"])


def test_images_of_models_without_eyes() -> None:
    blind = Target(model="claude-3-5-haiku", max_output_tokens=9, vision=False)
    image = Message(role="user", parts=[Media(media_type="image/png", data="AA")])
    with pytest.raises(Inexpressible):
        dropped(blind, messages=[image])
