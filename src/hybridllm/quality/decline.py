"""Which models have become worse: live scores in the order of time in, declines out.

A model is held against its own past: its first live scores at a task are its baseline, and a
detector (`drift.py`) watches those that follow. Graded traffic and shadows are one stream, and what
callers say of answers is another with a baseline of its own, since those who say something are no
sample of all. The evidence of both adds up. Everything follows from the scores, so that whoever
reads the same ones comes to the same result, and nothing is lost with a process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from hybridllm.quality.anytime import anytime
from hybridllm.quality.drift import FALSE_ALARM, Detector, State, watch
from hybridllm.quality.wilson import wilson

BASELINE = 300
MARGIN = 0.02
FALSE_RETURN = 0.01
"""A model that is still below its level is taken for well once in 1/0.01 scores at the most. Less
firm than an alarm: a wrong return costs until the next alarm, a late one every dearer answer."""

STREAMS = {"production": "traffic", "shadow": "traffic", "feedback": "feedback"}
"""Sources of live scores, and the stream that each belongs to."""
_SURE = 0.90  # two-sided, so the true mean is above the lower end with 95%
_LEAST = 0.01
_MILLION = 1_000_000


class Decline(Struct, frozen=True, kw_only=True):
    """A model that is degraded at a task since `since` (Unix microseconds: the first of the scores
    that speak for it). `before` is the mean score of its baseline, `now` that of the `n` scores
    since then up to `at`, `lower` their lower bound, which holds whenever one looks."""

    task: str
    model: str
    since: int
    at: int
    before: float
    now: float
    lower: float
    n: int

    @property
    def words(self) -> str:
        """`degraded since 2026-11-12, 0.93 before, 0.84 now`"""
        day = datetime.fromtimestamp(self.since / _MILLION, UTC).date().isoformat()
        return f"degraded since {day}, {self.before:.2f} before, {self.now:.2f} now"


class Live(Struct, frozen=True):
    """A live answer's score in 0..1, its time in Unix microseconds and its source."""

    at: int
    score: float
    source: str


def decline(
    task: str,
    model: str,
    scores: Iterable[Live],
    *,
    baseline: int = BASELINE,
    margin: float = MARGIN,
) -> Decline | None:
    """Whether the model is degraded after these scores, which are in the order of time."""
    watching = Watch(baseline, margin)
    for one in scores:
        watching.add(one)
    return watching.decline(task, model)


def watched(live: Mapping[str, int], baseline: int = BASELINE) -> bool:
    """Whether a cell with so many live scores of each source has any beyond its baselines."""
    counts: dict[str, int] = {}
    for source, n in live.items():
        counts[STREAMS[source]] = counts.get(STREAMS[source], 0) + n
    return any(n > baseline for n in counts.values())


class _Stream:
    """A stream's baseline. Its `level`, which the mean of later scores must not fall below, is
    `margin` below the baseline's mean, or its lower bound of 95% if that is lower; None while the
    baseline is not whole, or where scores are too bad to fall."""

    def __init__(self, baseline: int, margin: float) -> None:
        self.level: float | None = None
        self.mean = 0.0
        self._baseline, self._margin = baseline, margin
        self._n, self._total = 0, 0.0

    def takes(self, score: float) -> bool:
        """Whether the score is one of the baseline."""
        if self._n >= self._baseline:
            return False
        self._n += 1
        self._total += score
        if self._n == self._baseline:
            self.mean = self._total / self._n
            lower, _ = wilson(min(self._total, self._n), self._n, _SURE)
            level = min(self.mean - self._margin, lower, 1 - _LEAST)
            self.level = level if level >= _LEAST else None
        return True


class Watch:
    """A model at a task, watched score by score. While scores are as good as the level on average,
    there are 1/FALSE_ALARM of them or more to a false alarm, on average.

    `degraded` says what it is now. The change is taken to be where the sum of what scores fell
    short of the level was last nothing (E. S. Page, "Continuous inspection schemes", Biometrika 41,
    1954); after an alarm that stays where it was.
    """

    def __init__(self, baseline: int = BASELINE, margin: float = MARGIN) -> None:
        self.degraded = False
        self._streams = {name: _Stream(baseline, margin) for name in set(STREAMS.values())}
        self._detector: Detector | None = None
        self._clear()

    def _clear(self) -> None:
        self._short = 0.0
        self._since = self._at = self._n = 0
        self._total = self._squares = self._before = 0.0

    def add(self, one: Live) -> None:
        """The next score, in the order of time. Raises ValueError for one outside of 0..1."""
        stream = self._streams[STREAMS[one.source]]
        if stream.takes(one.score) or stream.level is None:
            return
        self._detector = watch(_at(self._detector, stream.level), (one.score,))
        degraded = self._detector.state is State.DEGRADED
        if self.degraded and not degraded:
            self._clear()
        else:
            self._follow(one, stream.level, stream.mean)
        self.degraded = degraded

    def _follow(self, one: Live, level: float, before: float) -> None:
        if not self.degraded:
            if self._short <= 0:
                self._clear()
            self._short = max(0.0, self._short + level - one.score)
        self._since = self._since or one.at
        self._at = one.at
        self._n += 1
        self._total += one.score
        self._squares += one.score * one.score
        self._before += before

    def decline(self, task: str, model: str) -> Decline | None:
        """What became of the model; None where it is well."""
        if not self.degraded:
            return None
        now = self._total / self._n
        lower, _ = anytime(self._n, self._total, min(self._squares, self._total))
        return Decline(
            task=task,
            model=model,
            since=self._since,
            at=self._at,
            before=self._before / self._n,
            now=now,
            lower=min(lower, now),
            n=self._n,
        )


def _at(detector: Detector | None, level: float) -> Detector:
    """The detector, with the level of the next score's stream. The evidence stays: each score is
    held against a level that was set before it came."""
    if detector is None:
        return Detector(level=level, recovered=level)
    alpha = FALSE_ALARM if detector.state is State.WELL else FALSE_RETURN
    if detector.level == level and detector.alpha == alpha:
        return detector
    return msgspec.structs.replace(detector, level=level, recovered=level, alpha=alpha)
