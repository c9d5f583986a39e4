"""How large calls are, where they are not all alike; and cutting that into buckets.

A bill is linear in a call's tokens between the thresholds that catalogues have: price tiers (128K,
200K, 272K), context windows, output limits, the least prefix that a cache takes. So a distribution
is cut at exactly those, and each bucket stands for its calls by their mean. The expected bill is
then exact, but for rounding each mean to a whole token and each bucket to whole calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from math import exp, log, sqrt
from statistics import NormalDist

from msgspec import Struct

_NORMAL = NormalDist()
_Z95 = _NORMAL.inv_cdf(0.95)

WHOLE = 10**12
"""A share of 1 in the integers that shares are counted in here."""

WIDEST = exp(_Z95**2 / 2)
"""The most that a log-normal's 95th percentile can be, in means: 3.87."""


class LogNormal(Struct, frozen=True, kw_only=True):
    """Tokens whose logarithm is normal: many short, few very long. `mean` and 95th percentile `p95`
    are of the tokens themselves; mean <= p95 < WIDEST x mean. No call has more than `most`: the
    calls of the tail beyond it have just that."""

    mean: int
    p95: int
    most: int | None = None

    @property
    def parameters(self) -> tuple[float, float]:
        """Mean and deviation of the logarithm.

        From mean = exp(mu + sigma^2 / 2) and p95 = exp(mu + z sigma) follows
        sigma = z - sqrt(z^2 - 2 ln(p95 / mean)), the smaller and so the less skewed solution.
        """
        sigma = _Z95 - sqrt(max(0.0, _Z95**2 - 2 * log(self.p95 / self.mean)))
        return log(self.mean) - sigma**2 / 2, sigma


class Bucket(Struct, frozen=True, kw_only=True):
    """A `share` (0..1) of the calls has `tokens`."""

    tokens: int
    share: Decimal


Size = int | tuple[Bucket, ...] | LogNormal
"""Tokens of each call; or buckets, whose shares sum to 1; or a distribution."""


def mean_of(size: Size) -> int:
    """Tokens of one call on the average, rounded."""
    if isinstance(size, int):
        return size
    if isinstance(size, LogNormal):
        return size.mean
    return round(sum(bucket.tokens * bucket.share for bucket in size))


def cut(size: Size, cuts: Iterable[int], most: int | None = None) -> tuple[tuple[int, int], ...]:
    """(tokens, share of the calls in units of 1 / WHOLE) by rising tokens. A bucket ends at each of
    `cuts`, which still belongs to it: that is how thresholds are written ("above 200,000").

    `most` ends the tail of a distribution where its own `most` does not: beyond it there are no
    calls at all, since nothing takes them.
    """
    if isinstance(size, int):
        return ((size, WHOLE),)
    if isinstance(size, LogNormal):
        ends = [end for end in (size.most, most) if end is not None]
        end = min(ends) if ends else None
        inside = {n for n in cuts if n > 0 and (end is None or n < end)}
        return _cut(size, tuple(sorted(inside | ({end} if end is not None else set()))), end)
    merged: dict[int, int] = {}
    for bucket in size:
        merged[bucket.tokens] = merged.get(bucket.tokens, 0) + units(bucket.share)
    return tuple(sorted(merged.items()))


def units(share: Decimal) -> int:
    """A share of 0..1 in units of 1 / WHOLE."""
    return int(share * WHOLE)


@lru_cache(maxsize=4096)
def _cut(size: LogNormal, cuts: tuple[int, ...], end: int | None) -> tuple[tuple[int, int], ...]:
    mu, sigma = size.parameters
    if sigma == 0:
        return ((size.mean if end is None else min(size.mean, end), WHOLE),)
    found = []
    low, below, mass_below = 0, 0.0, 0.0
    for high in (*cuts, None):
        # Shares of the calls up to `high`, and of all their tokens (the partial expectation).
        z = None if high is None else (log(high) - mu) / sigma
        up_to = 1.0 if z is None else _NORMAL.cdf(z)
        mass_up_to = 1.0 if z is None else _NORMAL.cdf(z - sigma)
        share = round((up_to - below) * WHOLE)
        if share > 0:
            tokens = round(size.mean * (mass_up_to - mass_below) / (up_to - below))
            if low == end:
                tokens = low
            elif high is not None:
                tokens = min(max(tokens, low + 1), high)
            found.append((tokens, share))
        low, below, mass_below = high or low, up_to, mass_up_to
    return tuple(found)


def apportion(calls: int, shares: Sequence[int]) -> list[int]:
    """Whole calls for each of `shares`, in any unit, not all zero; they sum to `calls` exactly.

    By largest remainders (Hamilton's method), the earlier first where remainders are equal.
    """
    total = sum(shares)
    parts = [divmod(calls * share, total) for share in shares]
    whole = [quotient for quotient, _ in parts]
    missing = calls - sum(whole)
    if missing:
        by_rest = sorted(range(len(parts)), key=lambda i: (-parts[i][1], i))
        for i in by_rest[:missing]:
            whole[i] += 1
    return whole
