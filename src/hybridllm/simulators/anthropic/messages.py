"""POST /v1/messages and /v1/messages/count_tokens: replies, whole and streamed
(https://docs.anthropic.com/en/api/messages, .../messages-streaming)."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from hybridllm.simulators.anthropic.requests import read_messages_request
from hybridllm.simulators.ask import Answer, Ask, Billed
from hybridllm.simulators.counting import Counter, encoding_for
from hybridllm.simulators.prose import pieces_of
from hybridllm.simulators.provider import Generation, Incoming, Plain, grouped
from hybridllm.simulators.signatures import sign

_STOP = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tool": "tool_use",
    "refusal": "refusal",
    "content_filter": "refusal",
}
_encode = msgspec.json.Encoder().encode


class Messages(Generation):
    name = "messages"
    pattern = re.compile("/v1/messages")

    def read(self, incoming: Incoming) -> Ask:
        return read_messages_request(incoming.data)

    def content_type(self, ask: Ask) -> bytes:
        return b"text/event-stream; charset=utf-8"

    def broken_event(self, ask: Ask) -> bytes:
        return b'event: content_block_delta\ndata: {"type": "content_bl\n\n'

    def whole(
        self, ask: Ask, answers: list[Answer], billed: Billed | None, request_id: str
    ) -> bytes:
        answer = answers[0]
        blocks = [_whole_block(*block) for block in _blocks(ask, answer, request_id)]
        message = _message(ask, request_id, blocks)
        message["stop_reason"] = _STOP[answer.finish]
        message["stop_sequence"] = answer.stop_sequence
        if billed is not None:
            message["usage"] = _usage(billed)
        return _encode(message)

    def events(
        self,
        ask: Ask,
        answers: list[Answer],
        billed: Billed | None,
        request_id: str,
        event_tokens: int,
    ) -> list[bytes]:
        answer = answers[0]
        start = _message(ask, request_id, [])
        if billed is not None:
            start["usage"] = {**_usage(billed), "output_tokens": 1}
            del start["usage"]["output_tokens_details"]
        events = [_event("message_start", message=start)]
        for index, (opening, deltas) in enumerate(_blocks(ask, answer, request_id)):
            events.append(_event("content_block_start", index=index, content_block=opening))
            if index == 0:
                events.append(_event("ping"))
            for delta in _regrouped(deltas, event_tokens):
                events.append(_event("content_block_delta", index=index, delta=delta))
            events.append(_event("content_block_stop", index=index))
        ending = {"stop_reason": _STOP[answer.finish], "stop_sequence": answer.stop_sequence}
        if billed is not None:
            events.append(_event("message_delta", delta=ending, usage=_delta_usage(billed)))
        else:
            events.append(_event("message_delta", delta=ending))
        events.append(_event("message_stop"))
        return events


class CountTokens(Plain):
    pattern = re.compile("/v1/messages/count_tokens")

    def reply(self, incoming: Incoming, counter: Counter) -> Any:
        data = incoming.data
        if isinstance(data, dict):
            # The same checks, of a request that has no output.
            data = {**data, "max_tokens": 128_000} if "max_tokens" not in data else data
        ask = read_messages_request(data)
        encoding = encoding_for(ask.model)
        tokens = [
            counter.count(segment.text, encoding) if segment.tokens is None else segment.tokens
            for segment in ask.prompt
        ]
        return {"input_tokens": sum(tokens)}


Block = tuple[dict[str, Any], list[dict[str, Any]]]
"""A content block as it opens, and the deltas that fill it."""


def _blocks(ask: Ask, answer: Answer, request_id: str) -> list[Block]:
    blocks: list[Block] = []
    number = int(request_id.removeprefix("req_"))
    if answer.thinking and answer.redacted:
        sealed = sign("anthropic", "", number)
        blocks.append(({"type": "redacted_thinking", "data": sealed}, []))
    elif answer.thinking:
        shown = "" if ask.own == "omitted" else answer.thinking
        block = {"type": "thinking", "thinking": "", "signature": ""}
        deltas: list[dict[str, Any]] = []
        if shown:
            words = pieces_of(answer.reasoning_tokens, answer.seed + 1)
            deltas = [{"type": "thinking_delta", "thinking": word} for word in words]
        signature = sign("anthropic", shown, number)
        deltas.append({"type": "signature_delta", "signature": signature})
        blocks.append((block, deltas))
    if answer.text:
        deltas = [{"type": "text_delta", "text": piece} for piece in answer.pieces]
        blocks.append(({"type": "text", "text": ""}, deltas))
    for at, call in enumerate(answer.calls):
        opening: dict[str, Any] = {
            "type": "tool_use",
            "id": f"toolu_01{number:018d}{at:04d}",
            "name": call.name,
            "input": {},
        }
        parts = [call.arguments[begin : begin + 4] for begin in range(0, len(call.arguments), 4)]
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in ["", *parts]]
        blocks.append((opening, deltas))
    return blocks


def _whole_block(opening: dict[str, Any], deltas: list[dict[str, Any]]) -> dict[str, Any]:
    """What a client makes of a streamed block."""
    block = dict(opening)
    arguments = ""
    for delta in deltas:
        for name in ("text", "thinking", "signature"):
            if name in delta:
                block[name] += delta[name]
        arguments += delta.get("partial_json", "")
    if arguments:
        block["input"] = msgspec.json.decode(arguments)
    return block


def _regrouped(deltas: list[dict[str, Any]], size: int) -> list[dict[str, Any]]:
    """`size` deltas to an event, the signature alone."""
    if size <= 1 or len(deltas) < 2:
        return deltas
    kind = deltas[0]["type"]
    field = {
        "text_delta": "text",
        "thinking_delta": "thinking",
        "input_json_delta": "partial_json",
        "signature_delta": "signature",
    }[kind]
    alike = [delta for delta in deltas if delta["type"] == kind]
    texts = grouped(tuple(delta[field] for delta in alike), size)
    return [{"type": kind, field: text} for text in texts] + deltas[len(alike) :]


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _encode({"type": kind, **fields}))


def _message(ask: Ask, request_id: str, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "msg_" + request_id.removeprefix("req_"),
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "content": blocks,
        "stop_reason": None,
        "stop_sequence": None,
    }


def _usage(billed: Billed) -> dict[str, Any]:
    return {
        "input_tokens": billed.input_tokens,
        "cache_creation_input_tokens": billed.cache_write_tokens + billed.cache_write_long_tokens,
        "cache_read_input_tokens": billed.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": billed.cache_write_tokens,
            "ephemeral_1h_input_tokens": billed.cache_write_long_tokens,
        },
        "output_tokens": billed.output_tokens,
        "output_tokens_details": {"thinking_tokens": billed.reasoning_tokens},
        "service_tier": "standard",
    }


def _delta_usage(billed: Billed) -> dict[str, Any]:
    usage = _usage(billed)
    return {
        name: usage[name]
        for name in (
            "input_tokens",
            "cache_creation_input_tokens",
            "cache_read_input_tokens",
            "output_tokens",
            "output_tokens_details",
        )
    }
