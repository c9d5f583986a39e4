"""Conversations and replies that the Responses API can say in full."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from hybridllm.wire.conversation import (
    Conversation,
    Finish,
    Media,
    Message,
    Opaque,
    Part,
    Refusal,
    Reply,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from tests.wire.openai.strategies import (
    calls,
    foreign_thoughts,
    formats,
    functions,
    marks,
    names,
    objects,
    said,
    texts,
    usages,
)

media = st.one_of(
    st.builds(
        Media,
        media_type=st.just("image/png"),
        data=st.just("AAAA"),
        detail=st.sampled_from(["low", "high", "auto", "original"]),
        cache=marks,
    ),
    st.builds(
        Media, media_type=st.just(""), url=st.just("https://a.b/c.png"), detail=st.just("auto")
    ),
    st.builds(
        Media, media_type=st.just("image/*"), file_id=st.just("file-1"), detail=st.just("low")
    ),
    st.builds(Media, media_type=st.just("application/pdf"), data=st.just("JVBERi0="), name=names),
    st.builds(Media, media_type=st.just("application/pdf"), url=st.just("https://a.b/c.pdf")),
    st.builds(Media, media_type=st.just(""), file_id=st.just("file-1"), name=st.none() | names),
)
own_thoughts = st.one_of(
    st.builds(
        Thinking,
        text=st.text(max_size=9),
        sealed=texts.map("gAAA".__add__),
        origin=st.just("openai"),
        id=st.just("rs_1"),
    ),
    st.builds(Thinking, text=texts, origin=st.just("openai"), id=st.just("rs_2")),
)
custom_call = Opaque(
    origin="responses",
    kind="custom_tool_call",
    raw='{"type":"custom_tool_call","call_id":"call_c","name":"run","input":"ls"}',
)
custom_output = Opaque(
    origin="responses",
    kind="custom_tool_call_output",
    raw='{"type":"custom_tool_call_output","call_id":"call_c","output":"a b"}',
)
painters = st.just(
    Tool(name="image_generation", opaque='{"type":"image_generation"}', origin="responses"),
)
custom_tools = st.just(
    Tool(name="run", opaque='{"type":"custom","name":"run"}', origin="responses"),
)


@st.composite
def turns(draw: st.DrawFn) -> list[Message]:
    """A user's and a model's turns; every call is answered at once."""
    messages: list[Message] = []
    for turn in range(draw(st.integers(1, 3))):
        asked: list[Part] = [draw(said), *draw(st.lists(media, max_size=2))]
        messages.append(Message(role="user", parts=asked))
        parts: list[Part] = list(draw(st.lists(own_thoughts, max_size=1)))
        parts.append(Text(text=draw(texts)))
        if draw(st.booleans()):
            parts.append(Refusal(text=draw(texts)))
        made = [
            ToolCall(id=f"call_{turn}_{i}", name=draw(names), arguments=json.dumps(draw(objects)))
            for i in range(draw(st.integers(0, 3)))
        ]
        custom = draw(st.booleans())
        messages.append(Message(role="assistant", parts=[*parts, *made, *[custom_call] * custom]))
        results: list[Part] = [
            ToolResult(call_id=call.id, parts=list(draw(st.lists(said | media, max_size=2))))
            for call in made
        ]
        if custom:
            results.append(custom_output)
        if results:
            messages.append(Message(role="user", parts=results))
        if draw(st.booleans()):
            messages.append(Message(role="system", parts=[draw(said)]))
    return messages


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """A whole request of a caller of this dialect."""
    defined = draw(
        st.lists(functions | painters | custom_tools, max_size=3, unique_by=lambda t: t.name)
    )
    choice, parallel = None, None
    if defined:
        mode = draw(st.sampled_from([None, "auto", "none", "required", "tool", "some"]))
        if mode == "some":
            choice = ToolChoice(mode="required", allowed=tuple(tool.name for tool in defined))
        elif mode:
            choice = ToolChoice(mode=mode, name=defined[0].name if mode == "tool" else None)
        parallel = draw(st.none() | st.booleans())
    stream = draw(st.booleans())
    return Conversation(
        model="m",
        origin="responses",
        messages=draw(turns()),
        system=draw(st.lists(said, max_size=2)),
        tools=defined,
        tool_choice=choice,
        parallel_tools=parallel,
        output=draw(formats),
        max_output_tokens=draw(st.none() | st.integers(16, 4000)),
        sampling=draw(
            st.builds(
                Sampling,
                temperature=st.none() | st.floats(0, 2),
                top_p=st.none() | st.floats(0, 1),
            )
        ),
        stream=stream,
        include_usage=stream,
        end_user=draw(st.none() | texts),
        cache_key=draw(st.none() | texts),
        extras=draw(
            st.sampled_from(
                [
                    {},
                    {"store": False, "include": ["reasoning.encrypted_content"]},
                    {"verbosity": "low", "previous_response_id": "resp_1"},
                    {"metadata": {"a": "b"}, "truncation": "auto", "service_tier": "flex"},
                ]
            )
        ),
    )


@st.composite
def replies(draw: st.DrawFn, *, streamed: bool = False) -> Reply:
    """Replies of any provider. A stream of events has no place for an item's id."""
    thoughts = foreign_thoughts if streamed else foreign_thoughts | own_thoughts
    parts: list[Part] = []
    for _ in range(draw(st.integers(0, 2))):
        parts += draw(st.lists(thoughts, max_size=2))
        parts += draw(st.lists(st.builds(Text, text=texts), max_size=2))
        if draw(st.booleans()):
            parts.append(Refusal(text=draw(texts)))
    called = draw(st.lists(calls, max_size=3, unique_by=lambda call: call.id))
    custom = [custom_call] if draw(st.booleans()) else []
    finish = draw(st.sampled_from([Finish.STOP, Finish.LENGTH, Finish.CONTENT_FILTER]))
    return Reply(
        id="resp_1",
        model="m",
        created=draw(st.integers(0, 2**31)),
        parts=[*parts, *called, *custom],
        finish=Finish.TOOL_CALLS if (called or custom) and finish is Finish.STOP else finish,
        usage=draw(usages),
    )
