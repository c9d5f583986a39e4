"""The narrowest bounds of a mean that hold at all times, where every single score is at hand."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log, log1p, sqrt

_RISK = 0.5
_HALVINGS = 20


def betting(scores: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """(lower, upper) of the mean of scores in 0..1, in the order in which they came.

    The hedged capital process of I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random
    variables by betting", Journal of the Royal Statistical Society B 86 (2024), 1-27, section 4.4:
    half of the capital bets that the mean is higher than a candidate, half that it is lower, each
    time with the stake of their predictable plug-in (variance and mean of the scores before),
    cut so that at most half can be lost. A candidate against which the capital has reached
    1/(1 - confidence) is out. It holds at all times at once. Without scores: (0.0, 1.0).

    Raises ValueError for scores outside of 0..1, or unless 0 < confidence < 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie strictly between 0 and 1, not {confidence}")
    if not all(0 <= score <= 1 for score in scores):
        raise ValueError("scores must lie in 0..1")
    if not scores:
        return 0.0, 1.0
    stakes = _stakes(scores, 1 - confidence)
    need = log(2 / (1 - confidence))
    lower = _lowest(scores, stakes, need)
    upper = 1 - _lowest([1 - score for score in scores], stakes, need)
    return lower, upper


def _stakes(scores: Sequence[float], alpha: float) -> list[float]:
    """The stake before each score, of what is known from those before it."""
    made = []
    seen, off = 0.5, 0.25
    for t, score in enumerate(scores, 1):
        made.append(sqrt(2 * log(2 / alpha) / (off * log(1 + t))))
        seen += score
        off += (score - seen / (t + 1)) ** 2
    return made


def _lowest(scores: Sequence[float], stakes: Sequence[float], need: float) -> float:
    """The largest candidate that a bet on more has proved too low; the capital falls as the
    candidate rises."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _capital(scores, stakes, middle) >= need:
            low = middle
        else:
            high = middle
    return low


def _capital(scores: Sequence[float], stakes: Sequence[float], mean: float) -> float:
    """The logarithm of what one unit has become by betting on more than `mean`."""
    most = _RISK / mean if mean > 0 else inf
    return sum(
        log1p(min(stake, most) * (score - mean))
        for score, stake in zip(scores, stakes, strict=True)
    )
