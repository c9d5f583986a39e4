"""What a provider would bill for a body: read by its simulator, cached by its simulator's cache, at
a time of the caller's choosing. No HTTP, so that hours of traffic take seconds."""

from __future__ import annotations

import msgspec

from hybridllm.catalog.structs import Model, Usage
from hybridllm.simulators.anthropic.messages import Messages
from hybridllm.simulators.caching import PromptCache
from hybridllm.simulators.counting import Counter, encoding_for
from hybridllm.simulators.google.generate import GenerateContent
from hybridllm.simulators.openai.chat import ChatCompletions
from hybridllm.simulators.provider import Generation, Incoming


class Caches:
    """Three providers' caches. They begin cold."""

    def __init__(self, counter: Counter) -> None:
        self._caches = {name: PromptCache() for name in ("openai", "anthropic", "google")}
        self._endpoints: dict[str, Generation] = {
            "openai": ChatCompletions(),
            "anthropic": Messages(),
            "google": GenerateContent(),
        }
        self._counter = counter

    def bill(self, model: Model, body: bytes, output: int, now: float) -> Usage:
        """The usage of a call whose answer takes `output` tokens."""
        ask = self._endpoints[model.provider].read(
            Incoming(msgspec.json.decode(body), model.name, {}, {})
        )
        cache, encoding = self._caches[model.provider], encoding_for(ask.model)
        scope, least = f"{ask.model} ", ask.spec.min_cache_tokens
        tokens = sum(
            self._counter.count(part.text, encoding) if part.tokens is None else part.tokens
            for part in ask.prompt
        )
        if model.provider != "anthropic":
            billed = cache.implicit(scope, ask.prompt, tokens, least, encoding, now)
        elif any(part.mark for part in ask.prompt):
            billed = cache.explicit(scope, ask.prompt, least, self._counter, encoding, now)
        else:
            return Usage(input_tokens=tokens, output_tokens=output)
        return Usage(
            input_tokens=billed.input_tokens,
            cache_read_tokens=billed.cache_read_tokens,
            cache_write_tokens=billed.cache_write_tokens,
            cache_write_long_tokens=billed.cache_write_long_tokens,
            output_tokens=output,
        )
