"""Conversations and replies that OpenAI's dialect can say in full."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from hybridllm.wire.conversation import (
    CacheMark,
    Conversation,
    Finish,
    Media,
    Message,
    Opaque,
    OutputFormat,
    Part,
    Reasoning,
    Refusal,
    Reply,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Usage,
)

texts = st.text(min_size=1, max_size=20)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,8}", fullmatch=True)
marks = st.sampled_from([None, CacheMark.SHORT, CacheMark.LONG])
objects = st.dictionaries(
    names, st.one_of(st.integers(-9, 9), texts, st.none(), st.lists(st.booleans())), max_size=3
)
said = st.builds(Text, text=texts, cache=marks)
media = st.one_of(
    st.builds(
        Media,
        media_type=st.just("image/png"),
        data=st.just("AAAA"),
        detail=st.sampled_from([None, "low", "high", "auto", "original"]),
        cache=marks,
    ),
    st.builds(Media, media_type=st.just(""), url=st.just("https://a.b/c.png"), cache=marks),
    st.builds(Media, media_type=st.just("application/pdf"), data=st.just("JVBERi0="), name=names),
    st.builds(Media, media_type=st.just(""), file_id=st.just("file-1"), name=st.none() | names),
    st.builds(Media, media_type=st.sampled_from(["audio/wav", "audio/mp3"]), data=st.just("UklG")),
)
custom_call = st.builds(
    Opaque,
    origin=st.just("openai"),
    kind=st.just("custom_tool_call"),
    raw=st.just('{"id":"call_c","type":"custom","custom":{"name":"run","input":"ls"}}'),
)
functions = st.builds(
    Tool,
    name=names,
    description=st.none() | texts,
    schema=st.none() | st.just({"type": "object", "properties": {"a": {"type": "string"}}}),
    strict=st.none() | st.booleans(),
)
custom_tool = st.builds(
    Tool,
    name=st.just("run_anything"),
    opaque=st.just('{"type":"custom","custom":{"name":"run_anything"}}'),
    origin=st.just("openai"),
)
formats = st.sampled_from(
    [
        None,
        OutputFormat(kind="json"),
        OutputFormat(kind="schema", name="n", schema={"type": "object"}, strict=True),
        OutputFormat(kind="schema", name="n", description="d", schema={"type": "object"}),
    ]
)
penalties = st.none() | st.floats(-2, 2)
samplings = st.builds(
    Sampling,
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1),
    top_k=st.none() | st.integers(1, 9),
    seed=st.none() | st.integers(0, 9),
    presence_penalty=penalties,
    frequency_penalty=penalties,
)
usages = st.builds(
    Usage,
    input_tokens=st.integers(0, 10**6),
    cache_read_tokens=st.integers(0, 10**6),
    cache_write_tokens=st.integers(0, 10**6),
    cache_write_long_tokens=st.integers(0, 10**6),
    output_tokens=st.integers(100, 10**6),
    reasoning_tokens=st.integers(0, 99),
)


@st.composite
def turns(draw: st.DrawFn) -> list[Message]:
    """A user's and a model's turns; every call is answered at once."""
    messages: list[Message] = []
    for turn in range(draw(st.integers(1, 3))):
        asked: list[Part] = [draw(said), *draw(st.lists(media, max_size=2))]
        messages.append(Message(role="user", parts=asked, name=draw(st.none() | names)))
        parts: list[Part] = []
        if draw(st.booleans()):
            parts.append(Thinking(text=draw(texts), origin="openai"))
        parts.append(draw(said))
        if draw(st.booleans()):
            parts.append(Refusal(text=draw(texts)))
        calls = [
            ToolCall(id=f"call_{turn}_{i}", name=draw(names), arguments=json.dumps(draw(objects)))
            for i in range(draw(st.integers(0, 3)))
        ]
        custom = draw(st.lists(custom_call, max_size=1))
        messages.append(Message(role="assistant", parts=[*parts, *calls, *custom]))
        ids = [call.id for call in calls] + ["call_c"] * len(custom)
        results: list[Part] = [
            ToolResult(call_id=i, parts=list(draw(st.lists(said, max_size=2)))) for i in ids
        ]
        if results:
            messages.append(Message(role="user", parts=results))
        if draw(st.booleans()):
            messages.append(Message(role="system", parts=[draw(said)]))
    return messages


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """A whole request of an OpenAI caller."""
    defined = draw(st.lists(functions | custom_tool, max_size=3, unique_by=lambda tool: tool.name))
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
        origin="openai",
        messages=draw(turns()),
        system=draw(st.lists(said, max_size=2)),
        tools=defined,
        tool_choice=choice,
        parallel_tools=parallel,
        output=draw(formats),
        stop=draw(st.lists(names, max_size=4)),
        max_output_tokens=draw(st.none() | st.integers(1, 4000)),
        sampling=draw(samplings),
        reasoning=None,
        stream=stream,
        include_usage=stream,
        end_user=draw(st.none() | texts),
        cache_key=draw(st.none() | texts),
        extras=draw(st.sampled_from([{}, {"service_tier": "auto", "verbosity": "low"}])),
    )


efforts = st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max"])
reasonings = st.builds(Reasoning, effort=efforts)

foreign_thoughts = st.one_of(
    st.builds(Thinking, text=st.text(max_size=9), signature=texts, origin=st.just("anthropic")),
    st.builds(Thinking, text=texts, signature=st.none() | texts, origin=st.just("google")),
    st.builds(Thinking, sealed=texts, origin=st.just("anthropic")),
)
plain_calls = st.builds(ToolCall, id=names, name=names, arguments=objects.map(json.dumps))
calls = st.one_of(
    plain_calls,
    st.builds(
        ToolCall,
        id=names,
        name=names,
        arguments=objects.map(json.dumps),
        signature=texts,
        origin=st.just("google"),
    ),
)


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """Replies of any provider, in the order that chat keeps: thought, text, refusal, calls."""
    parts: list[Part] = list(draw(st.lists(foreign_thoughts, max_size=3)))
    own = not parts and draw(st.booleans())
    if own:
        parts.append(Thinking(text=draw(texts), origin="openai"))
    if draw(st.booleans()):
        parts.append(Text(text=draw(texts)))
    if draw(st.booleans()):
        parts.append(Refusal(text=draw(texts)))
    # Whoever thinks unsigned in OpenAI's dialect signs no calls.
    some = plain_calls if own else calls
    called = draw(st.lists(some, max_size=3, unique_by=lambda call: call.id))
    finish = draw(st.sampled_from([Finish.STOP, Finish.LENGTH, Finish.CONTENT_FILTER]))
    return Reply(
        id="chatcmpl-1",
        model="m",
        created=draw(st.integers(0, 2**31)),
        parts=[*parts, *called],
        finish=Finish.TOOL_CALLS if called and finish is Finish.STOP else finish,
        usage=draw(usages),
    )
