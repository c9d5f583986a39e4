"""When to send a call again, and when not: waits with jitter, and a budget against storms."""

from __future__ import annotations

from typing import Protocol

from hybridllm.config import RetryConfig

WINDOW_SECONDS = 10


class Rng(Protocol):
    """What `backoff` needs of `random` or a `random.Random`."""

    def uniform(self, a: float, b: float, /) -> float: ...


def backoff(
    config: RetryConfig, retry_number: int, retry_after: float | None, rng: Rng
) -> float | None:
    """Seconds to wait before retry `retry_number` (from 1), or None: give this model up.

    Full jitter: anything from nothing to base * 2^(retry_number - 1), capped. A provider's own
    retry-after (seconds) is waited for, with the jitter on top as far as the cap allows; one beyond
    the cap means None.
    """
    if retry_number >= config.attempts:
        return None
    step = min(config.cap_seconds, config.base_seconds * 2.0 ** min(retry_number - 1, 60))
    if retry_after is None:
        return rng.uniform(0.0, step)
    if retry_after > config.cap_seconds:
        return None
    least = max(0.0, retry_after)
    return rng.uniform(least, min(config.cap_seconds, least + step))


class RetryBudget:
    """Bounds retries by what is being asked: over the last ten seconds, counted in whole seconds,
    at most `budget_ratio` of the requests, and `budget_floor` a second besides. So an outage
    multiplies the load on a provider by no more than 1 + `budget_ratio`."""

    def __init__(self, config: RetryConfig) -> None:
        self._ratio = config.budget_ratio
        self._floor = config.budget_floor * WINDOW_SECONDS
        self._requests = [0] * WINDOW_SECONDS
        self._retries = [0] * WINDOW_SECONDS
        self._second = 0

    def request(self, now: float) -> None:
        """A request has begun."""
        self._requests[self._slot(now)] += 1

    def spend(self, now: float) -> bool:
        """Take one retry from the budget; False if there is none left."""
        slot = self._slot(now)
        if sum(self._retries) + 1 > self._ratio * sum(self._requests) + self._floor:
            return False
        self._retries[slot] += 1
        return True

    def _slot(self, now: float) -> int:
        """The counter of this second; those of the seconds since the last call are emptied."""
        second = int(now)
        if second > self._second:
            for passed in range(max(self._second + 1, second - WINDOW_SECONDS + 1), second + 1):
                self._requests[passed % WINDOW_SECONDS] = 0
                self._retries[passed % WINDOW_SECONDS] = 0
            self._second = second
        return self._second % WINDOW_SECONDS
