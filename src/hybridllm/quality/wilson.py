"""How sure a share of good answers is, from how many samples were judged."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt
from statistics import NormalDist


@lru_cache(maxsize=32)
def _z(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(successes: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The two-sided Wilson score interval (lower, upper) of a proportion, both in 0..1.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal
    of the American Statistical Association 22 (1927), 209-212. Unlike the normal approximation it
    stays within 0..1 and is honest at shares near 1, which is where quality bars lie.
    `successes` may be fractional (a sum of scores in 0..1), which is conservative: such a sum
    varies less than a binomial count. Without samples nothing is known: (0.0, 1.0).

    Raises ValueError unless 0 <= successes <= n and 0 < confidence < 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie strictly between 0 and 1, not {confidence}")
    if n < 0 or not 0 <= successes <= n:
        raise ValueError(f"successes must lie in 0..n, not {successes} of {n}")
    if n == 0:
        return 0.0, 1.0
    z = _z(confidence)
    share = successes / n
    spread = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    middle = share + z * z / (2 * n)
    lower = 0.0 if successes == 0 else max(0.0, (middle - spread) / scale)
    upper = 1.0 if successes == n else min(1.0, (middle + spread) / scale)
    return lower, upper
