"""Which models a simulated provider has, and their limits.

All of the catalogue's, with its limits; and families by name, so that a dated or newer version of
a known family exists too, with the limits that its provider documents.
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct, structs

from hybridllm.catalog.load import load_catalog
from hybridllm.catalog.structs import Model


class ModelSpec(Struct, frozen=True, kw_only=True):
    """A model's limits in tokens. `signs_calls`: it signs its function calls and wants the
    signatures back (Gemini 3 and later)."""

    context_window: int
    max_output_tokens: int
    reasoning: bool = False
    min_cache_tokens: int = 1024
    signs_calls: bool = False
    fixed_temperature: bool = False


class Family(Struct, frozen=True):
    """Model names that match `pattern` have `spec`. `example` is what the model list shows."""

    pattern: str
    example: str
    spec: ModelSpec


NO_GENERATION = ModelSpec(context_window=2**31, max_output_tokens=0, min_cache_tokens=2**31)
"""Of an embedding model: its endpoint checks each input, and nothing of it is cached."""


class Embedder(Struct, frozen=True):
    """An embedding model: its vectors' usual and smallest length, and the most tokens of one
    input."""

    dimensions: int
    fewest: int
    max_tokens: int


_DIMENSIONS = {
    "text-embedding-3-small": (1536, 1),
    "text-embedding-3-large": (3072, 1),
    "text-embedding-ada-002": (1536, 1536),
    "gemini-embedding-001": (3072, 1),
    "gemini-embedding-2": (3072, 1),
}
"""Usual and smallest vectors, as documented."""


def _family(pattern: str, example: str, context: int, output: int, **more: int | bool) -> Family:
    spec = ModelSpec(context_window=context, max_output_tokens=output, **more)  # type: ignore[arg-type]
    return Family(pattern, example, spec)


FAMILIES: dict[str, tuple[Family, ...]] = {
    "openai": (
        _family(r"gpt-3\.5-turbo.*", "gpt-3.5-turbo", 16_385, 4_096),
        _family(r"(chatgpt-)?gpt-4o.*|chatgpt-4o-latest", "gpt-4o", 128_000, 16_384),
        _family(r"gpt-4o-mini.*", "gpt-4o-mini", 128_000, 16_384),
        _family(r"gpt-4\.1.*", "gpt-4.1", 1_047_576, 32_768),
        _family(r"gpt-4-turbo.*", "gpt-4-turbo", 128_000, 4_096),
        _family(r"gpt-4(-\d+)?", "gpt-4", 8_192, 8_192),
        _family(
            r"gpt-[56](\.\d)?(-.*)?",
            "gpt-5",
            400_000,
            128_000,
            reasoning=True,
            fixed_temperature=True,
        ),
        _family(r"o[134](-.*)?", "o3", 200_000, 100_000, reasoning=True, fixed_temperature=True),
        _family(r"o4-mini.*", "o4-mini", 200_000, 100_000, reasoning=True, fixed_temperature=True),
    ),
    "anthropic": (
        _family(
            r"claude-3-haiku.*", "claude-3-haiku-20240307", 200_000, 4_096, min_cache_tokens=2048
        ),
        _family(
            r"claude-3-5-.*", "claude-3-5-haiku-20241022", 200_000, 8_192, min_cache_tokens=2048
        ),
        _family(
            r"claude-3-7-sonnet.*", "claude-3-7-sonnet-20250219", 200_000, 64_000, reasoning=True
        ),
        _family(r"claude-sonnet-4-[6-9].*", "claude-sonnet-4-6", 1_000_000, 64_000, reasoning=True),
        _family(r"claude-sonnet-4.*", "claude-sonnet-4-5", 200_000, 64_000, reasoning=True),
        _family(
            r"claude-opus-4-[6-9].*",
            "claude-opus-4-7",
            1_000_000,
            128_000,
            reasoning=True,
            min_cache_tokens=4096,
        ),
        _family(
            r"claude-opus-4(-[01])?(-\d{8})?", "claude-opus-4-1", 200_000, 32_000, reasoning=True
        ),
        _family(
            r"claude-haiku-4.*",
            "claude-haiku-4-5",
            200_000,
            64_000,
            reasoning=True,
            min_cache_tokens=4096,
        ),
        _family(
            r"claude-(opus|sonnet|haiku|fable|mythos)-5.*",
            "claude-sonnet-5",
            1_000_000,
            128_000,
            reasoning=True,
        ),
    ),
    "google": (
        _family(r"gemini-2\.0-flash.*", "gemini-2.0-flash", 1_048_576, 8_192),
        _family(r"gemini-2\.5-flash.*", "gemini-2.5-flash", 1_048_576, 65_536, reasoning=True),
        _family(
            r"gemini-2\.5-pro.*",
            "gemini-2.5-pro",
            1_048_576,
            65_536,
            reasoning=True,
            min_cache_tokens=2048,
        ),
        _family(
            r"gemini-[34](\.\d)?-.*",
            "gemini-3-pro-preview",
            1_048_576,
            65_536,
            reasoning=True,
            min_cache_tokens=2048,
            signs_calls=True,
        ),
    ),
}


@lru_cache(maxsize=1024)
def find_model(provider: str, name: str) -> ModelSpec | None:
    """The limits of a provider's chat model, or None where it has no such model."""
    if len(name) > 100:
        return None
    known = _catalogued(provider).get(name)
    if known is not None and known.kind != "chat":
        return None
    spec = next(
        (family.spec for family in FAMILIES[provider] if re.fullmatch(family.pattern, name)), None
    )
    if known is None:
        return spec
    return structs.replace(
        spec or ModelSpec(context_window=0, max_output_tokens=0),
        context_window=known.context_window,
        max_output_tokens=known.max_output_tokens,
        reasoning=known.reasoning,
        min_cache_tokens=known.min_cache_tokens,
    )


@lru_cache(maxsize=128)
def find_embedder(provider: str, name: str) -> Embedder | None:
    """A provider's embedding model, or None where it has no such model."""
    known = _catalogued(provider).get(name)
    if known is None or known.kind != "embedding":
        return None
    usual, fewest = _DIMENSIONS.get(name, (1536, 1))
    return Embedder(usual, fewest, known.context_window)


@lru_cache(maxsize=8)
def _catalogued(provider: str) -> dict[str, Model]:
    """The catalogue's models by name and alias."""
    models = [model for model in load_catalog().models.values() if model.provider == provider]
    return {name: model for model in models for name in (model.name, *model.aliases)}


def model_names(provider: str) -> list[str]:
    """What the model list shows: one name of each family, and the catalogue's chat models."""
    chat = [name for name, model in _catalogued(provider).items() if model.kind == "chat"]
    return list(dict.fromkeys([family.example for family in FAMILIES[provider]] + chat))


def embedder_names(provider: str) -> list[str]:
    """The embedding models of the model list."""
    known = _catalogued(provider)
    return [name for name, model in known.items() if model.kind == "embedding"]
