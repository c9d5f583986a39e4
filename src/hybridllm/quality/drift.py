"""Noticing that a model has become worse, with a bounded rate of false alarms.

After every score a detector holds the evidence for a change at any moment so far. It is the
Shiryaev-Roberts e-detector of J. Shin, A. Ramdas and A. Rinaldo ("E-detectors: a nonparametric
framework for sequential change detection", New England Journal of Statistics in Data Science 2,
2024): while scores are as good as `level` on average, whatever else they do, there are on average
at least 1/α scores before it raises an alarm. Its evidence at each score is a mixture of bets of
several sizes on scores below `level`, since nobody knows how much worse it will be.

State is data: it can be stored between weeks, and nothing is read again.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec
from msgspec import Struct

_SIZES = (0.1, 0.2, 0.4, 0.8)
_NOTHING = (0.0,) * len(_SIZES)
_CEILING = 1e12
FALSE_ALARM = 2e-4


class State(StrEnum):
    """`well`, or `degraded` since an alarm, until recovery is proved as firmly."""

    WELL = "well"
    DEGRADED = "degraded"


class Detector(Struct, frozen=True, kw_only=True):
    """A model at a task, watched. `level` is the mean score that it must not fall below (as its
    measured lower bound), `recovered` that at which it is well again, `level` or more: the gap is
    the hysteresis. `alpha` bounds the rate of false alarms: one in 1/alpha scores on average, of
    either kind. `evidence` is what each size of bet has gathered, `n` the scores seen since the
    state began."""

    level: float
    recovered: float
    alpha: float = FALSE_ALARM
    state: State = State.WELL
    evidence: tuple[float, ...] = _NOTHING
    n: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.level <= self.recovered < 1 or not 0 < self.alpha < 1:
            raise ValueError("0 < level <= recovered < 1 and 0 < alpha < 1 must hold")


def watch(detector: Detector, scores: Iterable[float]) -> Detector:
    """The detector after these scores in 0..1, in the order in which they came. Raises ValueError
    for another score."""
    state, evidence, n = detector.state, detector.evidence, detector.n
    for score in scores:
        if not 0 <= score <= 1:
            raise ValueError("scores must lie in 0..1")
        edge = _edge(detector, state, score)
        evidence = tuple(
            [min(_CEILING, (1 + size * edge) * (before + 1)) for size, before in _pairs(evidence)]
        )
        n += 1
        if sum(evidence) * detector.alpha >= len(_SIZES):
            state = State.DEGRADED if state is State.WELL else State.WELL
            evidence, n = _NOTHING, 0
    return msgspec.structs.replace(detector, state=state, evidence=evidence, n=n)


def alarm(detector: Detector) -> float:
    """How near the next change of state is, from 0 to 1."""
    return min(1.0, sum(detector.evidence) / len(_SIZES) * detector.alpha)


def _edge(detector: Detector, state: State, score: float) -> float:
    """What a whole stake wins: -1 at the least, and nothing on average at the level in question."""
    if state is State.WELL:
        return (detector.level - score) / (1 - detector.level)
    return (score - detector.recovered) / detector.recovered


def _pairs(evidence: tuple[float, ...]) -> Iterable[tuple[float, float]]:
    return zip(_SIZES, evidence, strict=True)
