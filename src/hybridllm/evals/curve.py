"""What routing between a weak and a strong model is worth: quality over cost, as published.

Of each sample the scores and costs of both models are known; a router gives it a number, the higher
the sooner it goes to the strong model. Definitions:

- PGR, the performance gap recovered: (router - weak) / (strong - weak); APGR: the area under the
  mean score over the strong model's share, at shares of 0, 10, ..., 100%, by trapezoids, recovered
  in the same way (RouteLLM, arXiv:2406.18665, and its code); CPT(x%): the least share of strong
  calls at which the PGR reaches x%, linearly between those shares.
- AIQ: the mean height, over cost, of the non-decreasing convex hull of the router's points
  (RouterBench, arXiv:2403.12031).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random

from msgspec import Struct

SHARES = 10
"""The curve is cut at this many equal shares."""


class Outcome(Struct, frozen=True, kw_only=True):
    """One sample: its prompt, both models' scores (0 to 1), and costs in picodollars, if known."""

    prompt: str
    weak: float
    strong: float
    weak_cost: int | None = None
    strong_cost: int | None = None
    group: str = ""


class Worth(Struct, frozen=True, kw_only=True):
    """A router's figures; None where there is no gap to recover or no cost is known."""

    apgr: float | None
    cpt50: float | None
    cpt80: float | None
    aiq: float | None
    points: list[tuple[float, float]]
    """(share of strong calls, mean score) at the cut shares."""


def worth(outcomes: Sequence[Outcome], win: Sequence[float]) -> Worth:
    """The figures of a router that sends samples to the strong model in falling order of `win`."""
    order = sorted(range(len(outcomes)), key=lambda place: -win[place])
    count = len(order)
    totals = [sum(one.weak for one in outcomes)]
    for place in order:
        totals.append(totals[-1] + outcomes[place].strong - outcomes[place].weak)
    points = [
        (step / SHARES, totals[round(step * count / SHARES)] / count) for step in range(SHARES + 1)
    ]
    weak, gap = points[0][1], points[-1][1] - points[0][1]
    if gap <= 0:
        return Worth(apgr=None, cpt50=None, cpt80=None, aiq=_aiq(outcomes, order), points=points)
    area = sum(one + two for (_, one), (_, two) in pairwise(points))
    return Worth(
        apgr=(area / (2 * SHARES) - weak) / gap,
        cpt50=_reached(points, weak + gap * 0.5),
        cpt80=_reached(points, weak + gap * 0.8),
        aiq=_aiq(outcomes, order),
        points=points,
    )


def _reached(points: list[tuple[float, float]], wanted: float) -> float:
    """The least share at which the mean score is `wanted`; the last point is as high at least."""
    for (share, score), (more, higher) in pairwise(points):
        if higher >= wanted:
            return share + (more - share) * (wanted - score) / (higher - score)
    return 1.0


def _aiq(outcomes: Sequence[Outcome], order: list[int]) -> float | None:
    cost, quality = 0, 0.0
    for one in outcomes:
        if one.weak_cost is None or one.strong_cost is None:
            return None
        cost += one.weak_cost
        quality += one.weak
    points = [(cost, quality)]
    for place in order:
        one = outcomes[place]
        cost += (one.strong_cost or 0) - (one.weak_cost or 0)
        quality += one.strong - one.weak
        points.append((cost, quality))
    height = mean_height(points)
    return None if height is None else height / len(outcomes)


def mean_height(points: list[tuple[int, float]]) -> float | None:
    """The mean quality over cost of the hull of (cost, quality); None where there is one cost."""
    hull = _hull(points)
    width = hull[-1][0] - hull[0][0]
    if width <= 0:
        return None
    area = sum((right[0] - left[0]) * (left[1] + right[1]) / 2 for left, right in pairwise(hull))
    return area / width


def _hull(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """The upper hull over all costs, never falling: what costs more is at least as good, since one
    may always do the cheaper."""
    most = max(cost for cost, _ in points)
    hull: list[tuple[int, float]] = []
    for cost, quality in [*sorted(points), (most, max(quality for _, quality in points))]:
        while hull and hull[-1][0] == cost and hull[-1][1] <= quality:
            hull.pop()
        while len(hull) > 1 and _below(hull[-2], hull[-1], (cost, quality)):
            hull.pop()
        if not hull or hull[-1][0] < cost:
            hull.append((cost, quality))
    return hull


def _below(left: tuple[int, float], middle: tuple[int, float], right: tuple[int, float]) -> bool:
    return (middle[1] - left[1]) * (right[0] - left[0]) <= (right[1] - left[1]) * (
        middle[0] - left[0]
    )


def oracle(outcomes: Sequence[Outcome]) -> list[float]:
    """Knows every outcome: the largest gain first."""
    return [one.strong - one.weak for one in outcomes]


def longest(outcomes: Sequence[Outcome]) -> list[float]:
    """The trivial router: the longest prompts go to the strong model."""
    return [float(len(one.prompt)) for one in outcomes]


def chance(outcomes: Sequence[Outcome], seed: int) -> list[float]:
    """A random mix."""
    random = Random(seed)
    return [random.random() for _ in outcomes]
