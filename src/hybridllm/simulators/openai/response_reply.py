"""A Responses reply: its output items, the object around them, and the events that stream it
(https://platform.openai.com/docs/api-reference/responses-streaming)."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from hybridllm.simulators.ask import Answer, Ask, Billed
from hybridllm.simulators.openai.response_requests import Own
from hybridllm.simulators.openai.response_store import Item
from hybridllm.simulators.prose import pieces_of
from hybridllm.simulators.provider import grouped
from hybridllm.simulators.signatures import sign

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def reply_of(ask: Ask, answer: Answer, billed: Billed | None, request_id: str) -> dict[str, Any]:
    """The whole response."""
    reason = _INCOMPLETE.get(answer.finish)
    reply = _around(ask, request_id)
    reply["status"] = "incomplete" if reason else "completed"
    reply["incomplete_details"] = {"reason": reason} if reason else None
    reply["output"] = _output(ask.own, answer, request_id)
    reply["usage"] = _usage(billed) if billed is not None else None
    if not reason:
        reply["completed_at"] = int(time.time())
    return reply


def _around(ask: Ask, request_id: str) -> dict[str, Any]:
    """The response before there is any output."""
    said = ask.own.said
    reasoning = said.get("reasoning", {})
    wanted = said.get("text", {})
    return {
        "id": "resp_" + request_id.removeprefix("req_"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": said.get("instructions"),
        "max_output_tokens": ask.max_output,
        "model": ask.model,
        "output": [],
        "parallel_tool_calls": ask.parallel,
        "previous_response_id": said.get("previous_response_id"),
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "service_tier": "default",
        "temperature": said.get("temperature", 1.0),
        "text": {
            "format": wanted.get("format") or {"type": "text"},
            "verbosity": wanted.get("verbosity", "medium"),
        },
        "tool_choice": said.get("tool_choice", "auto"),
        "tools": [_tool(tool) for tool in said.get("tools", ())],
        "top_p": said.get("top_p", 1.0),
        "truncation": said.get("truncation", "disabled"),
        "usage": None,
        "metadata": said.get("metadata", {}),
    }


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    if tool["type"] != "function":
        return tool
    return {"description": None, "parameters": {}, "strict": False, **tool}


def _output(own: Own, answer: Answer, request_id: str) -> list[Item]:
    number = request_id.removeprefix("req_")
    cut = "incomplete" if answer.finish in _INCOMPLETE else "completed"
    output: list[Item] = []
    if answer.reasoning_tokens:
        summary = {"type": "summary_text", "text": answer.thinking}
        thought: Item = {
            "type": "reasoning",
            "id": f"rs_{number}",
            "summary": [summary] if own.summary else [],
        }
        if own.sealed:
            thought["encrypted_content"] = sign("openai", answer.thinking, int(number, 16))
        output.append(thought)
    if answer.text or not answer.calls:
        part: Item = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
        if answer.finish == "refusal":
            part = {"type": "refusal", "refusal": answer.text}
        output.append(
            {
                "type": "message",
                "id": f"msg_{number}",
                "role": "assistant",
                "status": cut,
                "content": [part],
            }
        )
    for at, call in enumerate(answer.calls):
        output.append(
            {
                "type": "function_call",
                "id": f"fc_{number}{at:03d}",
                "call_id": f"call_{number[-18:]}{at:03d}",
                "name": call.name,
                "arguments": call.arguments,
                "status": "completed",
            }
        )
    return output


def _usage(billed: Billed) -> dict[str, Any]:
    return {
        "input_tokens": billed.all_input,
        "input_tokens_details": {
            "cached_tokens": billed.cache_read_tokens,
            "cache_write_tokens": 0,
        },
        "output_tokens": billed.output_tokens,
        "output_tokens_details": {"reasoning_tokens": billed.reasoning_tokens},
        "total_tokens": billed.all_input + billed.output_tokens,
    }


def events_of(
    ask: Ask, answer: Answer, reply: dict[str, Any], request_id: str, event_tokens: int
) -> list[bytes]:
    """The events of a stream that ends in `reply`."""
    begun = _around(ask, request_id)
    events = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(reply["output"]):
        common = {"item_id": item["id"], "output_index": index}
        events += _item_events(item, index, common, answer, event_tokens)
    events.append({"type": f"response.{reply['status']}", "response": reply})
    return [framed(event, number) for number, event in enumerate(events)]


def framed(event: dict[str, Any], number: int) -> bytes:
    """One server-sent event, named as its type."""
    data = msgspec.json.encode({**event, "sequence_number": number})
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), data)


def _item_events(
    item: Item, index: int, common: dict[str, Any], answer: Answer, event_tokens: int
) -> list[dict[str, Any]]:
    match item["type"]:
        case "reasoning":
            begun = {**item, "summary": []}
            between = _summary_events(item, common, answer, event_tokens)
        case "message":
            begun = {**item, "content": [], "status": "in_progress"}
            between = _content_events(item["content"][0], common, answer, event_tokens)
        case _:
            begun = {**item, "arguments": "", "status": "in_progress"}
            between = _argument_events(item["arguments"], common, event_tokens)
    return [
        {"type": "response.output_item.added", "output_index": index, "item": begun},
        *between,
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def _summary_events(
    item: Item, common: dict[str, Any], answer: Answer, event_tokens: int
) -> list[dict[str, Any]]:
    if not item["summary"]:
        return []
    where = {**common, "summary_index": 0}
    kind = "response.reasoning_summary_"
    words = grouped(pieces_of(answer.reasoning_tokens, answer.seed + 1), event_tokens)
    return [
        {"type": kind + "part.added", **where, "part": {"type": "summary_text", "text": ""}},
        *({"type": kind + "text.delta", **where, "delta": text} for text in words),
        {"type": kind + "text.done", **where, "text": answer.thinking},
        {"type": kind + "part.done", **where, "part": item["summary"][0]},
    ]


def _content_events(
    part: dict[str, Any], common: dict[str, Any], answer: Answer, event_tokens: int
) -> list[dict[str, Any]]:
    where = {**common, "content_index": 0}
    name = "refusal" if part["type"] == "refusal" else "text"
    kind = "response.refusal." if name == "refusal" else "response.output_text."
    more: dict[str, Any] = {} if name == "refusal" else {"logprobs": []}
    return [
        {"type": "response.content_part.added", **where, "part": {**part, name: ""}},
        *(
            {"type": kind + "delta", **where, "delta": text, **more}
            for text in grouped(answer.pieces, event_tokens)
        ),
        {"type": kind + "done", **where, name: answer.text, **more},
        {"type": "response.content_part.done", **where, "part": part},
    ]


def _argument_events(
    arguments: str, common: dict[str, Any], event_tokens: int
) -> list[dict[str, Any]]:
    kind, size = "response.function_call_arguments.", 4 * event_tokens
    parts = [arguments[at : at + size] for at in range(0, len(arguments), size)]
    return [
        *({"type": kind + "delta", **common, "delta": part} for part in parts),
        {"type": kind + "done", **common, "arguments": arguments},
    ]
