"""What a run has found of each model: score, how sure, of how many, for how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from hybridllm.evals.grading import Grade
from hybridllm.evals.sets import Sample
from hybridllm.quality import wilson
from hybridllm.quality.anytime import anytime
from hybridllm.quality.verdict import Verdict

CONFIDENCE = 0.95


class Result(Struct, frozen=True, kw_only=True):
    """One model at the task. `score` is the mean of its answers' scores by weight, `lower` and
    `upper` its confidence interval, None without answers; `verdict` what that says of the bar;
    `failed` got no answer, `ungraded` an answer that its judge gave no grade; `cut` were ended by
    the limit of length (graded as they were). `cost` is picodollars of everything that was called
    for it, judges included. `figures` are those of its graders besides."""

    model: str
    n: int
    score: float | None
    lower: float | None
    upper: float | None
    verdict: Verdict
    cost: int
    failed: int = 0
    ungraded: int = 0
    cut: int = 0
    stopped: str = ""
    figures: dict[str, float] = {}


def interval(
    scores: Sequence[float], weights: Sequence[float], *, looked: bool
) -> tuple[float, float, float]:
    """(mean by weight, lower, upper) of the mean. `looked`: whether to go on was decided by these
    very scores, so the interval must hold however often one looks; the weights are equal then.
    Else it is Wilson's, of as many equal samples as the weights are worth (L. Kish, Survey
    Sampling, 1965: the square of their sum over the sum of their squares); for scores between 0 and
    1 it is wider than need be."""
    total = sum(weights)
    mean = min(1.0, sum(s * w for s, w in zip(scores, weights, strict=True)) / total)
    if looked:
        squares = sum(score * score for score in scores)
        return mean, *anytime(len(scores), sum(scores), squares, CONFIDENCE)
    worth = max(1, int(total * total / sum(w * w for w in weights) + 1e-9))
    return mean, *wilson(mean * worth, worth, CONFIDENCE)


def figures_of(samples: Mapping[str, Sample], grades: Mapping[str, Grade]) -> dict[str, float]:
    """What the graders say of all answers together, where there is one kind of grader."""
    kinds = {type(samples[id].grader) for id in grades}
    if len(kinds) != 1:
        return {}
    graded: list[tuple[Any, Grade]] = [(samples[id].expected, grades[id]) for id in grades]
    return samples[next(iter(grades))].grader.summary(graded)
