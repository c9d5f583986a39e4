"""Which provider has a batch API: a new one is its file and its line here."""

from __future__ import annotations

from hybridllm.providers.batches.anthropic import AnthropicBatches
from hybridllm.providers.batches.api import BatchApi
from hybridllm.providers.batches.google import GoogleBatches
from hybridllm.providers.batches.openai import OpenAIBatches
from hybridllm.providers.upstream import Upstream

BY_DIALECT: dict[str, BatchApi] = {
    "openai": OpenAIBatches(),
    "anthropic": AnthropicBatches(),
    "google": GoogleBatches(),
}


def batch_api(upstream: Upstream) -> BatchApi | None:
    """The batch API of a provider, or None where it has none. Those that only share a dialect with
    OpenAI, Anthropic or Google have one if config says so (`batch = true`)."""
    has = upstream.name == upstream.dialect if upstream.batch is None else upstream.batch
    return BY_DIALECT.get(upstream.dialect) if has else None
