"""What the simulated providers share: profile, counts, faults, and each one's cache and limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count

from hybridllm.simulators.caching import PromptCache
from hybridllm.simulators.calls import CallLog
from hybridllm.simulators.counting import Counter, require_tokenizer
from hybridllm.simulators.faults import PROVIDERS, FaultPlan
from hybridllm.simulators.limits import RateLimits
from hybridllm.simulators.profiles import Profile

NUMBERS = count(1)
"""Of all requests in this process, for their ids."""


class World:
    """Touched only from the servers' own event loop."""

    def __init__(self, profile: Profile, *, keep_calls: bool = True, seed: int = 0) -> None:
        require_tokenizer()
        self._advanced = 0.0
        self._forget: list[Callable[[], None]] = []
        self._settle: list[Callable[[], None]] = []
        self.seed = seed
        self.profile = profile
        self.calls = CallLog(keep_calls)
        self.faults = FaultPlan(seed)
        self.counter = Counter()
        self.caches = {name: PromptCache() for name in PROVIDERS}
        self.limits = {
            name: RateLimits(profile.requests_per_minute, profile.tokens_per_minute)
            for name in PROVIDERS
        }

    def now(self) -> float:
        """Monotonic seconds, `advance` included: of faults, caches and limits."""
        return time.monotonic() + self._advanced

    def wall(self) -> float:
        """Unix seconds, `advance` included: of what replies show."""
        return time.time() + self._advanced

    def advance(self, seconds: float) -> None:
        """Let time pass at once: caches go cold, faults end, limits refill, batches go on."""
        self._advanced += seconds

    def on_settle(self, settle: Callable[[], None]) -> None:
        """Call `settle` before the calls are looked at: for what is done only when asked for."""
        self._settle.append(settle)

    def settle(self) -> None:
        """Bring the calls up to now."""
        for settle in self._settle:
            settle()

    def on_reset(self, forget: Callable[[], None]) -> None:
        """Call `forget` at each reset: for what a provider remembers of its own."""
        self._forget.append(forget)

    def reset(self) -> None:
        """As if just started: no calls, no faults, cold caches, full limits, no time advanced."""
        self._advanced = 0.0
        self.calls.clear()
        self.faults.clear()
        for cache in self.caches.values():
            cache.clear()
        for limits in self.limits.values():
            limits.clear()
        for forget in self._forget:
            forget()
