"""How often a check passes: counts that fade, and what is taken from them.

Recent checks count for more: each check lets those before it weigh 1/MEMORY less, and all of them
weigh half after HALF_LIFE_DAYS. So a change of the traffic is seen, and what was once found not to
pay is tried again when nothing newer speaks against it.
"""

from __future__ import annotations

from msgspec import Struct

from hybridllm.quality.wilson import wilson

MEMORY = 400
"""As many checks are remembered at most, in effect."""

HALF_LIFE_DAYS = 3.0
CONFIDENCE = 0.8
"""Of the two-sided interval, so that the lower bound holds with 90%."""

MILLION = 1_000_000


class Passing(Struct, frozen=True):
    """Checks as they weigh now, and those of them that passed."""

    checked: float = 0.0
    passed: float = 0.0

    def after(self, passed: bool) -> Passing:
        """With one more check."""
        kept = 1 - 1 / MEMORY
        return Passing(self.checked * kept + 1, self.passed * kept + passed)

    def aged(self, days: float) -> Passing:
        """As it weighs `days` later."""
        if days <= 0:
            return self
        kept = 0.5 ** (days / HALF_LIFE_DAYS)
        return Passing(self.checked * kept, self.passed * kept)

    def plus(self, checked: float, passed: float) -> Passing:
        """With others, within MEMORY."""
        checked, passed = self.checked + checked, self.passed + passed
        over = max(1.0, checked / MEMORY)
        return Passing(checked / over, passed / over)


class PassRate(Struct, frozen=True, kw_only=True):
    """In millionths: the `mean`, and the `lower` bound that counts. `checks` is of how many."""

    mean: int
    lower: int
    checks: int


def pass_rate(passing: Passing, expected: float, weight: int) -> PassRate:
    """The share that passes, where `expected` (0..1) was taken for it before and weighs as much as
    `weight` checks: the mean with it, and its lower bound by Wilson's interval."""
    n = passing.checked + weight
    passed = passing.passed + expected * weight
    whole = max(1, round(n))
    lower, _ = wilson(min(float(whole), passed / n * whole), whole, CONFIDENCE)
    return PassRate(
        mean=round(passed / n * MILLION),
        lower=int(lower * MILLION),
        checks=round(passing.checked),
    )
