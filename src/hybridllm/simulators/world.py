"""What the simulated providers share: profile, counts, faults, and each one's cache and limits."""

from __future__ import annotations

import time

from hybridllm.simulators.caching import PromptCache
from hybridllm.simulators.calls import CallLog
from hybridllm.simulators.counting import Counter, require_tokenizer
from hybridllm.simulators.faults import FaultPlan
from hybridllm.simulators.limits import RateLimits
from hybridllm.simulators.profiles import Profile

PROVIDERS = ("openai", "anthropic", "google")


class World:
    """Touched only from the servers' own event loop."""

    def __init__(self, profile: Profile, *, keep_calls: bool = True, seed: int = 0) -> None:
        require_tokenizer()
        self.profile = profile
        self.calls = CallLog(keep_calls)
        self.faults = FaultPlan(seed)
        self.counter = Counter()
        self.caches = {name: PromptCache() for name in PROVIDERS}
        self.limits = {
            name: RateLimits(profile.requests_per_minute, profile.tokens_per_minute)
            for name in PROVIDERS
        }

    @staticmethod
    def now() -> float:
        """Monotonic seconds: of faults, caches and limits."""
        return time.monotonic()

    def reset(self) -> None:
        """As if just started: no calls, no faults, cold caches, full limits."""
        self.calls.clear()
        self.faults.clear()
        for cache in self.caches.values():
            cache.clear()
        for limits in self.limits.values():
            limits.clear()
