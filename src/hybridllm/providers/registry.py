"""Which adapter serves a provider: a new one is its file and its line here."""

from __future__ import annotations

from hybridllm.errors import ConfigError
from hybridllm.providers.adapter import Adapter
from hybridllm.providers.anthropic import Anthropic
from hybridllm.providers.compatible import Compatible
from hybridllm.providers.google import Google
from hybridllm.providers.openai import OpenAI

BY_NAME: dict[str, Adapter] = {"openai": OpenAI()}
"""Providers that differ from the others of their dialect."""
BY_DIALECT: dict[str, Adapter] = {
    "openai": Compatible(),
    "anthropic": Anthropic(),
    "google": Google(),
}


def adapter_for(name: str, dialect: str) -> Adapter:
    """The adapter of provider `name`. Raises ConfigError for a dialect that there is not."""
    if dialect not in BY_DIALECT:
        raise ConfigError(
            f"There is no dialect '{dialect[:80]}'.",
            field=f"providers.{name}.dialect",
            remedy=f"Use one of: {', '.join(BY_DIALECT)}.",
        )
    named = BY_NAME.get(name) if name == dialect else None
    return named or BY_DIALECT[dialect]
