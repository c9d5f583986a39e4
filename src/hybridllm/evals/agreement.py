"""How far two graders agree beyond chance: Cohen's kappa."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence


def kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Cohen's kappa of two graders' verdicts on the same answers (J. Cohen, "A coefficient of
    agreement for nominal scales", Educational and Psychological Measurement 20 (1960), 37-46): 1
    where they always agree, 0 where no more often than by chance. None where that says nothing:
    without pairs, or where each gave one and the same verdict throughout."""
    n = len(pairs)
    if n == 0:
        return None
    agreed = sum(a == b for a, b in pairs) / n
    first, second = (Counter(pair[side] for pair in pairs) for side in (0, 1))
    chance = sum(count * second[verdict] for verdict, count in first.items()) / (n * n)
    return None if chance == 1 else (agreed - chance) / (1 - chance)


def good(score: float) -> bool:
    """A score as a verdict, where verdicts are compared: half or more is good."""
    return score >= 0.5
