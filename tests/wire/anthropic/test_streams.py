"""Streamed replies: relayed, read and written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from anthropic import Anthropic
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.wire.anthropic import DIALECT
from hybridllm.wire.anthropic.signatures import joined_calls
from hybridllm.wire.conversation import (
    BlockEnd,
    Ended,
    Event,
    Finish,
    Finished,
    OpaqueBlock,
    Part,
    RefusalDelta,
    Reply,
    Started,
    StreamFailed,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingSigned,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageUpdate,
)
from hybridllm.wire.dialect import Facts, RequestShape
from tests.wire.anthropic.strategies import replies
from tests.wire.anthropic.streaming import assembled, cut, events_of, messages

SHAPE = RequestShape()
FACTS = Facts(model="auto", turns=[])
SDK_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)

DATA = [
    '{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
    '"model":"claude-opus-4-7","content":[],"stop_reason":null,"stop_sequence":null,"usage":'
    '{"input_tokens":9,"cache_read_input_tokens":100,"cache_creation_input_tokens":30,'
    '"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},'
    '"output_tokens":1}}}',
    '{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"",'
    '"signature":""}}',
    '{"type": "ping"}',
    '{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s=="}}',
    '{"type":"content_block_stop","index":0}',
    '{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}',
    '{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"ü\\n\\n}"}}',
    '{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{}}}',
    '{"type":"content_block_stop","index":1}',
    '{"type":"content_block_start","index":2,"content_block":{"type":"server_tool_use","id":"s",'
    '"name":"web_search","input":{}}}',
    '{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta",'
    '"partial_json":"{\\"q\\":1.50}"}}',
    '{"type":"content_block_stop","index":2}',
    '{"type":"content_block_start","index":3,"content_block":{"type":"web_search_tool_result",'
    '"tool_use_id":"s","content":[]}}',
    '{"type":"content_block_stop","index":3}',
    '{"type":"content_block_start","index":4,"content_block":{"type":"tool_use","id":"toolu_1",'
    '"name":"f","input":{}}}',
    '{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta",'
    '"partial_json":""}}',
    '{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta",'
    '"partial_json":"{\\"a\\": 1"}}',
    '{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta",'
    '"partial_json":".50}"}}',
    '{"type":"content_block_stop","index":4}',
    '{"type":"content_block_start","index":5,"content_block":{"type":"tool_use","id":"toolu_2",'
    '"name":"g","input":{}}}',
    '{"type":"content_block_stop","index":5}',
    '{"type":"content_block_start","index":6,"content_block":{"type":"redacted_thinking",'
    '"data":"enc"}}',
    '{"type":"content_block_stop","index":6}',
    '{"type":"event_of_the_future","x":[]}',
    '{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},'
    '"usage":{"output_tokens":50,"output_tokens_details":{"thinking_tokens":7}}}',
    '{"type":"message_stop"}',
]
BEGUN = Usage(
    input_tokens=9,
    cache_read_tokens=100,
    cache_write_tokens=10,
    cache_write_long_tokens=20,
    output_tokens=1,
)
USAGE = Usage(
    input_tokens=9,
    cache_read_tokens=100,
    cache_write_tokens=10,
    cache_write_long_tokens=20,
    output_tokens=50,
    reasoning_tokens=7,
)
EVENTS: list[Event] = [
    Started(id="msg_1", model="claude-opus-4-7", usage=BEGUN),
    ThinkingDelta(index=0, text="", origin="anthropic"),
    ThinkingSigned(index=0, signature="s==", origin="anthropic"),
    BlockEnd(index=0),
    TextDelta(index=1, text="ü\n\n}"),
    BlockEnd(index=1),
    OpaqueBlock(
        index=2,
        origin="anthropic",
        kind="server_tool_use",
        raw='{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":1.50}}',
    ),
    BlockEnd(index=2),
    OpaqueBlock(
        index=3,
        origin="anthropic",
        kind="web_search_tool_result",
        raw='{"type":"web_search_tool_result","tool_use_id":"s","content":[]}',
    ),
    BlockEnd(index=3),
    ToolCallStarted(index=4, id="toolu_1", name="f"),
    ToolCallDelta(index=4, arguments='{"a": 1'),
    ToolCallDelta(index=4, arguments=".50}"),
    BlockEnd(index=4),
    ToolCallStarted(index=5, id="toolu_2", name="g"),
    ToolCallDelta(index=5, arguments="{}"),
    BlockEnd(index=5),
    ThinkingSigned(index=6, sealed="enc", origin="anthropic"),
    BlockEnd(index=6),
    UsageUpdate(usage=USAGE),
    Finished(finish=Finish.TOOL_CALLS),
    Ended(),
]


def as_wire(data: list[str], end: str = "\n", named: bool = True) -> bytes:
    return "".join(
        (f"event: {json.loads(d)['type']}{end}" if named else "") + f"data: {d}{end}{end}"
        for d in data
    ).encode()


WIRE = {"lf": as_wire(DATA), "crlf": as_wire(DATA, "\r\n"), "unnamed": as_wire(DATA, named=False)}
FORMS = pytest.mark.parametrize("form", list(WIRE))
cuts = st.lists(st.integers(0, 10_000), max_size=12)


@FORMS
@settings(deadline=None, max_examples=60)
@given(cuts)
def test_any_cut_gives_the_same_events(form: str, cuts: list[int]) -> None:
    decoder = DIALECT.stream_decoder()
    events = [event for piece in cut(WIRE[form], cuts) for event in decoder.feed(piece)]
    assert events + decoder.end() == EVENTS


@FORMS
@settings(deadline=None, max_examples=60)
@given(cuts)
def test_any_cut_passes_the_same_bytes_on(form: str, cuts: list[int]) -> None:
    relay = DIALECT.relay(FACTS, SHAPE)
    out = b"".join(relay.feed(piece) for piece in cut(WIRE[form], cuts)) + relay.end()
    assert out == WIRE[form]
    assert (relay.usage, relay.finish) == (USAGE, Finish.TOOL_CALLS)
    assert relay.complete and relay.has_content and relay.error is None
    assert relay.output_events == 7


@FORMS
def test_byte_by_byte(form: str) -> None:
    decoder, relay = DIALECT.stream_decoder(), DIALECT.relay(FACTS, SHAPE)
    pieces = [WIRE[form][i : i + 1] for i in range(len(WIRE[form]))]
    assert [e for piece in pieces for e in decoder.feed(piece)] == EVENTS
    assert b"".join(relay.feed(piece) for piece in pieces) == WIRE[form]


def test_when_content_begins() -> None:
    relay = DIALECT.relay(FACTS, SHAPE)
    relay.feed(as_wire([DATA[0], DATA[2]]))
    assert (relay.has_content, relay.usage) == (False, BEGUN)
    relay.feed(as_wire([DATA[1]]))
    assert (relay.has_content, relay.output_events) == (True, 0)


def test_a_stream_that_is_cut_is_not_complete() -> None:
    short = WIRE["lf"][:-10]
    relay, decoder = DIALECT.relay(FACTS, SHAPE), DIALECT.stream_decoder()
    out = relay.feed(short) + relay.end()
    assert short.startswith(out) and out.endswith(b"\n\n") and not relay.complete
    assert decoder.feed(short) + decoder.end() == EVENTS[:-1]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ('{"output_tokens":2}', Usage(input_tokens=5, cache_write_long_tokens=4, output_tokens=2)),
        (
            '{"input_tokens":6,"cache_read_input_tokens":3,"cache_creation_input_tokens":9,'
            '"output_tokens":2}',
            Usage(
                input_tokens=6,
                cache_read_tokens=3,
                cache_write_tokens=5,
                cache_write_long_tokens=4,
                output_tokens=2,
            ),
        ),
        (
            '{"input_tokens":null,"cache_creation_input_tokens":0,"output_tokens":2}',
            Usage(input_tokens=5, output_tokens=2),
        ),
    ],
)
def test_the_last_counts_hold(usage: str, expected: Usage) -> None:
    wire = as_wire(
        [
            '{"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1,'
            '"cache_creation":{"ephemeral_1h_input_tokens":4}}}}',
            f'{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{usage}}}',
        ]
    )
    relay = DIALECT.relay(FACTS, SHAPE)
    relay.feed(wire)
    assert relay.usage == expected
    assert UsageUpdate(usage=expected) in DIALECT.stream_decoder().feed(wire)


@pytest.mark.parametrize("named", [True, False])
def test_an_error_in_mid_stream(named: bool) -> None:
    error = '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    wire = as_wire([error], named=named)
    relay = DIALECT.relay(FACTS, SHAPE)
    assert relay.feed(wire) == wire and not relay.complete
    assert relay.error is not None and relay.error.kind is ErrorKind.OVERLOADED
    assert relay.error.retryable and relay.error.message == "Overloaded"
    failed = StreamFailed(kind="overloaded", message="Overloaded", code="overloaded_error")
    assert DIALECT.stream_decoder().feed(wire) == [failed]


@pytest.mark.parametrize(
    "wire",
    [
        b"event: message_start\ndata: {]\n\n",
        b'event: content_block_delta\ndata: {"type": "content_bl\n\n',
        b"data: {]\n\n",
        b'data: {"index":1}\n\n',
        b'event: message_delta\ndata: {"type":"message_delta","usage":1}\n\n',
    ],
)
def test_what_is_no_stream(wire: bytes) -> None:
    for reader in (DIALECT.relay(FACTS, SHAPE), DIALECT.stream_decoder()):
        with pytest.raises(ProviderError) as caught:
            reader.feed(wire)
        assert caught.value.kind is ErrorKind.MALFORMED_REPLY


# -- what is written


def encoded(events: list[Event]) -> bytes:
    encoder = DIALECT.stream_encoder(FACTS, SHAPE)
    wire = b"".join(encoder.encode(event) for event in events)
    for message in messages(wire):
        SDK_EVENT.validate_python(message)
    return wire


@settings(deadline=None, max_examples=150)
@given(replies())
def test_a_reply_survives_being_streamed(reply: Reply) -> None:
    again = assembled(DIALECT.stream_decoder().feed(encoded(events_of(reply))))
    again.parts = joined_calls(again.parts)
    assert again == reply


INTERLEAVED: list[Event] = [
    Started(id="chatcmpl-1", model="gpt-4o"),
    TextDelta(index=0, text="let me "),
    TextDelta(index=0, text="see"),
    ToolCallStarted(index=1, id="call_a", name="f"),
    ToolCallStarted(index=2, id="call_b", name="g", signature="c2ln", origin="google"),
    ToolCallDelta(index=2, arguments='{"y"'),
    ToolCallDelta(index=1, arguments='{"x": '),
    ToolCallStarted(index=3, id="call_c", name="h"),
    BlockEnd(index=0),
    ToolCallDelta(index=1, arguments="1.50}"),
    ToolCallDelta(index=2, arguments=": 2}"),
    BlockEnd(index=1),
    RefusalDelta(index=4, text="no"),
    Finished(finish=Finish.TOOL_CALLS),
    UsageUpdate(usage=USAGE),
    Ended(),
]
UNTANGLED = [
    {"type": "text", "text": "let me see"},
    {"type": "tool_use", "id": "call_a", "name": "f", "input": {"x": 1.5}},
    {"type": "thinking", "thinking": "", "signature": "hllm1.google.c2ln"},
    {"type": "tool_use", "id": "call_b", "name": "g", "input": {"y": 2}},
    {"type": "tool_use", "id": "call_c", "name": "h", "input": {}},
    {"type": "text", "text": "no"},
]


def test_blocks_never_interleave() -> None:
    open_block: int | None = None
    number = 0
    for message in messages(encoded(INTERLEAVED)):
        match message["type"]:
            case "content_block_start":
                assert open_block is None and message["index"] == number
                open_block = number
            case "content_block_delta":
                assert message["index"] == open_block
            case "content_block_stop":
                assert message["index"] == open_block
                open_block, number = None, number + 1
    assert number == len(UNTANGLED) and open_block is None


def test_what_can_leave_at_once_does() -> None:
    encoder = DIALECT.stream_encoder(FACTS, SHAPE)
    sent = [bool(encoder.encode(event)) for event in INTERLEAVED]
    waiting = [5, 7, 8, 10, 12, 13, 14]
    assert [i for i, out in enumerate(sent) if not out] == [4, *waiting]


FOREIGN: list[Event] = [
    Started(id="", model="", usage=Usage(input_tokens=3)),
    ThinkingDelta(index=0, text="", origin="google"),
    ThinkingDelta(index=0, text="hm", origin="google"),
    BlockEnd(index=0),
    ThinkingDelta(index=1, text="", origin="openai"),
    ThinkingSigned(index=1, sealed="enc", origin="openai"),
    BlockEnd(index=1),
    TextDelta(index=2, text=""),
    TextDelta(index=2, text="ü"),
    BlockEnd(index=2),
    OpaqueBlock(index=3, origin="google", kind="executableCode", raw="{}"),
    BlockEnd(index=3),
    Finished(finish=Finish.STOP_SEQUENCE, stop_sequence="END"),
    Ended(),
]
FOREIGN_BLOCKS = [
    {"type": "thinking", "thinking": "hm", "signature": "hllm1.google."},
    {"type": "redacted_thinking", "data": "hllm1.openai.enc"},
    {"type": "text", "text": "ü"},
]
EMPTY_SIGNED: list[Event] = [*EVENTS[:4], Finished(finish=Finish.STOP), Ended()]


@pytest.fixture
def served() -> Iterator[tuple[Anthropic, dict[str, bytes]]]:
    """Anthropic's own client, and what the server that it asks answers with."""
    answer: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", DIALECT.stream_content_type(SHAPE))
            self.end_headers()
            self.wfile.write(answer["body"])

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        with Anthropic(base_url=url, api_key="k", max_retries=0) as client:
            yield client, answer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def accumulated(served: tuple[Anthropic, dict[str, bytes]], wire: bytes) -> Message:
    client, answer = served
    answer["body"] = wire
    ask: dict[str, Any] = {"role": "user", "content": "x"}
    with client.messages.stream(model="m", max_tokens=9, messages=[ask]) as stream:  # type: ignore[list-item]
        return stream.get_final_message()


