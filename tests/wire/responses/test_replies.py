"""Whole responses, their usage and their finish."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from openai.types.responses import Response, ResponseOutputMessage, ResponseOutputRefusal

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.wire.conversation import (
    Finish,
    Media,
    Opaque,
    Part,
    Refusal,
    Reply,
    Text,
    Thinking,
    ToolCall,
)
from hybridllm.wire.responses import DIALECT
from tests.wire.responses.strategies import replies


def response(*output: dict[str, Any], **fields: Any) -> bytes:
    frame = {"id": "resp_1", "object": "response", "created_at": 7.0, "model": "m"}
    return json.dumps(frame | {"status": "completed", "output": output} | fields).encode()


def message(*content: dict[str, Any]) -> dict[str, Any]:
    return {"id": "msg_1", "type": "message", "role": "assistant", "content": content}


def said(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


def call(**fields: Any) -> dict[str, Any]:
    made = {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    return made | fields


def test_a_response() -> None:
    search = {"id": "ws_1", "type": "web_search_call", "status": "completed"}
    summary = [{"type": "summary_text", "text": "h"}, {"type": "summary_text", "text": "m"}]
    thought = {"id": "rs_1", "type": "reasoning", "summary": summary, "encrypted_content": "gAA"}
    body = response(
        thought,
        search,
        message(said("ü"), {"type": "refusal", "refusal": "no"}),
        call(arguments='{"a": 1.50}'),
        usage={"input_tokens": 7, "output_tokens": 5, "total_tokens": 12},
        future=1,
    )
    assert DIALECT.decode_reply(body) == Reply(
        id="resp_1",
        model="m",
        created=7,
        parts=[
            Thinking(text="h\n\nm", sealed="gAA", origin="openai", id="rs_1"),
            Opaque(origin="responses", kind="web_search_call", raw=json.dumps(search)),
            Text(text="ü"),
            Refusal(text="no"),
            ToolCall(id="c1", name="f", arguments='{"a": 1.50}'),
        ],
        finish=Finish.TOOL_CALLS,
        usage=Usage(input_tokens=7, output_tokens=5),
    )


@settings(deadline=None, max_examples=200)
@given(replies())
def test_what_is_answered_survives_the_wire(reply: Reply) -> None:
    body = DIALECT.encode_reply(reply)
    if all(not isinstance(part, Opaque) for part in reply.parts):
        Response.model_validate_json(body, strict=True)
    assert DIALECT.decode_reply(body) == reply
    assert DIALECT.meter(body) == (reply.usage, reply.finish)


@pytest.mark.parametrize(
    ("thought", "item"),
    [
        (
            Thinking(text="Hm.", signature="s", origin="anthropic"),
            {
                "summary": [{"type": "summary_text", "text": "Hm."}],
                "encrypted_content": "anthropic.s",
            },
        ),
        (
            Thinking(signature="s", origin="google"),
            {"summary": [], "encrypted_content": "google.s"},
        ),
        (
            Thinking(sealed="x", origin="anthropic"),
            {"summary": [], "encrypted_content": "anthropic:sealed.x"},
        ),
        (
            Thinking(text="Hm.", origin="google"),
            {"summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "google."},
        ),
        (
            Thinking(text="Hm.", origin="openai"),
            {"summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "openai."},
        ),
    ],
)
def test_how_foreign_thoughts_are_written(thought: Thinking, item: dict[str, Any]) -> None:
    body = DIALECT.encode_reply(Reply(id="msg_x", model="m", parts=[thought]))
    (written,) = json.loads(body)["output"]
    item["encrypted_content"] = "hllm1." + item["encrypted_content"]
    assert written == {"id": "rs_msg_x_0", "type": "reasoning", **item}
    assert DIALECT.decode_reply(body).parts == [thought]


def test_a_thought_both_signed_and_sealed_is_two_items() -> None:
    thought = Thinking(text="Hm.", signature="s", sealed="x", origin="anthropic")
    reply = Reply(id="msg_x", model="m", parts=[thought, Text(text="a")])
    body = DIALECT.encode_reply(reply)
    ids = [item["id"] for item in json.loads(body)["output"]]
    assert ids == ["rs_msg_x_0", "rs_msg_x_1", "msg_msg_x_2"]
    assert DIALECT.decode_reply(body).parts == [
        Thinking(text="Hm.", signature="s", origin="anthropic"),
        Thinking(sealed="x", origin="anthropic"),
        Text(text="a"),
    ]


def test_a_signed_calls_id_carries_its_signature() -> None:
    made = ToolCall(id="c", name="f", arguments="{}", signature="s", origin="google")
    body = DIALECT.encode_reply(Reply(id="r", model="m", parts=[made]))
    (item,) = json.loads(body)["output"]
    assert item["call_id"].startswith("c-hllm1-") and item["id"] == "fc_r_0"
    assert DIALECT.decode_reply(body).parts == [made]


def test_what_a_translated_response_says_of_itself() -> None:
    body = json.loads(DIALECT.encode_reply(Reply(id="msg_1", model="m", parts=[Text(text="a")])))
    assert body["id"] == "resp_msg_1"
    assert body["store"] is False, "another provider keeps nothing"
    assert (body["status"], body["error"], body["incomplete_details"]) == ("completed", None, None)
    assert body["usage"] is None
    nameless = [json.loads(DIALECT.encode_reply(Reply(id="", model="m", parts=[]))) for _ in "ab"]
    assert nameless[0]["id"] != nameless[1]["id"]
    assert Response.model_validate(body).output_text == "a"


USAGES: list[tuple[dict[str, Any], Usage]] = [
    # Worked by hand: what OpenAI writes, and the tokens that each rate is charged for.
    ({"input_tokens": 100, "output_tokens": 20}, Usage(input_tokens=100, output_tokens=20)),
    (
        {
            "input_tokens": 2006,
            "output_tokens": 300,
            "total_tokens": 2306,
            "input_tokens_details": {"cached_tokens": 1920},
            "output_tokens_details": {"reasoning_tokens": 192},
        },
        Usage(input_tokens=86, cache_read_tokens=1920, output_tokens=300, reasoning_tokens=192),
    ),
    (
        # 5,000 in all: 1,024 read, 3,000 written, the rest at full price.
        {
            "input_tokens": 5000,
            "output_tokens": 1,
            "input_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 3000},
        },
        Usage(input_tokens=976, cache_read_tokens=1024, cache_write_tokens=3000, output_tokens=1),
    ),
    (
        {
            "input_tokens": 5000,
            "output_tokens": 1,
            "input_tokens_details": {
                "cached_tokens": 0,
                "cache_write_tokens": 3000,
                "cache_write_tokens_details": {"ttl_30m_tokens": 1000, "ttl_12h_tokens": 2000},
            },
        },
        Usage(
            input_tokens=2000,
            cache_write_tokens=1000,
            cache_write_long_tokens=2000,
            output_tokens=1,
        ),
    ),
    (
        # A provider that counts more than there is never makes us charge less than nothing.
        {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 99}},
        Usage(cache_read_tokens=10),
    ),
    (
        {"output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 9}},
        Usage(output_tokens=3, reasoning_tokens=3),
    ),
    ({"input_tokens_details": None, "output_tokens_details": None}, Usage()),
    ({}, Usage()),
]


@pytest.mark.parametrize(("wire", "usage"), USAGES)
def test_usages_worked_by_hand(wire: dict[str, Any], usage: Usage) -> None:
    body = response(message(said("x")), usage=wire)
    assert DIALECT.meter(body) == (usage, Finish.STOP)
    assert DIALECT.decode_reply(body).usage == usage


def test_usage_as_it_is_written() -> None:
    usage = Usage(
        input_tokens=10,
        cache_read_tokens=200,
        cache_write_tokens=3000,
        cache_write_long_tokens=40000,
        output_tokens=7,
        reasoning_tokens=5,
    )
    body = json.loads(DIALECT.encode_reply(Reply(id="", model="m", parts=[], usage=usage)))
    assert body["usage"] == {
        "input_tokens": 43210,
        "input_tokens_details": {
            "cached_tokens": 200,
            "cache_write_tokens": 43000,
            "cache_write_tokens_details": {"ttl_30m_tokens": 3000, "ttl_12h_tokens": 40000},
        },
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 43217,
    }


@pytest.mark.parametrize(
    ("fields", "finish"),
    [
        ({}, Finish.STOP),
        ({"status": None}, Finish.STOP),
        ({"status": "cancelled"}, Finish.OTHER),
        ({"status": "incomplete"}, Finish.OTHER),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            Finish.LENGTH,
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            Finish.CONTENT_FILTER,
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "solar_flare"}},
            Finish.OTHER,
        ),
    ],
)
def test_how_a_response_ended(fields: dict[str, Any], finish: Finish) -> None:
    body = response(message(said("x")), **fields)
    assert DIALECT.decode_reply(body).finish is finish
    assert DIALECT.meter(body)[1] is finish


def test_a_response_that_is_still_being_made_has_no_finish() -> None:
    for status in ("queued", "in_progress"):
        assert DIALECT.meter(response(status=status, usage=None)) == (None, None)


@pytest.mark.parametrize("finish", list(Finish))
def test_every_finish_can_be_said(finish: Finish) -> None:
    incomplete = {
        Finish.LENGTH: "max_output_tokens",
        Finish.CONTEXT_EXCEEDED: "max_output_tokens",
        Finish.CONTENT_FILTER: "content_filter",
        Finish.REFUSAL: "content_filter",
    }
    body = DIALECT.encode_reply(Reply(id="", model="m", parts=[Text(text="x")], finish=finish))
    made = Response.model_validate_json(body, strict=True)
    reason = made.incomplete_details.reason if made.incomplete_details is not None else None
    assert reason == incomplete.get(finish)
    assert made.status == ("incomplete" if reason else "completed")
    assert made.output[-1].status == made.status  # type: ignore[union-attr]


def test_a_refusal_that_is_written_out_is_a_whole_answer() -> None:
    reply = Reply(id="", model="m", parts=[Refusal(text="no")], finish=Finish.REFUSAL)
    made = Response.model_validate_json(DIALECT.encode_reply(reply), strict=True)
    item = made.output[0]
    assert made.status == "completed" and isinstance(item, ResponseOutputMessage)
    assert item.content == [ResponseOutputRefusal(type="refusal", refusal="no")]


def test_reasoning_of_open_models_is_read() -> None:
    item: dict[str, Any] = {"type": "reasoning", "id": "rs_1", "summary": []}
    item["content"] = [{"type": "reasoning_text", "text": "hm"}]
    (thought,) = DIALECT.decode_reply(response(item)).parts
    assert thought == Thinking(text="hm", origin="openai", id="rs_1")


def test_a_failed_response_is_an_error() -> None:
    error = {"code": "rate_limit_exceeded", "message": "Slow down."}
    for output in ({}, {"output": None}):
        body = response(status="failed", error=error, **output)
        with pytest.raises(ProviderError) as failed:
            DIALECT.decode_reply(body)
        assert failed.value.kind is ErrorKind.RATE_LIMITED
        assert failed.value.message == "Slow down."


def test_what_only_another_dialect_can_say_is_left_out() -> None:
    parts: list[Part] = [
        Opaque(origin="google", kind="executableCode", raw="{}"),
        Text(text="a"),
        Media(media_type="image/png", data="AAAA"),
        Text(text="b"),
    ]
    body = json.loads(DIALECT.encode_reply(Reply(id="", model="m", parts=parts)))
    (item,) = body["output"]
    assert [part["text"] for part in item["content"]] == ["a", "b"]


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"output":1}', b'{"output":[{}]}', b"\xff", b"[" * 9999],
)
def test_a_malformed_response(body: bytes) -> None:
    with pytest.raises(ProviderError) as failed:
        DIALECT.decode_reply(body)
    assert failed.value.kind is ErrorKind.MALFORMED_REPLY
    if body not in (b"{}", b'{"output":[{}]}'):
        assert DIALECT.meter(body) == (None, None)
