"""What dialects have beside chat: embeddings, counting tokens. A new codec is a line here."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from hybridllm.wire.counting import CountCodec
from hybridllm.wire.embedding import EmbeddingCodec

_EMBEDDINGS = {
    "openai": ("hybridllm.wire.openai.embeddings", "EMBEDDINGS"),
    "google": ("hybridllm.wire.google.embeddings", "BATCH_EMBED"),
}
"""By dialect, the codec that takes any number of inputs."""

_COUNTS = {
    "anthropic": "hybridllm.wire.anthropic.counting",
    "google": "hybridllm.wire.google.counting",
}


@cache
def embeddings_of(dialect: str) -> EmbeddingCodec | None:
    """How embeddings are asked for in a dialect; None where there are none."""
    if dialect not in _EMBEDDINGS:
        return None
    module, name = _EMBEDDINGS[dialect]
    codec: EmbeddingCodec = getattr(import_module(module), name)
    return codec


@cache
def counting_of(dialect: str) -> CountCodec | None:
    """How tokens are counted in a dialect; None where its providers do not count."""
    if dialect not in _COUNTS:
        return None
    codec: CountCodec = import_module(_COUNTS[dialect]).COUNT
    return codec
