"""Embeddings free of any dialect: the request, the reply, and what a dialect's codec does.

A codec is registered in `hybridllm.wire.registry`. Floor 1, pure.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct, field

from hybridllm.catalog.structs import Usage
from hybridllm.wire.dialect import DropPolicy, Facts, RequestShape


class EmbeddingRequest(Struct, kw_only=True):
    """Texts to embed, in order; a caller of OpenAI's may give the token ids of a text instead.

    `dimensions` None is the model's own. `encoding` is how OpenAI's callers want the numbers
    (`float` or `base64`), `end_user` its `user`. `task_type` (RETRIEVAL_QUERY...) and `titles`
    (one for each input, or none at all) are Google's. `extras` are the names of further fields,
    which only their own dialect can say.
    """

    model: str
    inputs: list[str | list[int]]
    dimensions: int | None = None
    encoding: str = "float"
    end_user: str | None = None
    task_type: str | None = None
    titles: list[str | None] | None = None
    extras: list[str] = field(default_factory=list)


class EmbeddingReply(Struct, kw_only=True):
    """A vector for each input, in order. `usage` None: the provider sent none."""

    vectors: list[list[float]]
    usage: Usage | None = None


class EmbeddingCodec(Protocol):
    """One dialect's embeddings, both ways.

    `facts` are those of a chat as far as they mean something here: `text_bytes` of all inputs
    (four for each token id), and in `choices` the number of inputs.
    """

    dialect: str
    endpoint: str
    """As `providers.adapter.Adapter.target` knows it."""

    def facts(self, body: bytes, shape: RequestShape) -> Facts:
        """What metering needs. Raises RequestError naming the malformed field."""
        ...

    def decode_request(self, body: bytes, shape: RequestShape) -> EmbeddingRequest:
        """The whole request. Raises RequestError naming the malformed field."""
        ...

    def encode_request(self, request: EmbeddingRequest, model: str, policy: DropPolicy) -> bytes:
        """The body to send for the model of that wire name. Raises Inexpressible."""
        ...

    def passthrough(self, body: bytes, facts: Facts, model: str) -> bytes:
        """The caller's own body, byte for byte but for the model's name."""
        ...

    def decode_reply(self, body: bytes) -> EmbeddingReply:
        """Raises ProviderError(MALFORMED_REPLY)."""
        ...

    def encode_reply(self, reply: EmbeddingReply, request: EmbeddingRequest, model: str) -> bytes:
        """The body for a caller who sent `request`; `model` is the answering one's wire name. The
        reply has its usage."""
        ...

    def meter(self, body: bytes) -> Usage | None:
        """Usage of a reply that passes through; None if it tells none."""
        ...
