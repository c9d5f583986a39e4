"""Streams in both forms: the same events and the same bytes, however they are cut."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.errors import ErrorKind, HybridError, ProviderError
from hybridllm.wire.conversation import (
    BlockEnd,
    Ended,
    Event,
    Finish,
    Finished,
    OpaqueBlock,
    Started,
    StreamFailed,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageUpdate,
)
from hybridllm.wire.dialect import Facts, RequestShape
from hybridllm.wire.google import DIALECT
from hybridllm.wire.google.signatures import from_wire
from hybridllm.wire.google.streams import stream_error

SSE = RequestShape(model="m", stream=True)
ARRAY = RequestShape(model="m", stream=True, sse=False)
FACTS = Facts(model="m", turns=[])

CHUNKS = [
    '{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}],"role":"model"}}],'
    '"usageMetadata":{"promptTokenCount":9},"modelVersion":"gemini-2.5-pro","responseId":"r"}',
    '{"candidates":[{"content":{"parts":[{"text":"","thought":true,"thoughtSignature":"QQ=="}]}}]}',
    '{"candidates": [{"content": {"parts": [{"text": "a \\"]}[{\\\\"}]}}], "future": {"x": []}}',
    '{"candidates":[{"content":{"parts":[{"text":"ü"}]}}]}',
    '{"candidates":[{"content":{"parts":[{"functionCall":{"id":"c","name":"f","args":{"a":1.50}},'
    '"thoughtSignature":"Qg=="}]}}]}',
    '{"candidates":[{"content":{"parts":[{"executableCode":{"code":"1"}}]}}]}',
    '{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}],'
    '"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":5,"thoughtsTokenCount":2}}',
]  # fmt: skip
USAGE = Usage(input_tokens=9, output_tokens=7, reasoning_tokens=2)
EVENTS: list[Event] = [
    Started(id="r", model="gemini-2.5-pro"),
    ThinkingDelta(index=0, text="hm", origin="google"),
    UsageUpdate(usage=Usage(input_tokens=9)),
    ThinkingSigned(index=0, signature="QQ==", origin="google"),
    BlockEnd(index=0),
    TextDelta(index=1, text='a "]}[{\\'),
    TextDelta(index=1, text="ü"),
    BlockEnd(index=1),
    ToolCallStarted(index=2, id="c", name="f", signature="Qg==", origin="google"),
    ToolCallDelta(index=2, arguments='{"a":1.50}'),
    BlockEnd(index=2),
    OpaqueBlock(
        index=3, origin="google", kind="executableCode", raw='{"executableCode":{"code":"1"}}'
    ),
    BlockEnd(index=3),
    UsageUpdate(usage=USAGE),
    Finished(finish=Finish.TOOL_CALLS),
    Ended(),
]
WIRE = {
    "sse": "".join(f"data: {chunk}\n\n" for chunk in CHUNKS).encode(),
    "crlf": "".join(f"data: {chunk}\r\n\r\n" for chunk in CHUNKS).encode(),
    "array": ("[" + "\n,\r\n".join(CHUNKS) + "\n]\n").encode(),
}
FORMS = pytest.mark.parametrize("form", list(WIRE))


def shape_of(form: str) -> RequestShape:
    return ARRAY if form == "array" else SSE


def cut(wire: bytes, cuts: list[int]) -> list[bytes]:
    at = [0, *sorted(c % (len(wire) + 1) for c in cuts), len(wire)]
    return [wire[a:b] for a, b in pairwise(at)]


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
    relay = DIALECT.relay(FACTS, shape_of(form))
    out = b"".join(relay.feed(piece) for piece in cut(WIRE[form], cuts)) + relay.end()
    assert out == WIRE[form]
    assert (relay.usage, relay.finish) == (USAGE, Finish.TOOL_CALLS)
    assert relay.complete and relay.has_content and relay.error is None
    assert relay.output_events == 5


@FORMS
def test_byte_by_byte(form: str) -> None:
    decoder, relay = DIALECT.stream_decoder(), DIALECT.relay(FACTS, shape_of(form))
    pieces = [WIRE[form][i : i + 1] for i in range(len(WIRE[form]))]
    assert [e for piece in pieces for e in decoder.feed(piece)] + decoder.end() == EVENTS
    assert b"".join(relay.feed(piece) for piece in pieces) + relay.end() == WIRE[form]


@FORMS
def test_a_stream_that_is_cut_is_not_complete(form: str) -> None:
    short = WIRE[form][: WIRE[form].index(b'"executableCode"')]
    relay, decoder = DIALECT.relay(FACTS, shape_of(form)), DIALECT.stream_decoder()
    out = relay.feed(short) + relay.end()
    events = decoder.feed(short) + decoder.end()
    assert short.startswith(out) and out.endswith((b"\n", b"}"))
    assert not relay.complete and relay.has_content
    assert events == EVENTS[: len(events)] and Ended() not in events


def test_an_array_without_its_end_is_not_complete() -> None:
    wire = WIRE["array"].rstrip().removesuffix(b"]")
    relay, decoder = DIALECT.relay(FACTS, ARRAY), DIALECT.stream_decoder()
    relay.feed(wire)
    relay.end()
    assert not relay.complete
    assert Ended() not in decoder.feed(wire) + decoder.end()


def test_nothing_of_substance_is_no_content() -> None:
    relay = DIALECT.relay(FACTS, SSE)
    relay.feed(b'data: {"candidates":[{"content":{"parts":[{"text":""}]}}]}\n\n: ping\n\n')
    relay.feed(b'data: {"candidates":[{"content":{"parts":[{"thoughtSignature":"QQ=="}]}}]}\n\n')
    assert not relay.has_content and not relay.complete
    relay.feed(b'data: {"candidates":[{"content":{"parts":[{"inlineData":{}}]}}]}\n\n')
    assert relay.has_content


def test_every_candidate_finishes() -> None:
    relay = DIALECT.relay(Facts(model="m", turns=[], choices=2), SSE)
    for index, done in ((1, False), (0, True)):
        relay.feed(
            b'data: {"candidates":[{"index":%d,"finishReason":"STOP"}],"usageMetadata":{}}\n\n'
            % index
        )
        assert relay.complete is done


def test_a_finish_without_usage_ends_with_the_stream() -> None:
    wire = b'data: {"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP"}]}\n\n'
    relay, decoder = DIALECT.relay(FACTS, SSE), DIALECT.stream_decoder()
    relay.feed(wire)
    assert not relay.complete
    relay.end()
    assert relay.complete
    assert Ended() not in decoder.feed(wire)
    assert decoder.end()[-2:] == [Finished(finish=Finish.STOP), Ended()]


def test_a_blocked_prompt_completes() -> None:
    wire = b'data: {"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{}}\n\n'
    relay, decoder = DIALECT.relay(FACTS, SSE), DIALECT.stream_decoder()
    relay.feed(wire)
    assert relay.complete and relay.finish is Finish.CONTENT_FILTER
    assert decoder.feed(wire)[-2:] == [Finished(finish=Finish.CONTENT_FILTER), Ended()]


ERROR = b'{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}'


@pytest.mark.parametrize(
    ("shape", "wire"), [(SSE, b"data: " + ERROR + b"\n\n"), (ARRAY, b"[" + ERROR + b"]")]
)
def test_an_error_in_mid_stream(shape: RequestShape, wire: bytes) -> None:
    relay, decoder = DIALECT.relay(FACTS, shape), DIALECT.stream_decoder()
    assert relay.feed(wire) == wire
    assert relay.error is not None and relay.error.kind is ErrorKind.OVERLOADED
    assert not relay.complete
    assert decoder.feed(wire) == [
        StreamFailed(kind="overloaded", message="The model is overloaded.", code="UNAVAILABLE")
    ]


@pytest.mark.parametrize(
    ("shape", "wire"),
    [
        (SSE, b"data: {]\n\n"),
        (SSE, b'data: {"candidates":1}\n\n'),
        (ARRAY, b"{}"),
        (ARRAY, b"[{]]"),
    ],
)
def test_what_is_no_stream(shape: RequestShape, wire: bytes) -> None:
    with pytest.raises(ProviderError) as caught:
        DIALECT.relay(FACTS, shape).feed(wire)
    assert caught.value.kind is ErrorKind.MALFORMED_REPLY


FOREIGN: list[Event] = [
    Started(id="msg", model="claude", usage=Usage(input_tokens=3)),
    ThinkingDelta(index=0, text="hm", origin="anthropic"),
    ThinkingSigned(index=0, signature="sig", origin="anthropic"),
    BlockEnd(index=0),
    TextDelta(index=1, text="yes"),
    BlockEnd(index=1),
    ToolCallStarted(index=2, id="a", name="f"),
    ToolCallStarted(index=3, id="b", name="g"),
    ToolCallDelta(index=2, arguments='{"x"'),
    ToolCallDelta(index=3, arguments="{}"),
    ToolCallDelta(index=2, arguments=": 1.50}"),
    BlockEnd(index=2),
    Finished(finish=Finish.TOOL_CALLS),
    UsageUpdate(usage=USAGE),
    Ended(),
]


def encoded(events: list[Event], shape: RequestShape) -> list[bytes]:
    encoder = DIALECT.stream_encoder(FACTS, shape)
    return [encoder.encode(event) for event in events]


@pytest.mark.parametrize("shape", [SSE, ARRAY])
def test_events_of_others_as_google_streams_them(shape: RequestShape) -> None:
    wire = b"".join(encoded(FOREIGN, shape))
    if shape.sse:
        messages = [json.loads(line[6:]) for line in wire.decode().split("\n\n") if line]
    else:
        messages = json.loads(wire)
    for message in messages:
        types.GenerateContentResponse.model_validate_json(json.dumps(message))
    parts = [m["candidates"][0]["content"]["parts"][0] for m in messages]
    assert parts[0] == {"text": "hm", "thought": True}
    assert from_wire(parts[1]["thoughtSignature"]).value == "sig"
    assert parts[2:] == [
        {"text": "yes"},
        {"functionCall": {"id": "a", "name": "f", "args": {"x": 1.5}}},
        {"functionCall": {"id": "b", "name": "g", "args": {}}},
        {"text": ""},
    ]
    assert ["finishReason" in m["candidates"][0] for m in messages] == [False] * 5 + [True]
    relay = DIALECT.relay(FACTS, shape)
    assert relay.feed(wire) == wire
    assert relay.complete and relay.usage == USAGE


def test_a_call_leaves_whole() -> None:
    sent = encoded(FOREIGN, SSE)
    assert [bool(piece) for piece in sent[6:12]] == [False] * 5 + [True]


def test_a_streamed_call_that_is_no_json() -> None:
    events: list[Event] = [
        ToolCallStarted(index=0, id="a", name="f"),
        ToolCallDelta(index=0, arguments='{"x"'),
        Finished(finish=Finish.TOOL_CALLS),
        Ended(),
    ]
    assert b'"finishReason":"MALFORMED_FUNCTION_CALL"' in b"".join(encoded(events, SSE))


def test_content_types() -> None:
    assert DIALECT.stream_content_type(SSE) == "text/event-stream"
    assert DIALECT.stream_content_type(ARRAY) == "application/json"


def test_a_stream_that_breaks_ends_in_its_own_form() -> None:
    error = HybridError("Cut.", kind=ErrorKind.CONNECTION)
    event = DIALECT.encode_stream_error(error, "hl-1", RequestShape(sse=True))
    assert event.startswith(b'data: {"error":{"code":503,') and event.endswith(b"}\n\n")
    begun = b"".join(encoded(FOREIGN[:6], ARRAY))
    last = stream_error(error, "hl-1", sse_form=False)
    assert json.loads(begun + last)[-1]["error"]["status"] == "UNAVAILABLE"
    failed = encoded([StreamFailed(kind="overloaded", message="Busy.")], ARRAY)
    assert json.loads(failed[0])[0]["error"]["message"] == "Busy."
