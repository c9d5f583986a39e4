"""Streams, split anywhere: decoded, encoded, and passed through by the relay."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.wire.conversation import (
    BlockEnd,
    Ended,
    Event,
    Finish,
    Finished,
    Opaque,
    Part,
    Refusal,
    Reply,
    Started,
    StreamFailed,
    Text,
    Thinking,
    ThinkingSigned,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    UsageUpdate,
)
from hybridllm.wire.dialect import Facts, RequestShape
from hybridllm.wire.responses import DIALECT
from hybridllm.wire.sse import EventSplitter, event_data, event_name, sse
from hybridllm.wire.translate import TranslatingRelay
from tests.wire.anthropic.streaming import cut
from tests.wire.openai.streaming import assembled, events_of
from tests.wire.responses.strategies import replies

SHAPE = RequestShape()
FACTS = Facts(model="m", turns=[], stream=True)
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
cuts = st.lists(st.integers(0, 10**6), max_size=8)


def event(kind: str, **fields: Any) -> bytes:
    """One event as OpenAI sends it."""
    data = {"type": kind, "sequence_number": 0, **fields}
    return sse(json.dumps(data).encode(), kind.encode())


def frame(**fields: Any) -> dict[str, Any]:
    made = {"id": "resp_1", "object": "response", "created_at": 7, "model": "gpt-5", "output": []}
    return made | {"status": "in_progress"} | fields


def at(output: int, content: int | None = None) -> dict[str, Any]:
    where = {"item_id": f"i{output}", "output_index": output}
    return where if content is None else where | {"content_index": content}


def delta(output: int, text: str, content: int = 0) -> bytes:
    return event("response.output_text.delta", **at(output, content), delta=text, logprobs=[])


def added(output: int, item: dict[str, Any]) -> bytes:
    return event("response.output_item.added", output_index=output, item=item)


def done(output: int, item: dict[str, Any]) -> bytes:
    return event("response.output_item.done", output_index=output, item=item)


def arguments(output: int, text: str) -> bytes:
    return event("response.function_call_arguments.delta", **at(output), delta=text)


def call(call_id: str, name: str, args: str) -> dict[str, Any]:
    made = {"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id}
    return made | {"name": name, "arguments": args}


def completed(*output: dict[str, Any], **fields: Any) -> bytes:
    response = frame(status="completed", output=output, usage=USAGE) | fields
    return event(f"response.{response['status']}", response=response)


USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
    "output_tokens": 4,
    "output_tokens_details": {"reasoning_tokens": 1},
    "total_tokens": 13,
}
SUMMARY = [{"type": "summary_text", "text": "h"}, {"type": "summary_text", "text": "m"}]
THOUGHT = {"type": "reasoning", "id": "i0", "summary": SUMMARY, "encrypted_content": "gAA"}
SAID = {
    "type": "message",
    "id": "i1",
    "role": "assistant",
    "content": [
        {"type": "output_text", "text": "üb", "annotations": []},
        {"type": "refusal", "refusal": "no"},
    ],
}
SEARCH = {"type": "web_search_call", "id": "i2", "status": "completed"}
CALLS = [call("c0", "f", '{"a":1}'), call("c1", "g", "{}")]
STREAM = [
    event("response.created", response=frame()),
    event("response.in_progress", response=frame()),
    added(0, {"type": "reasoning", "id": "i0", "summary": []}),
    event("response.reasoning_summary_part.added", **at(0), summary_index=0, part={}),
    event("response.reasoning_summary_text.delta", **at(0), summary_index=0, delta="h"),
    event("response.reasoning_summary_text.done", **at(0), summary_index=0, text="h"),
    event("response.reasoning_summary_part.done", **at(0), summary_index=0, part={}),
    event("response.reasoning_summary_part.added", **at(0), summary_index=1, part={}),
    event("response.reasoning_summary_text.delta", **at(0), summary_index=1, delta="m"),
    done(0, THOUGHT),
    added(1, SAID | {"content": []}),
    event("response.content_part.added", **at(1, 0), part={}),
    delta(1, "ü"),
    delta(1, "b"),
    event("response.output_text.done", **at(1, 0), text="üb", logprobs=[]),
    event("response.content_part.done", **at(1, 0), part={}),
    event("response.content_part.added", **at(1, 1), part={}),
    event("response.refusal.delta", **at(1, 1), delta="no"),
    event("response.refusal.done", **at(1, 1), refusal="no"),
    done(1, SAID),
    added(2, SEARCH | {"status": "in_progress"}),
    event("response.web_search_call.searching", **at(2)),
    done(2, SEARCH),
    added(3, CALLS[0] | {"arguments": ""}),
    arguments(3, '{"a":'),
    arguments(3, "1}"),
    event("response.function_call_arguments.done", **at(3), arguments='{"a":1}', name="f"),
    done(3, CALLS[0]),
    added(4, CALLS[1] | {"arguments": ""}),
    event("response.function_call_arguments.done", **at(4), arguments="{}", name="g"),
    done(4, CALLS[1]),
    completed(THOUGHT, SAID, SEARCH, *CALLS),
]
WHOLE = Reply(
    id="resp_1",
    model="gpt-5",
    created=7,
    parts=[
        Thinking(text="h\n\nm", sealed="gAA", origin="openai"),
        Text(text="üb"),
        Refusal(text="no"),
        Opaque(origin="responses", kind="web_search_call", raw=json.dumps(SEARCH)),
        ToolCall(id="c0", name="f", arguments='{"a":1}'),
        ToolCall(id="c1", name="g", arguments="{}"),
    ],
    finish=Finish.TOOL_CALLS,
    usage=Usage(input_tokens=7, cache_read_tokens=2, output_tokens=4, reasoning_tokens=1),
)


def decoded(pieces: list[bytes]) -> list[Event]:
    decoder = DIALECT.stream_decoder()
    return [found for piece in pieces for found in decoder.feed(piece)] + decoder.end()


def encoded(reply: Reply) -> bytes:
    encoder = DIALECT.stream_encoder(FACTS, SHAPE)
    return b"".join([encoder.encode(found) for found in events_of(reply)])


def datas(wire: bytes) -> list[Any]:
    """The JSON of each event. Its name is its type, and its number its place."""
    splitter = EventSplitter()
    found = []
    for number, one in enumerate(splitter.feed(wire)):
        data = json.loads(event_data(one))
        assert event_name(one).decode() == data["type"]
        assert data["sequence_number"] == number
        found.append(data)
    assert splitter.rest == b""
    return found


# -- decoding


def test_a_stream() -> None:
    assert assembled(decoded(STREAM)) == WHOLE


@settings(deadline=None)
@given(cuts)
def test_a_stream_split_anywhere_tells_the_same(places: list[int]) -> None:
    wire = b"".join(STREAM)
    assert decoded(cut(wire, places)) == decoded([wire])


def test_line_ends_comments_and_a_last_word_of_other_servers() -> None:
    wire = b": ping\n\n" + b"".join(STREAM) + b"data: [DONE]\n\n"
    assert assembled(decoded([wire.replace(b"\n", b"\r\n")])) == WHOLE
    nameless = b"".join(sse(event_data(one)) for one in STREAM)
    assert assembled(decoded([nameless])) == WHOLE


def test_a_cut_stream_does_not_end() -> None:
    for length in range(len(STREAM)):
        assert not any(isinstance(found, Ended) for found in decoded(STREAM[:length]))


@pytest.mark.parametrize(
    "kinds",
    [
        ["response.created", "response.completed"],
        ["response.created", "response.output_item.done", "response.completed"],
        ["response.output_item.added", "response.output_item.done", "response.completed"],
        [
            "response.output_item.added",
            "response.output_text.done",
            "response.refusal.done",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.completed",
        ],
    ],
)
def test_what_was_not_streamed_is_read_where_it_is_repeated(kinds: list[str]) -> None:
    wire = [one for one in STREAM if event_name(one).decode() in kinds]
    assert assembled(decoded(wire)) == WHOLE


def test_a_response_without_output_items_of_its_own_kind_of_reasoning() -> None:
    item = {"type": "reasoning", "id": "i0", "summary": []}
    wire = [
        added(0, item),
        event("response.reasoning_text.delta", **at(0, 0), delta="hm"),
        done(0, item),
        completed(),
    ]
    assert assembled(decoded(wire)).parts == [Thinking(text="hm", origin="openai")]


@pytest.mark.parametrize(
    ("fields", "finish"),
    [
        ({}, Finish.STOP),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            Finish.LENGTH,
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            Finish.CONTENT_FILTER,
        ),
    ],
)
def test_how_a_stream_ended(fields: dict[str, Any], finish: Finish) -> None:
    wire = [delta(0, "a"), completed(**fields)]
    assert assembled(decoded(wire)).finish is finish
    relay = DIALECT.relay(FACTS, SHAPE)
    relay.feed(b"".join(wire))
    assert relay.finish is finish and relay.complete


FAILURES = [
    event("error", code="slow_down", message="slow", param=None),
    event("error", error={"code": "slow_down", "message": "slow"}),
    event(
        "response.failed",
        response=frame(
            status="failed", error={"code": "slow_down", "message": "slow"}, usage=USAGE
        ),
    ),
]


@pytest.mark.parametrize("wire", FAILURES)
def test_an_error_within_a_stream(wire: bytes) -> None:
    failed = StreamFailed(kind="overloaded", message="slow", code="slow_down")
    assert decoded([delta(0, "a"), wire])[-1] == failed
    relay = DIALECT.relay(FACTS, SHAPE)
    assert relay.feed(delta(0, "a") + wire) == delta(0, "a") + wire
    assert relay.error is not None and relay.error.kind is ErrorKind.OVERLOADED
    assert not relay.complete
    assert relay.usage == (WHOLE.usage if b"usage" in wire else None)


@pytest.mark.parametrize("data", [b"{", b'{"type":1}', b"nonsense", b"[1]", b"\xff", b"{}"])
def test_a_malformed_stream(data: bytes) -> None:
    for feed in (DIALECT.stream_decoder().feed, DIALECT.relay(FACTS, SHAPE).feed):
        with pytest.raises(ProviderError) as failed:
            feed(sse(data))
        assert failed.value.kind is ErrorKind.MALFORMED_REPLY
    broken = b'event: response.output_text.delta\ndata: {"type": "response.outp\n\n'
    for feed in (DIALECT.stream_decoder().feed, DIALECT.relay(FACTS, SHAPE).feed):
        with pytest.raises(ProviderError):
            feed(broken)


def test_events_newer_than_this_are_passed_over() -> None:
    wire = [event("response.hologram.delta", delta={"z": 1}), *STREAM]
    assert assembled(decoded(wire)) == WHOLE


# -- encoding


@settings(deadline=None, max_examples=200)
@given(replies(streamed=True), cuts)
def test_what_is_answered_survives_the_wire(reply: Reply, places: list[int]) -> None:
    wire = encoded(reply)
    foreign = all(not isinstance(part, Opaque) for part in reply.parts)
    for one in datas(wire):
        if foreign:
            EVENT.validate_python(one, strict=True)
    assert assembled(decoded(cut(wire, places))) == reply


@settings(deadline=None, max_examples=100)
@given(replies(streamed=True))
def test_the_end_repeats_what_a_whole_reply_says(reply: Reply) -> None:
    last = datas(encoded(reply))[-1]["response"]
    whole = json.loads(DIALECT.encode_reply(reply))
    for item in (*last["output"], *whole["output"]):
        item.pop("status", None)  # of the item that was cut
    assert last == whole


@settings(deadline=None, max_examples=100)
@given(replies(streamed=True))
def test_events_agree_with_one_another(reply: Reply) -> None:
    """Each item is announced before it is told, under one id and index, and closed once."""
    opened: dict[int, Any] = {}
    closed: dict[int, Any] = {}
    parts: dict[tuple[int, int], str] = {}
    for one in datas(encoded(reply)):
        kind, output = one["type"], one.get("output_index")
        if kind == "response.output_item.added":
            assert output == len(opened)
            opened[output] = one["item"]
        elif kind == "response.output_item.done":
            assert output not in closed and opened[output].get("id") == one["item"].get("id")
            closed[output] = one["item"]
        elif output is not None:
            assert output in opened and output not in closed
            assert one["item_id"] == opened[output]["id"]
            if kind.endswith(".delta") and "content_index" in one:
                key = (output, one["content_index"])
                parts[key] = parts[key] + one["delta"]
            elif kind == "response.content_part.added":
                parts[output, one["content_index"]] = ""
            elif kind in ("response.output_text.done", "response.refusal.done"):
                text = one.get("text", one.get("refusal"))
                assert parts[output, one["content_index"]] == text
    assert closed.keys() == opened.keys()


@settings(deadline=None)
@given(replies(streamed=True))
def test_the_sdk_puts_the_stream_together(reply: Reply) -> None:
    state: Any = ResponseStreamState(input_tools=[], text_format=omit)
    for one in datas(encoded(reply)):
        state.handle_event(EVENT.validate_python(one))
    if reply.finish in (Finish.STOP, Finish.TOOL_CALLS):
        found = state._completed_response
        texts = "".join(part.text for part in reply.parts if isinstance(part, Text))
        assert found.output_text == texts and found.usage.total_tokens > 0


def test_the_order_of_events() -> None:
    parts: list[Part] = [Thinking(text="Hm.", signature="s", origin="anthropic"), Text(text="ab")]
    kinds = [one["type"] for one in datas(encoded(Reply(id="r", model="m", parts=parts)))]
    assert [kind.removeprefix("response.") for kind in kinds] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_calls_that_interleave() -> None:
    encoder = DIALECT.stream_encoder(FACTS, SHAPE)
    events: list[Event] = [
        Started(id="r", model="m"),
        ToolCallStarted(index=3, id="a", name="f"),
        ToolCallStarted(index=5, id="b", name="g"),
        ToolCallDelta(index=3, arguments='{"x":'),
        ToolCallDelta(index=3, arguments="1}"),
        BlockEnd(index=3),
        Finished(finish=Finish.STOP),
        Ended(),
    ]
    wire = b"".join(encoder.encode(one) for one in events)
    expected = [
        ToolCall(id="a", name="f", arguments='{"x":1}'),
        ToolCall(id="b", name="g", arguments="{}"),
    ]
    assert assembled(decoded([wire])).parts == expected
    assert DIALECT.decode_reply(json.dumps(datas(wire)[-1]["response"]).encode()).parts == expected


def test_a_thought_both_signed_and_sealed_is_two_items() -> None:
    encoder = DIALECT.stream_encoder(FACTS, SHAPE)
    signed = ThinkingSigned(index=0, signature="s", sealed="x", origin="anthropic")
    events: list[Event] = [signed, BlockEnd(index=0), Ended()]
    wire = b"".join(encoder.encode(one) for one in events)
    assert assembled(decoded([wire])).parts == [
        Thinking(signature="s", origin="anthropic"),
        Thinking(sealed="x", origin="anthropic"),
    ]


def test_an_end_that_nothing_came_before() -> None:
    encoder = DIALECT.stream_encoder(FACTS, SHAPE)
    *_, last = datas(encoder.encode(Ended()))
    made = Response.model_validate(last["response"])
    assert made.model == "m" and made.output == [] and made.id.startswith("resp_")


def test_an_error_in_a_stream_is_numbered_after_what_came() -> None:
    encoder = DIALECT.stream_encoder(FACTS, SHAPE)
    wire = encoder.encode(Started(id="r", model="m"))
    wire += encoder.encode(StreamFailed(kind="overloaded", message="slow"))
    *_, last = datas(wire)
    EVENT.validate_python(last, strict=True)
    assert last["code"] == "server_is_overloaded" and last["message"] == "slow"


def test_the_error_of_a_stream_that_broke() -> None:
    error = ProviderError("gone", kind=ErrorKind.CONNECTION)
    (found,) = datas(DIALECT.encode_stream_error(error, "req_1", SHAPE))
    assert (found["type"], found["message"], found["code"]) == ("error", "gone", "server_error")
    assert DIALECT.stream_content_type(SHAPE) == "text/event-stream"


# -- the relay


@settings(deadline=None)
@given(cuts)
def test_the_relay_changes_no_byte(places: list[int]) -> None:
    wire = b": ping\n\n" + b"".join(STREAM)
    relay = DIALECT.relay(FACTS, SHAPE)
    pieces = cut(wire, places)
    assert b"".join([*(relay.feed(piece) for piece in pieces), relay.end()]) == wire
    assert (relay.usage, relay.finish) == (WHOLE.usage, Finish.TOOL_CALLS)
    assert relay.has_content and relay.complete and relay.error is None
    assert relay.output_events == 7


@pytest.mark.parametrize(
    ("one", "content"),
    [
        (STREAM[0], False),
        (STREAM[2], False),
        (STREAM[3], False),
        (STREAM[4], True),
        (STREAM[11], False),
        (STREAM[12], True),
        (STREAM[17], True),
        (STREAM[9], True),
        (STREAM[21], True),
        (sse(event_data(STREAM[12])), True),
        (b": comment\n\n", False),
        (b"retry: 3\n\n", False),
    ],
)
def test_what_counts_as_content(one: bytes, content: bool) -> None:
    relay = DIALECT.relay(FACTS, SHAPE)
    assert relay.feed(one) == one and relay.has_content is content


def test_a_cut_relay_is_not_complete() -> None:
    relay = DIALECT.relay(FACTS, SHAPE)
    wire = b"".join(STREAM[:-1])
    assert relay.feed(wire + b"event: response.comple") + relay.end() == wire
    assert not relay.complete


def test_both_relays_meter_alike() -> None:
    relay = TranslatingRelay(DIALECT.stream_decoder(), DIALECT.stream_encoder(FACTS, SHAPE))
    out = b"".join(relay.feed(piece) for piece in STREAM)
    assert assembled(decoded([out])) == WHOLE
    assert (relay.usage, relay.finish, relay.complete) == (WHOLE.usage, Finish.TOOL_CALLS, True)


def test_usage_comes_before_the_end() -> None:
    kinds = [type(found) for found in decoded(STREAM)[-3:]]
    assert kinds == [UsageUpdate, Finished, Ended]
