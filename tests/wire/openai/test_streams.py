"""Streams, split anywhere: decoded, encoded, and passed through by the relay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.wire.conversation import (
    BlockEnd,
    Ended,
    Event,
    Finish,
    Finished,
    Opaque,
    Reply,
    Started,
    StreamFailed,
    Text,
    Thinking,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    UsageUpdate,
)
from hybridllm.wire.dialect import Facts, RequestShape
from hybridllm.wire.openai import DIALECT
from hybridllm.wire.sse import sse
from hybridllm.wire.translate import TranslatingRelay
from tests.wire.anthropic.streaming import cut
from tests.wire.openai.strategies import replies
from tests.wire.openai.streaming import DONE, assembled, chunk, chunks_of, events_of

SHAPE = RequestShape()
ASKED = Facts(model="m", turns=[], stream=True, usage_requested=True)
SILENT = Facts(model="m", turns=[], stream=True)
cuts = st.lists(st.integers(0, 10**6), max_size=8)


def call(index: int, **fields: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, **fields}]}


def fragment(index: int, arguments: str) -> dict[str, Any]:
    return call(index, function={"arguments": arguments})


def begun(index: int, call_id: str, name: str, arguments: str = "") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return call(index, id=call_id, type="function", function=function)


USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
STREAM = [
    chunk({"role": "assistant", "content": "", "refusal": None}, usage=None),
    chunk({"reasoning_content": "h"}),
    chunk({"reasoning_content": "m"}),
    chunk({"content": "ü"}, obfuscation="x"),
    chunk({"content": "b"}),
    chunk(begun(0, "c0", "f")),
    chunk(begun(1, "c1", "g", "{")),
    chunk(fragment(0, '{"a":')),
    chunk(fragment(1, "}")),
    chunk(fragment(0, "1}")),
    chunk(choice={"finish_reason": "tool_calls"}),
    chunk(choices=[], usage=USAGE),
    DONE,
]
WHOLE = Reply(
    id="chatcmpl-1",
    model="gpt-4o",
    created=7,
    parts=[
        Thinking(text="hm", origin="openai"),
        Text(text="üb"),
        ToolCall(id="c0", name="f", arguments='{"a":1}'),
        ToolCall(id="c1", name="g", arguments="{}"),
    ],
    finish=Finish.TOOL_CALLS,
    usage=Usage(input_tokens=9, output_tokens=4),
)


def decoded(pieces: list[bytes]) -> list[Event]:
    decoder = DIALECT.stream_decoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.end()


def encoded(reply: Reply, facts: Facts = ASKED) -> bytes:
    encoder = DIALECT.stream_encoder(facts, SHAPE)
    return b"".join([encoder.encode(event) for event in events_of(reply)])


# -- decoding


def test_a_stream() -> None:
    assert assembled(decoded(STREAM)) == WHOLE


@settings(deadline=None)
@given(cuts)
def test_a_stream_split_anywhere_tells_the_same(at: list[int]) -> None:
    wire = b"".join(STREAM)
    assert decoded(cut(wire, at)) == decoded([wire])


def test_line_ends_and_comments_of_other_servers() -> None:
    wire = b": ping\n\n" + b"".join(STREAM)
    assert assembled(decoded([wire.replace(b"\n", b"\r\n")])) == WHOLE


def test_the_last_blank_line_may_be_missing() -> None:
    wire = b"".join(STREAM)
    for tail in (wire[:-1], wire[:-2]):
        assert assembled(decoded([tail])) == WHOLE
        relay = DIALECT.relay(ASKED, SHAPE)
        assert relay.feed(tail) + relay.end() == wire and relay.complete


def test_a_cut_stream_does_not_end() -> None:
    for length in range(len(STREAM)):
        assert not any(isinstance(event, Ended) for event in decoded(STREAM[:length]))


def test_whole_calls_that_share_an_index() -> None:
    # Gemini's own server for this dialect sends them so.
    wire = [
        chunk(begun(0, "c0", "f", "{}")),
        chunk(begun(0, "c1", "g", "{}")),
        chunk(choice={"finish_reason": "stop"}),
        DONE,
    ]
    reply = assembled(decoded(wire))
    assert reply.parts == [
        ToolCall(id="c0", name="f", arguments="{}"),
        ToolCall(id="c1", name="g", arguments="{}"),
    ]
    assert reply.finish is Finish.TOOL_CALLS


def test_usage_beside_choices_and_an_end_without_more() -> None:
    wire = [
        chunk({"role": "assistant"}),
        chunk({"content": "a"}, usage={"prompt_tokens": 1}),
        chunk({"content": "b"}, choice={"finish_reason": "stop"}, usage=USAGE),
        DONE,
    ]
    events = decoded(wire)
    assert assembled(events).usage == WHOLE.usage
    assert sum(isinstance(event, UsageUpdate) for event in events) == 2
    assert assembled(decoded([chunk({"content": "a"}), DONE])).usage is None


def test_custom_calls_legacy_calls_and_other_choices() -> None:
    wire = [
        chunk(call(0, id="c", type="custom", custom={"name": "g", "input": "l"})),
        chunk(call(0, custom={"input": "s"})),
        chunk({"content": "second"}, choice={"index": 1}),
        chunk(choice={"finish_reason": "tool_calls"}),
        DONE,
    ]
    raw = '{"id":"c","type":"custom","custom":{"name":"g","input":"ls"}}'
    custom = Opaque(origin="openai", kind="custom_tool_call", raw=raw)
    assert assembled(decoded(wire)).parts == [custom]
    again = assembled(decoded([encoded(Reply(id="r", model="m", parts=[custom]))]))
    assert [json.loads(p.raw) for p in again.parts if isinstance(p, Opaque)] == [json.loads(raw)]
    legacy = [
        chunk({"function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": "{}"}}),
        chunk(choice={"finish_reason": "function_call"}),
        DONE,
    ]
    assert assembled(decoded(legacy)).parts == [ToolCall(id="call_1", name="f", arguments="{}")]


def test_an_error_within_a_stream() -> None:
    error = {"message": "slow", "type": "server_error", "code": "slow_down", "param": None}
    wire = sse(json.dumps({"error": error}).encode())
    failed = StreamFailed(kind="overloaded", message="slow", code="slow_down")
    assert decoded([chunk({"content": "a"}), wire])[-1] == failed
    relay = DIALECT.relay(ASKED, SHAPE)
    assert relay.feed(chunk({"content": "a"}) + wire) == chunk({"content": "a"}) + wire
    assert relay.error is not None and relay.error.kind is ErrorKind.OVERLOADED
    assert relay.error.dialect == "openai" and not relay.complete
    encoder = DIALECT.stream_encoder(ASKED, SHAPE)
    assert b'"server_is_overloaded"' in encoder.encode(failed)


@pytest.mark.parametrize("data", [b"{", b'{"choices":1}', b"nonsense", b'{"choices":[1]}', b"\xff"])
def test_a_malformed_stream(data: bytes) -> None:
    for feed in (DIALECT.stream_decoder().feed, DIALECT.relay(ASKED, SHAPE).feed):
        with pytest.raises(ProviderError) as failed:
            feed(sse(data))
        assert failed.value.kind is ErrorKind.MALFORMED_REPLY


# -- encoding


@settings(deadline=None, max_examples=200)
@given(replies(), cuts)
def test_what_is_answered_survives_the_wire(reply: Reply, at: list[int]) -> None:
    wire = encoded(reply)
    for one in chunks_of(wire):
        ChatCompletionChunk.model_validate(one, strict=True)
    assert assembled(decoded(cut(wire, at))) == reply


@settings(deadline=None)
@given(replies())
def test_the_sdk_puts_together_what_a_whole_reply_says(reply: Reply) -> None:
    state = ChatCompletionStreamState()
    for one in chunks_of(encoded(reply)):
        state.handle_chunk(ChatCompletionChunk.model_validate(one))
    found = state.current_completion_snapshot.model_dump()
    expected = json.loads(DIALECT.encode_reply(reply))
    message = found["choices"][0]["message"]
    for name, value in expected["choices"][0]["message"].items():
        got = message.get(name)
        if name == "tool_calls":
            got = [{key: one[key] for key in ("id", "type", "function")} for one in got]
            for one, call_ in zip(got, value, strict=True):
                one["function"] = {key: one["function"][key] for key in call_["function"]}
        assert got == (value if name != "content" else value or "")
    assert found["choices"][0]["finish_reason"] == expected["choices"][0]["finish_reason"]
    assert found["usage"]["prompt_tokens"] == expected["usage"]["prompt_tokens"]


def test_the_order_of_chunks() -> None:
    first, *deltas, last, usage = chunks_of(encoded(WHOLE))
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert all(one["choices"][0]["finish_reason"] is None for one in (first, *deltas))
    assert last["choices"][0] == {
        "index": 0,
        "delta": {},
        "logprobs": None,
        "finish_reason": "tool_calls",
    }
    assert usage["choices"] == [] and usage["usage"]["total_tokens"] == 13
    assert len(chunks_of(encoded(WHOLE, SILENT))) == len(deltas) + 2


def test_calls_that_interleave() -> None:
    encoder = DIALECT.stream_encoder(SILENT, SHAPE)
    events: list[Event] = [
        Started(id="r", model="m"),
        ToolCallStarted(index=3, id="a", name="f"),
        ToolCallStarted(index=5, id="b", name="g"),
        ToolCallDelta(index=3, arguments='{"x":'),
        ToolCallDelta(index=3, arguments="1}"),
        BlockEnd(index=3),
        BlockEnd(index=5),
        Finished(finish=Finish.STOP),
        Ended(),
    ]
    wire = b"".join(encoder.encode(event) for event in events)
    assert assembled(decoded([wire])).parts == [
        ToolCall(id="a", name="f", arguments='{"x":1}'),
        ToolCall(id="b", name="g", arguments="{}"),
    ]


def test_an_end_that_nothing_came_before() -> None:
    encoder = DIALECT.stream_encoder(SILENT, SHAPE)
    first, last = chunks_of(encoder.encode(Ended()))
    assert first["model"] == "m" and last["choices"][0]["finish_reason"] == "stop"
    ChatCompletionChunk.model_validate(first, strict=True)


def test_the_error_of_a_stream_that_broke() -> None:
    error = ProviderError("gone", kind=ErrorKind.CONNECTION)
    wire = DIALECT.encode_stream_error(error, "req_1", SHAPE)
    assert json.loads(wire.removeprefix(b"data: "))["error"]["message"] == "gone"
    assert DIALECT.stream_content_type(SHAPE) == "text/event-stream"


# -- the relay


def relayed(facts: Facts, pieces: list[bytes]) -> tuple[bytes, Any]:
    relay = DIALECT.relay(facts, SHAPE)
    return b"".join([*(relay.feed(piece) for piece in pieces), relay.end()]), relay


@settings(deadline=None)
@given(cuts)
def test_the_relay_changes_no_byte(at: list[int]) -> None:
    wire = b": ping\n\n" + b"".join(STREAM)
    out, relay = relayed(ASKED, cut(wire, at))
    assert out == wire
    assert (relay.usage, relay.finish) == (WHOLE.usage, Finish.TOOL_CALLS)
    assert relay.has_content and relay.complete and relay.error is None
    assert relay.output_events == 9


@settings(deadline=None)
@given(cuts)
def test_usage_that_was_not_asked_for_is_withheld(at: list[int]) -> None:
    out, relay = relayed(SILENT, cut(b"".join(STREAM), at))
    assert out == b"".join([*STREAM[:-2], DONE]) and relay.usage == WHOLE.usage
    beside = chunk({"content": "a"}, usage=USAGE)
    assert relayed(SILENT, [beside])[0] == beside
    azure = chunk(choices=[], prompt_filter_results=[])
    assert relayed(SILENT, [azure])[0] == azure


CONTENTS: list[tuple[dict[str, Any], bool]] = [
    ({"role": "assistant", "content": ""}, False),
    ({"role": "assistant", "content": None, "tool_calls": []}, False),
    ({"content": "a"}, True),
    ({"content": [{"type": "text", "text": "a"}]}, True),
    ({"refusal": "a"}, True),
    ({"reasoning_content": "a"}, True),
    ({"reasoning": "a"}, True),
    ({"function_call": {"name": "f"}}, True),
    ({"audio": {"id": "a"}}, True),
    (begun(0, "c", "f"), True),
]


@pytest.mark.parametrize(("delta", "content"), CONTENTS)
def test_what_counts_as_content(delta: dict[str, Any], content: bool) -> None:
    relay = relayed(ASKED, [chunk(delta)])[1]
    assert relay.has_content is content and relay.output_events == int(content)


def test_an_event_of_several_lines() -> None:
    wire = b'event: message\ndata: {"choices":[{"delta":\ndata: {"content":"a"}}]}\nid: 3\n\n'
    out, relay = relayed(ASKED, [wire, b'data:{"choices":[]}\nid: 4\n\n', b"retry: 3\n\n"])
    assert out.startswith(wire) and relay.has_content and relay.output_events == 1


def test_a_cut_relay_is_not_complete() -> None:
    wire = b"".join(STREAM[:-1])
    out, relay = relayed(ASKED, [wire, b'data: {"choi'])
    assert out == wire and not relay.complete


def test_both_relays_meter_alike() -> None:
    pieces: Iterator[bytes] = iter(STREAM)
    relay = TranslatingRelay(DIALECT.stream_decoder(), DIALECT.stream_encoder(ASKED, SHAPE))
    out = b"".join(relay.feed(piece) for piece in pieces)
    assert assembled(decoded([out])) == WHOLE
    assert (relay.usage, relay.finish, relay.complete) == (WHOLE.usage, Finish.TOOL_CALLS, True)
