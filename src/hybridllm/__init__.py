"""Routes every LLM request to the cheapest model that is good enough, and records what it cost.

from hybridllm import Stack

async with Stack() as stack:
    reply = await stack.chat(task="classification", messages=[...])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hybridllm.batching.stack import BatchHandle as BatchHandle
    from hybridllm.batching.stack import Deferred as Deferred
    from hybridllm.batching.stack import Stack as Stack
    from hybridllm.engine.stack import ChatReply as ChatReply
    from hybridllm.engine.stack import ChatStream as ChatStream
    from hybridllm.errors import ConfigError as ConfigError
    from hybridllm.errors import HybridError as HybridError
    from hybridllm.errors import ProviderError as ProviderError
    from hybridllm.errors import RequestError as RequestError

_HOMES = {
    "BatchHandle": "hybridllm.batching.stack",
    "Deferred": "hybridllm.batching.stack",
    "ChatReply": "hybridllm.engine.stack",
    "ChatStream": "hybridllm.engine.stack",
    "Stack": "hybridllm.batching.stack",
    "ConfigError": "hybridllm.errors",
    "HybridError": "hybridllm.errors",
    "ProviderError": "hybridllm.errors",
    "RequestError": "hybridllm.errors",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Imported when first asked for, so that a command loads only what it needs."""
    if name not in _HOMES:
        raise AttributeError(f"module 'hybridllm' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
