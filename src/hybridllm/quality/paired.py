"""Two models on the same samples: which of them is better, and by how much."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from hybridllm.quality.anytime import anytime


class Standing(StrEnum):
    """How a candidate stands beside the incumbent. `as_good`: not worse by more than the margin;
    `better` is that and more."""

    BETTER = "better"
    AS_GOOD = "as_good"
    WORSE = "worse"
    UNDECIDED = "undecided"


class Paired(Struct, frozen=True, kw_only=True):
    """`difference` is the mean of candidate minus incumbent over `n` samples, in -1..1, with its
    confidence sequence `lower` to `upper`. `standing` is what it proves."""

    n: int
    difference: float
    lower: float
    upper: float
    standing: Standing


def compare(
    pairs: Iterable[tuple[float, float]], *, margin: float = 0.0, confidence: float = 0.95
) -> Paired:
    """Of pairs (candidate's score, incumbent's score), both in 0..1, one for each sample.

    Samples that are hard for one are mostly hard for the other, so that differences vary less than
    scores and prove more. They are moved from -1..1 to 0..1 and bounded by `anytime`: one may look
    whenever one likes. The candidate is `as_good` where it is proved to be worse by no more than
    `margin`, and `worse` where it is proved to be worse by more than that.

    Raises ValueError for scores outside of 0..1, a margin below 0, or unless 0 < confidence < 1.
    """
    if margin < 0:
        raise ValueError(f"the margin must not be below 0, as {margin} is")
    moved = []
    for candidate, incumbent in pairs:
        if not (0 <= candidate <= 1 and 0 <= incumbent <= 1):
            raise ValueError("scores must lie in 0..1")
        moved.append((1 + candidate - incumbent) / 2)
    n = len(moved)
    bounds = anytime(n, sum(moved), sum(x * x for x in moved), confidence)
    lower, upper = (2 * bound - 1 for bound in bounds)
    return Paired(
        n=n,
        difference=2 * sum(moved) / n - 1 if n else 0.0,
        lower=lower,
        upper=upper,
        standing=_standing(lower, upper, margin),
    )


def _standing(lower: float, upper: float, margin: float) -> Standing:
    if lower > 0:
        return Standing.BETTER
    if upper < -margin:
        return Standing.WORSE
    return Standing.AS_GOOD if lower >= -margin and margin > 0 else Standing.UNDECIDED
