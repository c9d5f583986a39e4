"""OpenAI's embeddings. Format: https://platform.openai.com/docs/api-reference/embeddings/create"""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ErrorKind, ProviderError, RequestError
from hybridllm.wire.dialect import DropPolicy, Facts, RequestShape
from hybridllm.wire.embedding import EmbeddingCodec, EmbeddingReply, EmbeddingRequest
from hybridllm.wire.openai.signatures import NATIVE
from hybridllm.wire.reading import read, required
from hybridllm.wire.splice import splice

WHERE = "OpenAI's embeddings API"
_BYTES_PER_TOKEN = 4
_FLOAT_BYTES = 4


class _Model(Struct):
    """What the facts need beside the input."""

    model: str | UnsetType = UNSET
    input: str | list[str | int | list[int]] | UnsetType = UNSET


class _Body(_Model):
    dimensions: int | None = None
    encoding_format: str | None = None
    user: str | None = None


class _Usage(Struct):
    prompt_tokens: int = 0


class _Metered(Struct):
    usage: _Usage | None = None


class _Vector(Struct):
    embedding: str | list[float]
    index: int


class _Reply(Struct):
    data: list[_Vector]
    usage: _Usage | None = None


_facts = msgspec.json.Decoder(_Model)
_body = msgspec.json.Decoder(_Body)
_names = msgspec.json.Decoder(dict[str, msgspec.Raw])
_metered = msgspec.json.Decoder(_Metered)
_reply = msgspec.json.Decoder(_Reply)
_KNOWN = frozenset(_Body.__struct_fields__)


class OpenAIEmbeddings:
    """See `wire.embedding.EmbeddingCodec`."""

    dialect = NATIVE
    endpoint = "embeddings"

    def facts(self, body: bytes, shape: RequestShape) -> Facts:
        request = read(_facts, body)
        inputs = _inputs(request)
        size = sum(
            len(one.encode("utf-8", "surrogatepass"))
            if isinstance(one, str)
            else len(one) * _BYTES_PER_TOKEN
            for one in inputs
        )
        return Facts(model=_model(request), turns=[], text_bytes=size, choices=len(inputs))

    def decode_request(self, body: bytes, shape: RequestShape) -> EmbeddingRequest:
        request = read(_body, body)
        encoding = request.encoding_format or "float"
        if encoding not in ("float", "base64"):
            raise RequestError(
                "'encoding_format' must be 'float' or 'base64'.", field="encoding_format"
            )
        return EmbeddingRequest(
            model=_model(request),
            inputs=_inputs(request),
            dimensions=request.dimensions,
            encoding=encoding,
            end_user=request.user,
            extras=[name for name in _names.decode(body) if name not in _KNOWN],
        )

    def encode_request(self, request: EmbeddingRequest, model: str, policy: DropPolicy) -> bytes:
        # OpenAI's vectors serve queries and documents alike, so the purpose may be left out; a
        # title is content.
        if request.task_type is not None:
            policy.unsupported("taskType", harmless=True, where=WHERE)
        if request.titles is not None and any(request.titles):
            policy.unsupported("title", harmless=False, where=WHERE)
        for name in request.extras:
            policy.unsupported(name, harmless=False, where=WHERE)
        body: dict[str, Any] = {
            "model": model,
            "input": request.inputs,
            "encoding_format": "float",
        }
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        if request.end_user is not None:
            body["user"] = request.end_user
        return msgspec.json.encode(body)

    def passthrough(self, body: bytes, facts: Facts, model: str) -> bytes:
        if model == facts.model:
            return body
        return splice(body, {"model": msgspec.json.encode(model)})

    def decode_reply(self, body: bytes) -> EmbeddingReply:
        try:
            reply = _reply.decode(body)
            data = sorted(reply.data, key=lambda one: one.index)
            vectors = [_numbers(one.embedding) for one in data]
        except (msgspec.DecodeError, UnicodeDecodeError, Base64Error, struct.error) as e:
            raise ProviderError(
                f"OpenAI's embeddings cannot be read: {e}.", kind=ErrorKind.MALFORMED_REPLY
            ) from e
        return EmbeddingReply(vectors=vectors, usage=_usage(reply.usage))

    def encode_reply(self, reply: EmbeddingReply, request: EmbeddingRequest, model: str) -> bytes:
        shown = _packed if request.encoding == "base64" else list
        tokens = reply.usage.total_input if reply.usage is not None else 0
        return msgspec.json.encode(
            {
                "object": "list",
                "data": [
                    {"object": "embedding", "index": index, "embedding": shown(vector)}
                    for index, vector in enumerate(reply.vectors)
                ],
                "model": model,
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
        )

    def meter(self, body: bytes) -> Usage | None:
        try:
            return _usage(_metered.decode(body).usage)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


def _model(request: _Model) -> str:
    if request.model is UNSET or not request.model:
        required("model", "Name an embedding model.")
    return request.model


def _inputs(request: _Model) -> list[str | list[int]]:
    """One text, texts, the tokens of one text, or those of several."""
    given = request.input
    if given is UNSET or not given:
        required("input", "Send at least one text.")
    if isinstance(given, str):
        return [given]
    ids = [one for one in given if isinstance(one, int)]
    if len(ids) == len(given):
        return [ids]
    inputs = [one for one in given if not isinstance(one, int)]
    if ids:
        raise RequestError(
            "'input' mixes token ids with other values.",
            field="input",
            remedy="Send one text, a list of texts, a list of token ids, or a list of such lists.",
        )
    return inputs


def _numbers(embedding: str | list[float]) -> list[float]:
    """Numbers as they are, or as little-endian 32-bit floats in base64."""
    if not isinstance(embedding, str):
        return embedding
    raw = b64decode(embedding, validate=True)
    return list(struct.unpack(f"<{len(raw) // _FLOAT_BYTES}f", raw))


def _packed(vector: list[float]) -> str:
    """What OpenAI's SDK asks for by default."""
    try:
        return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except OverflowError as e:
        raise ProviderError(
            "A number of an embedding does not fit 32 bits.", kind=ErrorKind.MALFORMED_REPLY
        ) from e


def _usage(usage: _Usage | None) -> Usage | None:
    return None if usage is None else Usage(input_tokens=usage.prompt_tokens)


EMBEDDINGS: EmbeddingCodec = OpenAIEmbeddings()
