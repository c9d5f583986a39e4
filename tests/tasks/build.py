"""Facts of small requests, and a configuration that names tasks without any file."""

from __future__ import annotations

from typing import Any

from hybridllm.catalog.structs import Catalog, Task, Tier
from hybridllm.config import Config, RoutingConfig
from hybridllm.wire.dialect import Facts, Turn

TASKS = {
    "classification": Tier.SIMPLE,
    "extraction": Tier.SIMPLE,
    "templated_generation": Tier.SIMPLE,
    "general": Tier.MID,
    "analysis": Tier.MID,
    "code_generation": Tier.MID,
    "code_review": Tier.MID,
    "refactoring": Tier.MID,
    "agentic": Tier.MID,
    "complex_reasoning": Tier.PREMIUM,
    "specialized_reasoning": Tier.PREMIUM,
}


def config(tasks: dict[str, Tier] = TASKS, **more: Any) -> Config:
    settings: dict[str, Any] = {
        "tier_tasks": {Tier.SIMPLE: "classification", Tier.MID: "general"},
        "routing": RoutingConfig(default_task="general"),
        **more,
    }
    names = {
        "gpt-4o-mini": "openai/gpt-4o-mini",
        "openai/gpt-4o-mini": "openai/gpt-4o-mini",
        "claude-sonnet-4-6": "anthropic/claude-sonnet-4-6",
    }
    return Config(
        preset="test",
        catalog=Catalog(as_of="2026-04-20", providers={}, models={}, names=names),
        tasks={name: Task(name=name, tier=tier) for name, tier in tasks.items()},
        quality=(),
        **settings,
    )


def facts(*texts: str, model: str = "auto", system: str = "", **more: Any) -> Facts:
    """Turns alternate user, assistant, user...; the size is counted unless given."""
    size = len(system.encode()) + sum(len(text.encode()) for text in texts)
    turns = [Turn(("user", "assistant")[n % 2], text) for n, text in enumerate(texts)]
    return Facts(model=model, turns=turns, system=system, **{"text_bytes": size, **more})
