"""Cascades over recorded outcomes: the weak model answers everything, a check looks at its answer,
and what looks worst goes on to the strong model. Both attempts are billed, and the check.

A check is simulated from the table by its error rates: it fails a bad answer with probability
`catches` and a good one with probability `alarms`, one of score s with the mixture of the two. The
oracle check sees the weak answer's score, and nothing of the strong one's.

The figures are those of `curve`. APGR and CPT count strong calls, as they are defined; what weak
answers and checks cost besides is in AIQ alone, which is taken over the costs from always-weak
to always-strong: a cascade that costs more than the strong model by itself would not be used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random

import msgspec
from msgspec import Struct

from hybridllm.evals.curve import Outcome, Worth, mean_height, worth

FOLDS = 5
_STEPS, _RIDGE = 12, 1.0
GOAL = 0.8
"""The share of the gap that the cross-validated threshold is to recover."""


class Check(Struct, frozen=True, kw_only=True):
    """`catches` is the share of bad answers that fail it, `alarms` that of good ones; `cost` is
    what one check costs, in weak answers: 0 for code, 2 for two further samples."""

    catches: float = 0.8
    alarms: float = 0.1
    cost: float = 0.0


class Held(Struct, frozen=True, kw_only=True):
    """What a threshold does on samples that it was not chosen on: the gap recovered, the share of
    strong calls, and the cost as a share of always-strong's (None: costs are not known)."""

    pgr: float | None
    share: float
    cost: float | None


def failing(outcomes: Sequence[Outcome], check: Check, seed: int) -> list[bool]:
    """Whose weak answer fails the simulated check."""
    chance = Random(seed)
    return [
        chance.random() < check.catches + (check.alarms - check.catches) * one.weak
        for one in outcomes
    ]


def by_oracle(outcomes: Sequence[Outcome]) -> list[float]:
    """The worst weak answers first."""
    return [1 - one.weak for one in outcomes]


def by_check(failed: Sequence[bool], seed: int) -> list[float]:
    """What failed first, in no order else."""
    # A sequence of its own: that of `failing` would tell which good answers just passed.
    chance = Random(f"order {seed}")
    return [one + chance.random() / 2 for one in failed]


def by_both(
    outcomes: Sequence[Outcome], failed: Sequence[bool], gain: Sequence[float], seed: int
) -> list[float]:
    """By what is predicted of the request (`gain`, cross-validated) and what the check said, each
    with the weight that it has on the other folds. Needs numpy (ImportError without)."""
    found = [0.0] * len(outcomes)
    for known, held in _folds(len(outcomes), seed):
        by_gain, by_word = _weights(
            [gain[at] for at in known],
            [failed[at] for at in known],
            [outcomes[at].strong > outcomes[at].weak for at in known],
        )
        for at in held:
            found[at] = by_gain * gain[at] + by_word * failed[at]
    return found


def _weights(
    gain: Sequence[float], failed: Sequence[bool], gains: Sequence[bool]
) -> tuple[float, float]:
    """Logistic regression of `gains` on the two others, by Newton's method with a little ridge."""
    import numpy

    rows = numpy.column_stack([numpy.ones(len(gain)), gain, failed])
    wanted, weights = numpy.array(gains, dtype=float), numpy.zeros(3)
    for _ in range(_STEPS):
        chance = 1 / (1 + numpy.exp(-numpy.clip(rows @ weights, -30, 30)))
        slope = rows.T @ (wanted - chance) - _RIDGE * weights
        curvature = (rows.T * (chance * (1 - chance))) @ rows + _RIDGE * numpy.eye(3)
        weights = weights + numpy.linalg.solve(curvature, slope)
    return float(weights[1]), float(weights[2])


def cascade_worth(outcomes: Sequence[Outcome], win: Sequence[float], check_cost: float) -> Worth:
    """The figures of a cascade that escalates in falling order of `win`, with an AIQ that bills the
    weak answer, its check, and the strong answer where there is one."""
    found = worth(outcomes, win)
    return msgspec.structs.replace(found, aiq=_aiq(outcomes, win, check_cost))


