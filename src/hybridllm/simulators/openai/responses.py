"""POST /v1/responses, and what is remembered of it
(https://platform.openai.com/docs/api-reference/responses)."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from hybridllm.simulators.ask import Answer, Ask, Billed, Refused
from hybridllm.simulators.counting import Counter, encoding_for
from hybridllm.simulators.openai import errors
from hybridllm.simulators.openai.response_reply import events_of, framed, reply_of
from hybridllm.simulators.openai.response_requests import read_response_request
from hybridllm.simulators.openai.response_store import ResponseStore, Stored
from hybridllm.simulators.provider import Generation, Incoming, Plain

_ONE = re.compile("/v1/responses/(?P<id>[^/]+)")


class Responses(Generation):
    name = "responses"
    pattern = re.compile("/v1/responses")

    def __init__(self, store: ResponseStore) -> None:
        self._store = store

    def read(self, incoming: Incoming) -> Ask:
        return read_response_request(incoming.data, self._store)

    def content_type(self, ask: Ask) -> bytes:
        return b"text/event-stream; charset=utf-8"

    def too_long(self, ask: Ask, tokens: int) -> Refused | None:
        if tokens + (ask.max_output or 0) <= ask.spec.context_window:
            return None
        return errors.invalid(
            "Your input exceeds the context window of this model. Please adjust your input and "
            "try again.",
            "input",
            "context_length_exceeded",
        )

    def whole(
        self, ask: Ask, answers: list[Answer], billed: Billed | None, request_id: str
    ) -> bytes:
        return msgspec.json.encode(self._reply(ask, answers[0], billed, request_id))

    def events(
        self,
        ask: Ask,
        answers: list[Answer],
        billed: Billed | None,
        request_id: str,
        event_tokens: int,
    ) -> list[bytes]:
        reply = self._reply(ask, answers[0], billed, request_id)
        return events_of(ask, answers[0], reply, request_id, event_tokens)

    def stream_error(self, ask: Ask, refused: Refused, at: int) -> bytes | None:
        error = {
            "type": "error",
            "code": refused.code or refused.type,
            "message": refused.message,
            "param": refused.param,
        }
        return framed(error, at)

    def broken_event(self, ask: Ask) -> bytes:
        return b'event: response.output_text.delta\ndata: {"type": "response.outp\n\n'

    def _reply(
        self, ask: Ask, answer: Answer, billed: Billed | None, request_id: str
    ) -> dict[str, Any]:
        reply = reply_of(ask, answer, billed, request_id)
        if ask.own.store:
            self._store.keep(reply, ask.own.items + reply["output"])
        return reply


class CountInput(Plain):
    """How many tokens a request would be billed for."""

    pattern = re.compile("/v1/responses/input_tokens")

    def __init__(self, store: ResponseStore) -> None:
        self._store = store

    def reply(self, incoming: Incoming, counter: Counter) -> Any:
        ask = read_response_request(incoming.data, self._store)
        encoding = encoding_for(ask.model)
        tokens = sum(
            counter.count(segment.text, encoding) if segment.tokens is None else segment.tokens
            for segment in ask.prompt
        )
        return {"object": "response.input_tokens", "input_tokens": tokens}


class GetResponse(Plain):
    method = "GET"
    pattern = _ONE

    def __init__(self, store: ResponseStore) -> None:
        self._store = store

    def reply(self, incoming: Incoming, counter: Counter) -> Any:
        return _stored(self._store, incoming.model).reply


class DeleteResponse(Plain):
    method = "DELETE"
    pattern = _ONE

    def __init__(self, store: ResponseStore) -> None:
        self._store = store

    def reply(self, incoming: Incoming, counter: Counter) -> Any:
        _stored(self._store, incoming.model)
        self._store.delete(incoming.model)
        return {"id": incoming.model, "object": "response", "deleted": True}


def _stored(store: ResponseStore, response_id: str) -> Stored:
    stored = store.find(response_id)
    if stored is None:
        raise Refused(404, errors.INVALID, f"Response with id '{response_id[:64]}' not found.")
    return stored
