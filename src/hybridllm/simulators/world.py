"""What the simulated providers share: profile, counts, faults, and each one's cache and limits."""

from __future__ import annotations

import time
from collections.abc import Callable

from hybridllm.simulators.caching import PromptCache
from hybridllm.simulators.calls import CallLog
from hybridllm.simulators.counting import Counter, require_tokenizer
from hybridllm.simulators.faults import PROVIDERS, FaultPlan
from hybridllm.simulators.limits import RateLimits
from hybridllm.simulators.profiles import Profile


class World:
    """Touched only from the servers' own event loop."""

    def __init__(self, profile: Profile, *, keep_calls: bool = True, seed: int = 0) -> None:
        require_tokenizer()
        self._advanced = 0.0
        self._forget: list[Callable[[], None]] = []
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

    def advance(self, seconds: float) -> None:
        """Let time pass at once: caches go cold, faults end, limits refill."""
        self._advanced += seconds

    def on_reset(self, forget: Callable[[], None]) -> None:
        """Call `forget` at each reset: for what a provider remembers of its own."""
        self._forget.append(forget)

    def reset(self) -> None:
        """As if just started: no calls, no faults, cold caches, full limits."""
        self.calls.clear()
        self.faults.clear()
        for cache in self.caches.values():
            cache.clear()
        for limits in self.limits.values():
            limits.clear()
        for forget in self._forget:
            forget()
