"""From each dialect to each other one: what both can say means the same afterwards."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.catalog.structs import Usage
from hybridllm.wire.anthropic.signatures import joined_calls
from hybridllm.wire.conversation import (
    Conversation,
    Finish,
    Media,
    Message,
    OutputFormat,
    Part,
    Reply,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from hybridllm.wire.dialect import DropPolicy, Facts, RequestShape, Target
from hybridllm.wire.registry import get_dialect
from hybridllm.wire.translate import TranslatingRelay
from tests.wire.anthropic.streaming import cut
from tests.wire.openai.streaming import assembled, events_of

TARGETS = {
    "openai": Target(model="gpt-4o", max_output_tokens=9000, reasoning=False),
    "anthropic": Target(model="claude-sonnet-4-6", max_output_tokens=9000),
    "google": Target(model="gemini-2.5-pro", max_output_tokens=9000),
    "responses": Target(model="gpt-4o", max_output_tokens=9000, reasoning=False),
}
PAIRS = list(permutations(TARGETS, 2))
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
FACTS = Facts(model="m", turns=[], stream=True, usage_requested=True)

texts = st.text(min_size=1, max_size=12)
names = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
objects = st.dictionaries(names, st.integers() | texts | st.lists(st.booleans()), max_size=3)
pictures = st.just(Media(media_type="image/png", data="AAAA"))


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """What all dialects can say."""
    messages: list[Message] = []
    for turn in range(draw(st.integers(1, 3))):
        asked: list[Part] = [Text(text=draw(texts)), *draw(st.lists(pictures, max_size=1))]
        messages.append(Message(role="user", parts=asked))
        calls = [
            ToolCall(id=f"call_{turn}_{i}", name=draw(names), arguments=json.dumps(draw(objects)))
            for i in range(draw(st.integers(0, 2)))
        ]
        messages.append(Message(role="assistant", parts=[Text(text=draw(texts)), *calls]))
        results: list[Part] = [
            ToolResult(call_id=call.id, name=call.name, parts=[Text(text=draw(texts))])
            for call in calls
        ]
        if results:
            messages.append(Message(role="user", parts=results))
            messages.append(Message(role="assistant", parts=[Text(text=draw(texts))]))
    tools = [
        Tool(name=name, description=draw(texts), schema=SCHEMA)
        for name in draw(st.lists(names, max_size=2, unique=True))
    ]
    modes = ["auto", "none", "required", "tool"]
    mode = draw(st.sampled_from(modes)) if tools else None
    return Conversation(
        model="m",
        system=[Text(text=text) for text in draw(st.lists(texts, max_size=2))],
        messages=messages,
        tools=tools,
        tool_choice=ToolChoice(mode=mode, name=tools[0].name if mode == "tool" else None)
        if mode
        else None,
        output=draw(
            st.sampled_from([None, OutputFormat(kind="schema", schema=SCHEMA, strict=True)])
        ),
        stop=draw(st.lists(names, max_size=4, unique=True)),
        max_output_tokens=draw(st.integers(16, 9000)),
        sampling=Sampling(temperature=draw(st.none() | st.floats(0, 1))),
        stream=draw(st.booleans()),
    )


def carried(conv: Conversation, name: str) -> Conversation:
    """The conversation after it has been a request of this dialect."""
    target, policy = TARGETS[name], DropPolicy()
    body = get_dialect(name).encode_request(conv, target, policy)
    assert policy.dropped == []
    shape = RequestShape(model=target.model, stream=conv.stream)
    return get_dialect(name).decode_request(body, shape)


def meaning(conv: Conversation) -> dict[str, Any]:
    """What no change of dialect may change."""
    turns: list[tuple[str, list[Any]]] = []
    for message in conv.messages:
        if not turns or turns[-1][0] != message.role:
            turns.append((message.role, []))
        turns[-1][1].extend(_said(part) for part in message.parts)
    choice = conv.tool_choice
    return {
        "turns": turns,
        "system": "".join(text.text for text in conv.system),
        "tools": [(tool.name, tool.description, tool.schema) for tool in conv.tools],
        "choice": (choice.mode, choice.name) if choice is not None else None,
        "schema": conv.output.schema if conv.output is not None else None,
        "stop": conv.stop,
        "max": conv.max_output_tokens,
        "temperature": conv.sampling.temperature,
        "stream": conv.stream,
    }


def _said(part: Part) -> Any:
    match part:
        case ToolCall():
            return ("call", part.id, part.name, json.loads(part.arguments))
        case ToolResult():
            return ("result", part.call_id, [_said(inner) for inner in part.parts])
        case Media():
            return ("media", part.media_type, part.data)
        case Text():
            return ("text", part.text)
    raise AssertionError(part)


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
@settings(deadline=None, max_examples=40)
@given(conv=conversations())
def test_a_request_means_the_same(caller: str, provider: str, conv: Conversation) -> None:
    if "responses" in (caller, provider):
        conv.stop = []  # which that one cannot say
    asked = carried(conv, caller)
    assert meaning(asked) == meaning(conv) and asked.origin == caller
    assert meaning(carried(asked, provider)) == meaning(conv)


# -- replies

OWN_THOUGHTS: dict[str, list[Part]] = {
    "openai": [Thinking(text="Hm.", origin="openai")],
    "anthropic": [
        Thinking(text="Hm.", signature="c2ln", origin="anthropic"),
        Thinking(sealed="c2VhbA==", origin="anthropic"),
    ],
    "google": [Thinking(text="Hm.", signature="c2ln", origin="google")],
    "responses": [Thinking(sealed="c2VhbA==", origin="openai")],
}
usages = st.builds(
    Usage,
    input_tokens=st.integers(0, 10**6),
    cache_read_tokens=st.integers(0, 10**6),
    output_tokens=st.integers(100, 10**6),
    reasoning_tokens=st.integers(0, 99),
)


@st.composite
def replies(draw: st.DrawFn, provider: str) -> Reply:
    parts: list[Part] = list(OWN_THOUGHTS[provider]) if draw(st.booleans()) else []
    parts.append(Text(text=draw(texts)))
    calls = [
        ToolCall(id=f"call_{i}", name=draw(names), arguments=json.dumps(draw(objects)))
        for i in range(draw(st.integers(0, 2)))
    ]
    if calls and provider == "google":
        calls[0].signature, calls[0].origin = "Y2FsbA==", "google"
    ended = draw(st.sampled_from([Finish.STOP, Finish.LENGTH]))
    finish = Finish.TOOL_CALLS if calls else ended
    return Reply(id="r", model="m", parts=[*parts, *calls], finish=finish, usage=draw(usages))


def answered(reply: Reply) -> Any:
    """What no change of dialect may change in a reply. Whose a thought is matters if it is signed;
    in an Anthropic stream a call's signature comes right before it."""
    said: list[Any] = []
    for part in joined_calls(reply.parts):
        match part:
            case Thinking():
                signed = part.signature or part.sealed
                said.append((part.text, signed, part.origin if signed else ""))
            case ToolCall():
                said.append((*_said(part), part.signature, part.origin))
            case _:
                said.append(_said(part))
    return said, reply.finish, reply.usage


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_reply_means_the_same(caller: str, provider: str, data: st.DataObject) -> None:
    reply = data.draw(replies(provider))
    theirs, ours = get_dialect(provider), get_dialect(caller)
    told = theirs.decode_reply(theirs.encode_reply(reply))
    assert answered(told) == answered(reply)
    assert answered(ours.decode_reply(ours.encode_reply(told))) == answered(reply)


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
@settings(deadline=None, max_examples=40)
@given(data=st.data(), cuts=st.lists(st.integers(0, 10**6), max_size=5))
def test_a_stream_means_the_same(
    caller: str, provider: str, data: st.DataObject, cuts: list[int]
) -> None:
    reply = data.draw(replies(provider))
    theirs, ours, shape = get_dialect(provider), get_dialect(caller), RequestShape(stream=True)
    encoder = theirs.stream_encoder(FACTS, shape)
    wire = b"".join(encoder.encode(event) for event in events_of(reply))
    relay = TranslatingRelay(theirs.stream_decoder(), ours.stream_encoder(FACTS, shape))
    out = b"".join([*(relay.feed(piece) for piece in cut(wire, cuts)), relay.end()])
    assert relay.complete and relay.has_content and relay.usage == reply.usage
    decoder = ours.stream_decoder()
    assert answered(assembled(decoder.feed(out) + decoder.end())) == answered(reply)
