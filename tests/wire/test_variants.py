"""A variant in a request: the same whether by bytes or by the Conversation, in every dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.catalog.prompts import Shot, Variant, label_for
from hybridllm.wire.conversation import Text
from hybridllm.wire.dialect import RequestShape
from hybridllm.wire.registry import get_dialect
from hybridllm.wire.variants import spliced, vary

BODIES: dict[str, dict[str, Any]] = {
    "openai": {"messages": [{"role": "user", "content": "Q"}]},
    "anthropic": {"max_tokens": 9, "messages": [{"role": "user", "content": "Q"}]},
    "google": {"contents": [{"role": "user", "parts": [{"text": "Q"}]}]},
    "responses": {"input": "Q"},
}
SHAPE = RequestShape(model="m", stream=False)


def body_of(dialect: str, system: str) -> bytes:
    body: dict[str, Any] = {"model": "m", **BODIES[dialect], "metadata": {"kept": "1"}}
    if dialect == "google":
        del body["model"], body["metadata"]
    if system and dialect == "openai":
        body["messages"] = [{"role": "system", "content": system}, *body["messages"]]
    elif system and dialect == "google":
        body["systemInstruction"] = {"parts": [{"text": system}]}
    elif system:
        body["system" if dialect == "anthropic" else "instructions"] = system
    return json.dumps(body).encode()


@pytest.mark.parametrize("dialect", BODIES)
@given(
    system=st.text("aé\n", max_size=4),
    before=st.text("b<", max_size=3),
    keep=st.booleans(),
    format=st.sampled_from(["f", None]),
)
@settings(max_examples=25, deadline=None)
def test_bytes_and_conversation_come_to_the_same(
    dialect: str, system: str, before: str, keep: bool, format: str | None
) -> None:
    said = before + "x" + ("{system}y" if keep else "")
    variant = Variant(name="v", system=said, format=format)
    spoken, body = get_dialect(dialect), body_of(dialect, system)
    facts = spoken.facts(body, SHAPE)
    done = spliced(body, dialect, variant, facts)
    assert done is not None
    changed, added = done
    conv = spoken.decode_request(body, SHAPE)
    varied = vary(conv, variant, facts, schema=True)
    again = spoken.decode_request(changed, SHAPE)
    assert "".join(t.text for t in again.system) == "".join(
        t.text for t in varied.conversation.system
    )
    assert again.messages == conv.messages == varied.conversation.messages
    assert added == varied.added
    assert spoken.facts(changed, SHAPE).text_bytes - facts.text_bytes == added


def test_a_message_that_does_not_match_is_left_as_it_is() -> None:
    variant = Variant(name="v", match="Q: {text}?", prompt="<q>{text}</q>")
    spoken = get_dialect("openai")

    def asked(text: str) -> str:
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
        facts = spoken.facts(body, SHAPE)
        varied = vary(spoken.decode_request(body, SHAPE), variant, facts, schema=True)
        (part,) = varied.conversation.messages[0].parts
        assert isinstance(part, Text)
        return part.text

    assert asked("Q: why?") == "<q>why</q>"
    assert asked("Q: ?") == "<q></q>"
    assert asked("why?") == "why?"
    assert asked("Q: why") == "Q: why"


def test_a_begun_answer_is_asked_for_in_words() -> None:
    spoken = get_dialect("anthropic")
    messages = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "{"}]
    body = json.dumps({"model": "m", "max_tokens": 9, "messages": messages}).encode()
    conv = spoken.decode_request(body, SHAPE)
    varied = vary(
        conv, Variant(name="v", prefill="ask"), spoken.facts(body, SHAPE), schema=True
    ).conversation
    (message,) = varied.messages
    assert [part.text for part in message.parts if isinstance(part, Text)] == [
        "Q",
        "Begin your answer with exactly this: {",
    ]
    assert len(conv.messages) == 2, "the caller's own is untouched, for the next model"


def test_earlier_turns_that_a_provider_keeps_get_the_system_prompt_alone() -> None:
    spoken = get_dialect("responses")
    body = json.dumps({"model": "m", "input": "Q", "previous_response_id": "resp_1"}).encode()
    shot = Shot(user="u", assistant="a")
    variant = Variant(name="v", system="S", prompt="<{prompt}>", shots=(shot,))
    conv = spoken.decode_request(body, SHAPE)
    varied = vary(conv, variant, spoken.facts(body, SHAPE), schema=True).conversation
    assert [text.text for text in varied.system] == ["S"]
    assert varied.messages == conv.messages


def test_a_version_is_of_what_is_said_and_of_nothing_else() -> None:
    one, moved = Variant(name="v", system="S"), Variant(name="v", system="S", path="elsewhere")
    other = Variant(name="v", system="S.")
    assert one.label == moved.label != other.label
    variants = {"t": {"openai": one, "openai/big": other}}
    assert label_for(variants, "t", "openai/big") == other.label
    assert label_for(variants, "t", "openai/small") == one.label
    assert label_for(variants, "t", "google/x") == label_for(variants, "u", "openai/big") == ""
