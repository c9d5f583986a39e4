"""How much to think, in the words that each generation of Claude takes.

Up to 4.5 a model is given a budget (`thinking.type` enabled, 1,024 tokens or more and less than
max_tokens); from 4.6 on it decides by itself (adaptive) under `output_config.effort`, and from 4.7
on budgets and sampling controls are refused. Source:
https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from msgspec import Struct

from hybridllm.wire.conversation import Reasoning
from hybridllm.wire.dialect import Target
from hybridllm.wire.effort import budget_to_effort, effort_to_budget

LEAST_BUDGET = 1024
_VERSION = re.compile(r"(\d+)(?:[-.](\d{1,2})(?!\d))?")
_EFFORTS = {"minimal": "low"}
_FIRST_WITH_EFFORT = (4, 5)


class Generation(Struct, frozen=True):
    """What a model's version says of it. A name without a version counts as the newest."""

    version: tuple[int, int]

    @property
    def adaptive(self) -> bool:
        return self.version >= (4, 6)

    @property
    def budgets(self) -> bool:
        return self.version < (4, 7)

    @property
    def samples(self) -> bool:
        """Whether temperature, top_p and top_k may be set at all."""
        return self.version < (4, 7)

    @property
    def one_sampling_control(self) -> bool:
        """Whether temperature and top_p exclude each other."""
        return self.version >= (4, 1)


class ThinkingConfig(Struct, frozen=True):
    """`thinking` and `output_config.effort`; None: left out."""

    thinking: dict[str, Any] | None = None
    effort: str | None = None

    @property
    def on(self) -> bool:
        return self.thinking is not None and self.thinking["type"] != "disabled"


SAMPLING = ("temperature", "top_p", "top_k")


def suits(controls: tuple[str, ...], target: Target) -> bool:
    """See `wire.dialect.Dialect.suits`. `controls` are sampling controls, `thinking.<type>` and
    `effort`."""
    if not controls:
        return True
    generation = generation_of(target.model)
    sampling = [name for name in SAMPLING if name in controls]
    if sampling and not generation.samples:
        return False
    if len(sampling) > 1 and generation.one_sampling_control:
        return False
    if "effort" in controls and generation.version < _FIRST_WITH_EFFORT:
        return False
    thinks = "thinking.enabled" in controls or "thinking.adaptive" in controls
    if thinks and not target.reasoning:
        return False
    if "thinking.enabled" in controls:
        return generation.budgets
    return "thinking.adaptive" not in controls or generation.adaptive


@cache
def generation_of(model: str) -> Generation:
    """claude-3-5-haiku-20241022 is 3.5, claude-sonnet-4-20250514 is 4.0, claude-opus-4-7 is 4.7."""
    found = _VERSION.search(model)
    return Generation((int(found[1]), int(found[2] or 0)) if found else (99, 0))


def wants_thinking(reasoning: Reasoning | None) -> bool:
    """Whether the caller asked the model to think."""
    if reasoning is None or reasoning.effort == "none" or reasoning.budget_tokens == 0:
        return False
    return bool(reasoning.effort or reasoning.budget_tokens is not None or reasoning.show)


def thinking_config(
    reasoning: Reasoning, generation: Generation, max_tokens: int, *, native: bool, signed: bool
) -> ThinkingConfig | None:
    """The thinking to ask for; None where the caller wants thought that cannot be had.

    `native`: an Anthropic caller's effort alone does not turn thinking on. `signed`: every turn of
    tool use in the conversation begins with a thought of Anthropic's, as thinking by budget wants.
    """
    budget, effort = reasoning.budget_tokens, _effort(reasoning.effort, generation)
    if native and budget is None:
        return ThinkingConfig(effort=effort)
    if not wants_thinking(reasoning):
        if native and budget == 0:
            return ThinkingConfig({"type": "disabled"}, effort)
        # Models that think unless told otherwise are told to think little: not all can be stopped.
        asked = reasoning.effort == "none" or budget == 0
        return ThinkingConfig(effort="low" if asked and generation.version >= (5, 0) else None)
    display = {} if reasoning.show is None else {"display": _DISPLAYS[reasoning.show]}
    by_budget = generation.budgets and (not generation.adaptive or (budget or 0) > 0)
    if by_budget and signed and max_tokens > LEAST_BUDGET:
        tokens = _tokens(reasoning, max_tokens)
        if native and reasoning.show:
            display = {}  # it is what these models do
        return ThinkingConfig({"type": "enabled", "budget_tokens": tokens, **display}, effort)
    if not generation.adaptive:
        return None
    if effort is None and budget is not None and budget > 0:
        effort = _effort(budget_to_effort(budget), generation)
    return ThinkingConfig({"type": "adaptive", **display}, effort)


_DISPLAYS = {True: "summarized", False: "omitted"}


def _effort(effort: str | None, generation: Generation) -> str | None:
    """The word for it, if this generation knows words: xhigh came with 4.7."""
    if effort in (None, "none") or generation.version < _FIRST_WITH_EFFORT:
        return None
    effort = _EFFORTS.get(effort, effort)
    if generation.version < (4, 7) and effort == "xhigh":
        return "high"
    return "high" if generation.version < (4, 6) and effort == "max" else effort


def _tokens(reasoning: Reasoning, max_tokens: int) -> int:
    """A budget below max_tokens that leaves room for an answer."""
    budget = reasoning.budget_tokens
    if budget is None or budget < 0:
        budget = effort_to_budget(reasoning.effort or "medium", max_tokens)
    if budget >= max_tokens:
        budget = max_tokens // 2
    return max(LEAST_BUDGET, budget)
