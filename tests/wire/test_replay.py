"""A reply told as a stream, and a stream put together again, say the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridllm.catalog.structs import Usage
from hybridllm.wire.conversation import (
    BlockEnd,
    Ended,
    Finish,
    Finished,
    Media,
    Opaque,
    Refusal,
    Reply,
    Started,
    StreamFailed,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
)
from hybridllm.wire.dialect import Facts, RequestShape, Turn
from hybridllm.wire.registry import NAMES, get_dialect
from hybridllm.wire.replay import events_of, reply_of

words = st.text(min_size=1, max_size=30)
texts = st.builds(Text, text=words)
calls = st.builds(
    ToolCall,
    id=st.from_regex(r"call_[a-z0-9]{4,8}", fullmatch=True),
    name=st.sampled_from(["look_up", "send"]),
    arguments=st.sampled_from(["{}", '{"a":1}', '{"q":"\\u00e9"}']),
)
parts = st.one_of(
    texts,
    calls,
    st.builds(Refusal, text=words),
    st.builds(Thinking, text=words, signature=words | st.none(), origin=st.just("anthropic")),
    st.builds(Thinking, sealed=words, origin=st.just("anthropic")),
)
usages = st.builds(Usage, input_tokens=st.integers(0, 10**6), output_tokens=st.integers(0, 10**6))
replies = st.builds(
    Reply,
    id=words,
    model=words,
    parts=st.lists(parts, max_size=5),
    finish=st.sampled_from(Finish),
    usage=usages | st.none(),
    created=st.integers(0, 2**31),
)


@given(replies)
def test_a_reply_comes_back_from_its_stream(reply: Reply) -> None:
    events = events_of(reply)
    assert events is not None
    assert reply_of(events) == reply


plain = st.builds(
    Reply,
    id=st.just("msg_1"),
    model=st.just("m"),
    parts=st.lists(texts, min_size=1, max_size=1),
    finish=st.just(Finish.STOP),
    usage=usages,
    created=st.just(1_700_000_000),
)


@pytest.mark.parametrize("name", NAMES)
@given(reply=plain)
def test_every_dialect_says_in_a_stream_what_it_says_whole(name: str, reply: Reply) -> None:
    dialect = get_dialect(name)
    body = dialect.encode_reply(reply)
    facts = Facts(model="m", stream=True, turns=[Turn("user", "Hi")], usage_requested=True)
    encoder = dialect.stream_encoder(facts, RequestShape())
    events = events_of(dialect.decode_reply(body))
    assert events is not None
    wire = b"".join(encoder.encode(event) for event in events)
    decoder = dialect.stream_decoder()
    again = reply_of([*decoder.feed(wire), *decoder.end()])
    whole = dialect.decode_reply(body)
    assert again is not None
    assert (again.parts, again.finish, again.usage) == (whole.parts, whole.finish, whole.usage)


@pytest.mark.parametrize(
    "part", [Media(media_type="image/png", data="aa"), Opaque(origin="openai", kind="x", raw="{}")]
)
def test_what_only_its_own_dialect_can_say_is_not_told_otherwise(part: Media | Opaque) -> None:
    assert events_of(Reply(id="r", model="m", parts=[Text(text="a"), part])) is None


BEGUN = [Started(id="r", model="m"), TextDelta(index=0, text="Hi"), BlockEnd(index=0)]


@pytest.mark.parametrize(
    "events",
    [
        [],
        BEGUN,
        [*BEGUN, Finished(finish=Finish.STOP)],
        [*BEGUN, Ended()],
        [
            *BEGUN,
            StreamFailed(kind="internal", message="no"),
            Finished(finish=Finish.STOP),
            Ended(),
        ],
        [TextDelta(index=0, text="Hi"), Finished(finish=Finish.STOP), Ended()],
    ],
    ids=["nothing", "cut", "no end", "no reason", "failed", "no beginning"],
)
def test_what_is_not_whole_is_no_reply(events: list[object]) -> None:
    assert reply_of(events) is None  # type: ignore[arg-type]


def test_calls_that_come_in_turns_are_told_apart() -> None:
    events = [
        Started(id="r", model="m"),
        ToolCallStarted(index=0, id="a", name="x"),
        ToolCallStarted(index=1, id="b", name="y"),
        ToolCallDelta(index=0, arguments='{"p":'),
        ToolCallDelta(index=1, arguments="{}"),
        ToolCallDelta(index=0, arguments="1}"),
        Finished(finish=Finish.TOOL_CALLS),
        Ended(),
    ]
    reply = reply_of(events)
    assert reply is not None
    assert [p.arguments for p in reply.parts if isinstance(p, ToolCall)] == ['{"p":1}', "{}"]
