"""POST /v1/chat/completions: replies, whole and streamed
(https://platform.openai.com/docs/api-reference/chat)."""

from __future__ import annotations

import re
import time
from typing import Any

import msgspec

from hybridllm.simulators.ask import Answer, Ask, Billed
from hybridllm.simulators.openai.chat_requests import read_chat_request
from hybridllm.simulators.provider import Generation, Incoming, grouped

_FINISH = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "tool": "tool_calls",
    "refusal": "stop",
    "content_filter": "content_filter",
}
_encode = msgspec.json.Encoder().encode


class ChatCompletions(Generation):
    name = "chat.completions"
    pattern = re.compile("/v1/chat/completions")

    def read(self, incoming: Incoming) -> Ask:
        return read_chat_request(incoming.data)

    def content_type(self, ask: Ask) -> bytes:
        return b"text/event-stream; charset=utf-8"

    def whole(
        self, ask: Ask, answers: list[Answer], billed: Billed | None, request_id: str
    ) -> bytes:
        reply = {
            "id": _reply_id(request_id),
            "object": "chat.completion",
            "created": int(time.time()),
            "model": ask.model,
            "choices": [
                {
                    "index": index,
                    "message": _message(answer, request_id, index),
                    "logprobs": None,
                    "finish_reason": _FINISH[answer.finish],
                }
                for index, answer in enumerate(answers)
            ],
            "service_tier": "default",
            "system_fingerprint": "fp_simulated",
        }
        if billed is not None:
            reply["usage"] = _usage(billed)
        return _encode(reply)

    def events(
        self,
        ask: Ask,
        answers: list[Answer],
        billed: Billed | None,
        request_id: str,
        event_tokens: int,
    ) -> list[bytes]:
        with_usage: bool = ask.own
        common: dict[str, Any] = {
            "id": _reply_id(request_id),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": ask.model,
            "service_tier": "default",
            "system_fingerprint": "fp_simulated",
        }
        tail = {"usage": None} if with_usage else {}

        def chunk(index: int, delta: dict[str, Any], finish: str | None = None) -> bytes:
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
            return _event({**common, "choices": [choice], **tail})

        events: list[bytes] = []
        for index, answer in enumerate(answers):
            deltas = _deltas(answer, request_id, index, event_tokens)
            events += [chunk(index, delta) for delta in deltas]
            events.append(chunk(index, {}, _FINISH[answer.finish]))
        if with_usage and billed is not None:
            events.append(_event({**common, "choices": [], "usage": _usage(billed)}))
        events.append(b"data: [DONE]\n\n")
        return events


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + _encode(value) + b"\n\n"


def _reply_id(request_id: str) -> str:
    return "chatcmpl-" + request_id.removeprefix("req_")


def _call_id(request_id: str, index: int, at: int) -> str:
    return f"call_{request_id[-18:]}{index:03d}{at:03d}"


def _message(answer: Answer, request_id: str, index: int) -> dict[str, Any]:
    refused = answer.finish == "refusal"
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if refused or (answer.calls and not answer.text) else answer.text,
        "refusal": answer.text if refused else None,
        "annotations": [],
    }
    if answer.calls:
        message["tool_calls"] = [
            {
                "id": _call_id(request_id, index, at),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for at, call in enumerate(answer.calls)
        ]
    return message


def _deltas(answer: Answer, request_id: str, index: int, event_tokens: int) -> list[dict[str, Any]]:
    field = "refusal" if answer.finish == "refusal" else "content"
    spoken = bool(answer.text or not answer.calls) and field == "content"
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": "" if spoken else None, "refusal": None}
    ]
    deltas += [{field: text} for text in grouped(answer.pieces, event_tokens)]
    for at, call in enumerate(answer.calls):
        opening = {
            "index": at,
            "id": _call_id(request_id, index, at),
            "type": "function",
            "function": {"name": call.name, "arguments": ""},
        }
        deltas.append({"tool_calls": [opening]})
        size = 4 * event_tokens
        for begin in range(0, len(call.arguments), size):
            part = {"arguments": call.arguments[begin : begin + size]}
            deltas.append({"tool_calls": [{"index": at, "function": part}]})
    return deltas


def _usage(billed: Billed) -> dict[str, Any]:
    return {
        "prompt_tokens": billed.all_input,
        "completion_tokens": billed.output_tokens,
        "total_tokens": billed.all_input + billed.output_tokens,
        "prompt_tokens_details": {"cached_tokens": billed.cache_read_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": billed.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
