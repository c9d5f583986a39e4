"""Whatever bytes come, a dialect says what is wrong with them in its own error, and nothing else.

Valid requests, replies, streams and errors are damaged at random; `make fuzz` sets HYBRIDLLM_FUZZ
to more examples.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybridllm.errors import ProviderError, RequestError
from hybridllm.wire.dialect import Dialect, DropPolicy, Facts, RequestShape, Target
from hybridllm.wire.registry import NAMES, get_dialect

EXAMPLES = int(os.environ.get("HYBRIDLLM_FUZZ", "300"))
SHAPES = [RequestShape(model="gemini-2.5-flash", stream=stream, sse=True) for stream in (0, 1)]
TARGET = Target(model="gpt-4o-mini", max_output_tokens=16_000)
FACTS = Facts(model="auto", turns=[])

REQUESTS = [
    {
        "model": "auto",
        "max_tokens": 50,
        "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
        "instructions": "Be kind.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1}'},
            {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
        ],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Héllo"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "", "signature": "abc"},
                    {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": [1, 2.5, None]}},
                ],
                "tool_calls": [
                    {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "sunny"}],
            },
        ],
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}, {"inlineData": {"data": "aGk="}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]},
            {"parts": [{"functionResponse": {"name": "f", "response": {"r": "sunny"}}}]},
        ],
        "generationConfig": {"maxOutputTokens": 5, "thinkingConfig": {"thinkingBudget": 10}},
        "tools": [
            {
                "name": "f",
                "type": "function",
                "input_schema": {"type": "object"},
                "function": {"name": "f", "parameters": {"type": "object"}},
            }
        ],
        "metadata": {"task": "general"},
        "stream": True,
    }
]
REPLY = {
    "id": "r1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "role": "assistant",
    "status": "completed",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "Hi"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    ],
    "stop_reason": "end_turn",
    "output": [
        {"type": "message", "id": "m", "content": [{"type": "output_text", "text": "Hi"}]},
        {"type": "reasoning", "id": "x", "summary": [{"type": "summary_text", "text": "hm"}]},
    ],
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    ],
    "candidates": [
        {"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}
    ],
    "usage": {"input_tokens": 3, "output_tokens": 4, "prompt_tokens": 3, "completion_tokens": 4},
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4},
    "error": {"message": "No.", "type": "invalid_request_error", "code": 400, "status": "X"},
}
STREAM = b"".join(
    (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(data).encode() + b"\n\n"
    for name, data in (
        ("", {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hi"}}]}),
        ("message_start", {"type": "message_start", "message": REPLY}),
        (
            "content_block_start",
            {"type": "content_block_start", "index": 0, "content_block": REPLY["content"][0]},  # type: ignore[index]
        ),
        (
            "content_block_delta",
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": "x"},
            },
        ),
        ("message_stop", {"type": "message_stop"}),
        ("", {"candidates": REPLY["candidates"], "usageMetadata": REPLY["usageMetadata"]}),
        (
            "response.output_text.delta",
            {
                "type": "response.output_text.delta",
                "item_id": "m",
                "output_index": 0,
                "content_index": 0,
                "delta": "Hi",
                "sequence_number": 1,
            },
        ),
        ("response.completed", {"type": "response.completed", "response": REPLY}),
        ("", {"error": REPLY["error"]}),
    )
)
STREAM += b"data: [DONE]\n\n"


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """The bytes with a few pieces cut out, repeated, overwritten or put in."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        size = draw(st.integers(0, 40))
        piece = draw(st.one_of(st.binary(max_size=8), st.sampled_from(PIECES)))
        match draw(st.sampled_from(["cut", "repeat", "put"])):
            case "cut":
                del data[at : at + size]
            case "repeat":
                data[at:at] = data[at : at + size]
            case "put":
                data[at : at + len(piece) * draw(st.integers(0, 1))] = piece
    return bytes(data)