def _aiq(outcomes: Sequence[Outcome], win: Sequence[float], check_cost: float) -> float | None:
    if any(one.weak_cost is None or one.strong_cost is None for one in outcomes):
        return None
    weak = sum(one.weak_cost or 0 for one in outcomes)
    most = sum(one.strong_cost or 0 for one in outcomes)
    cost, quality = weak + round(weak * check_cost), sum(one.weak for one in outcomes)
    points = [(weak, quality), (most, sum(one.strong for one in outcomes)), (cost, quality)]
    for at in sorted(range(len(outcomes)), key=lambda place: -win[place]):
        one = outcomes[at]
        cost += one.strong_cost or 0
        quality += one.strong - one.weak
        points.append((cost, quality))
    height = mean_height([point for point in points if point[0] <= most])
    return None if height is None else height / len(outcomes)


def held_out(
    outcomes: Sequence[Outcome], win: Sequence[float], check_cost: float, seed: int
) -> Held:
    """The least threshold that recovers GOAL on four folds, used on the fifth; over all folds."""
    escalated = [False] * len(outcomes)
    for known, held in _folds(len(outcomes), seed):
        threshold = _threshold([outcomes[at] for at in known], [win[at] for at in known])
        for at in held:
            escalated[at] = win[at] >= threshold
    weak = sum(one.weak for one in outcomes)
    gap = sum(one.strong for one in outcomes) - weak
    gained = sum(one.strong - one.weak for one, up in zip(outcomes, escalated, strict=True) if up)
    return Held(
        pgr=gained / gap if gap > 0 else None,
        share=sum(escalated) / len(outcomes),
        cost=_cost_share(outcomes, escalated, check_cost),
    )


def _threshold(outcomes: Sequence[Outcome], win: Sequence[float]) -> float:
    """The `win` down to which is escalated, so that GOAL of the gap is recovered."""
    wanted = GOAL * sum(one.strong - one.weak for one in outcomes)
    gained = 0.0
    for at in sorted(range(len(outcomes)), key=lambda place: -win[place]):
        gained += outcomes[at].strong - outcomes[at].weak
        if gained >= wanted:
            return win[at]
    return -math.inf


def _cost_share(
    outcomes: Sequence[Outcome], escalated: Sequence[bool], check_cost: float
) -> float | None:
    if any(one.weak_cost is None or one.strong_cost is None for one in outcomes):
        return None
    weak = sum(one.weak_cost or 0 for one in outcomes)
    paid = weak + round(weak * check_cost)
    paid += sum(one.strong_cost or 0 for one, up in zip(outcomes, escalated, strict=True) if up)
    most = sum(one.strong_cost or 0 for one in outcomes)
    return paid / most if most else None


def _folds(count: int, seed: int) -> list[tuple[list[int], list[int]]]:
    """(known, held) places of each fold."""
    fold = [place % FOLDS for place in range(count)]
    Random(seed).shuffle(fold)
    return [
        (
            [at for at in range(count) if fold[at] != held],
            [at for at in range(count) if fold[at] == held],
        )
        for held in range(FOLDS)
    ]


def cascades(
    outcomes: Sequence[Outcome], check: Check, gain: Callable[[], list[float]], seed: int
) -> dict[str, tuple[Worth, Held]]:
    """The cascades' lines by name. `gain` gives what is predicted of the requests."""
    failed = failing(outcomes, check, seed)
    wins = {
        "cascade, oracle check": (by_oracle(outcomes), 0.0),
        "cascade, check": (by_check(failed, seed), check.cost),
        "cascade, check and ours": (by_both(outcomes, failed, gain(), seed), check.cost),
    }
    return {
        name: (cascade_worth(outcomes, win, cost), held_out(outcomes, win, cost, seed))
        for name, (win, cost) in wins.items()
    }
