"""Google's embedContent and batchEmbedContents, of the Gemini API.

Format: https://ai.google.dev/api/embeddings. The model is in the path and, in a batch, in each of
its requests again.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ErrorKind, ProviderError, RequestError
from hybridllm.wire.dialect import DropPolicy, Facts, Inexpressible, RequestShape
from hybridllm.wire.embedding import EmbeddingCodec, EmbeddingReply, EmbeddingRequest
from hybridllm.wire.google.facts import refuse
from hybridllm.wire.google.fields import Fields
from hybridllm.wire.google.signatures import NATIVE
from hybridllm.wire.splice import splice

WHERE = "Google's embeddings API"


class _Part(Struct):
    text: str | None = None


class _Content(Struct):
    parts: list[_Part | str] | _Part | None = None


class _One(Struct):
    """A request to embed one content, as far as metering reads it."""

    content: _Content | str | None = None


class _Batch(Struct):
    requests: list[_One] | None = None


class _Usage(Struct):
    promptTokenCount: int = 0


class _Metered(Struct):
    usageMetadata: _Usage | None = None


class _Vector(Struct):
    values: list[float]


class _OneReply(_Metered, kw_only=True):
    embedding: _Vector


class _BatchReply(_Metered, kw_only=True):
    embeddings: list[_Vector]


class _Names(Struct):
    model: Raw | UnsetType = UNSET


class _BatchNames(Struct):
    requests: Raw = Raw(b"[]")


_one = msgspec.json.Decoder(_One)
_batch = msgspec.json.Decoder(_Batch)
_metered = msgspec.json.Decoder(_Metered)
_one_reply = msgspec.json.Decoder(_OneReply)
_batch_reply = msgspec.json.Decoder(_BatchReply)
_names = msgspec.json.Decoder(_Names)
_items = msgspec.json.Decoder(list[Raw])
_batch_names = msgspec.json.Decoder(_BatchNames)


class GoogleEmbedContent:
    """See `wire.embedding.EmbeddingCodec`. One content, one vector."""

    dialect = NATIVE
    endpoint = "embed"

    def facts(self, body: bytes, shape: RequestShape) -> Facts:
        return _facts([_read(_one, body)], shape)

    def decode_request(self, body: bytes, shape: RequestShape) -> EmbeddingRequest:
        return _request([Fields(Raw(body), "")], shape)

    def encode_request(self, request: EmbeddingRequest, model: str, policy: DropPolicy) -> bytes:
        (one,) = _written(request, model, policy)
        return msgspec.json.encode(one)

    def passthrough(self, body: bytes, facts: Facts, model: str) -> bytes:
        return renamed(body, facts.model, model)

    def decode_reply(self, body: bytes) -> EmbeddingReply:
        reply = _answer(_one_reply, body)
        return EmbeddingReply(vectors=[reply.embedding.values], usage=_usage(reply))

    def encode_reply(self, reply: EmbeddingReply, request: EmbeddingRequest, model: str) -> bytes:
        return msgspec.json.encode({"embedding": {"values": reply.vectors[0]}, **_told(reply)})

    def meter(self, body: bytes) -> Usage | None:
        try:
            return _usage(_metered.decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


class GoogleBatchEmbedContents(GoogleEmbedContent):
    """A vector for each request of a batch."""

    endpoint = "batch_embed"

    def facts(self, body: bytes, shape: RequestShape) -> Facts:
        requests = _read(_batch, body).requests
        if not requests:
            raise RequestError("'requests' is required and must not be empty.", field="requests")
        return _facts(requests, shape)

    def decode_request(self, body: bytes, shape: RequestShape) -> EmbeddingRequest:
        requests = Fields(Raw(body), "").objects("requests")
        if not requests:
            raise RequestError("'requests' is required and must not be empty.", field="requests")
        return _request(requests, shape)

    def encode_request(self, request: EmbeddingRequest, model: str, policy: DropPolicy) -> bytes:
        return msgspec.json.encode({"requests": _written(request, model, policy)})

    def passthrough(self, body: bytes, facts: Facts, model: str) -> bytes:
        if model == facts.model:
            return body
        requests = bytes(_batch_names.decode(body).requests)
        out: list[bytes] = []
        done = 0
        for raw in _items.decode(requests):
            one = bytes(raw)
            at = requests.index(one, done)
            out += (requests[done:at], renamed(one, facts.model, model))
            done = at + len(one)
        return splice(body, {"requests": b"".join((*out, requests[done:]))})

    def decode_reply(self, body: bytes) -> EmbeddingReply:
        reply = _answer(_batch_reply, body)
        return EmbeddingReply(vectors=[one.values for one in reply.embeddings], usage=_usage(reply))

    def encode_reply(self, reply: EmbeddingReply, request: EmbeddingRequest, model: str) -> bytes:
        vectors = [{"values": vector} for vector in reply.vectors]
        return msgspec.json.encode({"embeddings": vectors, **_told(reply)})


def renamed(body: bytes, said: str, model: str) -> bytes:
    """The object with its `model` named as the provider knows it, where it is the caller's name of
    the path. Another name there is the caller's mistake, which the provider shall see."""
    name = _names.decode(body).model
    if name is UNSET or said == model:
        return body
    if bytes(name) not in (msgspec.json.encode(said), msgspec.json.encode(f"models/{said}")):
        return body
    return splice(body, {"model": msgspec.json.encode(f"models/{model}")})


