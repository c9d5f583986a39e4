"""Every dialect by name. A new one is a folder beside the others and a line here."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from hybridllm.errors import ConfigError
from hybridllm.wire.dialect import Dialect

_MODULES = {
    "openai": "hybridllm.wire.openai",
    "responses": "hybridllm.wire.responses",
    "anthropic": "hybridllm.wire.anthropic",
    "google": "hybridllm.wire.google",
}

NAMES = tuple(_MODULES)


@cache
def get_dialect(name: str) -> Dialect:
    """The one instance of a dialect, imported when it is first asked for. Raises ConfigError."""
    if name not in _MODULES:
        raise ConfigError(
            f"There is no dialect '{name[:50]}'.",
            field="dialect",
            remedy=f"Use one of {', '.join(NAMES)}.",
        )
    dialect: Dialect = import_module(_MODULES[name]).DIALECT
    return dialect
