"""Circuit breakers, one a model: stop asking what keeps failing, then ask once, then trust again.

| state | `allow` | success | failure | time |
| --- | --- | --- | --- | --- |
| closed | yes | forgets the failures in a row | opens after `failures` in a row, or if at least half of the last `window` outcomes are failures | |
| open | no | (of an earlier call) nothing | (of an earlier call) nothing | half-open after `open_seconds` |
| half-open, probe free | yes, and takes the probe | closes | opens | |
| half-open, probe out | no | closes | opens | probe free again after `PROBE_SECONDS` |

`release` frees a probe whose call told nothing of the model (cancelled, a key's rate limit).
Outcomes are kept from a model's first failure on; closing forgets them.
"""  # noqa: E501

from __future__ import annotations

import math
from collections import deque
from enum import StrEnum

from msgspec import Struct

from hybridllm.config import BreakerConfig

PROBE_SECONDS = 600.0
"""A probe that has not reported for so long is taken for lost."""


class State(StrEnum):
    """See the table above."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerState(Struct, frozen=True, kw_only=True):
    """One model's breaker as it stands. `retry_in` is the seconds until it is half-open."""

    state: State
    failures_in_row: int
    retry_in: float = 0.0


class _Breaker:
    """`opened_at` is None while closed, `probe_at` while no probe is out."""

    __slots__ = ("in_row", "opened_at", "outcomes", "probe_at")

    def __init__(self, window: int) -> None:
        self.in_row = 0
        self.outcomes: deque[bool] = deque(maxlen=max(1, window))
        self.opened_at: float | None = None
        self.probe_at: float | None = None


class Breakers:
    """All models' breakers. `now` is monotonic seconds. A model never heard of is closed."""

    def __init__(self, config: BreakerConfig) -> None:
        self._config = config
        self._breakers: dict[str, _Breaker] = {}
        self._down: frozenset[str] = frozenset()
        self._down_until = math.inf
        """When `_down` has to be worked out anew."""

    def allow(self, model_id: str, now: float) -> bool:
        """Whether a call may be made. In half-open this takes the probe: end it by `success`,
        `failure` or `release`."""
        breaker = self._breakers.get(model_id)
        if breaker is None or breaker.opened_at is None:
            return True
        if now < self._free_at(breaker):
            return False
        breaker.probe_at = now
        self._changed()
        return True

    def success(self, model_id: str, now: float) -> None:
        """A call was answered."""
        breaker = self._breakers.get(model_id)
        if breaker is None:
            return
        if breaker.opened_at is None:
            breaker.in_row = 0
            breaker.outcomes.append(True)
        elif now >= breaker.opened_at + self._config.open_seconds:
            del self._breakers[model_id]
            self._changed()

    def failure(self, model_id: str, now: float) -> None:
        """A call failed in a way that says that the model is unwell."""
        config = self._config
        breaker = self._breakers.get(model_id)
        if breaker is None:
            breaker = self._breakers[model_id] = _Breaker(config.window)
        if breaker.opened_at is not None:
            if now >= breaker.opened_at + config.open_seconds:
                self._open(breaker, now)
            return
        breaker.in_row += 1
        outcomes = breaker.outcomes
        outcomes.append(False)
        if breaker.in_row >= config.failures or (
            len(outcomes) == outcomes.maxlen and 2 * outcomes.count(False) >= len(outcomes)
        ):
            self._open(breaker, now)

    def release(self, model_id: str) -> None:
        """The call told nothing: if it was the probe, another may be made."""
        breaker = self._breakers.get(model_id)
        if breaker is not None and breaker.probe_at is not None:
            breaker.probe_at = None
            self._changed()

    def down(self, now: float) -> frozenset[str]:
        """The models that `allow` would refuse."""
        if now >= self._down_until:
            free_at = {name: self._free_at(b) for name, b in self._breakers.items()}
            self._down = frozenset(name for name, at in free_at.items() if now < at)
            self._down_until = min((free_at[name] for name in self._down), default=math.inf)
        return self._down

    def snapshot(self, now: float) -> dict[str, BreakerState]:
        """Every breaker that has seen a failure, by model id."""
        found: dict[str, BreakerState] = {}
        for name, breaker in self._breakers.items():
            state, retry_in = State.CLOSED, 0.0
            if breaker.opened_at is not None:
                retry_in = max(0.0, breaker.opened_at + self._config.open_seconds - now)
                state = State.OPEN if retry_in else State.HALF_OPEN
            found[name] = BreakerState(
                state=state, failures_in_row=breaker.in_row, retry_in=retry_in
            )
        return found

    def _open(self, breaker: _Breaker, now: float) -> None:
        breaker.opened_at = now
        breaker.probe_at = None
        self._changed()

    def _free_at(self, breaker: _Breaker) -> float:
        """From when on a call may be made."""
        if breaker.opened_at is None:
            return -math.inf
        if breaker.probe_at is not None:
            return breaker.probe_at + PROBE_SECONDS
        return breaker.opened_at + self._config.open_seconds

    def _changed(self) -> None:
        self._down_until = -math.inf