PIECES = [
    b"null",
    b"{}",
    b"[]",
    b'""',
    b"-1",
    b"1e999",
    b"99999999999999999999999",
    b"true",
    b"\\ud800",
    b"\xff",
    b'"',
    b"\n\n",
    b"\r\n\r\n",
    b"data: ",
    b"hllm1.google.",
    b"[" * 2_000,
]


@st.composite
def changed(draw: st.DrawFn, value: object) -> object:
    """The JSON value with one of its values replaced by another kind of value."""
    if isinstance(value, dict) and value and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: draw(changed(value[key]))}
    if isinstance(value, list) and value and draw(st.integers(0, 5)):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], draw(changed(value[at])), *value[at + 1 :]]
    return draw(st.sampled_from([None, True, 7, -1, 1.5, "", "x", [], [None], {}, {"a": None}]))


def bytes_of(value: object) -> st.SearchStrategy[bytes]:
    """Its JSON, damaged as text or changed as a value."""
    whole = json.dumps(value).encode()
    return st.one_of(damaged(whole), changed(value).map(lambda v: json.dumps(v).encode()))


fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
each_dialect = pytest.mark.parametrize("name", NAMES)


def only(errors: type[Exception], call: Callable[[], object]) -> None:
    """The call may raise these errors, and no other."""
    with suppress(errors):
        call()


@each_dialect
@given(body=bytes_of(REQUESTS[0]))
@fuzzed
def test_requests(name: str, body: bytes) -> None:
    dialect = get_dialect(name)
    for shape in SHAPES:
        only(RequestError, lambda: dialect.facts(body, shape))  # noqa: B023 - called at once
        only(RequestError, lambda: _through(dialect, body, shape))  # noqa: B023


def _through(dialect: Dialect, body: bytes, shape: RequestShape) -> None:
    """What was read can be passed on, and can be written in every dialect or is refused."""
    facts = dialect.facts(body, shape)
    dialect.passthrough(body, facts, "gpt-4o-mini")
    conversation = dialect.decode_request(body, shape)
    for name in NAMES:
        only(
            RequestError,
            lambda: get_dialect(name).encode_request(conversation, TARGET, DropPolicy()),  # noqa: B023
        )


@each_dialect
@given(body=bytes_of(REPLY))
@fuzzed
def test_replies(name: str, body: bytes) -> None:
    dialect = get_dialect(name)
    dialect.meter(body)

    def through() -> None:
        reply = dialect.decode_reply(body)
        for other in NAMES:
            get_dialect(other).encode_reply(reply)

    only(ProviderError, through)


@each_dialect
@given(body=bytes_of({"error": REPLY["error"], "type": "error"}), status=st.integers(300, 599))
@fuzzed
def test_errors(name: str, body: bytes, status: int) -> None:
    error = get_dialect(name).decode_error(status, {"retry-after": body[:9].decode("latin1")}, body)
    for other in NAMES:
        found, text = get_dialect(other).encode_error(error, "hl-1")
        assert 400 <= found <= 599 and json.loads(text)


@each_dialect
@given(stream=damaged(STREAM), cuts=st.lists(st.integers(0, len(STREAM)), max_size=3))
@fuzzed
def test_streams(name: str, stream: bytes, cuts: list[int]) -> None:
    dialect = get_dialect(name)
    places = [0, *sorted(cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(places)]

    def relayed() -> None:
        relay = dialect.relay(FACTS, SHAPES[1])
        for piece in pieces:
            relay.feed(piece)
        relay.end()

    def translated() -> None:
        for other in NAMES:
            decoder = dialect.stream_decoder()
            encoder = get_dialect(other).stream_encoder(FACTS, SHAPES[1])
            for piece in pieces:
                for event in decoder.feed(piece):
                    encoder.encode(event)
            for event in decoder.end():
                encoder.encode(event)

    only(ProviderError, relayed)
    only(ProviderError, translated)
