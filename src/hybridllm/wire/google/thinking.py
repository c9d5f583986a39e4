"""How much to think, in the words that each generation of Gemini takes.

Gemini 2.5 counts tokens (`thinkingBudget`: Pro 128 to 32,768 and never off, Flash 0 to 24,576, -1
lets the model choose); Gemini 3 and later know levels (`thinkingLevel`) and cannot be turned off.
Source: https://ai.google.dev/gemini-api/docs/thinking
"""

from __future__ import annotations

import re
from typing import Any

from hybridllm.wire.conversation import Reasoning
from hybridllm.wire.dialect import Target
from hybridllm.wire.effort import budget_to_effort, effort_to_budget

_GENERATION = re.compile(r"gemini-(\d+)")
_FIRST_WITH_LEVELS = 3
_FIRST_THAT_SIGNS = 3
_FLASH_LIMITS = (0, 24_576)
_PRO_LIMITS = (128, 32_768)


def signs_calls(model: str) -> bool:
    """Whether the model signs its function calls and wants the signatures back: from Gemini 3 on.
    https://ai.google.dev/gemini-api/docs/thought-signatures"""
    found = _GENERATION.search(model)
    return found is not None and int(found[1]) >= _FIRST_THAT_SIGNS


def suits(controls: tuple[str, ...], target: Target) -> bool:
    """See `wire.dialect.Dialect.suits`. `controls` may hold `thinkingBudget`, which newer models
    still take, and `thinkingLevel`, which older ones do not."""
    if not controls:
        return True
    found = _GENERATION.search(target.model)
    newer = found is not None and int(found[1]) >= _FIRST_WITH_LEVELS
    return target.reasoning and (newer or "thinkingLevel" not in controls)


def thinking_config(reasoning: Reasoning, model: str, max_output: int) -> dict[str, Any]:
    """The thinkingConfig for `model`; empty when the caller left it all to the model.
    `max_output` is in tokens."""
    config: dict[str, Any] = {}
    if reasoning.show is not None:
        config["includeThoughts"] = reasoning.show
    found = _GENERATION.search(model)
    if found and int(found[1]) >= _FIRST_WITH_LEVELS:
        level = _level(reasoning, model)
        if level is not None:
            config["thinkingLevel"] = level
        return config
    budget = reasoning.budget_tokens
    if budget is None and reasoning.effort is not None:
        budget = effort_to_budget(reasoning.effort, max_output)
    if budget is not None:
        least, most = _PRO_LIMITS if "pro" in model else _FLASH_LIMITS
        config["thinkingBudget"] = budget if budget < 0 else max(least, min(most, budget))
    return config


def _level(reasoning: Reasoning, model: str) -> str | None:
    """LOW is the least that a Pro model takes, HIGH the most that every model does."""
    effort = reasoning.effort
    if effort is None:
        if reasoning.budget_tokens is None or reasoning.budget_tokens < 0:
            return None
        effort = budget_to_effort(reasoning.budget_tokens)
    if effort in ("none", "minimal"):
        return "LOW" if "pro" in model else "MINIMAL"
    return {"low": "LOW", "medium": "MEDIUM"}.get(effort, "HIGH")
