"""An agent over OpenAI's dialect whose turns Claude or Gemini takes: their signatures come back.

Three kinds of clients: one sends back the message as it came, one the fields that it shows
(`reasoning_content`), one rebuilds it from role, content and calls alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from hybridllm.errors import RequestError
from hybridllm.wire.conversation import Finish, Reply, Text, Thinking, ToolCall, ToolResult
from hybridllm.wire.dialect import DropPolicy, Facts, RequestShape, Target
from hybridllm.wire.openai import DIALECT
from hybridllm.wire.openai.signatures import opened_id, sealed_id
from hybridllm.wire.registry import get_dialect
from tests.wire.openai.streaming import chunks_of, events_of

SHAPE = RequestShape()
FACTS = Facts(model="auto", turns=[], stream=True)
OPUS = Target(model="claude-opus-4-7", max_output_tokens=128_000)
GEMINI = Target(model="gemini-3-pro", max_output_tokens=65_536)
GPT = Target(model="gpt-5.2", max_output_tokens=128_000)
Message = dict[str, Any]


def claude(turn: int, text: str) -> Reply:
    return Reply(
        id=f"msg_{turn}",
        model="claude-opus-4-7",
        parts=[
            Thinking(text=text, signature=f"EqQB+/{turn}==", origin="anthropic"),
            Thinking(sealed="enc==", origin="anthropic"),
            Text(text="I look."),
            ToolCall(id=f"toolu_{turn}a", name="Read", arguments='{"n":1.50}'),
            ToolCall(id=f"toolu_{turn}b", name="Read", arguments="{}"),
        ],
        finish=Finish.TOOL_CALLS,
    )


def gemini(turn: int, text: str) -> Reply:
    thought = [Thinking(text=text, origin="google")] if text else []
    return Reply(
        id=f"r{turn}",
        model="gemini-3-pro",
        parts=[
            *thought,
            Text(text="I look."),
            ToolCall(
                id=f"call_{turn}a",
                name="Read",
                arguments='{"n":1.50}',
                signature=f"c2ln{turn}",
                origin="google",
            ),
            ToolCall(id=f"call_{turn}b", name="Read", arguments="{}"),
        ],
        finish=Finish.TOOL_CALLS,
    )


# -- clients


def echoing(message: Message) -> Message:
    return message


def showing(message: Message) -> Message:
    kept = {"role", "content", "tool_calls", "reasoning_content"}
    return {name: value for name, value in message.items() if name in kept}


def rebuilding(message: Message) -> Message:
    calls = [
        {
            "id": call["id"],
            "type": "function",
            "function": {name: call["function"][name] for name in ("name", "arguments")},
        }
        for call in message["tool_calls"]
    ]
    return {"role": "assistant", "content": message["content"], "tool_calls": calls}


CLIENTS = [echoing, showing, rebuilding]
Client = Callable[[Message], Message]


def whole(reply: Reply) -> Message:
    """The message as the official SDK hands it to its caller."""
    parsed = ChatCompletion.model_validate_json(DIALECT.encode_reply(reply), strict=True)
    return parsed.choices[0].message.model_dump()


def streamed(reply: Reply) -> Message:
    encoder = DIALECT.stream_encoder(FACTS, SHAPE)
    state = ChatCompletionStreamState()
    for chunk in chunks_of(b"".join(encoder.encode(event) for event in events_of(reply))):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk, strict=True))
    return state.current_completion_snapshot.choices[0].message.model_dump()


def conversation(replies: list[Reply], client: Client, taken: Callable[[Reply], Message]) -> bytes:
    """What the agent sends after these turns, each of whose calls it has answered."""
    messages: list[Message] = [{"role": "user", "content": "Fix it."}]
    for reply in replies:
        message = client(taken(reply))
        messages.append(message)
        for call in message["tool_calls"]:
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": "x = 1"})
    return json.dumps(
        {
            "model": "auto",
            "messages": messages,
            "reasoning_effort": "high",
            "tools": [{"type": "function", "function": {"name": "Read"}}],
        }
    ).encode()


def sent(body: bytes, dialect: str, target: Target) -> Any:
    assert DIALECT.facts(body, SHAPE).foreign_signatures
    conv = DIALECT.decode_request(body, SHAPE)
    return json.loads(get_dialect(dialect).encode_request(conv, target, DropPolicy()))


@pytest.mark.parametrize("taken", [whole, streamed])
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("text", ["Look first.\n", ""])
def test_claude_gets_its_thoughts_back(
    client: Client, taken: Callable[[Reply], Message], text: str
) -> None:
    body = conversation([claude(1, text), claude(2, text)], client, taken)
    request = sent(body, "anthropic", OPUS)
    assert request["thinking"]["type"] == "adaptive"
    for turn, message in zip((1, 2), request["messages"][1::2], strict=True):
        assert message["content"] == [
            {"type": "thinking", "thinking": text, "signature": f"EqQB+/{turn}=="},
            {"type": "redacted_thinking", "data": "enc=="},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": f"toolu_{turn}a", "name": "Read", "input": {"n": 1.5}},
            {"type": "tool_use", "id": f"toolu_{turn}b", "name": "Read", "input": {}},
        ]
    results = [block["tool_use_id"] for m in request["messages"][2::2] for block in m["content"]]
    assert results == ["toolu_1a", "toolu_1b", "toolu_2a", "toolu_2b"]


@pytest.mark.parametrize("taken", [whole, streamed])
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("text", ["Look first.", ""])
def test_gemini_gets_its_signatures_back(
    client: Client, taken: Callable[[Reply], Message], text: str
) -> None:
    body = conversation([gemini(1, text), gemini(2, text)], client, taken)
    request = sent(body, "google", GEMINI)
    for turn, content in zip((1, 2), request["contents"][1::2], strict=True):
        calls = [part for part in content["parts"] if "functionCall" in part]
        assert [call["functionCall"]["id"] for call in calls] == [f"call_{turn}a", f"call_{turn}b"]
        assert [call.get("thoughtSignature") for call in calls] == [f"c2ln{turn}", None]
        shown = [part["text"] for part in content["parts"] if part.get("thought")]
        assert shown == ([text] if text and client is not rebuilding else [])


@pytest.mark.parametrize("client", CLIENTS)
def test_turns_of_several_providers_in_one_conversation(client: Client) -> None:
    body = conversation([claude(1, "A"), gemini(2, "B"), claude(3, "")], client, whole)
    to_claude = json.dumps(sent(body, "anthropic", OPUS))
    assert "EqQB+/1==" in to_claude and "EqQB+/3==" in to_claude and "c2ln" not in to_claude
    to_gemini = json.dumps(sent(body, "google", GEMINI))
    assert "c2ln2" in to_gemini and "EqQB" not in to_gemini
    for text in (to_claude, to_gemini):
        assert "hllm1" not in text


@pytest.mark.parametrize("client", CLIENTS)
def test_openai_gets_no_mark_of_ours(client: Client) -> None:
    body = conversation([claude(1, "A"), gemini(2, "")], client, streamed)
    request = sent(body, "openai", GPT)
    text = json.dumps(request)
    assert "hllm1" not in text and "EqQB" not in text and "c2ln" not in text
    assert "reasoning_content" not in text and "reasoning_details" not in text
    first = request["messages"][1]
    assert "<earlier_reasoning>\nA\n</earlier_reasoning>" in json.dumps(first).replace("\\n", "\n")
    ids = [call["id"] for call in first["tool_calls"]]
    assert ids == ["toolu_1a", "toolu_1b"]
    assert [m["tool_call_id"] for m in request["messages"] if m["role"] == "tool"][:2] == ids


def test_a_thought_without_calls_lives_in_the_message() -> None:
    reply = Reply(
        id="r",
        model="m",
        parts=[Thinking(signature="EqQB", origin="anthropic"), Text(text="Done.")],
    )
    message = whole(reply)
    assert message["reasoning_details"] == [
        {"index": 0, "type": "reasoning.text", "text": "", "signature": "hllm1.anthropic.EqQB"}
    ]
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}, message]}
    conv = DIALECT.decode_request(json.dumps(body).encode(), SHAPE)
    assert conv.messages[1].parts == reply.parts


texts = st.text(max_size=20)
signed = st.builds(
    Thinking,
    text=texts,
    signature=st.text(min_size=1, max_size=30),
    origin=st.sampled_from(["anthropic", "google"]),
)


@given(
    st.from_regex(r"[a-zA-Z0-9_-]{1,40}", fullmatch=True),
    st.none() | st.text(min_size=1, max_size=30),
    st.lists(signed, max_size=3),
)
def test_ids_carry_anything_and_fit_everywhere(
    call_id: str, signature: str | None, thoughts: list[Thinking]
) -> None:
    origin = "google" if signature else ""
    call = ToolCall(id=call_id, name="f", arguments="{}", signature=signature, origin=origin)
    carried = sealed_id(call, thoughts)
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", carried)
    opened = opened_id(carried)
    assert (opened.id, opened.signature, opened.origin) == (call_id, signature, origin)
    assert opened.thoughts == thoughts


def test_unsigned_thoughts_leave_ids_alone() -> None:
    call = ToolCall(id="c", name="f", arguments="{}")
    assert sealed_id(call, [Thinking(text="hm", origin="google")]) == "c"


@pytest.mark.parametrize(
    "call_id", ["call_1", "a-hllm1-", "a-hllm1-e30", "a-hllm1-!!", "a-hllm1-é", "-hllm1-WzFd"]
)
def test_an_id_that_only_looks_like_ours_is_left_alone(call_id: str) -> None:
    assert opened_id(call_id).id == call_id
    message = {"role": "tool", "tool_call_id": call_id, "content": "x"}
    conv = DIALECT.decode_request(json.dumps({"model": "m", "messages": [message]}).encode(), SHAPE)
    result = conv.messages[0].parts[0]
    assert isinstance(result, ToolResult) and result.call_id == call_id


def test_a_compatible_servers_own_details_are_not_ours() -> None:
    message = {
        "role": "assistant",
        "content": "x",
        "reasoning": "hm",
        "reasoning_details": [{"type": "reasoning.summary", "summary": 1, "text": 2}],
    }
    body = json.dumps({"model": "m", "messages": [message]}).encode()
    assert not DIALECT.facts(body, SHAPE).foreign_signatures
    thought = DIALECT.decode_request(body, SHAPE).messages[0].parts[0]
    assert thought == Thinking(text="hm", origin="openai")


def test_details_that_were_tampered_with_are_named() -> None:
    details = [{"type": "reasoning.text", "text": 1, "signature": "hllm1.anthropic.x"}]
    message = {"role": "assistant", "content": "x", "reasoning_details": details}
    body = json.dumps({"model": "m", "messages": [message]}).encode()
    with pytest.raises(RequestError) as refused:
        DIALECT.decode_request(body, SHAPE)
    assert refused.value.field == "messages[0].reasoning_details[0].text"


def test_a_gateway_behind_a_gateway_hands_signatures_on() -> None:
    for reply in (claude(1, "A"), gemini(2, "B")):
        assert DIALECT.decode_reply(DIALECT.encode_reply(reply)) == reply
