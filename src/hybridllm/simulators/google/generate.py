"""POST /v1beta/models/{model}:generateContent, :streamGenerateContent and :countTokens, also under
/v1: replies, whole, as SSE and as a JSON array (https://ai.google.dev/api/generate-content)."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from hybridllm.simulators.ask import Answer, Ask, Billed, Refused
from hybridllm.simulators.counting import Counter, encoding_for
from hybridllm.simulators.google import errors
from hybridllm.simulators.google.explicit_caches import ExplicitCaches
from hybridllm.simulators.google.requests import read_generate_request
from hybridllm.simulators.prose import pieces_of
from hybridllm.simulators.provider import Generation, Incoming, Plain, grouped
from hybridllm.simulators.signatures import sign

_FINISH = {
    "stop": "STOP",
    "stop_sequence": "STOP",
    "length": "MAX_TOKENS",
    "tool": "STOP",
    "refusal": "SAFETY",
    "content_filter": "SAFETY",
}
_PATH = r"/v1(beta)?/models/(?P<model>[^/:]+):"
_encode = msgspec.json.Encoder().encode


class Own(Struct, frozen=True):
    """`shows_thoughts`: the request wants thoughts in the reply. `sse`: the stream's framing."""

    shows_thoughts: bool
    sse: bool


class GenerateContent(Generation):
    name = "generateContent"
    pattern = re.compile(_PATH + "generateContent")
    streams = False

    def __init__(self, caches: ExplicitCaches | None = None) -> None:
        self._caches = caches or ExplicitCaches()

    def read(self, incoming: Incoming) -> Ask:
        data, kept = self._caches.unfold(incoming.data, incoming)
        ask, shows_thoughts = read_generate_request(data, incoming.model, self.streams)
        ask.kept = kept
        ask.own = Own(shows_thoughts, incoming.query.get("alt") == "sse")
        return ask

    def content_type(self, ask: Ask) -> bytes:
        return b"text/event-stream" if ask.own.sse else b"application/json; charset=UTF-8"

    def broken_event(self, ask: Ask) -> bytes:
        return b'data: {"candidates": [{"cont\r\n\r\n' if ask.own.sse else b',\r\n{"candidates": ]'

    def whole(
        self, ask: Ask, answers: list[Answer], billed: Billed | None, request_id: str
    ) -> bytes:
        if answers[0].finish == "blocked":
            return _encode(_blocked(ask, request_id, billed))
        candidates = []
        for index, answer in enumerate(answers):
            parts = _thoughts(ask, answer, 0, request_id) + _text(answer, 0)
            parts += _calls(ask, answer, request_id)
            if parts and (signature := _text_signature(ask, answer, request_id)):
                parts[-1]["thoughtSignature"] = signature
            candidates.append(_candidate(index, parts, answer.finish))
        return _encode(_response(ask, request_id, candidates, _usage(billed)))

    def events(
        self,
        ask: Ask,
        answers: list[Answer],
        billed: Billed | None,
        request_id: str,
        event_tokens: int,
    ) -> list[bytes]:
        partial = None
        if billed is not None:
            partial = {
                "promptTokenCount": billed.all_input,
                "totalTokenCount": billed.all_input,
            }
        if answers[0].finish == "blocked":
            return _framed(ask, [_blocked(ask, request_id, billed)])
        responses: list[dict[str, Any]] = []
        last = len(answers) - 1
        for index, answer in enumerate(answers):
            parts = _thoughts(ask, answer, event_tokens, request_id) + _text(answer, event_tokens)
            if signature := _text_signature(ask, answer, request_id):
                # A stream has sent its text when the signature is ready: it comes in a part alone.
                parts.append({"text": "", "thoughtSignature": signature})
            steps = [[part] for part in parts]
            # Calls are never split: all of them come in one event.
            if calls := _calls(ask, answer, request_id):
                steps.append(calls)
            for at, step in enumerate(steps or [[]]):
                ends = at >= len(steps) - 1
                candidate = _candidate(index, step, answer.finish if ends else None)
                usage = _usage(billed) if ends and index == last else partial
                responses.append(_response(ask, request_id, [candidate], usage))
        return _framed(ask, responses)

    def stream_error(self, ask: Ask, refused: Refused, at: int) -> bytes | None:
        if ask.own.sse:
            return None
        return (b",\r\n" if at else b"[") + errors.body_of(refused) + b"]\n"


class StreamGenerateContent(GenerateContent):
    name = "streamGenerateContent"
    pattern = re.compile(_PATH + "streamGenerateContent")
    streams = True