def _read(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        refuse(e)


def _facts(requests: list[_One], shape: RequestShape) -> Facts:
    size = media = 0
    for content in (one.content for one in requests):
        parts = content if isinstance(content, str) else content.parts if content else None
        for part in parts if isinstance(parts, list) else [parts]:
            text = part.text if isinstance(part, _Part) else part
            size += len(text.encode("utf-8", "surrogatepass")) if text else 0
            media += isinstance(part, _Part) and text is None
    return Facts(model=_name(shape), turns=[], text_bytes=size, media=media, choices=len(requests))


def _name(shape: RequestShape) -> str:
    return (shape.model or "").removeprefix("models/")


def _request(requests: list[Fields], shape: RequestShape) -> EmbeddingRequest:
    """What the requests of a batch have in common, and their texts. Raises RequestError, also where
    they ask for different things, which one call to another provider cannot."""
    texts: list[str | list[int]] = []
    titles: list[str | None] = []
    extras: dict[str, None] = {}
    common: set[tuple[str | None, int | None]] = set()
    for one in requests:
        one.raw("model")
        texts.append(_text(one))
        titles.append(one.take("title", str))
        common.add((one.take("taskType", str), one.take("outputDimensionality", int)))
        extras.update(dict.fromkeys(one.rest()))
    if len(common) > 1:
        raise Inexpressible(
            "requests",
            "The requests of this batch differ in taskType or outputDimensionality, which only "
            "Google's models can serve in one call.",
            "Send a batch for each, or name a model of Google's.",
        )
    ((task_type, dimensions),) = common
    return EmbeddingRequest(
        model=_name(shape),
        inputs=texts,
        dimensions=dimensions,
        task_type=None if task_type == "TASK_TYPE_UNSPECIFIED" else task_type,
        titles=titles if any(titles) else None,
        extras=list(extras),
    )


def _text(one: Fields) -> str:
    """The content's text, its parts a line each. Raises RequestError for anything but text."""
    raw = one.raw("content")
    if raw is None:
        raise RequestError(f"'{one.at('content')}' is required.", field=one.at("content"))
    if bytes(raw).lstrip()[:1] == b'"':
        return str(msgspec.json.decode(raw))
    content = Fields(raw, one.at("content"))
    texts: list[str] = []
    for part in content.objects("parts"):
        text = part.take("text", str)
        if text is None:
            raise Inexpressible(
                part.path,
                f"'{part.path}' is not text, and the model that was named embeds text alone.",
                "Send text, or name a model of Google's that embeds more than text.",
            )
        texts.append(text)
    return "\n".join(texts)


def _written(request: EmbeddingRequest, model: str, policy: DropPolicy) -> list[dict[str, Any]]:
    """A request for each input."""
    if request.end_user is not None:
        policy.unsupported("user", harmless=True, where=WHERE)
    for name in request.extras:
        policy.unsupported(name, harmless=False, where=WHERE)
    common: dict[str, Any] = {}
    if request.task_type is not None:
        common["taskType"] = request.task_type
    if request.dimensions is not None:
        common["outputDimensionality"] = request.dimensions
    requests: list[dict[str, Any]] = []
    for at, text in enumerate(request.inputs):
        if not isinstance(text, str):
            raise Inexpressible(
                "input",
                "Token ids mean nothing to Google's models, whose tokenizer is another.",
                "Send texts (LangChain: check_embedding_ctx_length=False), or name an embedding "
                "model of OpenAI's.",
            )
        title = request.titles[at] if request.titles is not None else None
        requests.append(
            {
                "model": f"models/{model}",
                "content": {"parts": [{"text": text}]},
                **common,
                **({"title": title} if title else {}),
            }
        )
    return requests


def _answer(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise ProviderError(
            f"Google's embeddings cannot be read: {e}.", kind=ErrorKind.MALFORMED_REPLY
        ) from e


def _usage(reply: _Metered) -> Usage | None:
    told = reply.usageMetadata
    return None if told is None else Usage(input_tokens=told.promptTokenCount)


def _told(reply: EmbeddingReply) -> dict[str, Any]:
    if reply.usage is None:
        return {}
    tokens = reply.usage.total_input
    return {"usageMetadata": {"promptTokenCount": tokens, "totalTokenCount": tokens}}


EMBED: EmbeddingCodec = GoogleEmbedContent()
BATCH_EMBED: EmbeddingCodec = GoogleBatchEmbedContents()
