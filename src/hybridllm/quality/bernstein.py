"""How sure the mean of scores in 0..1 is, at a number of samples that was fixed beforehand."""

from __future__ import annotations

from math import log, sqrt


def empirical_bernstein(
    n: int, total: float, squares: float, confidence: float = 0.95
) -> tuple[float, float]:
    """The two-sided interval (lower, upper) of the mean of `n` independent scores in 0..1, from
    their sum and the sum of their squares.

    A. Maurer and M. Pontil, "Empirical Bernstein bounds and sample variance penalization", COLT
    2009, theorem 4, for either side at half the error. It holds for any distribution of scores and
    is narrow where they vary little. Fewer than two samples tell nothing: (0.0, 1.0).

    Raises ValueError unless 0 <= squares <= total <= n and 0 < confidence < 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie strictly between 0 and 1, not {confidence}")
    check_sums(n, total, squares)
    if n < 2:
        return 0.0, 1.0
    mean = total / n
    variance = max(0.0, (squares - n * mean * mean) / (n - 1))
    doubt = log(4 / (1 - confidence))
    spread = sqrt(2 * variance * doubt / n) + 7 * doubt / (3 * (n - 1))
    return max(0.0, mean - spread), min(1.0, mean + spread)


def check_sums(n: int, total: float, squares: float) -> None:
    """Raises ValueError unless these can be the sums of `n` scores in 0..1. What rounding to
    millionths may add is let pass."""
    slack = 1e-6 * n + 1e-9
    if n < 0 or not 0 <= total <= n + slack or not -slack <= squares <= total + slack:
        raise ValueError(f"{total} and {squares} are no sums of {n} scores in 0..1")
