"""The exact interval of a share of good answers, and the beta distribution that it takes."""

from __future__ import annotations

from math import exp, lgamma, log, log1p

_TINY = 1e-300
_TERMS = 500
_HALVINGS = 60


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The two-sided exact interval (lower, upper) of a proportion, both in 0..1.

    C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the
    case of the binomial", Biometrika 26 (1934), 404-413: its coverage is never below `confidence`,
    at the price of being wider than Wilson's. Without samples nothing is known: (0.0, 1.0).

    Raises ValueError unless 0 <= successes <= n and 0 < confidence < 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie strictly between 0 and 1, not {confidence}")
    if n < 0 or not 0 <= successes <= n:
        raise ValueError(f"successes must lie in 0..n, not {successes} of {n}")
    tail = (1 - confidence) / 2
    lower = 0.0 if successes == 0 else beta_quantile(tail, successes, n - successes + 1)
    upper = 1.0 if successes == n else beta_quantile(1 - tail, successes + 1, n - successes)
    return lower, upper


def log_beta(a: float, b: float) -> float:
    """The logarithm of the beta function."""
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function: the chance that a Beta(a, b) is at most `x`.

    By its continued fraction, evaluated as W. J. Lentz does (Press et al., Numerical Recipes,
    section 6.4), on the side where that converges fast.
    """
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = exp(a * log(x) + b * log1p(-x) - log_beta(a, b))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def beta_quantile(share: float, a: float, b: float) -> float:
    """Where `beta_cdf` reaches `share`, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if beta_cdf(middle, a, b) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / _away(1 + even * d)
        c = _away(1 + even / c)
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / _away(1 + odd * d)
        c = _away(1 + odd / c)
        value *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return value


def _away(x: float) -> float:
    """Not zero, so that one can divide by it."""
    return x if abs(x) > _TINY else _TINY
