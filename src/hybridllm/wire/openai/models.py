"""What OpenAI's models take of sampling and effort.

Reasoning models refuse sampling controls unless reasoning is off, and each generation has its own
words for effort. Source: https://platform.openai.com/docs/guides/reasoning
"""

from __future__ import annotations

import re
from functools import cache

from hybridllm.wire.conversation import Reasoning
from hybridllm.wire.dialect import Target
from hybridllm.wire.effort import budget_to_effort

_O_SERIES = re.compile(r"(?:^|/)o\d")
_GPT = re.compile(r"(?:^|/)gpt-(\d+)(?:\.(\d+))?")
_TABLES: dict[str, dict[str, str]] = {
    "o": {"none": "low", "minimal": "low", "xhigh": "high", "max": "high"},
    "5.0": {"none": "minimal", "xhigh": "high", "max": "high"},
    "5.1": {"minimal": "low", "xhigh": "high", "max": "high"},
}
"""By generation, the nearest word for one that it does not know."""


def effort_of(reasoning: Reasoning, model: str) -> str | None:
    """The `reasoning_effort` to ask `model` for; None: nothing was said of effort."""
    effort = reasoning.effort
    if reasoning.budget_tokens == 0:
        effort = "none"
    elif effort is None and reasoning.budget_tokens is not None:
        effort = budget_to_effort(reasoning.budget_tokens)
    return None if effort is None else _words(model).get(effort, effort)


def wants_thought(reasoning: Reasoning | None) -> bool:
    """Whether the caller asked the model to think."""
    if reasoning is None or reasoning.effort == "none" or reasoning.budget_tokens == 0:
        return False
    return bool(reasoning.effort or reasoning.budget_tokens or reasoning.show)


@cache
def is_reasoner(model: str) -> bool:
    """Whether it is one of OpenAI's own reasoning models, which refuse `max_tokens`, sampling
    controls and stop sequences. Those of compatible servers take them all."""
    found = _GPT.search(model)
    return bool(_O_SERIES.search(model) or (found and int(found[1]) >= 5))


REFUSED_BY_REASONERS = (
    "max_tokens",
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "stop",
)
"""Fields that OpenAI's reasoning models refuse."""


def suits(controls: tuple[str, ...], target: Target) -> bool:
    """See `wire.dialect.Dialect.suits`."""
    if not controls:
        return True
    if is_reasoner(target.model):
        return all(name not in REFUSED_BY_REASONERS for name in controls)
    return target.reasoning or "reasoning_effort" not in controls


def _words(model: str) -> dict[str, str]:
    if _O_SERIES.search(model):
        return _TABLES["o"]
    found = _GPT.search(model)
    return _TABLES.get(f"{found[1]}.{found[2] or 0}", {}) if found else {}
