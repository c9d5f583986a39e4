"""One model's attempts: other keys at once, retries after a wait as the budget allows."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from hybridllm.catalog.structs import Model
from hybridllm.engine.call import Answer
from hybridllm.engine.judge import KEY_COOLDOWN_SECONDS, UNHEALTHY, Step, step_after
from hybridllm.engine.runtime import Runtime
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.providers.keys import Key
from hybridllm.providers.retries import backoff
from hybridllm.providers.upstream import Upstream

Try = Callable[[Key | None], Awaitable[Answer | ProviderError]]
"""One attempt with this key; None where the provider needs none."""


async def persist(runtime: Runtime, model: Model, attempt: Try) -> Answer | ProviderError:
    """The answer, or the last error, of which the model's breaker has been told. The breaker has
    let the first attempt through already."""
    upstream = runtime.upstreams[model.provider]
    tried: set[int] = set()
    retries = 0
    while True:
        key = upstream.keys.pick(time.monotonic())
        if key is None and len(upstream.keys):
            runtime.breakers.release(model.id)
            return no_key(upstream)
        result = await attempt(key)
        if isinstance(result, Answer):
            return result
        tell_breaker(runtime, model, result)
        step = step_after(result)
        if step is Step.OTHER_KEY and key is not None:
            tried.add(key.index)
            if _rest(runtime, upstream, key, result, tried):
                continue
        if step not in (Step.RETRY, Step.OTHER_KEY) or not result.retryable:
            return result
        retries += 1
        wait = backoff(runtime.config.retries, retries, result.retry_after, random)
        if wait is None or not runtime.budget.spend(time.monotonic()):
            return result
        await asyncio.sleep(wait)
        if not runtime.breakers.allow(model.id, time.monotonic()):
            return result
        tried.clear()


def _rest(
    runtime: Runtime, upstream: Upstream, key: Key, error: ProviderError, tried: set[int]
) -> bool:
    """Rest a key that failed. Says whether a key that was not tried yet can take over at once.

    A provider's only key is not rested for a passing rate limit: a retry waits for it."""
    now = time.monotonic()
    seconds = error.retry_after
    if seconds is None:
        seconds = KEY_COOLDOWN_SECONDS[error.kind]
    passing = error.kind is ErrorKind.RATE_LIMITED and seconds <= runtime.config.retries.cap_seconds
    if len(upstream.keys) > 1 or not passing:
        upstream.keys.cool(key, now + seconds)
    other = upstream.keys.pick(now)
    return other is not None and other.index not in tried


def no_key(upstream: Upstream) -> ProviderError:
    """All of the provider's keys are resting."""
    now = time.monotonic()
    free_at = upstream.keys.free_at(now)
    return ProviderError(
        f"Every key of provider '{upstream.name}' is resting after a rate limit or a refusal.",
        kind=ErrorKind.RATE_LIMITED,
        provider=upstream.name,
        retry_after=max(0.0, free_at - now) if free_at is not None else None,
        retryable=False,
    )


def tell_breaker(runtime: Runtime, model: Model, error: ProviderError) -> None:
    """A key's trouble says nothing about the model; any other refusal shows that it is up."""
    now = time.monotonic()
    if error.kind in UNHEALTHY:
        runtime.breakers.failure(model.id, now)
    elif error.kind in KEY_COOLDOWN_SECONDS:
        runtime.breakers.release(model.id)
    else:
        runtime.breakers.success(model.id, now)