@pytest.mark.parametrize(
    ("events", "blocks", "reason"),
    [
        (INTERLEAVED, UNTANGLED, "tool_use"),
        (FOREIGN, FOREIGN_BLOCKS, "stop_sequence"),
        (EMPTY_SIGNED, [{"type": "thinking", "thinking": "", "signature": "s=="}], "end_turn"),
    ],
    ids=["interleaved", "foreign", "empty signed"],
)
def test_the_sdk_puts_the_stream_together(
    served: tuple[Anthropic, dict[str, bytes]],
    events: list[Event],
    blocks: list[dict[str, Any]],
    reason: str,
) -> None:
    message = accumulated(served, encoded(events))
    assert [block.to_dict(exclude_unset=True) for block in message.content] == blocks
    assert message.stop_reason == reason
    if events is INTERLEAVED:
        assert (message.id, message.model) == ("chatcmpl-1", "gpt-4o")
        usage = message.usage
        assert (usage.input_tokens, usage.output_tokens) == (9, 50)
        assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (100, 30)
    if events is FOREIGN:
        assert (message.model, message.stop_sequence) == ("auto", "END")


def test_a_stream_without_a_start_still_has_one() -> None:
    found = messages(encoded([TextDelta(index=0, text="x"), Ended()]))
    assert [message["type"] for message in found] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


