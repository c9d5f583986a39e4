"""Whole replies, their usage and their finish."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.wire.conversation import (
    Finish,
    Media,
    Opaque,
    Part,
    Reply,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from hybridllm.wire.google import DIALECT

FINISHES = {
    "FINISH_REASON_UNSPECIFIED": "other",
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "other",
    "OTHER": "other",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MALFORMED_FUNCTION_CALL": "malformed_tool_call",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_OTHER": "other",
    "NO_IMAGE": "other",
    "IMAGE_RECITATION": "content_filter",
    "UNEXPECTED_TOOL_CALL": "malformed_tool_call",
    "TOO_MANY_TOOL_CALLS": "other",
    "MISSING_THOUGHT_SIGNATURE": "other",
    "MALFORMED_RESPONSE": "other",
    "ESCALATION": "other",
    "PUP_LIMITED_DISABLED": "other",
    "CONTINUATION": "pause",
    "MODEL_ARMOR": "content_filter",
}


def body_of(reason: str | None = "STOP", *parts: dict[str, Any], **fields: Any) -> bytes:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": reason}
    return json.dumps({"candidates": [candidate], **fields}).encode()


def test_the_sdk_knows_no_other_reasons() -> None:
    assert set(FINISHES) == {reason.value for reason in types.FinishReason}


@pytest.mark.parametrize(("reason", "finish"), [*FINISHES.items(), ("SOMETHING_NEW", "other")])
def test_finish_reasons(reason: str, finish: str) -> None:
    body = body_of(reason, {"text": "x"})
    assert DIALECT.decode_reply(body).finish == finish
    assert DIALECT.meter(body) == (None, Finish(finish))


def test_a_turn_that_ends_in_calls() -> None:
    body = body_of("STOP", {"functionCall": {"name": "f"}}, responseId="r")
    reply = DIALECT.decode_reply(body)
    assert reply.finish is Finish.TOOL_CALLS
    assert DIALECT.meter(body)[1] is Finish.TOOL_CALLS
    call = reply.parts[0]
    assert isinstance(call, ToolCall) and call.id and call.arguments == "{}"
    again = DIALECT.decode_reply(body).parts[0]
    other = DIALECT.decode_reply(body.replace(b'"r"', b'"s"')).parts[0]
    assert again == call and other != call


def test_a_blocked_prompt() -> None:
    body = b'{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":3}}'
    reply = DIALECT.decode_reply(body)
    assert (reply.parts, reply.finish) == ([], Finish.CONTENT_FILTER)
    assert DIALECT.meter(body) == (Usage(input_tokens=3), Finish.CONTENT_FILTER)


# (usageMetadata, (input, cached, output, reasoning)), worked out by hand.
USAGES: list[tuple[dict[str, int], tuple[int, int, int, int]]] = [
    (
        {"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120},
        (100, 0, 20, 0),
    ),
    (
        {"promptTokenCount": 4000, "cachedContentTokenCount": 3072, "candidatesTokenCount": 7},
        (928, 3072, 7, 0),
    ),
    (
        {"promptTokenCount": 10, "candidatesTokenCount": 20, "thoughtsTokenCount": 300},
        (10, 0, 320, 300),
    ),
    (
        {"promptTokenCount": 10, "toolUsePromptTokenCount": 90, "candidatesTokenCount": 5},
        (100, 0, 5, 0),
    ),
    ({"promptTokenCount": 10, "thoughtsTokenCount": 64}, (10, 0, 64, 64)),
    ({"promptTokenCount": 2048, "cachedContentTokenCount": 2048}, (0, 2048, 0, 0)),
    ({}, (0, 0, 0, 0)),
]


@pytest.mark.parametrize(("wire", "counts"), USAGES)
def test_usage(wire: dict[str, int], counts: tuple[int, int, int, int]) -> None:
    fresh, cached, output, reasoning = counts
    usage = Usage(
        input_tokens=fresh,
        cache_read_tokens=cached,
        output_tokens=output,
        reasoning_tokens=reasoning,
    )
    body = body_of("STOP", {"text": "x"}, usageMetadata=wire)
    assert DIALECT.meter(body)[0] == usage
    reply = DIALECT.decode_reply(body)
    assert reply.usage == usage
    written = json.loads(DIALECT.encode_reply(reply))["usageMetadata"]
    assert written["totalTokenCount"] == fresh + cached + output
    assert DIALECT.meter(DIALECT.encode_reply(reply))[0] == usage


def test_cache_writes_of_others_are_prompt_tokens() -> None:
    usage = Usage(input_tokens=1, cache_read_tokens=2, cache_write_tokens=4, output_tokens=9)
    body = DIALECT.encode_reply(Reply(id="r", model="m", parts=[], usage=usage))
    wire = json.loads(body)["usageMetadata"]
    assert (wire["promptTokenCount"], wire["totalTokenCount"]) == (7, 16)


texts = st.text(min_size=1, max_size=20)
parts: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, text=texts),
    st.builds(Thinking, text=texts, signature=st.just("QQ=="), origin=st.just("google")),
    st.builds(Thinking, text=texts, signature=texts, origin=st.just("anthropic")),
    st.builds(ToolCall, id=texts, name=texts, arguments=st.just('{"a": [1.50]}')),
    st.builds(Media, media_type=st.just("image/png"), data=st.just("AAAA")),
    st.just(
        Opaque(
            origin="google",
            kind="executableCode",
            raw='{"executableCode":{"code":"1","language":"PYTHON"}}',
        )
    ),
)
counts = st.integers(0, 10**6)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(parts, max_size=4),
    st.builds(Usage, input_tokens=counts, cache_read_tokens=counts, output_tokens=counts),
    st.integers(0, 2**31),
)
def test_what_is_written_reads_back_the_same(parts: list[Part], usage: Usage, now: int) -> None:
    calls = any(isinstance(part, ToolCall) for part in parts)
    finish = Finish.TOOL_CALLS if calls else Finish.STOP
    reply = Reply(id="r", model="m", parts=parts, finish=finish, usage=usage, created=now)
    body = DIALECT.encode_reply(reply)
    assert DIALECT.decode_reply(body) == reply
    types.GenerateContentResponse.model_validate_json(body)


@pytest.mark.parametrize("finish", Finish)
def test_every_finish_is_one_of_google_s(finish: Finish) -> None:
    body = DIALECT.encode_reply(Reply(id="r", model="m", parts=[Text(text="x")], finish=finish))
    response = types.GenerateContentResponse.model_validate_json(body)
    assert response.candidates and response.candidates[0].finish_reason in types.FinishReason


def test_a_call_that_is_no_json() -> None:
    call = ToolCall(id="c", name="f", arguments='{"a":')
    body = DIALECT.encode_reply(Reply(id="r", model="m", parts=[call]))
    candidate = json.loads(body)["candidates"][0]
    assert candidate["finishReason"] == "MALFORMED_FUNCTION_CALL"
    assert '{"a":' in candidate["finishMessage"]
    assert DIALECT.decode_reply(body).finish is Finish.MALFORMED_TOOL_CALL


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"candidates":"x"}'])
def test_what_is_no_reply(body: bytes) -> None:
    with pytest.raises(ProviderError) as caught:
        DIALECT.decode_reply(body)
    assert caught.value.kind is ErrorKind.MALFORMED_REPLY
    assert DIALECT.meter(body) == (None, None)
