"""Reasoning effort in words and in tokens, for dialects that know only one of them.

The budgets are ours: powers of two near what the providers' guides suggest for each word.
"""

from __future__ import annotations

BUDGETS: dict[str, int] = {
    "none": 0,
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 32768,
    "max": 65536,
}
"""Tokens of reasoning that each effort stands for, rising."""


def effort_to_budget(effort: str, max_output: int) -> int:
    """Tokens to reason with, leaving at least half of `max_output` for the answer. 0 turns
    reasoning off; an unknown word counts as medium."""
    budget = BUDGETS.get(effort, BUDGETS["medium"])
    return min(budget, max_output // 2)


def budget_to_effort(budget: int) -> str:
    """The least effort that stands for at least `budget` tokens; -1 (the model chooses) is
    medium."""
    if budget < 0:
        return "medium"
    return next((word for word, tokens in BUDGETS.items() if tokens >= budget), "max")
