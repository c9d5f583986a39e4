"""Which models a simulated provider has, and their limits.

Families by name, so that a dated or newer version of a known family exists too. Limits are the
providers' documented ones.
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct


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
            r"gpt-5(\.\d)?(-.*)?", "gpt-5", 400_000, 128_000, reasoning=True, fixed_temperature=True
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
        _family(r"claude-opus-4.*", "claude-opus-4-1", 200_000, 32_000, reasoning=True),
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
    """The limits of a provider's model, or None where it has no such model."""
    if len(name) > 100:
        return None
    for family in FAMILIES[provider]:
        if re.fullmatch(family.pattern, name):
            return family.spec
    return None


def model_names(provider: str) -> list[str]:
    """One name of each family, for the model list."""
    return [family.example for family in FAMILIES[provider]]