@pytest.mark.parametrize(
    ("usage", "split"),
    [
        (Usage(input_tokens=9, cache_write_tokens=3, output_tokens=2), None),
        (
            Usage(input_tokens=9, cache_write_tokens=3, cache_write_long_tokens=4),
            {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
        ),
    ],
)
def test_the_last_usage_splits_cache_writes_only_where_the_total_does_not_say_it(
    usage: Usage, split: dict[str, int] | None
) -> None:
    """The SDK's own type of it has no such field."""
    *_, delta, _ = messages(encoded([UsageUpdate(usage=usage), Ended()]))
    counted: Any = delta["usage"]
    written = usage.cache_write_tokens + usage.cache_write_long_tokens
    assert counted["cache_creation_input_tokens"] == written
    assert counted.get("cache_creation") == split
    if split is None:
        assert SDK_EVENT.validate_python(delta).usage.model_extra == {}


SIGNED_ANSWER: list[Event] = [
    TextDelta(index=0, text="It works."),
    ThinkingSigned(index=1, signature="c2ln", origin="google"),
]


def test_the_last_block_is_the_answer_not_the_signature_after_it() -> None:
    """Claude Code prints the last block: a signed end of Gemini's would make it print nothing."""
    found = assembled(DIALECT.stream_decoder().feed(encoded([*SIGNED_ANSWER, Ended()])))
    assert found.parts == [Text(text="It works.")]
    parts: list[Part] = [Text(text="It works."), Thinking(signature="c2ln", origin="google")]
    whole = json.loads(DIALECT.encode_reply(Reply(id="m", model="m", parts=parts)))
    assert [block["type"] for block in whole["content"]] == ["text"]


@pytest.mark.parametrize(
    "origin", ["google", "anthropic"], ids=["before another block", "of Anthropic's own"]
)
def test_a_signature_after_a_text_is_kept_otherwise(origin: str) -> None:
    signed = ThinkingSigned(index=1, signature="c2ln", origin=origin)
    further: list[Event] = [TextDelta(index=2, text="And.")] if origin == "google" else []
    found = assembled(
        DIALECT.stream_decoder().feed(encoded([SIGNED_ANSWER[0], signed, *further, Ended()]))
    )
    assert found.parts[1] == Thinking(signature="c2ln", origin=origin)


def test_a_text_taken_up_again_is_a_block_of_its_own() -> None:
    events: list[Event] = [
        TextDelta(index=0, text="a"),
        ThinkingDelta(index=1, text="hm", origin="openai"),
        BlockEnd(index=0),
        ThinkingDelta(index=1, text="!", origin="openai"),
        TextDelta(index=0, text="b"),
        Finished(finish=Finish.STOP),
        Ended(),
    ]
    again = assembled(DIALECT.stream_decoder().feed(encoded(events)))
    assert again.parts == [
        Text(text="a"),
        Thinking(text="hm!", origin="openai"),
        Text(text="b"),
    ]


def test_a_call_of_nothing_is_a_call_without_arguments() -> None:
    events: list[Event] = [ToolCallStarted(index=0, id="a", name="f"), Ended()]
    again = assembled(DIALECT.stream_decoder().feed(encoded(events)))
    assert again.parts == [ToolCall(id="a", name="f", arguments="{}")]


def test_a_failure_is_told_in_the_stream() -> None:
    encoder = DIALECT.stream_encoder(FACTS, SHAPE)
    wire = encoder.encode(StreamFailed(kind="overloaded", message="Busy."))
    relay = DIALECT.relay(FACTS, SHAPE)
    relay.feed(wire)
    assert relay.error is not None and relay.error.kind is ErrorKind.OVERLOADED