class CountTokens(Plain):
    pattern = re.compile(_PATH + "countTokens")

    def reply(self, incoming: Incoming, counter: Counter) -> Any:
        data = incoming.data
        if isinstance(data, dict) and isinstance(data.get("generateContentRequest"), dict):
            data = data["generateContentRequest"]
        ask, _ = read_generate_request(data, incoming.model, False)
        encoding = encoding_for(ask.model)
        tokens = sum(
            counter.count(segment.text, encoding) if segment.tokens is None else segment.tokens
            for segment in ask.prompt
        )
        return {"totalTokens": tokens}


def _framed(ask: Ask, responses: list[dict[str, Any]]) -> list[bytes]:
    """As server-sent events, or as the pieces of one JSON array."""
    if ask.own.sse:
        return [b"data: " + _encode(one) + b"\r\n\r\n" for one in responses]
    texts = [_encode(one) for one in responses]
    framed = [b"[" + texts[0]] + [b",\r\n" + text for text in texts[1:]]
    framed[-1] += b"\n]\n"
    return framed


def _number(request_id: str) -> int:
    return int(request_id.removeprefix("simulated"))


def _text_signature(ask: Ask, answer: Answer, request_id: str) -> str | None:
    """The signature at the end of an answer in text, which models send that sign at all."""
    if answer.calls or not answer.reasoning_tokens or not ask.spec.signs_calls:
        return None
    return sign("google", answer.text, _number(request_id))


def _thoughts(ask: Ask, answer: Answer, event_tokens: int, request_id: str) -> list[dict[str, Any]]:
    """Thoughts in words, the last of them signed."""
    if not answer.thinking or not ask.own.shows_thoughts:
        return []
    words = pieces_of(answer.reasoning_tokens, answer.seed + 1)
    texts = grouped(words, event_tokens) if event_tokens else [answer.thinking]
    parts: list[dict[str, Any]] = [{"text": text, "thought": True} for text in texts]
    parts[-1]["thoughtSignature"] = sign("google", answer.thinking, _number(request_id))
    return parts


def _text(answer: Answer, event_tokens: int) -> list[dict[str, Any]]:
    if not answer.text or answer.finish == "refusal":
        return []
    texts = grouped(answer.pieces, event_tokens) if event_tokens else [answer.text]
    return [{"text": text} for text in texts]


def _calls(ask: Ask, answer: Answer, request_id: str) -> list[dict[str, Any]]:
    """Function calls; the first carries the signature of the thought behind them all."""
    number = _number(request_id)
    parts: list[dict[str, Any]] = []
    for at, call in enumerate(answer.calls):
        function = {"name": call.name, "args": msgspec.json.decode(call.arguments)}
        if ask.spec.signs_calls:
            function["id"] = f"{number:06x}{at:02x}"
        parts.append({"functionCall": function})
    if parts and (ask.spec.signs_calls or answer.reasoning_tokens):
        parts[0]["thoughtSignature"] = sign("google", answer.calls[0].name, number)
    return parts


def _candidate(index: int, parts: list[dict[str, Any]], finish: str | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": index}
    if not parts:
        candidate["content"] = {"role": "model"}
    if finish is not None:
        candidate["finishReason"] = _FINISH[finish]
    return candidate


def _blocked(ask: Ask, request_id: str, billed: Billed | None) -> dict[str, Any]:
    """A prompt that was filtered has no candidates."""
    response = _response(ask, request_id, [], _usage(billed))
    del response["candidates"]
    return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, **response}


def _response(
    ask: Ask, request_id: str, candidates: list[dict[str, Any]], usage: dict[str, Any] | None
) -> dict[str, Any]:
    response: dict[str, Any] = {"candidates": candidates}
    if usage is not None:
        response["usageMetadata"] = usage
    response["modelVersion"] = ask.model
    response["responseId"] = request_id
    return response


def _usage(billed: Billed | None) -> dict[str, Any] | None:
    """Google's candidates exclude thoughts; counts of zero are left out, as protobuf does."""
    if billed is None:
        return None
    counts = {
        "promptTokenCount": billed.all_input,
        "candidatesTokenCount": billed.output_tokens - billed.reasoning_tokens,
        "totalTokenCount": billed.all_input + billed.output_tokens,
        "cachedContentTokenCount": billed.cache_read_tokens,
        "thoughtsTokenCount": billed.reasoning_tokens,
    }
    usage: dict[str, Any] = {name: tokens for name, tokens in counts.items() if tokens}
    usage["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": billed.all_input}]
    return usage
