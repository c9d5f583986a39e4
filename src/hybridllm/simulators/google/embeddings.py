"""POST /v1beta/models/{model}:embedContent and :batchEmbedContents, also under /v1
(https://ai.google.dev/api/embeddings)."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from hybridllm.simulators.ask import Answer, Ask, Billed, Refused, Segment
from hybridllm.simulators.google import errors
from hybridllm.simulators.google.contents import Reading, read_parts
from hybridllm.simulators.google.names import list_of, message_of
from hybridllm.simulators.models import NO_GENERATION, Embedder, find_embedder
from hybridllm.simulators.provider import Generation, Incoming
from hybridllm.simulators.vectors import vector_of
from hybridllm.tokens import token_ids

_ONE = frozenset({"content", "taskType", "title", "outputDimensionality", "model"})
_PATH = r"/v1(beta)?/models/(?P<model>[^/:]+):"


class Own(Struct, frozen=True):
    """The texts, each with the length of its vector."""

    wanted: list[tuple[str, int]]


class EmbedContent(Generation):
    name = "embedContent"
    pattern = re.compile(_PATH + "embedContent")

    def read(self, incoming: Incoming) -> Ask:
        embedder = _embedder(incoming.model)
        return _ask(incoming.model, [_one(message_of(incoming.data, _ONE, ""), embedder, "")])

    def content_type(self, ask: Ask) -> bytes:
        return b"application/json; charset=UTF-8"

    def whole(
        self, ask: Ask, answers: list[Answer], billed: Billed | None, request_id: str
    ) -> bytes:
        (embedding,) = _embeddings(ask)
        return msgspec.json.encode({"embedding": embedding, **_usage(billed)})

    def events(
        self,
        ask: Ask,
        answers: list[Answer],
        billed: Billed | None,
        request_id: str,
        event_tokens: int,
    ) -> list[bytes]:
        return [self.whole(ask, answers, billed, request_id)]


class BatchEmbedContents(EmbedContent):
    name = "batchEmbedContents"
    pattern = re.compile(_PATH + "batchEmbedContents")

    def read(self, incoming: Incoming) -> Ask:
        embedder = _embedder(incoming.model)
        body = message_of(incoming.data, frozenset({"requests"}), "")
        requests = list_of(body.get("requests", []))
        if not 1 <= len(requests) <= 100:
            raise errors.invalid(
                "* BatchEmbedContentsRequest.requests: at least one and at most 100 requests must "
                "be in one batch"
            )
        wanted = []
        for at, value in enumerate(requests):
            where = f"requests[{at}]"
            one = message_of(value, _ONE, where)
            if one.get("model") not in (f"models/{incoming.model}", incoming.model):
                raise errors.invalid(
                    f"* BatchEmbedContentsRequest.{where}.model: the model must be the same as the "
                    "batch's"
                )
            wanted.append(_one(one, embedder, where))
        return _ask(incoming.model, wanted)

    def whole(
        self, ask: Ask, answers: list[Answer], billed: Billed | None, request_id: str
    ) -> bytes:
        return msgspec.json.encode({"embeddings": _embeddings(ask), **_usage(billed)})


def _embedder(name: str) -> Embedder:
    embedder = find_embedder("google", name)
    if embedder is None:
        raise Refused(
            404,
            "NOT_FOUND",
            f"models/{name[:100]} is not found for API version v1beta, or is not supported for "
            "embedContent. Call ListModels to see the list of available models and their "
            "supported methods.",
        )
    return embedder


def _one(body: dict[str, Any], embedder: Embedder, where: str) -> tuple[str, int, int]:
    """A text, the length of its vector, and its tokens; beyond the limit a text is cut off."""
    place = f"{where}.content" if where else "content"
    content = message_of(body.get("content", {}), frozenset({"role", "parts"}), place)
    reading = Reading([], False)
    read_parts(list_of(content.get("parts", [])), place, "user", reading)
    if not reading.last_user:
        raise errors.invalid("* EmbedContentRequest.content: contains no text to embed")
    length = body.get("outputDimensionality", embedder.dimensions)
    if type(length) is not int or not embedder.fewest <= length <= embedder.dimensions:
        raise errors.invalid(
            f"* EmbedContentRequest.output_dimensionality: must be from {embedder.fewest} to "
            f"{embedder.dimensions}"
        )
    tokens = min(len(token_ids(reading.last_user)), embedder.max_tokens)
    return reading.last_user, length, tokens


def _ask(model: str, wanted: list[tuple[str, int, int]]) -> Ask:
    return Ask(
        model=model,
        spec=NO_GENERATION,
        stream=False,
        prompt=[Segment("", tokens=sum(tokens for _, _, tokens in wanted))],
        last_user="",
        choices=0,
        own=Own([(text, length) for text, length, _ in wanted]),
    )


def _embeddings(ask: Ask) -> list[dict[str, Any]]:
    own: Own = ask.own
    return [{"values": vector_of(text, length)} for text, length in own.wanted]


def _usage(billed: Billed | None) -> dict[str, Any]:
    if billed is None:
        return {}
    return {"usageMetadata": {"promptTokenCount": billed.all_input}}
