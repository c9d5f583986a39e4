"""The three providers as the tests of their batch APIs see them, each at its simulator."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from hybridllm.catalog.structs import ProviderSpec
from hybridllm.config import ProviderConfig, ResolvedProvider
from hybridllm.providers.batches.api import BatchApi, Job, Outcome, Progress, Ready
from hybridllm.providers.batches.registry import batch_api
from hybridllm.providers.keys import Key
from hybridllm.providers.upstream import Upstream, open_upstreams
from hybridllm.simulators import Simulators

MODELS = {
    "openai": "gpt-4o-mini",
    "responses": "gpt-4o-mini",
    "anthropic": "claude-sonnet-4-6",
    "google": "gemini-2.5-flash",
}
"""By dialect."""
PROVIDER = {"responses": "openai"}


def body_of(dialect: str, text: str, **more: Any) -> dict[str, Any]:
    """A request of one turn, as it would be sent live."""
    messages = [{"role": "user", "content": text}]
    bodies: dict[str, dict[str, Any]] = {
        "openai": {"model": MODELS["openai"], "messages": messages},
        "responses": {"model": MODELS["openai"], "input": text},
        "anthropic": {"model": MODELS["anthropic"], "max_tokens": 500, "messages": messages},
        "google": {"contents": [{"role": "user", "parts": [{"text": text}]}]},
    }
    return {**bodies[dialect], **more}


def ready(dialect: str, count: int, start: int = 0) -> list[Ready]:
    """Lines whose answers tell them apart, some of them with line breaks in their JSON."""
    return [
        Ready(
            f"line-{at}",
            json.dumps(
                body_of(dialect, f'[[sim say "Answer {at}."]]'), indent=2 if at % 3 == 0 else None
            ).encode(),
        )
        for at in range(start, start + count)
    ]


class Side(Struct, frozen=True):
    """One provider, opened, with its first key."""

    dialect: str
    sims: Simulators
    upstream: Upstream
    api: BatchApi

    @property
    def provider(self) -> str:
        return self.upstream.name

    @property
    def missing(self) -> str:
        """The name of a job that there is not."""
        return "batches/none" if self.provider == "google" else "none"

    @property
    def key(self) -> Key:
        return next(iter(self.upstream.keys))

    async def submit(self, lines: Sequence[Ready], tag: str = "tag-1") -> Job:
        model = MODELS[self.dialect]
        return await self.api.submit(self.upstream, self.key, model, self.dialect, lines, tag)

    async def find(
        self, tag: str = "tag-1", since: int = 0, known: frozenset[str] = frozenset()
    ) -> list[Job]:
        return await self.api.find(self.upstream, self.key, tag, since, known)

    async def poll(self, job: str) -> Progress:
        return await self.api.poll(self.upstream, self.key, job)

    async def results(self, job: str) -> list[Outcome]:
        return [one async for one in self.api.results(self.upstream, self.key, job)]

    async def cancel(self, job: str) -> None:
        await self.api.cancel(self.upstream, self.key, job)

    async def advance(self, seconds: float) -> None:
        await asyncio.to_thread(self.sims.advance, seconds)


def open_side(sims: Simulators, dialect: str, **config: Any) -> Side:
    name = PROVIDER.get(dialect, dialect)
    urls = {
        "openai": sims.openai_url, "anthropic": sims.anthropic_url, "google": sims.google_url,
    }  # fmt: skip
    resolved = ResolvedProvider(
        name=name,
        spec=ProviderSpec(name=name, dialect=name, base_url=urls[name]),
        dialect=name,
        base_url=urls[name],
        keys=(("sim-one", "default", 1),),
        config=ProviderConfig(**config),
    )
    upstream = open_upstreams({name: resolved}, {})[name]
    api = batch_api(upstream)
    assert api is not None
    return Side(dialect, sims, upstream, api)
