"""Thought signatures: Google's own untouched, another provider's wrapped and recognised."""

from __future__ import annotations

import json
from base64 import b64decode, urlsafe_b64encode

import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.wire.conversation import (
    Conversation,
    Message,
    Part,
    Reply,
    Text,
    Thinking,
    ToolCall,
)
from hybridllm.wire.dialect import DropPolicy, RequestShape, Target
from hybridllm.wire.google import DIALECT
from hybridllm.wire.google.signatures import Seal, from_wire, to_wire

SHAPE = RequestShape(model="m")


@settings(deadline=None, max_examples=100)
@given(st.text(min_size=1, max_size=60), st.sampled_from(["anthropic", "openai"]), st.booleans())
def test_a_foreign_signature_survives_either_base64_alphabet(
    value: str, origin: str, sealed: bool
) -> None:
    wire = to_wire(value, origin, sealed)
    assert wire.startswith("aGxsbTEu")
    resent = urlsafe_b64encode(b64decode(wire)).decode()
    assert from_wire(wire) == from_wire(resent) == Seal(origin, value, sealed)


@given(st.binary(min_size=1, max_size=40))
def test_google_s_own_pass_untouched(value: bytes) -> None:
    own = urlsafe_b64encode(value).decode()
    assert to_wire(own, "google") == own
    if not own.startswith("aGxsbTEu"):
        assert from_wire(own) == Seal("google", own)


THOUGHTS: list[Part] = [
    Thinking(text="I wonder", signature="s1", origin="anthropic"),
    Thinking(signature="s2", origin="anthropic"),
    Thinking(sealed="box", origin="anthropic"),
    Text(text="Yes."),
    ToolCall(id="c", name="f", arguments="{}", signature="s3", origin="anthropic"),
]


def resent_by_the_sdk(reply: bytes) -> bytes:
    """The reply's content as google-genai puts it into the next request."""
    response = types.GenerateContentResponse.model_validate_json(reply)
    assert response.candidates and response.candidates[0].content
    content = response.candidates[0].content.model_dump_json(by_alias=True, exclude_none=True)
    return b'{"contents":[' + content.encode() + b',{"role":"user","parts":[{"text":"go on"}]}]}'


def test_thoughts_come_back_through_the_sdk_as_they_were() -> None:
    body = resent_by_the_sdk(DIALECT.encode_reply(Reply(id="r", model="m", parts=THOUGHTS)))
    assert DIALECT.facts(body, SHAPE).foreign_signatures
    assert DIALECT.decode_request(body, SHAPE).messages[0].parts == THOUGHTS


def test_a_streamed_thought_and_its_later_signature_are_one_block() -> None:
    wire = to_wire("s1", "anthropic")
    parts = [
        {"text": "I ", "thought": True},
        {"text": "wonder", "thought": True},
        {"text": "", "thought": True, "thoughtSignature": wire},
    ]
    body = json.dumps({"contents": [{"role": "model", "parts": [part]} for part in parts]})
    conv = DIALECT.decode_request(body.encode(), SHAPE)
    assert [m.parts for m in conv.messages] == [THOUGHTS[:1]]


def written(parts: list[Part], model: str) -> list[dict[str, object]]:
    conv = Conversation(model="m", messages=[Message(role="assistant", parts=parts)])
    body = DIALECT.encode_request(conv, Target(model=model, max_output_tokens=10), DropPolicy())
    found: list[dict[str, object]] = json.loads(body)["contents"][0]["parts"]
    return found


def test_google_is_sent_the_text_of_foreign_thoughts_alone() -> None:
    assert written(THOUGHTS, "gemini-2.5-pro") == [
        {"text": "<earlier_reasoning>\nI wonder\n</earlier_reasoning>"},
        {"text": "Yes."},
        {"functionCall": {"id": "c", "name": "f", "args": {}}},
    ]


@pytest.mark.parametrize("model", ["gemini-3-pro-preview", "gemini-3.1-pro", "gemini-4-argon"])
def test_from_gemini_3_on_it_is_told_why_a_call_is_unsigned(model: str) -> None:
    call = written(THOUGHTS, model)[2]
    assert call["thoughtSignature"] == "skip_thought_signature_validator"
    own: list[Part] = [
        ToolCall(id="c", name="f", arguments="{}", signature="QQ==", origin="google")
    ]
    assert written(own, "gemini-3-pro-preview")[0]["thoughtSignature"] == "QQ=="


def test_own_signatures_stay_on_the_part_that_they_came_on() -> None:
    parts = [
        {"text": "so", "thought": True, "thoughtSignature": "QQ=="},
        {"text": "Yes.", "thoughtSignature": "Qg=="},
        {"text": "", "thoughtSignature": "Qw=="},
    ]
    body = json.dumps({"contents": [{"role": "model", "parts": parts}]}).encode()
    conv = DIALECT.decode_request(body, SHAPE)
    assert written(conv.messages[0].parts, "gemini-2.5-pro") == parts
