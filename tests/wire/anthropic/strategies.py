"""Conversations and replies that Anthropic's dialect can say in full."""

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
    st.builds(Media, media_type=st.just("image/png"), data=st.just("AAAA"), cache=marks),
    st.builds(Media, media_type=st.just("application/pdf"), data=st.just("JVBERi0="), name=texts),
    st.builds(Media, media_type=st.just("application/pdf"), url=st.just("https://a.b/c.pdf")),
    st.builds(Media, media_type=st.just("text/plain"), data=st.just("w6k=")),
    st.builds(Media, media_type=st.just(""), url=st.just("https://a.b/c")),
    st.builds(Media, media_type=st.just(""), file_id=st.just("file_1")),
)
thoughts = st.one_of(
    st.builds(Thinking, text=st.text(max_size=9), signature=texts, origin=st.just("anthropic")),
    st.builds(Thinking, sealed=texts, origin=st.just("anthropic")),
)
opaque = st.builds(
    Opaque,
    origin=st.just("anthropic"),
    kind=st.just("server_tool_use"),
    raw=st.just('{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":1.50}}'),
)
tools = st.one_of(
    st.builds(
        Tool,
        name=names,
        description=st.none() | texts,
        schema=st.just({"type": "object", "properties": {"a": {"type": "string"}}}),
        strict=st.none() | st.booleans(),
        cache=marks,
    ),
    st.builds(
        Tool,
        name=st.just("web_search"),
        opaque=st.just('{"type":"web_search_20250305","name":"web_search"}'),
        origin=st.just("anthropic"),
    ),
)
reasoning = st.one_of(
    st.none(),
    st.builds(Reasoning, effort=st.sampled_from(["low", "medium", "high", "max"])),
    st.builds(
        Reasoning,
        budget_tokens=st.sampled_from([1024, 3000]),
        show=st.booleans(),
        effort=st.none(),
    ),
    st.builds(Reasoning, budget_tokens=st.just(0)),
    st.builds(Reasoning, budget_tokens=st.just(-1), show=st.sampled_from([None, True, False])),
)
usages = st.builds(
    Usage,
    input_tokens=st.integers(0, 10**6),
    cache_read_tokens=st.integers(0, 10**6),
    cache_write_tokens=st.integers(0, 10**6),
    cache_write_long_tokens=st.integers(0, 10**6),
    output_tokens=st.integers(100, 10**6),
    reasoning_tokens=st.integers(0, 100),
)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Turns of a user and a model; thoughts come first, and each call is answered at once."""
    messages: list[Message] = []
    for turn in range(draw(st.integers(1, 3))):
        asked: list[Part] = [draw(said), *draw(st.lists(media, max_size=2))]
        messages.append(Message(role="user", parts=asked))
        parts: list[Part] = [draw(thoughts), *draw(st.lists(said | opaque, max_size=2))]
        calls = [
            ToolCall(
                id=f"toolu_{turn}_{i}",
                name=draw(names),
                arguments=json.dumps(draw(objects)),
                cache=draw(marks),
            )
            for i in range(draw(st.integers(0, 3)))
        ]
        messages.append(Message(role="assistant", parts=[*parts, *calls]))
        if calls:
            results: list[Part] = [
                ToolResult(
                    call_id=call.id,
                    parts=draw(st.lists(said | media, max_size=2)),
                    is_error=draw(st.booleans()),
                    cache=draw(marks),
                )
                for call in calls
            ]
            messages.append(Message(role="user", parts=results))
            messages.append(Message(role="assistant", parts=[Text(text="so")]))
    defined = draw(st.lists(tools, max_size=2, unique_by=lambda tool: tool.name))
    choice, parallel = None, None
    if defined:
        mode = draw(st.sampled_from([None, "auto", "none", "required", "tool"]))
        if mode:
            choice = ToolChoice(mode=mode, name=defined[0].name if mode == "tool" else None)
            parallel = None if mode == "none" else draw(st.none() | st.booleans())
    forced = choice is not None and choice.mode in ("required", "tool")
    thinks = None if forced else draw(reasoning)
    plain = thinks is None or thinks.budget_tokens in (None, 0)
    return Conversation(
        model="m",
        origin="anthropic",
        messages=messages,
        system=draw(st.lists(said, max_size=2)),
        tools=defined,
        tool_choice=choice,
        parallel_tools=parallel,
        output=draw(
            st.sampled_from([None, OutputFormat(kind="schema", schema={"x": 1}, strict=True)])
        ),
        stop=draw(st.lists(names, max_size=2)),
        max_output_tokens=draw(st.integers(4000, 8000)),
        sampling=draw(st.builds(Sampling, temperature=st.floats(0, 1), top_k=st.integers(1, 9)))
        if plain
        else Sampling(top_p=0.97),
        reasoning=thinks,
        stream=draw(st.booleans()),
        include_usage=True,
        end_user=draw(st.none() | texts),
        extras=draw(st.sampled_from([{}, {"service_tier": "auto", "future": {"a": [1]}}])),
    )


answers: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, text=texts),
    thoughts,
    st.builds(Thinking, text=texts, signature=st.none() | texts, origin=st.just("google")),
    st.builds(Thinking, sealed=texts, origin=st.just("openai")),
    st.builds(
        ToolCall,
        id=names,
        name=names,
        arguments=objects.map(json.dumps),
        signature=st.just("c2ln"),
        origin=st.just("google"),
    ),
    st.builds(ToolCall, id=names, name=names, arguments=objects.map(json.dumps)),
    opaque,
)


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """Replies of any provider whose parts Anthropic's dialect can carry."""
    parts = draw(st.lists(answers, max_size=5))
    calls = any(isinstance(part, ToolCall) for part in parts)
    endings = [Finish.LENGTH, Finish.PAUSE, Finish.REFUSAL, Finish.CONTEXT_EXCEEDED]
    finish = Finish.TOOL_CALLS if calls else draw(st.sampled_from([Finish.STOP, *endings]))
    return Reply(id="msg_1", model="m", parts=parts, finish=finish, usage=draw(usages))
