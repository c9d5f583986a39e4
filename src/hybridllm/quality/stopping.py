"""When enough samples of a cell were judged to be certain of its verdict.

A cell is sampled up to a horizon, 200 by default. It ends earlier

* with `meets` or `below` as soon as that is proved. For pass and fail the proof is an exact group
  sequential test: at every sample there is a count of good answers that proves the bar met, and one
  that proves it missed, set so that the chance of ever crossing the wrong one is at most half of
  `error`. What may be spent of it by when follows K. Lan and D. DeMets ("Discrete sequential
  boundaries for clinical trials", Biometrika 70, 1983) with the third power of the share of samples
  (K. Kim and D. DeMets, "Design and analysis of group sequential tests based on the type I error
  spending rate function", Biometrika 74, 1987): little early, so that the last boundary is nearly
  that of a test at the horizon alone. The chances are not approximated: they are summed over all
  paths of a binomial walk at the bar;
* with `undecided` as soon as more samples up to the horizon would hardly prove anything: their
  chance, given those seen and no other knowledge (a beta-binomial forecast from Jeffreys' prior, as
  D. Spiegelhalter, L. Freedman and P. Blackburn use it, "Monitoring clinical trials: conditional or
  predictive power?", Controlled Clinical Trials 7, 1986), is less than `futile`. That can only
  leave open what might have been decided, never decide it wrongly.

Scores between 0 and 1 are held to `anytime`'s bounds instead, at the same error.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, log, log1p

from msgspec import Struct

from hybridllm.quality.anytime import anytime
from hybridllm.quality.clopper import log_beta
from hybridllm.quality.verdict import Verdict, verdict

HORIZON = 200
ERROR = 0.05
FUTILE = 0.02
_POWER = 3


class Boundaries(Struct, frozen=True):
    """Counts of good answers by the number of answers: from `meets[n]` on the bar is met, up to
    `below[n]` it is missed. Out of reach (n + 1, -1) where nothing is proved yet."""

    meets: tuple[int, ...]
    below: tuple[int, ...]


class Stopping:
    """One cell on its way: `add` its scores as they come, stop when `done`. `verdict` is what is
    known by then; it does not change afterwards.

    Raises ValueError unless 0 < bar < 1, 0 < error < 1 and horizon > 0.
    """

    def __init__(
        self,
        bar: float,
        *,
        horizon: int = HORIZON,
        error: float = ERROR,
        futile: float = FUTILE,
        passfail: bool = True,
    ) -> None:
        if not (0 < bar < 1 and 0 < error < 1 and horizon > 0):
            raise ValueError("the bar and the error lie strictly between 0 and 1")
        self._bar, self._horizon, self._error, self._futile = bar, horizon, error, futile
        self._boundaries = boundaries(bar, horizon, error) if passfail else None
        self.n = 0
        self.total = 0.0
        self._squares = 0.0
        self.verdict = Verdict.UNDECIDED
        self.done = False

    def add(self, score: float) -> bool:
        """Count one more; whether the cell is done. Raises ValueError for a score outside of 0..1,
        or one that is neither pass nor fail where that was promised."""
        if not 0 <= score <= 1 or (self._boundaries is not None and score not in (0, 1)):
            raise ValueError(f"{score} is no score of this cell")
        if self.done:
            return True
        self.n += 1
        self.total += score
        self._squares += score * score
        if self._boundaries is None:
            lower, upper = anytime(self.n, self.total, self._squares, 1 - self._error)
            self.verdict = verdict(lower, upper, self._bar)
            hopeless = False
        else:
            good = int(self.total)
            self.verdict = _crossed(self._boundaries, self.n, good)
            ends = self._boundaries.meets[-1], self._boundaries.below[-1]
            hopeless = _hope(*ends, self._horizon, self.n, good) < self._futile
        self.done = hopeless or self.verdict != Verdict.UNDECIDED or self.n >= self._horizon
        return self.done


def _crossed(bounds: Boundaries, n: int, good: int) -> Verdict:
    if good >= bounds.meets[n]:
        return Verdict.MEETS
    return Verdict.BELOW if good <= bounds.below[n] else Verdict.UNDECIDED


@lru_cache(maxsize=256)
def boundaries(bar: float, horizon: int = HORIZON, error: float = ERROR) -> Boundaries:
    """The exact boundaries for pass and fail."""
    missed = _boundary(1 - bar, horizon, error / 2)
    return Boundaries(
        meets=_boundary(bar, horizon, error / 2),
        below=tuple(n - failures for n, failures in enumerate(missed)),
    )


def _boundary(share: float, horizon: int, error: float) -> tuple[int, ...]:
    """By the number of answers the least count that a walk of chance `share` reaches, at this or an
    earlier boundary, with no more than the error spent by then."""
    counts = [1]
    chances = [1.0]  # of having so many successes, and no boundary crossed
    spent = 0.0
    for n in range(1, horizon + 1):
        grown = [0.0] * (n + 1)
        for good, chance in enumerate(chances):
            grown[good] += chance * (1 - share)
            grown[good + 1] += chance * share
        allowed = error * (n / horizon) ** _POWER
        least = n + 1
        while least > 0 and spent + grown[least - 1] <= allowed:
            least -= 1
            spent += grown[least]
            grown[least] = 0.0
        counts.append(least)
        chances = grown
    return tuple(counts)


@lru_cache(maxsize=65_536)
def _hope(meets: int, below: int, horizon: int, n: int, good: int) -> float:
    """The chance that after `horizon` answers `meets` are good, or no more than `below`, as far as
    is known from `good` of `n`."""
    left = horizon - n
    a, b = good + 0.5, n - good + 0.5
    # The logarithm of the chance of j more good answers, from one j to the next.
    chance = log_beta(a, b + left) - log_beta(a, b)
    hope = 0.0
    for j in range(left + 1):
        if good + j >= meets or good + j <= below:
            hope += exp(chance)
        if j < left:
            chance += log(left - j) - log1p(j) + log(a + j) - log(b + left - j - 1)
    return hope
