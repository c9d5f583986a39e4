"""How sure a mean of scores in 0..1 is, however often one has looked.

An interval for a fixed number of samples is wrong far more often than it says when one looks every
week and acts on the first good news. These bounds hold at all times at once: the chance that the
mean is ever outside of them is at most 1 - confidence, whenever one looks and for whatever reason
one stops. They take nothing but the number of scores, their sum and the sum of their squares, so
weeks are added up and nothing is read again.

A bound is found by testing means. Each is tested by a process that is never expected to grow where
the mean is right (J. Ville, "Étude critique de la notion de collectif", 1939: it then reaches 1/α
with a chance of at most α). Two kinds are mixed half and half, since a mixture is one too:

* the beta-binomial mixture (H. Robbins, "Statistical methods related to the law of the iterated
  logarithm", Annals of Mathematical Statistics 41, 1970; S. Howard, A. Ramdas, J. McAuliffe and
  J. Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics
  49, 2021), best for pass and fail. It holds for any scores in 0..1: its factor for one score is
  convex in it, so it is expected to be largest where all scores are 0 or 1;
* bets on the mean (I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by
  betting", JRSS B 86, 2024) of fixed sizes, each bounded from below by the sums alone (X. Fan,
  I. Grama and Q. Liu, "Exponential inequalities for martingales with applications", EJP 20, 2015,
  lemma 4.1: 1 + λy >= exp(λy + y²(λ + log(1 - λ))) for y >= -1), best for scores that vary little.
"""

from __future__ import annotations

from math import exp, log, log1p, sqrt

from hybridllm.quality.bernstein import check_sums
from hybridllm.quality.clopper import log_beta

_SIZES = tuple(0.9 * 0.5**step for step in range(7))
_BETS = tuple((size, size + log1p(-size)) for size in _SIZES)
"""Sizes of bets, from 0.9 down to 0.014 of what can be lost, and what each costs by variance."""

_PRIOR = 0.5
_BETA_ZERO = log_beta(_PRIOR, _PRIOR)
_NEAR = 1e-4
_LARGEST = 700.0
_HUGE = exp(_LARGEST)


def anytime(n: int, total: float, squares: float, confidence: float = 0.95) -> tuple[float, float]:
    """(lower, upper) of the mean, both in 0..1, from `n` scores in 0..1, their sum and the sum of
    their squares. Not narrower than what is proved, and at most 0.0001 wider. Without samples
    nothing is known: (0.0, 1.0).

    Raises ValueError where these are no such sums, or unless 0 < confidence < 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie strictly between 0 and 1, not {confidence}")
    check_sums(n, total, squares)
    if n == 0:
        return 0.0, 1.0
    need = 1 / (1 - confidence)
    failures = max(0.0, n - total)
    lower = _bound(n, min(total, n), squares, need)
    upper = 1 - _bound(n, failures, n - 2 * total + squares, need)
    return lower, upper


def against(n: int, total: float, squares: float, mean: float) -> float:
    """The evidence that the scores' mean is above `mean` (in 0..1, exclusive): at α it is proved
    where this reaches 1/α, whenever that is. At most 1 where their own mean is not above it."""
    if n == 0 or total <= n * mean:
        return 1.0
    return _evidence(
        n, total, squares, mean, log_beta(_PRIOR + total, _PRIOR + n - total) - _BETA_ZERO
    )


def _bound(n: int, total: float, squares: float, need: float) -> float:
    """The largest mean found that is too small to be true, by false position."""
    if total <= n * _NEAR:
        return 0.0
    prior = log_beta(_PRIOR + total, _PRIOR + max(0.0, n - total)) - _BETA_ZERO
    need = log(need)
    high = total / n
    low = max(high / 2, high - 5 * sqrt(high * (1 - high) / n) - 5 / n)
    over = log(_evidence(n, total, squares, low, prior)) - need
    while over < 0:
        if low < _NEAR:
            return 0.0
        low, high = low / 2, low
        over = log(_evidence(n, total, squares, low, prior)) - need
    under = log(_evidence(n, total, squares, high, prior)) - need if high < 1 else -need
    while high - low > _NEAR:
        # Not at the ends, where an end that is near already would hardly move.
        share = min(0.9, max(0.1, over / (over - under)))
        middle = low + (high - low) * share
        found = log(_evidence(n, total, squares, middle, prior)) - need
        if found >= 0:
            low, over, under = middle, found, under / 2
        else:
            high, under, over = middle, found, over / 2
    return low


def _evidence(n: int, total: float, squares: float, mean: float, prior: float) -> float:
    """`against`, for a `mean` below that of the scores. Both kinds of process fall as `mean` rises
    towards it, the bets before they are bounded by sums: so a mean that is rejected proves every
    smaller one wrong as well."""
    mixture = prior - total * log(mean) - max(0.0, n - total) * log1p(-mean)
    if mixture > _LARGEST:
        return _HUGE
    drift = total / mean - n
    spread = max(0.0, squares / (mean * mean) - 2 * total / mean + n)
    won = 0.0
    for size, cost in _BETS:
        gain = size * drift + cost * spread
        won += exp(gain) if gain < _LARGEST else _HUGE
    return exp(mixture) / 2 + won / (4 * len(_BETS))
