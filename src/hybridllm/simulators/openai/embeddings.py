"""POST /v1/embeddings (https://platform.openai.com/docs/api-reference/embeddings)."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from hybridllm.simulators.ask import Answer, Ask, Billed, Refused, Segment
from hybridllm.simulators.models import NO_GENERATION, Embedder, find_embedder
from hybridllm.simulators.openai import errors
from hybridllm.simulators.provider import Generation, Incoming
from hybridllm.simulators.vectors import as_base64, vector_of
from hybridllm.tokens import token_ids
from hybridllm.tokens.encodings import CL100K

_FIELDS = frozenset({"input", "model", "encoding_format", "dimensions", "user"})
MAX_INPUTS = 2048
MAX_TOKENS = 300_000


class Own(Struct, frozen=True):
    """What the reply needs to know: the texts (a list of tokens as its JSON), and how to send."""

    texts: list[str]
    dimensions: int
    base64: bool


class Embeddings(Generation):
    name = "embeddings"
    pattern = re.compile("/v1/embeddings")

    def read(self, incoming: Incoming) -> Ask:
        return read_embeddings_request(incoming.data)

    def content_type(self, ask: Ask) -> bytes:
        return b"application/json"

    def whole(
        self, ask: Ask, answers: list[Answer], billed: Billed | None, request_id: str
    ) -> bytes:
        own: Own = ask.own
        vectors = [vector_of(text, own.dimensions) for text in own.texts]
        reply: dict[str, Any] = {
            "object": "list",
            "data": [
                {
                    "object": "embedding",
                    "index": index,
                    "embedding": as_base64(vector) if own.base64 else vector,
                }
                for index, vector in enumerate(vectors)
            ],
            "model": ask.model,
        }
        if billed is not None:
            tokens = billed.all_input
            reply["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
        return msgspec.json.encode(reply)

    def events(
        self,
        ask: Ask,
        answers: list[Answer],
        billed: Billed | None,
        request_id: str,
        event_tokens: int,
    ) -> list[bytes]:
        return [self.whole(ask, answers, billed, request_id)]


def read_embeddings_request(data: Any) -> Ask:
    """Check a decoded body. Raises Refused in OpenAI's words."""
    if not isinstance(data, dict):
        raise errors.invalid("Invalid request body: expected a JSON object.")
    for name in data.keys() - _FIELDS:
        raise errors.invalid(f"Unrecognized request argument supplied: {name[:64]}")
    model, embedder = _model(data)
    wanted = data.get("encoding_format") or "float"
    if wanted not in ("float", "base64"):
        raise errors.invalid(
            f"Invalid value: '{str(wanted)[:50]}'. Supported values are: 'float' and 'base64'.",
            "encoding_format",
            "invalid_value",
        )
    texts, tokens = _inputs(data, embedder)
    return Ask(
        model=model,
        spec=NO_GENERATION,
        stream=False,
        prompt=[Segment("", tokens=tokens)],
        last_user="",
        choices=0,
        own=Own(texts, _dimensions(data, embedder), wanted == "base64"),
    )


def _model(data: dict[str, Any]) -> tuple[str, Embedder]:
    name = data.get("model")
    if not isinstance(name, str) or not name:
        raise errors.invalid("you must provide a model parameter")
    embedder = find_embedder("openai", name)
    if embedder is None:
        raise Refused(
            404,
            errors.INVALID,
            f"The model `{name[:100]}` does not exist or you do not have access to it.",
            code="model_not_found",
        )
    return name, embedder


def _dimensions(data: dict[str, Any], embedder: Embedder) -> int:
    wanted = data.get("dimensions")
    if wanted is None:
        return embedder.dimensions
    if type(wanted) is not int:
        raise errors.wrong_type("dimensions", "an integer", wanted)
    if not embedder.fewest <= wanted <= embedder.dimensions:
        raise errors.invalid(
            f"Invalid value for 'dimensions' = {wanted}. Must be less than or equal to "
            f"{embedder.dimensions} and greater than or equal to {embedder.fewest}.",
            "dimensions",
        )
    return wanted


def _inputs(data: dict[str, Any], embedder: Embedder) -> tuple[list[str], int]:
    """The texts, and all their tokens: one text, texts, one list of tokens, or lists of them."""
    given = data.get("input")
    if given is None:
        raise errors.missing("input")
    if isinstance(given, str) or (isinstance(given, list) and given and type(given[0]) is int):
        given = [given]
    if not isinstance(given, list) or not given:
        raise errors.invalid("'$.input' is invalid. Please check the API reference.", "input")
    if len(given) > MAX_INPUTS:
        raise errors.invalid(
            f"Invalid 'input': array too long. Expected an array with maximum length {MAX_INPUTS}, "
            f"but got an array with length {len(given)} instead.",
            "input",
            "array_above_max_length",
        )
    texts: list[str] = []
    total = 0
    for one in given:
        text, tokens = _input(one)
        if tokens > embedder.max_tokens:
            raise errors.invalid(
                f"This model's maximum context length is {embedder.max_tokens} tokens, however "
                f"you requested {tokens} tokens ({tokens} in your prompt; 0 for the completion). "
                "Please reduce your prompt; or completion length."
            )
        texts.append(text)
        total += tokens
    if total > MAX_TOKENS:
        raise errors.invalid(
            f"Requested {total} tokens, max {MAX_TOKENS} tokens per request",
            code="max_tokens_per_request",
        )
    return texts, total


def _input(value: Any) -> tuple[str, int]:
    if isinstance(value, str) and value:
        return value, len(token_ids(value, CL100K))
    if isinstance(value, list) and value and all(type(token) is int for token in value):
        return msgspec.json.encode(value).decode(), len(value)
    raise errors.invalid("'$.input' is invalid. Please check the API reference.", "input")
