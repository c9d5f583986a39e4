"""Everything that a request needs to be served, built whole from one configuration.

A reload builds a second Runtime beside the first and swaps them; requests under way end on the
one that they began with. What traffic has taught (sessions, learned figures) and the ledger
outlive the swap.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping

from hybridllm.catalog.structs import Model
from hybridllm.config import Config, ResolvedProvider
from hybridllm.config_file import resolve_providers
from hybridllm.engine.caching import prefixes_for
from hybridllm.engine.checking import refuse_unusable
from hybridllm.engine.explicit import Explicit
from hybridllm.engine.learned import Learned
from hybridllm.engine.passing import Passes
from hybridllm.engine.prefixes import Prefixes
from hybridllm.engine.repeats import Repeats
from hybridllm.engine.sessions import Sessions
from hybridllm.errors import ConfigError
from hybridllm.providers.breakers import Breakers
from hybridllm.providers.retries import RetryBudget
from hybridllm.providers.upstream import Upstream, close_upstreams, open_upstreams
from hybridllm.routing import Router
from hybridllm.tasks import TaskNamer
from hybridllm.wire.dialect import Dialect, Target
from hybridllm.wire.registry import get_dialect

_DAY_SECONDS = 86_400
_BACKGROUND_SECONDS = 5.0


class Runtime:
    """One configuration in operation. `learned`, `sessions`, `prefixes`, `repeats`, `explicit`
    and `passes` may be handed on from a former one; `sandbox` bounds how much code is tested at a
    time. `background` are tasks that no request waits for, `told` the
    failures of theirs that are in the log already."""

    def __init__(
        self,
        config: Config,
        providers: Mapping[str, ResolvedProvider],
        *,
        learned: Learned | None = None,
        sessions: Sessions | None = None,
        prefixes: Prefixes | None = None,
        repeats: Repeats | None = None,
        explicit: Explicit | None = None,
        passes: Passes | None = None,
    ) -> None:
        self.config = config
        self.models: dict[str, Model] = config.catalog.models
        self.namer = TaskNamer(config)
        self.router = Router(config)
        self.upstreams: dict[str, Upstream] = open_upstreams(providers)
        self.usable = frozenset(self.upstreams)
        self.targets = {model.id: target_of(model) for model in self.models.values()}
        self.breakers = Breakers(config.breaker)
        self.budget = RetryBudget(config.retries)
        self.learned = learned or Learned()
        self.sessions = sessions or Sessions(
            config.routing.max_sessions, config.routing.session_seconds
        )
        self.prefixes = prefixes_for(config, prefixes)
        self.repeats = repeats or Repeats()
        self.explicit = explicit or Explicit()
        self.passes = passes or Passes()
        self.sandbox = asyncio.Semaphore(os.cpu_count() or 1)
        self.background: set[asyncio.Task[None]] = set()
        self.told: set[tuple[str, str]] = set()
        self.baseline = self.models.get(config.routing.baseline)
        self.drop = frozenset(config.wire.drop)
        self.refuse = frozenset(config.wire.refuse)
        self.waiting_tasks = frozenset(t.name for t in config.tasks.values() if t.deadline)
        self._day = ""
        self._day_ends = 0.0

    def dialect_to(self, provider: str, caller: Dialect) -> Dialect:
        """What to speak with a provider: the caller's dialect where it is understood, so that bytes
        pass through, else the provider's own."""
        upstream = self.upstreams[provider]
        return caller if caller.name in upstream.speaks else get_dialect(upstream.dialect)

    def today(self, now: float) -> str:
        """The UTC day of Unix time `now`, as an ISO date."""
        if now >= self._day_ends or now < self._day_ends - _DAY_SECONDS:
            self._day = time.strftime("%Y-%m-%d", time.gmtime(now))
            self._day_ends = (now // _DAY_SECONDS + 1) * _DAY_SECONDS
        return self._day

    async def close(self) -> None:
        """End what is still done in the background, soon, and close the connections to the
        providers."""
        if self.background:
            _, late = await asyncio.wait(self.background, timeout=_BACKGROUND_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await close_upstreams(self.upstreams)


def usable_providers(config: Config) -> dict[str, ResolvedProvider]:
    """The providers that can be called, by name. Raises ConfigError where there is none."""
    usable = {name: p for name, p in resolve_providers(config).items() if p.usable}
    if not usable:
        raise ConfigError(
            "No provider can be called: no API key was found.",
            where=config.path,
            remedy="Set OPENAI_API_KEY, ANTHROPIC_API_KEY or GEMINI_API_KEY, or configure a "
            "provider that needs none; `hybridllm simulate` prints keys to try things with.",
        )
    return usable


def open_runtime(
    config: Config, former: Runtime | None = None, passes: Passes | None = None
) -> Runtime:
    """A Runtime for `config` and the environment's keys, with what `former` has learned, and of
    cascades with what `passes` knows besides. Raises ConfigError."""
    refuse_unusable(config)
    if former is not None:
        passes = former.passes.adopt(passes)
    return Runtime(
        config,
        usable_providers(config),
        learned=former.learned if former else None,
        sessions=former.sessions if former else None,
        prefixes=former.prefixes if former else None,
        repeats=former.repeats if former else None,
        explicit=former.explicit if former else None,
        passes=passes,
    )


def target_of(model: Model) -> Target:
    """What a dialect's writer must know of `model`."""
    return Target(
        model=model.name,
        max_output_tokens=model.max_output_tokens,
        tools=model.tools,
        vision=model.vision,
        documents=model.documents,
        json_schema=model.json_schema,
        reasoning=model.reasoning,
    )
